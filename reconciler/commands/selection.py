"""Some of a fleet: the state files that a git change touches, and the share of one machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from reconciler.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.desired.shards import Shard
    from reconciler.model import DesiredState

    _ParamType = click.ParamType["Shard"]
else:
    _ParamType = click.ParamType  # which became generic in 8.2


class ShardType(_ParamType):
    """K/N on the command line."""

    name = "K/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """The share, K being one of 1 to N."""
        from reconciler.desired.shards import MOST, Shard

        if isinstance(value, Shard):
            return value
        found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", str(value).strip(), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is not K/N, as in 1/4.", param, ctx)
        shard = Shard(int(found[1]), int(found[2]))
        if not 1 <= shard.index <= shard.count <= MOST:
            self.fail(f"{value!r}: K goes from 1 to N, and N to {MOST:,}.", param, ctx)
        return shard


def chosen_states(arguments: Sequence[str], changed_since: str | None, shard: Shard | None) -> tuple[DesiredState, ...]:
    """The state files that a command is to work on; on standard error stands how many of how many they are.

    Raises:
        DesiredStateError: as `load_states`, for the chosen files.
        ReconcileError: as `load_states`; git cannot tell what has changed.
    """
    from reconciler.desired import load_fleet

    is_touched = None
    if changed_since is not None:
        from reconciler.commands.git_changes import GitChanges

        is_touched = GitChanges(changed_since).touch
    fleet = load_fleet(arguments, shard, is_touched)
    if changed_since is not None or shard is not None:
        say(_choice(len(fleet.states), fleet.total, changed_since, shard), word="note")
    return fleet.states


def _choice(count: int, total: int, changed_since: str | None, shard: Shard | None) -> str:
    reasons = [f"changed since {changed_since}"] if changed_since is not None else []
    reasons += [f"in shard {shard}"] if shard is not None else []
    files = f"{count or 'none'} of {total} state file{'' if total == 1 else 's'}"
    return f"{files}: {' and '.join(reasons)}" + ("" if count else "; nothing to do")
