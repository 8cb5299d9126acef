"""Wall time, processor time and peak memory of a program, from its start to its end."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass
class Measured:
    """All runs of one command.

    A process inherits the peak of memory of the one that starts it (Linux, `setmax_mm_hiwater_rss` in `exec_mmap`), so
    whoever measures must be small: some 15 MB here.
    """

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median of the wall time."""
        return statistics.median(self.wall)

    @property
    def processor_seconds(self) -> float:
        return statistics.median(self.processor)

    @property
    def megabytes(self) -> float:
        """The largest peak of resident memory."""
        return max(self.memory)


def side_by_side(
    commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], rounds: int
) -> dict[str, Measured]:
    """Run the commands in turn, so that what else the machine does meets all of them; the first round is not kept."""
    results = {name: Measured() for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            wall, processor, memory = run(command, environment)
            if number:
                results[name].wall.append(wall)
                results[name].processor.append(processor)
                results[name].memory.append(memory)
    return results


def run(command: Sequence[str], environment: Mapping[str, str], expected: int = 0) -> tuple[float, float, float]:
    """Seconds of wall and processor time and megabytes of one run, which has to end with the expected code."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{said.decode()}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, kilobytes here
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit
