"""No secret leaves: passwords and private keys appear in nothing that is printed, logged, written or listed."""

from __future__ import annotations

import os
import signal
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from reconciler.keystores import file_keystore
from reconciler.keystores.formats import parse_container
from reconciler.secret import Secret
from tests.cli.pki import authority, pair
from tests.cli.repository import Repository, pairs, roots

# Long and odd enough that nothing contains them by chance.
STORE, KEY, UNUSED = "Canary.of.the.store.5b1f", "Canary.of.the.key.c07e", "Canary.of.nobody.91aa"
CREATED = "{subject: {commonName: new}, key: {algorithm: EC, curve: secp256r1}}"
IMPORTED = "{file: secrets/mine.pem, password: {env: KEY_PASSWORD}}"
MINE = pair("mine")


def forms(secret: bytes):
    """A secret in the forms in which it could come out."""
    yield from (secret, secret.hex().encode(), secret.hex().upper().encode(), b64encode(secret).rstrip(b"="))
    if secret.isascii():
        yield from (secret.decode().encode("utf-16-be"), secret.decode().encode("utf-16-le"))


def private_parts(pkcs8: bytes, scalar: int):
    """The whole key, and the number that makes it one."""
    yield from forms(pkcs8)
    yield from forms(scalar.to_bytes(32, "big"))
    yield str(scalar).encode()
    encoded = b64encode(pkcs8)
    yield from (encoded[at : at + 48] for at in range(48, len(encoded) - 48, 48))  # lines of PEM, whatever their width


CANARIES = [form for word in (STORE, KEY, UNUSED) for form in forms(word.encode())]
CANARIES += private_parts(MINE.pkcs8, MINE.key.private_numbers().private_value)


def keeps(what: str, content: bytes | str) -> None:
    content = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    found = [canary for canary in CANARIES if canary in content]
    assert found == [], f"a secret in {what}"


@pytest.fixture
def guarded(repository):
    """A state file that needs two secrets, and a keystore under the first of them."""
    return guard(repository)


@pytest.fixture
def typed(typed_repository):
    return guard(typed_repository)


def guard(repository):
    repository.write("root.pem", authority("root").pem)
    encrypted = MINE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(KEY.encode()))
    repository.write("secrets/mine.pem", encrypted + MINE.pem)
    repository.declare(roots(root="root.pem"), create=True)
    assert repository.apply(**SECRETS).code == 0
    repository.declare(roots(root="root.pem", more="root.pem") + pairs(mine=IMPORTED, created=CREATED))
    return repository


SECRETS = {"STORE_PASSWORD": STORE, "KEY_PASSWORD": KEY, "OF_NOBODY": UNUSED}
COMMANDS = [
    ("validate", "keystore.yaml"),
    ("plan", "keystore.yaml", "--out", "plan.json"),
    ("plan", "keystore.yaml", "--format", "json"),
    ("plan", "keystore.yaml", "--format", "markdown"),
    ("apply", "keystore.yaml", "--plan", "plan.json", "--yes"),
    ("apply", "keystore.yaml", "--yes", "--format", "json"),
    ("drift", "keystore.yaml", "--format", "json"),
    ("list", "keystore.yaml", "--format", "json"),
    ("list", "live/store", "--password-env", "STORE_PASSWORD"),
    ("show", "keystore.yaml", "mine"),
    ("show", "keystore.yaml", "created", "--format", "json"),
]


@pytest.mark.parametrize("log_format", ["human", "json"])
def test_no_command_prints_or_logs_a_secret(guarded, log_format):
    for command in COMMANDS:
        result = guarded.process("-v", "--log-format", log_format, *command, env=guarded.environment(**SECRETS))
        assert result.code == 0, result
        keeps(" ".join(command), result.out + result.err)


@pytest.mark.parametrize(
    ("variable", "code", "place"),
    [("STORE_PASSWORD", 3, "live/store: error: "), ("KEY_PASSWORD", 5, "secrets/mine.pem")],  # 5: the others are done
)
@pytest.mark.parametrize("value", [UNUSED, "", None], ids=["wrong", "empty", "not set"])
def test_no_complaint_about_a_secret_tells_one(guarded, variable, code, place, value):
    environment = SECRETS | {variable: value}
    environment = {name: value for name, value in environment.items() if value is not None}
    inherited = {name: value for name, value in guarded.environment().items() if name != "STORE_PASSWORD"}

    result = guarded.process("-v", "apply", "keystore.yaml", "--yes", env=inherited | environment)

    assert result.code == (1 if variable == "STORE_PASSWORD" and not value else code), result
    assert (place if value == UNUSED else variable) in result.out + result.err
    keeps("the complaint", result.out + result.err)


def test_no_file_holds_a_secret_in_the_clear(typed):
    guarded = typed
    assert guarded.run("plan", "keystore.yaml", "--out", "plan.json", **SECRETS).code == 0
    assert guarded.apply("--plan", "plan.json", **SECRETS).code == 0
    container = parse_container(guarded.live.read_bytes(), Secret(STORE), origin="live")
    created = container.private_key("created", Secret(STORE)).reveal()

    for name, file in guarded.files().items():
        keeps(name, file.content)
        assert created not in file.content, name
        assert b64encode(created) not in file.content, name


