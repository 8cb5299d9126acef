"""Java as the judge of keystore files: one run answers for many of them."""

from __future__ import annotations

import subprocess
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import NEWER_JAVA, program

ORACLE = Path(__file__).parent.parent / "java" / "KeystoreOracle.java"


@dataclass(frozen=True)
class Question:
    """A keystore file, and which of its keys are to be opened with which password."""

    path: Path
    type: str
    password: str | None = "changeit"
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JavaEntry:
    kind: str
    created_ms: int | None
    chain: tuple[str, ...]


@dataclass
class JavaView:
    """What Java saw: an error, or entries by alias; and the keys it opened, by alias."""

    error: str | None = None
    entries: dict[str, JavaEntry] = field(default_factory=dict)
    opened: dict[str, str] = field(default_factory=dict)  # algorithm, or "error: …"
    keys: dict[str, str] = field(default_factory=dict)  # SHA-256 of the opened keys


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _text(encoded: str) -> str:
    return b64decode(encoded).decode()


def _request(number: int, question: Question) -> str:
    password = "-" if question.password is None else _base64(question.password)
    keys = [f"{_base64(alias)}:{_base64(password)}" for alias, password in question.keys.items()]
    return "\t".join([str(number), question.type.upper(), str(question.path), password, *keys])


def _answer(view: JavaView, fields: list[str]) -> None:
    match fields:
        case ["load", "error", message]:
            view.error = message
        case ["entry", alias, kind, created, chain]:
            made = None if created == "-" else int(created)
            view.entries[_text(alias)] = JavaEntry(kind, made, tuple(filter(None, chain.split(","))))
        case ["key", alias, status, algorithm, sha256]:
            view.opened[_text(alias)] = algorithm if status == "ok" else f"error: {algorithm}"
            if status == "ok":
                view.keys[_text(alias)] = sha256


def ask(java: str, classes: Path, questions: list[Question]) -> list[JavaView]:
    lines = "".join(_request(number, question) + "\n" for number, question in enumerate(questions))
    run = subprocess.run(
        [java, "-cp", str(classes), "KeystoreOracle"], input=lines, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    views = [JavaView() for _ in questions]
    for line in run.stdout.splitlines():
        number, *fields = line.split("\t")
        _answer(views[int(number)], fields)
    return views


@pytest.fixture(scope="session")
def oracle_classes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("oracle")
    subprocess.run([program("javac"), "-d", directory, ORACLE], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="session")
def java_sees(java, oracle_classes):
    """Ask the Java that is installed: a list of questions, a list of views."""
    return lambda questions: ask(java, oracle_classes, questions)


@pytest.fixture(scope="session")
def newer_java_sees(oracle_classes):
    """Ask the newest Java with long-term support."""
    launcher = NEWER_JAVA / "java"
    if not launcher.exists():
        pytest.skip("the newer Java is not installed")
    return lambda questions: ask(str(launcher), oracle_classes, questions)


@pytest.fixture(scope="session")
def keytool_blocks(keytool):
    """What `keytool -list -v` prints, block by block, by alias."""

    def blocks(path: Path, password: str) -> dict[str, str]:
        run = subprocess.run(
            [keytool, "-J-Duser.language=en", "-list", "-v", "-keystore", path, "-storepass:env", "STOREPASS"],
            capture_output=True,
            text=True,
            check=False,
            env={"STOREPASS": password, "LC_ALL": "C.UTF-8"},
        )
        assert run.returncode == 0, run.stdout
        _, *parts = run.stdout.split("\nAlias name: ")
        return {part.split("\n", 1)[0]: part.split("\n\n\nWarning:")[0].rstrip("*\n ") for part in parts}

    return blocks
