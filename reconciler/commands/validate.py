"""`reconcile validate`: schema, references, certificates, policy; needs neither keystore nor secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from reconciler.desired.shards import Shard


@click.command(name="validate", short_help="Check state files; needs neither keystore nor secrets.")
@options.states
@options.fleet
@options.report_format("text", "json", "markdown")
def command(states: tuple[str, ...], changed_since: str | None, shard: Shard | None, format_name: str) -> int:
    """Check state files: schema, references, certificates, names.

    Needs neither the keystore nor any secret, so it can run on pull requests from forks.

    \b
    Examples:
      reconcile validate keystore.yaml
      reconcile validate keystore.yaml --format json
      reconcile validate fleet/ --changed-since origin/main
    """
    from reconciler.commands.output import write
    from reconciler.commands.selection import chosen_states
    from reconciler.errors import DesiredStateError
    from reconciler.reports.markdown import escaped, table
    from reconciler.reports.printable import printable
    from reconciler.terminal import print_error

    try:
        loaded = chosen_states(states, changed_since, shard)
    except DesiredStateError as error:
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
        if format_name == "json":
            write(json.dumps({"format_version": "1", "valid": False, "problems": rows}, indent=2) + "\n")
        elif format_name == "markdown":
            cells = [(str(p.source or ""), p.code, p.message, p.hint or "") for p in error.problems]
            write("## Keystore validation\n\n" + "\n".join(table(("where", "code", "problem", "hint"), cells)) + "\n")
        print_error(error)
        return error.exit_code
    if format_name == "json":
        names = [state.name for state in loaded]
        write(json.dumps({"format_version": "1", "valid": True, "problems": [], "states": names}, indent=2) + "\n")
    elif format_name == "markdown":
        lines = [f"- {escaped(state.name)}: valid, {len(state.wanted)} declared" for state in loaded]
        write("## Keystore validation\n\n" + "\n".join(lines) + "\n")
    else:
        for state in loaded:
            write(f"{printable(state.name)}: valid, {len(state.wanted)} declared\n")
    return 0
