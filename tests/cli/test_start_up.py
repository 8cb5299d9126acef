"""Imports are the start-up time: what a command has no use for, it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.pki import authority
from tests.cli.repository import Repository, pairs, roots

HEAVY = (
    "cryptography", "yaml", "jsonschema", "structlog", "jks", "rich", "jinja2", "urllib3", "filelock", "certifi",
    "oauthlib", "asyncio", "subprocess", "inspect",
)  # fmt: skip
CREATED = "{subject: {commonName: new}, key: {algorithm: EC, curve: secp256r1}}"

# Runs the program and says which of the modules it has imported.
REPORT = """
import sys
from reconciler.__main__ import main
try:
    main()
except SystemExit as end:
    print("\\0", end.code, *(name for name in sys.modules if "." not in name))
"""


@pytest.fixture(params=["jks", "pkcs12"])
def settled(request, tmp_path):
    """A keystore with a root and a key pair, in sync with its state file."""
    repository = Repository(tmp_path, request.param)
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(root="root.pem") + pairs(pair=CREATED), create=True)
    assert repository.apply().code == 0
    return repository


def imported(repository, *arguments):
    """The top-level modules that a command has imported."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments], capture_output=True, text=True, check=True,
        cwd=repository.directory, env=repository.environment(),
    )  # fmt: skip
    code, *modules = done.stdout.partition("\0")[2].split()
    assert code == "0", done.stderr
    return set(modules)


def heavy(repository, *arguments):
    return imported(repository, *arguments) & set(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plan", "--help"], ["list", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(repository, arguments):
    # click itself needs `inspect`.
    assert heavy(repository, *arguments) <= {"inspect"}


def test_listing_a_jks_file_imports_neither_yaml_nor_pyjks_nor_structlog(settled):
    arguments = ("list", "live/store", "--password-env", "STORE_PASSWORD")

    assert heavy(settled, *arguments) <= {"inspect", "cryptography"}


def test_listing_as_json_needs_no_more(settled):
    arguments = ("list", "live/store", "--password-env", "STORE_PASSWORD", "--format", "json")

    assert heavy(settled, *arguments) <= {"inspect", "cryptography"}


def test_a_plan_with_nothing_to_do_imports_no_log_no_colours_no_lock(settled):
    found = heavy(settled, "plan", "keystore.yaml")

    assert "yaml" in found
    assert (
        found & {"structlog", "jks", "rich", "jinja2", "urllib3", "filelock", "oauthlib", "asyncio", "certifi"} == set()
    )


def test_an_apply_with_nothing_to_do_locks_nothing(settled):
    found = heavy(settled, "apply", "keystore.yaml", "--yes")

    assert found & {"structlog", "jks", "rich", "jinja2", "urllib3", "filelock", "oauthlib", "asyncio"} == set()


def test_a_log_line_is_what_imports_structlog(settled):
    assert "structlog" in heavy(settled, "-v", "plan", "keystore.yaml")
