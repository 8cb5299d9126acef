"""Reports in files, several from one run: `--report FORMAT=FILE`."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.commands.replaceable import check_no_loss
from reconciler.errors import PolicyError, ReconcileError
from reconciler.reports.table import FORMATS, render
from reconciler.terminal import leave_output, print_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from click.shell_completion import CompletionItem

    from reconciler.model import DesiredState, Failure, Report, TargetReport

    _ParamType = click.ParamType["ReportFile"]
else:
    _ParamType = click.ParamType  # which became generic in 8.2

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One `--report`: what form, and where."""

    format_name: str
    path: str

    def __str__(self) -> str:
        return f"{self.format_name}={self.path}"


class ReportFileType(_ParamType):
    """FORMAT=FILE on the command line; in the variable several of them, one to a line or with blanks between them."""

    name = "FORMAT=FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ReportFile:
        """The format and the file, the format being one that there is."""
        if isinstance(value, ReportFile):
            return value
        format_name, equals, path = str(value).partition("=")
        if not equals or not path:
            self.fail(f"{value!r} is not FORMAT=FILE, as in html=drift.html.", param, ctx)
        if format_name not in FORMATS:
            self.fail(f"{format_name!r} is no format. {_suggestion(format_name)}", param, ctx)
        if any(f",{name}=" in path for name in FORMATS):
            self.fail(f"{value!r} names several: give --report once for each.", param, ctx)
        return ReportFile(format_name, path)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The formats, then a file."""
        del ctx, param
        from click.shell_completion import CompletionItem

        if "=" in incomplete:
            return [CompletionItem(incomplete.partition("=")[2], type="file")]
        return [CompletionItem(f"{name}=") for name in FORMATS if name.startswith(incomplete)]

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Blanks divide only before the next FORMAT=, so that a path may hold some."""
        return [part.strip() for part in re.split(r"\n|\s+(?=[a-z]+=)", rv) if part.strip()]


def _suggestion(format_name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(format_name.lower(), FORMATS, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Formats: {', '.join(FORMATS)}."


# --------------------------------------------------------------------------------------------- before the work


def check_report_files(
    reports: Sequence[ReportFile], loaded: Iterable[DesiredState], others: Iterable[str | None] = ()
) -> None:
    """Refuse, before any work, reports that would overwrite each other, keystores, state files, certificates or keys.

    Args:
        reports: Where reports are to go.
        loaded: The state files of the run.
        others: Further files of the command, written or read.

    Raises:
        ReconcileError: as said.
    """
    taken = {_identity(path): path for path in others if path}
    for state in loaded:
        taken |= {_identity(path): path for path in (state.name, state.keystore.path) if path}
    for report in reports:
        if report.path == STANDARD_OUTPUT:
            continue
        if Path(report.path).is_dir():
            raise ReconcileError("this is a directory; a report needs a file", where=f"--report {report}")
        identity = _identity(report.path)
        if identity in taken:
            raise ReconcileError(
                f"the file of {taken[identity]} as well",
                where=f"--report {report}",
                hint="give every report a file of its own",
            )
        check_no_loss(report.path)
        taken[identity] = f"--report {report}"


def _identity(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))


def format_on_output(context: click.Context, format_name: str, reports: Sequence[ReportFile]) -> str:
    """The format of standard output: that of `--format`, or of the one report to `-`.

    Raises:
        UsageError: both, or several reports, want standard output.
    """
    wanted = [report.format_name for report in reports if report.path == STANDARD_OUTPUT]
    if not wanted:
        return format_name
    is_typed = context.get_parameter_source("format_name") is click.core.ParameterSource.COMMANDLINE
    if len(wanted) > 1 or (is_typed and wanted != [format_name]):
        raise click.UsageError("Only one report fits on standard output: give the others a file.", context)
    return wanted[0]


# ---------------------------------------------------------------------------------------------- after the work


def publish(report: Report, format_name: str, reports: Sequence[ReportFile]) -> list[int]:
    """Print a report and write its files; one that fails does not keep the others back.

    Returns:
        An exit code for each that failed, which may not hide a graver one: see `worst`.
    """
    from reconciler.commands.output import write_report

    codes = []
    try:
        write_report(report, format_name)
    except BrokenPipeError:
        leave_output()
        codes.append(1)
    except ReconcileError as error:
        print_error(error)
        codes.append(error.exit_code)
    return codes + write_files(report, reports)


def write_files(report: Report, reports: Sequence[ReportFile]) -> list[int]:
    """Write the files alone; as `publish`."""
    codes = []
    for one in reports:
        if one.path == STANDARD_OUTPUT:
            continue
        try:
            write_whole(Path(one.path), render(one.format_name, report).encode("utf-8", "backslashreplace"))
        except OSError as error:
            from reconciler.keystores.files import reason_of

            failure = ReconcileError(
                f"the {one.format_name} report cannot be written: {reason_of(error)}", where=one.path
            )
            print_error(failure)
            codes.append(failure.exit_code)
    return codes


def refused(report: Report, error: ReconcileError) -> Report:
    """The report of an apply that did not begin: the reason stands at every keystore that was to be changed."""
    wanted = {target.state for target in report.targets if target.plan and target.plan.changes}
    targets = tuple(
        replace(target, failure=target.failure or _reason(target, error))
        if target.state in wanted or not wanted
        else target
        for target in report.targets
    )
    return replace(report, command="apply", targets=targets)


def _reason(target: TargetReport, error: ReconcileError) -> Failure:
    """Of the policy each keystore has its own findings, which every format tells: they are not told twice."""
    from reconciler.commands.targets import failure_of
    from reconciler.model import Failure
    from reconciler.reports.facts import plural
    from reconciler.reports.policy import errors

    if not isinstance(error, PolicyError):
        return failure_of(error)
    count = len(errors(target))
    if count:
        return Failure(f"not applied: the policy has {plural(count, 'error')}", None, None, error.exit_code)
    return Failure("not applied: the policy has errors in other keystores", None, None, error.exit_code, is_tried=False)


def write_whole(path: Path, content: bytes) -> None:
    """The whole file or nothing (OSError); a link stays a link, and a device or pipe is written as it is."""
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    import secrets

    target = path.resolve()
    _make_directory(target.parent)
    temporary = target.with_name(f".{target.name[:_LONGEST_STEM]}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


# Of the name of a file, for the one beside it: file systems allow 255 bytes.
_LONGEST_STEM = 50
