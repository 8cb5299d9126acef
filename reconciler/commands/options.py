"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

states = click.argument("states", metavar="STATE...", nargs=-1, required=True)
keystore_or_state = click.argument("subject", metavar="STATE|KEYSTORE")


jobs = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    envvar="RECONCILE_JOBS",
    help="How many tenants are worked on side by side.",
)


def report_format(*names: str) -> Decorator:
    """`--format`, one of `names`; the first is the default."""
    return click.option(
        "--format",
        "format_name",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        envvar="RECONCILE_FORMAT",
        help="The form of the result on standard output.",
    )


def passwords(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--password-env` and `--password-file`, for a keystore that is named by its path."""
    function = click.option(
        "--password-env",
        metavar="NAME",
        help="Take the password of the keystore from this environment variable.",
    )(function)
    return click.option(
        "--password-file",
        metavar="PATH",
        help="Take the password of the keystore from this file (one trailing line break is dropped).",
    )(function)
