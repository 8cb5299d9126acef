"""`reconcile validate`: schema, references, certificates, policy; needs neither keystore nor secrets."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.desired.shards import Shard
    from reconciler.errors import DesiredStateError
    from reconciler.model import DesiredState, PolicyFinding

    Judged = Sequence[tuple[DesiredState, tuple[PolicyFinding, ...]]]


@click.command(name="validate", short_help="Check state files; needs neither keystore nor secrets.")
@options.states
@options.fleet
@options.report_format("text", "json", "markdown")
def command(states: tuple[str, ...], changed_since: str | None, shard: Shard | None, format_name: str) -> int:
    """Check state files: schema, references, certificates, names, policy.

    Needs neither the keystore nor any secret, so it can run on pull requests from forks.

    \b
    Examples:
      reconcile validate keystore.yaml
      reconcile validate keystore.yaml --format json
      reconcile validate fleet/ --changed-since origin/main
    """
    from reconciler.commands.output import write
    from reconciler.commands.policy_checks import refuse_errors
    from reconciler.commands.selection import chosen_states
    from reconciler.errors import DesiredStateError
    from reconciler.policy import judge_declared
    from reconciler.terminal import print_error

    now = datetime.now(UTC)
    try:
        judged = [(state, judge_declared(state, now)) for state in chosen_states(states, changed_since, shard)]
    except DesiredStateError as error:
        write(_INVALID[format_name](error))
        print_error(error)
        return error.exit_code
    write(_JUDGED[format_name](judged))
    try:
        refuse_errors(finding for _, found in judged for finding in found)
    except DesiredStateError as error:
        print_error(error)
        return error.exit_code
    return 0


# ------------------------------------------------------------------------------------------- files with mistakes


def _invalid_text(_error: DesiredStateError) -> str:
    """Nothing: every problem stands on standard error."""
    return ""


def _invalid_json(error: DesiredStateError) -> str:
    rows = [
        {
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
            "refusal": problem.refusal,
            "source": {"file": s.file, "line": s.line, "column": s.column} if (s := problem.source) else None,
        }
        for problem in error.problems
    ]
    return _dumped({"format_version": "1", "valid": False, "problems": rows, "states": [], "policy": []})


def _invalid_markdown(error: DesiredStateError) -> str:
    from reconciler.reports.markdown import listing

    cells = [(str(p.source or ""), p.code, p.message, p.hint or "") for p in error.problems]
    return listing("Keystore validation", (), ("where", "code", "problem", "hint"), cells)


_INVALID = {"text": _invalid_text, "json": _invalid_json, "markdown": _invalid_markdown}


# ---------------------------------------------------------------------------------------- files without mistakes


def _text(judged: Judged) -> str:
    from reconciler.reports.printable import printable

    lines = []
    for state, found in judged:
        lines.append(f"{printable(state.name)}: {_verdict(found)}, {len(state.wanted)} declared")
        lines += [
            printable(f"  {one.level}: {one.alias}: {one.message} [{one.check}]{_at(one)}".rstrip()) for one in found
        ]
    return "".join(f"{line}\n" for line in lines)


def _at(finding: PolicyFinding) -> str:
    return f"  {finding.source.file}:{finding.source.line}" if finding.source else ""


def _verdict(found: Sequence[PolicyFinding]) -> str:
    from reconciler.policy import errors_of

    return "against the policy" if errors_of(found) else "valid"


def _json(judged: Judged) -> str:
    from reconciler.policy import errors_of
    from reconciler.reports.policy import policy_document

    document = {
        "format_version": "1",
        "valid": not any(errors_of(found) for _, found in judged),
        "problems": [],
        "states": [state.name for state, _ in judged],
        "policy": [{"state": state.name, **policy_document(one)} for state, found in judged for one in found],
    }
    return _dumped(document)


def _markdown(judged: Judged) -> str:
    from reconciler.reports.markdown import escaped, listing

    lines = [f"- {escaped(state.name)}: {_verdict(found)}, {len(state.wanted)} declared" for state, found in judged]
    cells = [
        (one.level, one.check, one.alias, one.message, str(one.source or "")) for _, found in judged for one in found
    ]
    return listing("Keystore validation", lines, ("severity", "check", "alias", "what", "where"), cells)


_JUDGED = {"text": _text, "json": _json, "markdown": _markdown}


def _dumped(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
