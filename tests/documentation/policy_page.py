"""The tables of docs/policy.md: the checks of the policy, and the roots that Java or browsers distrust."""

from __future__ import annotations

from itertools import groupby

from reconciler.distrusted_roots import DISTRUSTED
from reconciler.policy import CHECKS
from tests.documentation.pages import REPOSITORY

PAGE = REPOSITORY / "docs" / "policy.md"


def checks() -> str:
    """A row for each check."""
    rows = [
        f"| `{one.id}` | {one.title} | `{one.level}` | {one.why} {one.hint} | {one.source} |" for one in CHECKS
    ]  # fmt: skip
    return "\n".join(["| Id | Looks for | Severity | Why, and what to do | Source |", "|---|---|---|---|---|", *rows])


def roots() -> str:
    """A row for each statement, the oldest first."""
    rows = sorted(DISTRUSTED.values(), key=lambda row: (row.day, row.source, row.name))
    lines = ["| Day | Roots | After it | Published at |", "|---|---|---|---|"]
    for (day, source, effect), found in groupby(rows, key=lambda row: (row.day, row.source, row.effect)):
        names = ", ".join(dict.fromkeys(row.name for row in found))
        lines.append(f"| {day.isoformat()} | {names} | {effect} | <{source}> |")
    return "\n".join(lines)


TABLES = {"checks": checks, "roots": roots}


def current(text: str) -> str:
    """The page with the tables of today."""
    for name, table in TABLES.items():
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- end of {name} -->")
        text = f"{before}<!-- {name} -->\n{table()}\n<!-- end of {name} -->{after}"
    return text
