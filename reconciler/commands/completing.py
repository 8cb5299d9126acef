"""What a shell is offered for arguments: files, and the aliases that a state file declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whatever files the shell finds."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def aliases(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The declared aliases of the state file before it. A keystore file is not opened: it would ask for a password."""
    from click.shell_completion import CompletionItem

    from reconciler.desired import load
    from reconciler.errors import ReconcileError

    subject = str(ctx.params.get("subject") or ctx.params.get("state") or "")
    if not subject.endswith((".yaml", ".yml")):
        return []
    try:
        declared = [one.alias for one in load(subject).wanted]
    except ReconcileError:
        return []  # the command itself will say what is wrong
    # An answer is a line: an alias that is none cannot be completed.
    return [CompletionItem(one) for one in sorted(declared) if one.startswith(incomplete) and one.isprintable()]
