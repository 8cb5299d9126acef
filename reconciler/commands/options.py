"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.commands.report_files import ReportFileType
from reconciler.reports.table import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

states = click.argument("states", metavar="STATE...", nargs=-1, required=True)
keystore_or_state = click.argument("subject", metavar="STATE|KEYSTORE")


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


def reports(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--format` in every form that there is, and `--report FORMAT=FILE` for more of them in files."""
    files = click.option(
        "--report",
        "reports",
        multiple=True,
        type=ReportFileType(),
        envvar="RECONCILE_REPORT",
        help=f"Write the result into a file as well; can be given several times. Formats: {', '.join(FORMATS)}.",
    )
    return report_format(*FORMATS)(files(function))


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


def receivers(*, may_refuse: bool) -> Decorator:
    """Options about the receivers of the state file; `may_refuse` for commands that can refuse a plan."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(_receiver_options(may_refuse=may_refuse)):
            function = option(function)
        return function

    return add


def probing(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--jobs` and `--receiver-timeout`: how receivers are asked."""
    for option in reversed(_PROBING):
        function = option(function)
    return function


_PROBING = (
    click.option(
        "--jobs",
        type=click.IntRange(1, 512),
        default=16,
        show_default=True,
        envvar="RECONCILE_JOBS",
        help="How many tenants and receivers are asked at once.",
    ),
    click.option(
        "--receiver-timeout",
        metavar="SECONDS",
        type=click.FloatRange(0.1, 600),
        default=10.0,
        show_default=True,
        envvar="RECONCILE_RECEIVER_TIMEOUT",
        help="How long one receiver may take to answer.",
    ),
)


def _receiver_options(*, may_refuse: bool) -> list[Decorator]:
    check = click.option(
        "--check-receivers",
        is_flag=True,
        envvar="RECONCILE_CHECK_RECEIVERS",
        help="Connect to every receiver of the state file and judge what it sends as well.",
    )
    require = click.option(
        "--require-receivers",
        is_flag=True,
        envvar="RECONCILE_REQUIRE_RECEIVERS",
        help="Refuse changes while nothing is known of a receiver: neither reached nor recorded.",
    )
    horizon = click.option(
        "--horizon",
        metavar="DURATION",
        default="90d",
        show_default=True,
        envvar="RECONCILE_HORIZON",
        help="Judge the trust in receivers a second time, so far ahead.",
    )
    return [check, *([require] if may_refuse else []), horizon, *_PROBING]
