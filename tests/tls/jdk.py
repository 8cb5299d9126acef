"""The JDK as the judge: chains go in, its verdicts and its words come out, many in one start."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

JAVA = Path(__file__).parent / "java"
# A start compiles the source file; the first compiler level is the fastest for half a second of work.
OPTIONS = ("-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8")


@dataclass(frozen=True)
class Question:
    chain: tuple[bytes, ...]
    anchors: tuple[bytes, ...]
    now: datetime
    host: str | None = None


@dataclass(frozen=True)
class Answer:
    verdict: str  # accept, reject, name
    words: str


def run(java: str, program: str, lines: Iterable[str], *options: str) -> list[str]:
    """The lines that a single-file Java program prints for `lines`."""
    finished = subprocess.run(
        [java, *OPTIONS, *options, str(JAVA / program)],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


def ask(java: str, questions: Iterable[Question]) -> list[Answer]:
    lines = [_line(number, question) for number, question in enumerate(questions)]
    answers = run(java, "TrustOracle.java", lines, "--add-exports", "java.base/sun.security.util=ALL-UNNAMED")
    assert len(answers) == len(lines)
    return [Answer(*answer.split("\t")[1:3]) for answer in answers]


def _line(number: int, question: Question) -> str:
    def texts(ders: Iterable[bytes]) -> str:
        return ",".join(base64.b64encode(one).decode() for one in ders)

    milliseconds = int(question.now.timestamp() * 1000)
    fields = (str(number), str(milliseconds), question.host or "-", texts(question.anchors), texts(question.chain))
    return "\t".join(fields)
