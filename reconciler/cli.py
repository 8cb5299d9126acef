"""The command table, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.errors import ReconcileError
from reconciler.terminal import leave_output, print_error, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

ERROR = 1
INTERRUPTED = 130

# Name -> (module, one line for the overview). A command's imports load when it runs.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("reconciler.commands.init", "Write a starter repository: state file, CI workflow, .gitignore."),
    "validate": ("reconciler.commands.validate", "Check state files; needs neither keystore nor secrets."),
    "plan": ("reconciler.commands.plan", "Show what apply would do."),
    "apply": ("reconciler.commands.apply", "Do it, read again, compare again, report."),
    "drift": ("reconciler.commands.drift", "Show how the live keystores differ from git, and what expires when."),
    "list": ("reconciler.commands.list", "List the entries of a keystore."),
    "show": ("reconciler.commands.show", "Show one entry with its whole chain."),
    "adopt": ("reconciler.commands.adopt", "Write a state file and certificates from a live keystore."),
    "csr": ("reconciler.commands.csr", "Write the signing request of a key pair."),
    "export": ("reconciler.commands.export", "Write certificate, root, chain or public key of an entry."),
    "history": ("reconciler.commands.history", "Tell what was applied to a keystore file, and what can be undone."),
    "rollback": ("reconciler.commands.rollback", "Undo what a run did to a keystore file."),
    "connect": ("reconciler.commands.connect", "Test a TLS connection: chain, trust, host name, client certificate."),
    "receivers": ("reconciler.commands.receivers", "Record in the repository what the receivers send."),
    "completion": ("reconciler.commands.completion", "Print the completion script of a shell."),
}

EPILOG = """\b
Examples:
  reconcile validate keystore.yaml
  reconcile plan keystore.yaml --out plan.json
  reconcile apply keystore.yaml --plan plan.json --yes
  reconcile list live/outbound.p12 --password-env KEYSTORE_PASSWORD

\b
Exit codes:
  0 done, or nothing to do          1 error
  2 there are changes (plan --detailed-exitcode) or differences (drift)
  3 keystore not readable           4 refused for safety
  5 applied in part               130 interrupted
"""


class CommandTable(click.Group):
    """A group whose commands are imported when they are asked for, so that `--help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of their use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; its object is called `command` in its module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command where there is none of that name."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Commands: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, from the table alone, and the options."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, from the table alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(
    cls=CommandTable,
    epilog=EPILOG,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "auto_envvar_prefix": "RECONCILE",
    },
)
@click.version_option(__version__, prog_name="reconcile")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, on standard error.")
@click.option(
    "--log-format",
    type=click.Choice(["human", "json"]),
    default="human",
    show_default=True,
    help="How log lines look.",
)
def reconcile(*, verbose: bool, log_format: str) -> None:
    """Keystores from git.

    A YAML file lists trusted roots and key pairs; reconcile compares it with a live keystore (JKS, JCEKS, PKCS#12),
    plans what to create, import and renew, and applies it. Entries that belong to SAP are never touched.
    """
    from reconciler.logs import configure

    configure(verbose=verbose, log_format=log_format)


def run(arguments: Sequence[str]) -> int:
    """Run the program; every error ends here as a message on standard error and an exit code."""
    try:
        outcome = reconcile.main(list(arguments), prog_name="reconcile", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ERROR
    except click.UsageError as error:
        _print_usage(error)
        return ERROR
    except click.ClickException as error:
        say(error.format_message())
        return ERROR
    except (click.Abort, KeyboardInterrupt):
        say("interrupted; nothing was left half-written")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output went away (`| head`): nothing to say, and nobody to say it to.
        leave_output()
        return ERROR
    except ReconcileError as error:
        print_error(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # no traceback reaches a user
        return _unexpected(error)


def _print_usage(error: click.UsageError) -> None:
    say(error.format_message())
    if error.ctx is not None:
        click.echo(f"  see: {error.ctx.command_path} --help", err=True)


def _unexpected(error: Exception) -> int:
    """A mistake of ours. The message of the exception is not shown: it could hold anything."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}" if frame else "?"  # noqa: PTH119
    say(
        f"unexpected {type(error).__name__} at {place}: this is a defect of reconcile, not of your files",
        hint="please report it with the command and this line",
    )
    return ERROR
