"""Many keystores in one run: tenants side by side up to a bound, files one after the other, results in their order."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, TypeVar

from reconciler.logs import log
from reconciler.terminal import wants_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model import KeystoreTarget

S = TypeVar("S")
T = TypeVar("T")


def worked_on(
    items: Sequence[S], keystore_of: Callable[[S], KeystoreTarget], work: Callable[[S], T], jobs: int
) -> tuple[T, ...]:
    """`work` for each item, the results in the order of the items.

    Args:
        items: What there is to do.
        keystore_of: The keystore of an item: a tenant takes time that others can use.
        work: Takes care of its own errors, so that one that fails does not stop the others.
        jobs: How many tenants are worked on at a time.
    """
    tenants = [place for place, item in enumerate(items) if keystore_of(item).is_tenant]
    if len(tenants) < 2 or jobs < 2:
        return _one_by_one(items, keystore_of, work)
    from concurrent.futures import ThreadPoolExecutor, as_completed

    results: dict[int, T] = {}
    with _watched(len(items)) as done, ThreadPoolExecutor(min(jobs, len(tenants))) as pool:
        futures = {pool.submit(work, items[place]): place for place in tenants}
        try:
            for place, item in enumerate(items):
                if place not in tenants:
                    results[place] = work(item)
                    done(keystore_of(item).location)
            for future in as_completed(futures):
                place = futures[future]
                results[place] = future.result()
                done(keystore_of(items[place]).location)
        except BaseException:
            # Ctrl-C: what has not begun does not begin.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(results[place] for place in range(len(items)))


def _one_by_one(
    items: Sequence[S], keystore_of: Callable[[S], KeystoreTarget], work: Callable[[S], T]
) -> tuple[T, ...]:
    if not is_long(items):
        return tuple(work(item) for item in items)
    results = []
    with _watched(len(items)) as done:
        for item in items:
            results.append(work(item))
            done(keystore_of(item).location)
    return tuple(results)


def is_long(items: Sequence[object]) -> bool:
    """Whether a run takes so long that people want to see how far it is."""
    return len(items) >= _LONG


_LONG = 10


@contextlib.contextmanager
def _watched(total: int) -> Iterator[Callable[[str], None]]:
    """A function to call with the keystore that is done; a bar on a terminal, a log line elsewhere."""
    if not wants_colour(sys.stderr):
        yield lambda location: log("keystore done", keystore=location)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from reconciler.reports.printable import printable

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def advance(location: str) -> None:
            bar.update(task, advance=1, description=escape(printable(location)))
            log("keystore done", keystore=location)

        yield advance
