"""Secrets: read when they are used, one newline shorter, and never repeated."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired import load, secrets
from reconciler.desired.secrets import read_secret
from reconciler.errors import DesiredStateError, MaterialError
from reconciler.model import SecretRef, Source

if TYPE_CHECKING:
    from pathlib import Path

    from tests.desired.conftest import Repository

HERE = Source("keystore.yaml", 5, 14)
CANARY = "c4n4ry-hunter2"


def ref(kind: str, value: str | tuple[str, ...]) -> SecretRef:
    return SecretRef(kind, value, HERE)


def python(program: str) -> SecretRef:
    return ref("command", (sys.executable, "-c", program))


ALLOWED = {"RECONCILE_ALLOW_COMMANDS": "1"}


@pytest.mark.parametrize(
    ("content", "secret"),
    [("x", "x"), ("x\n", "x"), ("x\r\n", "x"), ("x\n\n", "x\n"), (" x \n", " x "), ("ä\n", "ä"), ("{\n}\n", "{\n}")],
)
def test_a_secret_loses_one_newline_wherever_it_comes_from(tmp_path: Path, content: str, secret: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())

    assert read_secret(ref("env", "PW"), {"PW": content}).text() == secret
    assert read_secret(ref("file", str(file))).text() == secret
    program = f"import sys; sys.stdout.buffer.write({content.encode()!r})"
    assert read_secret(python(program), ALLOWED).text() == secret


def test_the_variables_of_the_process_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PASSWORD", CANARY)

    assert read_secret(ref("env", "SOME_PASSWORD")).text() == CANARY


def test_an_empty_file_is_the_empty_password(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\n")

    assert read_secret(ref("file", str(tmp_path / "secret"))).reveal() == b""


def test_a_secret_need_not_be_text(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\x00\n")

    assert read_secret(ref("file", str(tmp_path / "secret"))).reveal() == b"\xff\x00"


@pytest.mark.parametrize(
    ("reference", "variables", "message", "hint"),
    [
        (ref("env", "PW"), {}, "the environment variable PW is not set", "export PW=…"),
        (ref("env", "PW"), {"PW": ""}, "the environment variable PW is empty", "CI hands out an empty value"),
        (ref("env", "PW"), {"PW": "\n"}, "the environment variable PW is empty", "named as an empty file"),
        (ref("env", "PW"), {"PW": "x" * 65_537}, "the environment variable PW gives more than 65536 bytes", None),
        (ref("file", "/nowhere/pw"), {}, "the file /nowhere/pw cannot be read: there is no such file", "relative"),
        (ref("file", "/"), {}, "the file / cannot be read: is a directory", "relative"),
        (ref("file", "/dev/zero"), {}, "the file /dev/zero gives more than 65536 bytes", None),
        (ref("command", ("pass", "x")), {}, "the command pass is not run: RECONCILE_ALLOW_COMMANDS=1 is not set", "never"),
        (ref("command", ("pass", "x")), {"RECONCILE_ALLOW_COMMANDS": "true"}, "the command pass is not run", "never"),
        (ref("command", ("no-such-program-here",)), ALLOWED, "the command no-such-program-here was not found", "by hand"),
        (ref("command", ("a\0b",)), ALLOWED, "could not be started", "by hand"),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_had_says_which_where_and_why(
    reference: SecretRef, variables: dict[str, str], message: str, hint: str | None
) -> None:
    with pytest.raises(MaterialError) as caught:
        read_secret(reference, variables)

    assert message in caught.value.message
    assert caught.value.where == "keystore.yaml:5:14"
    assert (hint or "") in (caught.value.hint or "")


def test_a_command_that_fails_tells_its_exit_code_and_nothing_that_it_wrote() -> None:
    program = f"import sys; print('{CANARY}'); print('{CANARY}', file=sys.stderr); sys.exit(3)"
    with pytest.raises(MaterialError) as caught:
        read_secret(python(program), ALLOWED)

    assert "failed with exit code 3" in caught.value.message
    assert CANARY not in f"{caught.value!r} {caught.value.message} {caught.value.hint}"
    assert caught.value.__cause__ is None


def test_a_command_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "SECONDS", 0.2)
    with pytest.raises(MaterialError, match="did not answer within 0 seconds"):
        read_secret(python("import time; time.sleep(60)"), ALLOWED)


def test_a_command_runs_without_a_shell_and_without_our_input(capfd: pytest.CaptureFixture[str]) -> None:
    program = "import sys; print(sys.argv[1:], repr(sys.stdin.read())); print('noise', file=sys.stderr)"
    reference = ref("command", (sys.executable, "-c", program, "$HOME", "; ls", "*"))

    assert read_secret(reference, ALLOWED).text() == "['$HOME', '; ls', '*'] ''"
    assert capfd.readouterr().err == ""


# ------------------------------------------------------------------------------------------- from the file


def test_the_state_holds_where_secrets_come_from_and_not_what_they_are(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", CANARY)
    state = repository.state()

    assert state.keystore.password == SecretRef("env", "PW", Source("keystore.yaml", 2, 53), str(repository.root))
    assert state.keystore.password_declared
    assert CANARY not in repr(state)


def test_a_keystore_may_have_had_another_password_and_says_how_it_is_kept(repository: Repository) -> None:
    repository.write(
        "keystore.yaml",
        "apiVersion: reconciler/v1\nkeystore:\n  type: pkcs12\n  path: x\n  password: {env: NEW}\n"
        "  previousPassword: {env: OLD}\n  encryption: legacy\n  backups: {keep: 3}\n",
    )
    keystore = load("keystore.yaml").keystore
    plain = repository.state().keystore

    assert keystore.previous_password == SecretRef("env", "OLD", Source("keystore.yaml", 6, 22), str(repository.root))
    assert (keystore.encryption, keystore.keep_backups) == ("legacy", 3)
    assert (plain.previous_password, plain.encryption, plain.keep_backups) == (None, None, 10)


def test_a_file_with_a_secret_is_relative_to_the_yaml_and_may_lie_anywhere(repository: Repository) -> None:
    repository.write(
        "states/a.yaml", "apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, password: {file: ../../pw}}"
    )
    (repository.root.parent / "pw").write_text(CANARY)
    password = load("states/a.yaml").keystore.password
    assert password is not None
    assert read_secret(password).text() == CANARY


def test_a_command_is_kept_as_arguments_and_does_not_run_at_loading(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_ALLOW_COMMANDS", "1")
    repository.write(
        "a.yaml", "apiVersion: reconciler/v1\nkeystore:\n  type: jks\n  path: x\n  password: {command: [touch, ran]}"
    )
    password = load("a.yaml").keystore.password
    assert password is not None
    assert password.value == ("touch", "ran")
    assert not (repository.root / "ran").exists()
    with pytest.raises(MaterialError, match="the command touch is empty"):
        read_secret(password)
    assert (repository.root / "ran").exists()


SECRETS_IN_THE_OPEN = [
    CANARY, f"'{CANARY}'", f"[{CANARY}]", f"{{{CANARY}}}", f"{{{CANARY}: x}}", f"{{env: {CANARY} x}}", f"{{Env: {CANARY}}}",
    f"{{env: {{{CANARY}}}}}", f"{{env: A, file: {CANARY}}}", f"{{command: {CANARY}}}", f"{{command: [[{CANARY}]]}}",
    f"!{CANARY}", f"!!{CANARY} x", f"!<{CANARY}> x", f"*{CANARY}", f"&{CANARY}", f"&{CANARY} [", f"%{CANARY}", f"@{CANARY}", f"`{CANARY}",
    f"'{CANARY}", f'"{CANARY}', f'"{CANARY}\\q"', f"{CANARY}: x", f"[{CANARY}", f"{{{CANARY}, {CANARY}}}", f"{{{CANARY}: 1, {CANARY}: 2}}",
    f"|\n  {CANARY}", f">\n {CANARY}", f"\n    {CANARY}", f"\n    - {CANARY}", f"\n    {CANARY}:\n    {CANARY}:", f"!{CANARY}!x y",
    f'"{CANARY}\\0"', f"? {CANARY}", f"{{env: null, {CANARY}: 1}}", f"{CANARY}\x07",
]  # fmt: skip


@pytest.mark.parametrize("key", ["password", "pasword", "Password", "previousPassword"])
@pytest.mark.parametrize("value", SECRETS_IN_THE_OPEN)
def test_a_secret_that_stands_in_the_file_is_refused_and_not_repeated(
    repository: Repository, key: str, value: str
) -> None:
    text = f"apiVersion: reconciler/v1\nkeystore:\n  type: pkcs12\n  path: x\n  {key}: {value}\n"
    problems = repository.problems(text)
    said = " ".join(f"{problem!r} {problem.message} {problem.hint} {problem.code}" for problem in problems)

    assert CANARY not in said


@pytest.mark.parametrize("value", SECRETS_IN_THE_OPEN)
def test_nor_is_one_of_a_key_pair_file(repository: Repository, value: str) -> None:
    value = value.replace("\n", "\n    ")
    problems = repository.problems_in(f"keyPairs:\n  a:\n    file: x.p12\n    keyPassword: {value}\n")

    assert CANARY not in " ".join(f"{problem.message} {problem.hint}" for problem in problems)


@given(st.text("{}[]:,&*!|>'\"%@`?-+ .#\\\n", max_size=12), st.text("{}[]:,&*!|>'\"%@`?-+ .#\\\n", max_size=12))
def test_nor_with_any_signs_around_it(before: str, after: str) -> None:
    from reconciler.desired.document import read_document
    from reconciler.desired.schema import STATE, check_shape, typed_keys

    # What stands at the left margin is another key and no longer a value.
    value = f"{before}{CANARY}{after}".replace("\n", "\n    ")
    text = f"apiVersion: reconciler/v1\nkeystore:\n  type: jks\n  path: x\n  password: {value}\n"
    try:
        problems = check_shape(read_document(text.encode(), "a.yaml", typed_keys()), STATE)[0]
    except DesiredStateError as error:
        problems = list(error.problems)

    assert CANARY not in " ".join(f"{problem.message} {problem.hint}" for problem in problems)


def test_a_password_in_the_open_is_answered_with_how_to_do_it(repository: Repository) -> None:
    [problem] = repository.problems("apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, password: changeit}")

    assert problem.message == "`keystore.password` must say where the secret comes from"
    assert problem.hint == "write {env: NAME}, {file: PATH} or {command: [PROGRAM, ARGUMENT]}, never the secret itself"
    assert str(problem.source) == "keystore.yaml:2:42"


@pytest.mark.parametrize("section", ["trustedRoots", "keyPairs", "issuers", "receivers"])
def test_an_alias_that_sounds_like_a_secret_does_not_hide_what_is_wrong(repository: Repository, section: str) -> None:
    [problem] = repository.problems_in(f"{section}: {{token_secret: 5}}")

    assert problem.code == "wrong-type"
