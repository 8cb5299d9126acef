"""A small repository with a state file and a live keystore, and the two ways to run `reconcile` in it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import yaml

from reconciler.cli import run

RECONCILE = str(Path(sys.executable).with_name("reconcile"))
PASSWORD = "changeit"
PASSWORD_VARIABLE = "STORE_PASSWORD"
FROM_VARIABLE = {"env": PASSWORD_VARIABLE}
# What a child process needs of ours, and nothing that changes what it prints. Byte code is kept: it is start-up time.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def changes(self):
        """(action, alias) of the only target of a report in JSON."""
        [target] = self.document["targets"]
        return [(change["action"], change["alias"]) for change in target["changes"]]


@dataclass(frozen=True)
class File:
    content: bytes
    mtime_ns: int
    mode: int


class Repository:
    """A directory with `keystore.yaml`, whose live keystore is `live/store`."""

    def __init__(self, directory: Path, store_type: str = "pkcs12") -> None:
        self.directory = directory
        self.type = store_type
        self.live = directory / "live" / "store"
        self.live.parent.mkdir(parents=True)

    # --------------------------------------------------------------------------------- what is declared

    def declare(self, body: str = "", *, password: object = FROM_VARIABLE, **keystore: object) -> None:
        """Write the state file: its keystore section, without password where that is None, and `body` below it."""
        section: dict[str, object] = {"type": self.type, "path": "live/store"}
        if password is not None:
            section["password"] = password
        text = yaml.safe_dump({"keystore": section | keystore}, sort_keys=False, default_flow_style=None)
        (self.directory / "keystore.yaml").write_text(f"apiVersion: reconciler/v1\n{text}{body}", encoding="utf-8")

    def line_of(self, text: str) -> int:
        """The line of the state file that holds `text`, counted from 1."""
        lines = (self.directory / "keystore.yaml").read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    # ------------------------------------------------------------------------------------------ running

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {**inherited, PASSWORD_VARIABLE: PASSWORD, **more}

    def run(self, *arguments: str, **environment: str) -> Result:
        """In this process, which is quick; standard input is no terminal."""
        out, err = io.StringIO(), io.StringIO()
        with (
            _environment(self.environment(**environment)),
            contextlib.chdir(self.directory),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(arguments)
        return Result(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, **more: object) -> Result:
        """As a program of its own."""
        options = {"env": self.environment(), "stdin": subprocess.DEVNULL, "cwd": self.directory} | more
        done = subprocess.run([RECONCILE, *arguments], capture_output=True, check=False, timeout=60, **options)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str, **more: object) -> subprocess.Popen[bytes]:
        """As a program of its own that goes on beside the test."""
        options = {
            "env": self.environment(), "cwd": self.directory, "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
        } | more  # fmt: skip
        return subprocess.Popen([RECONCILE, *arguments], **options)

    def apply(self, *arguments: str, **environment: str) -> Result:
        return self.run("apply", "keystore.yaml", "--yes", *arguments, **environment)

    def plan(self, *arguments: str, **environment: str) -> Result:
        return self.run("plan", "keystore.yaml", "--format", "json", *arguments, **environment)

    def entries(self) -> dict[str, dict[str, object]]:
        """What `list` says of the live keystore, by alias."""
        listed = self.run("list", "keystore.yaml", "--format", "json")
        assert listed.code == 0, listed.err
        return {entry["alias"]: entry for entry in listed.document["entries"]}

    # ------------------------------------------------------------------------------------------ looking

    def files(self) -> dict[str, File]:
        """Every file of the repository with what must not change when nothing is written."""
        found = {}
        for path in sorted(self.directory.rglob("*")):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                name = str(path.relative_to(self.directory))
                found[name] = File(path.read_bytes(), status.st_mtime_ns, status.st_mode)
        return found

    def leftovers(self) -> list[str]:
        """Temporary files that should be gone."""
        return [str(path) for path in self.directory.rglob("*.tmp")]

    def backups(self) -> list[Path]:
        """The old keystores; what each run did stands in a record beside them."""
        found = self.live.with_name("store.backups").glob("*")
        return sorted(path for path in found if not path.name.endswith(".run.json"))


@contextlib.contextmanager
def _environment(variables: dict[str, str]):
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def roots(**files: str) -> str:
    """A `trustedRoots` section: alias=file."""
    return _section("trustedRoots", {alias: f"{{file: {file}}}" for alias, file in files.items()})


def pairs(**specifications: str) -> str:
    """A `keyPairs` section: alias=flow mapping."""
    return _section("keyPairs", specifications)


def _section(name: str, entries: dict[str, str]) -> str:
    return f"{name}:\n" + indent("".join(f"{key(alias)}: {what}\n" for alias, what in entries.items()), "  ")


def key(alias: str) -> str:
    """An alias as a key of the YAML file, whatever it holds."""
    return json.dumps(alias, ensure_ascii=False)
