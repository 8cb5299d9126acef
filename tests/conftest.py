"""The programs that judge our keystores (keytool, Java, OpenSSL), and the corpus."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
NEWER_JAVA = Path("/usr/lib/jvm/temurin-25-jdk-amd64/bin")


# Who runs the tests in the background has them ignore signals (a shell's `&`, nohup), and every program that they start
# would do so too.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