def test_keystore_backup_and_lock_are_for_their_owner_alone(guarded):
    assert guarded.apply(**SECRETS).code == 0

    backups = guarded.live.with_name("store.backups")
    [backup] = guarded.backups()
    assert guarded.live.stat().st_mode & 0o777 == 0o600  # as it was made: by us
    assert backups.stat().st_mode & 0o777 == 0o700
    assert backup.stat().st_mode & 0o777 == 0o600
    assert guarded.live.with_name("store.lock").stat().st_mode & 0o777 == 0o600


def test_no_temporary_file_outside_the_directory_of_the_keystore(guarded, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("tmp")

    result = guarded.process(
        "apply", "keystore.yaml", "--yes", env=guarded.environment(**SECRETS, TMPDIR=str(elsewhere))
    )

    assert result.code == 0, result
    assert list(elsewhere.iterdir()) == []


def test_temporary_files_are_for_their_owner_alone_and_encrypted(typed, monkeypatch):
    seen = []

    def replace(path, target):
        seen.append((path.stat().st_mode & 0o777, path.read_bytes()))
        return original(path, target)

    original = Path.replace
    monkeypatch.setattr(Path, "replace", replace)

    assert typed.apply(**SECRETS).code == 0

    assert [mode for mode, _ in seen] == [0o600, 0o600, 0o600]  # the backup, its record, and the keystore
    for _, content in seen:
        keeps("a temporary file", content)


def test_no_process_shows_a_secret_in_its_arguments(guarded):
    large = "{subject: {commonName: large}, key: {algorithm: RSA, size: 8192}}"
    guarded.declare(roots(root="root.pem") + pairs(mine=IMPORTED, large=large))
    child = guarded.start("-v", "apply", "keystore.yaml", "--yes", env=guarded.environment(**SECRETS))
    while b"alias=large" not in child.stderr.readline():
        pass

    family = [child.pid, *children_of(child.pid)]
    shown = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in family]
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)

    assert child.returncode == 130
    assert b"keystore.yaml" in shown[0]
    for arguments in shown:
        keeps("the arguments of a process", arguments)
    keeps("standard error", err)


def children_of(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def test_a_command_that_gives_a_password_is_not_shown_with_its_arguments(repository):
    repository.write("root.pem", authority("root").pem)
    cases = (("", "true", "is not run"), ("1", "false", "failed with exit code 1"), ("1", "no such", "was not found"))
    for allowed, program, expected in cases:
        repository.declare(roots(root="root.pem"), create=True, password={"command": [program, "--token", UNUSED]})
        result = repository.run("-v", "plan", "keystore.yaml", RECONCILE_ALLOW_COMMANDS=allowed)

        assert result.code == 1
        assert expected in result.err
        keeps("the complaint", result.out + result.err)


def test_a_command_can_give_the_password(repository):
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(root="root.pem"), create=True, password={"command": ["printenv", "FROM_A_PROGRAM"]})

    result = repository.run("-v", "apply", "keystore.yaml", "--yes", RECONCILE_ALLOW_COMMANDS="1", FROM_A_PROGRAM=STORE)

    assert result.code == 0, result.err
    keeps("the log", result.out + result.err)


def test_validate_runs_no_command(repository):
    repository.declare(password={"command": ["touch", "was-run"]}, create=True)

    assert repository.run("validate", "keystore.yaml", RECONCILE_ALLOW_COMMANDS="1").code == 0
    assert not (repository.directory / "was-run").exists()


@pytest.mark.parametrize("error", [ValueError, OSError, KeyError, MemoryError, RecursionError])
def test_an_exception_that_nobody_expects_is_told_without_its_words(guarded, monkeypatch, error):
    def break_down(*_arguments, **_options):
        raise error(f"{STORE} {MINE.pkcs8!r}")

    monkeypatch.setattr(file_keystore, "replace_file", break_down)

    result = guarded.run("-v", "apply", "keystore.yaml", "--yes", **SECRETS)

    assert result.code == 1
    assert f"unexpected {error.__name__} at test_secrets.py:" in result.err
    assert "this is a defect of reconcile" in result.err
    assert "Traceback" not in result.err
    keeps("the message", result.out + result.err)


def test_a_password_that_is_no_text_is_told_without_it(repository):
    repository.write("root.pem", authority("root").pem)
    repository.declare(roots(root="root.pem"), create=True)
    password = os.fsdecode(STORE.encode() + b"\xff\xfe")

    for store_type in ("jks", "jceks", "pkcs12"):
        typed = Repository(repository.directory / store_type, store_type)
        typed.write("root.pem", authority("root").pem)
        typed.declare(roots(root="root.pem"), create=True)
        result = typed.apply(STORE_PASSWORD=password)
        assert result.code in (1, 3), result
        assert "not text in UTF-8" in result.err
        keeps("the complaint", result.out + result.err)
