"""`reconcile completion`: the script with which a shell completes commands, options, formats, files and aliases."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print the script that completes commands, options, formats, files and aliases on the tab key.

    \b
    Examples:
      eval "$(reconcile completion bash)"             in ~/.bashrc
      eval "$(reconcile completion zsh)"              in ~/.zshrc, below compinit
      reconcile completion fish > ~/.config/fish/completions/reconcile.fish
    """
    from click.shell_completion import get_completion_class

    from reconciler.commands.output import write

    completing = get_completion_class(shell)
    assert completing is not None  # noqa: S101  # click has all of SHELLS
    script = completing(click.get_current_context().find_root().command, {}, "reconcile", "_RECONCILE_COMPLETE")
    # Not `source()`: for bash that starts one to see how old it is.
    write(script.source_template % script.source_vars())
    return 0
