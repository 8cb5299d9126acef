"""A repository to run `reconcile` in, and the programs that judge what it wrote."""

from __future__ import annotations

import os
import re
import subprocess
from base64 import b64decode, b64encode
from hashlib import sha1
from pathlib import Path

import pytest

from tests.cli.pki import authority, pair
from tests.cli.repository import PASSWORD, Repository
from tests.conftest import program
from tests.keystores.conftest import ask

JUDGES = Path(__file__).parent.parent / "java"
TYPES = ("jks", "jceks", "pkcs12")


@pytest.fixture(params=TYPES)
def store_type(request):
    """Each type of keystore file."""
    return request.param


@pytest.fixture
def repository(tmp_path):
    """An empty repository whose keystore, not there yet, is to be PKCS#12."""
    return Repository(tmp_path)


@pytest.fixture
def typed_repository(tmp_path, store_type):
    """An empty repository for each type of keystore file."""
    return Repository(tmp_path, store_type)


@pytest.fixture(scope="session")
def new_root():
    return authority("A new root")


# ------------------------------------------------------------------------------------------------ the judges


@pytest.fixture(scope="session")
def java_classes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("judges")
    sources = [JUDGES / f"{name}.java" for name in ("KeystoreOracle", "KeytoolBatch", "KeyUser", "ProtectedStores")]
    subprocess.run([program("javac"), "-d", directory, *sources], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="session")
def run_java(java, java_classes):
    """Run one of the judges: its name, its arguments, what it reads."""

    def run(name, *arguments, text="", **environment):
        opened = ["--add-opens", "java.base/sun.security.tools.keytool=ALL-UNNAMED"]
        command = [java, *opened, "-Dfile.encoding=UTF-8", "-cp", java_classes, name, *arguments]
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, check=False, env={**os.environ, **environment}
        )
        assert done.returncode == 0, (done.stdout[-1000:], done.stderr.decode())
        return done.stdout.decode()

    return run


@pytest.fixture(scope="session")
def keytools(run_java):
    """Run keytool many times in one Java: a list of argument lists, a list of what it printed."""

    def run(commands):
        lines = ["\t".join(b64encode(str(word).encode()).decode() for word in command) for command in commands]
        printed = run_java("KeytoolBatch", text="".join(f"{line}\n" for line in lines)).splitlines()
        assert len(printed) == len(commands)
        return [b64decode(output).decode() for output in printed]

    return run


@pytest.fixture(scope="session")
def java_sees(java, java_classes):
    """Ask Java about keystores: a list of questions, a list of views."""
    return lambda questions: ask(java, java_classes, questions)


def listing(path, password, *options):
    """The arguments that list a keystore."""
    given = [] if password is None else ["-storepass", password]
    return ["-list", *options, "-keystore", path, *given]


def blocks(printed):
    """What `keytool -list -v` or `-rfc` printed, block by block, by alias."""
    _, *parts = printed.split("\nAlias name: ")
    return {part.split("\n", 1)[0]: part.split("\n\n\nWarning:")[0].rstrip("*\n ") for part in parts}


def undated(block):
    """A block without its date: for a trusted certificate in PKCS#12 Java makes one up at each reading."""
    return re.sub(r"^Creation date: .*$", "", block, flags=re.MULTILINE)


# ----------------------------------------------------------------------------------------- keystores of others


@pytest.fixture(scope="session")
def cacerts(java, tmp_path_factory):
    """The trusted roots of the Java that is installed, as `jks` (the file that it came with, where it is one) and
    as `pkcs12`, made of it by keytool."""
    shown = subprocess.run(
        [java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=True
    ).stderr
    [home] = re.findall(r"^\s*java\.home = (.+)$", shown, re.MULTILINE)
    directory = tmp_path_factory.mktemp("cacerts")
    original = directory / "original"
    original.write_bytes((Path(home) / "lib" / "security" / "cacerts").read_bytes())
    for store_type in ("jks", "pkcs12"):
        subprocess.run(
            [
                program("keytool"), "-importkeystore", "-noprompt", "-srckeystore", original, "-srcstorepass", PASSWORD,
                "-destkeystore", directory / store_type, "-deststoretype", store_type, "-deststorepass", PASSWORD,
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    if original.read_bytes().startswith(b"\xfe\xed\xfe\xed"):
        original.replace(directory / "jks")
    return directory


SAPS_KEYS = ("sap_cloudintegrationcertificate", "hcicertificate")
KEYS = (*SAPS_KEYS, "own", "partner")
CERTIFICATES = ("SAP_Root", "vendor_root", "plain_root")


@pytest.fixture(scope="session")
def protected_stores(run_java, tmp_path_factory):
    """A directory with `jks`, `jceks` and `pkcs12`: entries of SAP among others, written by Java."""
    directory = tmp_path_factory.mktemp("protected")
    for name in KEYS:
        made = pair(name)
        (directory / f"{name}.key").write_bytes(made.pkcs8)
        (directory / f"{name}.crt").write_bytes(made.der)
    for name in CERTIFICATES:
        (directory / f"{name}.crt").write_bytes(authority(name).der)
    run_java("ProtectedStores", str(directory))
    for store_type in ("jks", "jceks"):
        path = directory / store_type
        path.write_bytes(_in_capitals(path.read_bytes(), b"sap_root", b"SAP_Root"))
    return directory


def _in_capitals(data, alias, spelling):
    """Java stores aliases in lower case; other programs do not. The digest is made anew."""
    body = data[:-20].replace(alias, spelling)
    assert body != data[:-20]
    return body + sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()
