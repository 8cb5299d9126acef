"""The work of every format grows with the fleet and no faster: counted in calls, which no busy machine changes."""

from __future__ import annotations

import cProfile
import pstats
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from reconciler.reports.table import FORMATS, render
from tests.reports import sample

if TYPE_CHECKING:
    from reconciler.model import Report


@cache
def fleet(command: str, keystores: int) -> Report:
    one = sample.single(command).targets[0]
    targets = (replace(one, state=f"{place}.yaml", location=f"{place}.p12") for place in range(keystores))
    return sample.report(command, *targets)


def calls(name: str, report: Report) -> int:
    profile = cProfile.Profile()
    profile.runcall(render, name, report)
    count: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]  # typeshed does not know it
    return count


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
@pytest.mark.parametrize("name", FORMATS)
def test_twice_the_keystores_take_twice_the_calls(name: str, command: str) -> None:
    small, large = fleet(command, 15), fleet(command, 30)
    render(name, small)  # what is parsed and imported once is not counted
    render(name, large)
    # iCalendar tells each certificate once, so its work hardly grows; the others have their heads and feet.
    assert calls(name, large) < 2.1 * calls(name, small)
