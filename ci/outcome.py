"""What a run of reconcile left in its directory of reports, for the job that tells people about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MOST = 1024 * 1024


@dataclass(frozen=True)
class Outcome:
    """One run: `exit_code` is None where it did not get to its end."""

    command: str
    exit_code: int | None
    digest: str
    markdown: str

    @classmethod
    def read(cls, reports: Path) -> Outcome:
        """What is there; nothing of it is trusted to be well-formed, since another job wrote it."""
        try:
            result = json.loads((reports / "result.json").read_bytes())
            command, code, digest = str(result["command"]), int(result["exit_code"]), str(result.get("digest") or "")
            with (reports / "report.md").open(encoding="utf-8", errors="replace") as file:
                markdown = file.read(_MOST)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return cls(reports.name, None, "", f"## reconcile {reports.name}\n\nThis run did not get to its end.")
        return cls(command, code, digest if _DIGEST.fullmatch(digest) else "", markdown)
