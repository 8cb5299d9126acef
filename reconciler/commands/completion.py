"""`reconcile completion`: the script with which a shell completes commands, options, formats, files and aliases."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")

# Behind `html=` the name of a file follows. fish knows that; for the others click's script adds a blank there. What
# replaces a line of it does as that line does, but for words that end so.
_WITHOUT_BLANK = {
    "bash": (
        "COMPREPLY+=($value)",
        "COMPREPLY+=($value)\n            if [[ $value == *= ]]; then compopt -o nospace 2>/dev/null; fi",
    ),
    "zsh": (
        "compadd -U -V unsorted -a completions",
        """local -a whole begun
        whole=(${completions:#*=})
        begun=(${(M)completions:#*=})
        if (( $#whole )); then compadd -U -V unsorted -a whole; fi
        if (( $#begun )); then compadd -U -S '' -V unsorted -a begun; fi""",
    ),
}


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
    write(script.source_template.replace(*_WITHOUT_BLANK.get(shell, ("\0", ""))) % script.source_vars())
    return 0
