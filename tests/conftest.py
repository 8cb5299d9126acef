"""The programs that judge our keystores (keytool, Java, OpenSSL), and the corpus."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
NEWER_JAVA = Path("/usr/lib/jvm/temurin-25-jdk-amd64/bin")


def program(name: str) -> str:
    """The path of a program; a test that needs one that is missing cannot say anything."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="session")
def java() -> str:
    """The Java launcher: `java File.java` runs a single source file."""
    return program("java")


@pytest.fixture(scope="session")
def keytool() -> str:
    return program("keytool")


@pytest.fixture(scope="session")
def openssl() -> str:
    return program("openssl")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The keystores that other programs wrote, with `manifest.json`."""
    return CORPUS
