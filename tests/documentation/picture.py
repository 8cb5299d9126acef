"""The picture in the README: a terminal with the real output of `reconcile plan`, drawn as SVG."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import tempfile
from html import unescape
from pathlib import Path

from tests.documentation.consoles import comparable, prepared
from tests.documentation.pages import REPOSITORY

FILE = REPOSITORY / "docs" / "images" / "plan.svg"
COMMAND = "reconcile plan examples/keystore.yaml"
_COLUMNS = 112
# rich's own frame asks a foreign host for a font; a picture of ours asks nobody for anything.
_FOREIGN_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def update() -> bool:
    """Draw the picture again; whether it became another one."""
    old = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    new = drawn(output_in_colour())
    FILE.write_text(new, encoding="utf-8")
    return new != old


def drawn(text: str) -> str:
    """A terminal that shows `text`, which may hold colours, as SVG."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {COMMAND}\n{text}"))
    svg = console.export_svg(title="reconcile", unique_id="plan")
    return _FOREIGN_FONT.sub("", svg).replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")


def words(svg: str) -> str:
    """The lines that a picture shows, for comparing."""
    places: dict[float, list[tuple[float, str]]] = {}
    for found in re.finditer(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', svg, re.DOTALL):
        places.setdefault(float(found[2]), []).append((float(found[1]), unescape(found[3])))
    lines = ["".join(text for _, text in sorted(parts)).replace("\xa0", " ") for _, parts in sorted(places.items())]
    return comparable("\n".join(line for line in lines if line.strip()))


def output_in_colour() -> str:
    """What the command prints at a terminal."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        environment = prepared(directory) | {"TERM": "xterm-256color"}
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            ["/bin/sh", "-c", COMMAND], cwd=directory, env=environment, stdout=theirs, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        ):  # fmt: skip
            os.close(theirs)
            return _read_all(ours)


def _read_all(descriptor: int) -> str:
    chunks = []
    with open(descriptor, "rb", buffering=0) as terminal:  # a descriptor has no path
        while True:
            try:
                chunk = terminal.read(65536)
            except OSError:  # Linux says EIO when the other side of a terminal is closed
                break
            if not chunk:
                break
            chunks.append(chunk)
    return b"".join(chunks).decode("utf-8").replace("\r\n", "\n")
