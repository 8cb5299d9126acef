"""Progress of long work, on a terminal's standard error; elsewhere a log line where log lines are asked for."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from reconciler.logs import log
from reconciler.terminal import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model import Change


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[str, Change], None]]:
    """A function to call with what is done and the change it is done for; each change is prepared, then written."""
    if not is_terminal(sys.stderr) or os.environ.get("CI"):
        yield lambda step, change: log(step, alias=change.alias, action=change.action)
        return
    # rich takes some 50 ms to import: only where somebody is watching.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=2 * total)

        def advance(step: str, change: Change) -> None:
            from rich.markup import escape

            from reconciler.reports.printable import printable

            bar.update(task, advance=1, description=escape(f"{step} {printable(change.alias)}"))
            log(step, alias=change.alias, action=change.action)

        yield advance
