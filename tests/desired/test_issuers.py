"""Issuers: named and inline, each type with its options; a CA is checked, its key is opened only when it is called."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.desired import load, resolve
from reconciler.desired.issuers import CaKey
from reconciler.errors import DesiredStateError, MaterialError
from reconciler.issuers.protocol import Order
from reconciler.issuers.table import issuer_for
from reconciler.model import IssuerSpec, WantedKeyPair
from reconciler.x509 import generate_private_key, is_signed_by, public_key_sha256_of, signing_request, to_pem
from tests.desired.authorities import CA, KEY, OTHER_KEY, ROOT, ROOT_KEY, certified, key_pem, key_store
from tests.desired.conftest import HEAD, Repository, told

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model import DesiredState

CANARY = "c4n4ry-of-the-ca"
PAIR = "keyPairs: {a: {key: {algorithm: EC}, subject: {commonName: x}, issuer: %s}}\n"
PARTS = "{type: local-ca, certificate: ca/ca.pem, key: ca/key.pem, password: {env: CA_PASSWORD}}"
STORE = "{type: local-ca, file: ca/ca.p12, password: {env: CA_PASSWORD}}"


@pytest.fixture
def authority(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("CA_PASSWORD", CANARY)
    repository.write("ca/ca.pem", to_pem([CA, ROOT]))
    repository.write("ca/key.pem", key_pem(password=CANARY))
    repository.write("ca/ca.p12", key_store(CANARY, CA, ROOT))
    return repository


def pair(state: DesiredState) -> WantedKeyPair:
    [wanted] = state.wanted
    assert isinstance(wanted, WantedKeyPair)
    return wanted


def issuer(repository: Repository, written: str, more: str = "") -> IssuerSpec:
    return pair(repository.state(more + PAIR % written)).issuer


# ---------------------------------------------------------------------------------------- names and types


def test_without_an_issuer_the_key_signs_itself(repository: Repository) -> None:
    assert pair(repository.state("keyPairs: {a: {subject: {commonName: x}}}")).issuer == IssuerSpec("self-signed")


def test_a_named_issuer_is_the_one_under_issuers_with_its_line(repository: Repository) -> None:
    spec = issuer(repository, "corp", "issuers:\n  corp: {type: external}\n")

    assert (spec.type, spec.name, str(spec.source)) == ("external", "corp", "keystore.yaml:4:3")


def test_an_inline_issuer_has_no_name(repository: Repository) -> None:
    spec = issuer(repository, "{type: external}")

    assert (spec.type, spec.name, str(spec.source)) == ("external", None, "keystore.yaml:3:64")


def test_an_included_file_may_name_issuers_and_use_those_of_the_state(repository: Repository) -> None:
    repository.write("issuers.yaml", "issuers: {corp: {type: external}}")
    repository.write("pairs.yaml", "keyPairs: {b: {subject: {commonName: x}, issuer: here}}")
    state = repository.state(
        "include: [issuers.yaml, pairs.yaml]\nissuers: {here: {type: self-signed}}\n" + PAIR % "corp"
    )

    assert [(one.alias, one.issuer.name) for one in state.wanted if isinstance(one, WantedKeyPair)] == [
        ("a", "corp"),
        ("b", "here"),
    ]


@pytest.mark.parametrize(
    ("issuers", "asked", "expected"),
    [
        ("", "corp", "3:72: [issuer] `keyPairs.a.issuer` is 'corp', and no issuer is called so (declare it under `issuers`)"),
        ("", "external", "3:72: [issuer] `keyPairs.a.issuer` is 'external', and no issuer is called so (a type stands in braces: {type: external})"),
        ("issuers: {corporate: {type: external}}\n", "corporat", "4:72: [issuer] `keyPairs.a.issuer` is 'corporat', and no issuer is called so (did you mean 'corporate'?)"),
        ("issuers: {one: {type: external}, two: {type: external}}\n", "zzz", "4:72: [issuer] `keyPairs.a.issuer` is 'zzz', and no issuer is called so (known under `issuers`: 'one', 'two')"),
        ("issuers: {corp: {type: external}}\n", "Corp", "4:72: [issuer] `keyPairs.a.issuer` is 'Corp', and no issuer is called so (did you mean 'corp'?)"),
        ("", '"a\\tb"', "3:72: [issuer] `keyPairs.a.issuer` is 'a\\tb', and no issuer is called so (declare it under `issuers`)"),
        ("issuers: {corp: {type: vault}}\n", "corp", "3:24: [not-yet] the issuer `vault` is not available yet (take it out of the file until then)"),
        ("issuers: {corp: {type: external, x: 1}}\n", "corp", "3:34: [unknown-key] unknown key 'x' in `issuers.corp` (known here: type, request, response)"),
    ],
)  # fmt: skip
def test_an_issuer_that_cannot_be_had_is_said_once(
    repository: Repository, issuers: str, asked: str, expected: str
) -> None:
    assert [told(problem) for problem in repository.problems_in(issuers + PAIR % asked)] == [
        f"keystore.yaml:{expected}"
    ]


def test_one_name_for_two_issuers_is_an_error_with_both_lines(repository: Repository) -> None:
    repository.write("x.yaml", "\nissuers: {corp: {type: self-signed}}")
    [problem] = repository.problems_in("include: [x.yaml]\nissuers: {corp: {type: external}}")

    assert told(problem) == (
        "x.yaml:2:11: [issuer] the issuer 'corp' means something else here than in keystore.yaml, line 4 "
        "(make the two equal, or rename one of them)"
    )


def test_the_same_issuer_in_two_files_counts_once_whatever_line_names_its_password(authority: Repository) -> None:
    authority.write("x.yaml", f"\nissuers:\n  corp: {PARTS}\n" + PAIR % PARTS)

    assert pair(authority.state(f"include: [x.yaml]\nissuers: {{corp: {PARTS}}}\n" + PAIR % PARTS)).issuer.certificates


def test_another_password_makes_it_another_issuer(authority: Repository) -> None:
    authority.write("x.yaml", f"issuers: {{corp: {PARTS.replace('CA_PASSWORD', 'OTHER')}}}")
    [problem] = authority.problems_in(f"include: [x.yaml]\nissuers: {{corp: {PARTS}}}")

    assert problem.code == "issuer"


def test_another_issuer_makes_it_another_key_pair(repository: Repository) -> None:
    repository.write("x.yaml", PAIR % "{type: command, command: [sign, b]}")
    [problem] = repository.problems_in("include: [x.yaml]\n" + PAIR % "{type: command, command: [sign, a]}")

    assert "means something else" in problem.message


# ----------------------------------------------------------------------------------------------- a program


def test_a_program_is_kept_as_arguments_with_the_directory_of_its_file_and_never_run(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_ALLOW_COMMANDS", "1")
    repository.write("issuers/all.yaml", "issuers: {adcs: {type: command, command: [touch, ran], timeout: 90s}}")
    spec = issuer(repository, "adcs", "include: [issuers/all.yaml]\n")

    assert dict(spec.options) == {
        "command": ("touch", "ran"),
        "directory": str(repository.root / "issuers"),
        "timeout": 90.0,
    }
    resolve(load("keystore.yaml"))
    assert not list(repository.root.rglob("ran"))


@pytest.mark.parametrize(("written", "seconds"), [("1s", 1), ("5m", 300), ("24h", 86_400)])
def test_a_program_is_waited_for_as_long_as_the_file_says(repository: Repository, written: str, seconds: int) -> None:
    spec = issuer(repository, f"{{type: command, command: [x], timeout: {written}}}")

    assert spec.options["timeout"] == seconds
    assert issuer(repository, "{type: command, command: [x]}").options["timeout"] == 300


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("command: [x], timeout: 25h", "`keyPairs.a.issuer.timeout`: must be one day at most"),
        ("command: ['']", "`keyPairs.a.issuer.command` names no program"),
        ("command: [' ', x]", "`keyPairs.a.issuer.command` names no program"),
    ],
)
def test_a_program_that_cannot_be_is_refused(repository: Repository, written: str, expected: str) -> None:
    [problem] = repository.problems_in(PAIR % f"{{type: command, {written}}}")

    assert problem.message == expected


# ---------------------------------------------------------------------------------- a CA that lies in files


@pytest.mark.parametrize("written", [PARTS, STORE])
def test_a_ca_signs_with_the_key_that_its_files_hold(authority: Repository, written: str) -> None:
    wanted = pair(resolve(authority.state(PAIR % written)))
    private_key = generate_private_key(wanted.key)
    order = Order(wanted, signing_request(private_key, wanted), private_key)
    certificates = issuer_for(wanted.issuer).issue(order, datetime(2026, 6, 1, tzinfo=UTC))

    assert certificates is not None
    assert certificates[1:] == (CA, ROOT)
    assert is_signed_by(certificates[0], CA)
    assert certificates[0].public_key_sha256 == public_key_sha256_of(private_key)


def test_the_certificates_of_a_ca_in_pem_are_known_without_its_password(
    authority: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CA_PASSWORD")
    state = authority.state(PAIR % PARTS)

    assert pair(state).issuer.certificates == (CA, ROOT)
    assert resolve(state) == state


def test_those_of_a_ca_in_a_keystore_file_are_known_after_resolving(authority: Repository) -> None:
    state = authority.state(PAIR % STORE)

    assert pair(state).issuer.certificates == ()
    assert pair(resolve(state)).issuer.certificates == (CA, ROOT)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(to_pem([ROOT, CA]), (CA, ROOT)), (to_pem([CA]), (CA,)), (CA.der, (CA,)), (to_pem([CA, CA, ROOT]), (CA, ROOT))],
    ids=["reversed", "alone", "DER", "twice"],
)
def test_the_certificates_of_a_ca_come_in_any_order_with_or_without_its_root(
    authority: Repository, content: bytes, expected: tuple[Any, ...]
) -> None:
    authority.write("ca/ca.pem", content)

    assert issuer(authority, PARTS).certificates == expected


def test_certificate_and_key_of_a_ca_may_stand_in_one_pem(authority: Repository) -> None:
    authority.write("ca/both.pem", to_pem([CA]) + key_pem())
    spec = issuer(authority, "{type: local-ca, file: ca/both.pem}")

    assert spec.certificates == (CA,)
    assert isinstance(spec.options["open_key"], CaKey)
    assert public_key_sha256_of(spec.options["open_key"]()) == CA.public_key_sha256


def test_a_ca_that_several_key_pairs_name_is_opened_once(
    authority: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECONCILE_ALLOW_COMMANDS", "1")
    count = tmp_path / "count"
    program = f"open({str(count)!r}, 'a').write('x'); print('{CANARY}')"
    command = STORE.replace("{env: CA_PASSWORD}", f"{{command: ['{sys.executable}', -c, \"{program}\"]}}")
    pairs = "".join(f"  p{n}: {{subject: {{commonName: x}}, issuer: corp}}\n" for n in range(5))
    state = resolve(authority.state(f"issuers: {{corp: {command}}}\nkeyPairs:\n{pairs}"))

    assert {one.issuer.certificates for one in state.wanted if isinstance(one, WantedKeyPair)} == {(CA, ROOT)}
    assert count.read_text() == "x"


NOT_A_CA = certified("leaf", KEY, "Root", ROOT_KEY, ca=False)
SILENT = certified("silent", KEY, "silent", KEY, ca=None)
NO_SIGNER = certified("no signer", KEY, "no signer", KEY, signs=False)


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        (to_pem([NOT_A_CA]), None, "'CN=leaf' is not the certificate of a CA (a CA says so in its basic constraints (CA:TRUE))"),
        (to_pem([SILENT]), None, "'CN=silent' is not the certificate of a CA (a CA says so in its basic constraints (CA:TRUE))"),
        (to_pem([NO_SIGNER]), None, "the key usage of 'CN=no signer' does not allow it to sign certificates (keyCertSign) (None)"),
        (to_pem([CA, NOT_A_CA]), None, "ca/ca.pem: more than one certificate that signs none of the others: 'CN=Issuing CA', 'CN=leaf' (keep the certificate of the key and those that signed it)"),
        (b"", None, "ca/ca.pem: no certificate in it: neither PEM (-----BEGIN CERTIFICATE-----) nor DER (a CA is `certificate` and `key`, in PEM or DER, or one `file` with both)"),
        (b"\x30\x03\x02\x01\x05", None, "ca/ca.pem: a certificate that cannot be read: "),
        (None, b"", "ca/key.pem: this is not a keystore but an empty file (restore it from a backup"),
        (None, to_pem([CA]), "ca/key.pem holds no private key (a CA is `certificate` and `key`, in PEM or DER, or one `file` with both)"),
        (None, key_store("x", CA), "ca/key.pem is a keystore file, which holds its certificates itself (a CA is `certificate` and `key`, in PEM or DER, or one `file` with both)"),
    ],
)  # fmt: skip
def test_what_is_no_ca_is_refused_at_the_line_of_its_file(
    authority: Repository, certificate: bytes | None, key: bytes | None, expected: str
) -> None:
    if certificate is not None:
        authority.write("ca/ca.pem", certificate)
    if key is not None:
        authority.write("ca/key.pem", key)
    [problem] = authority.problems_in(f"issuers:\n  corp: {PARTS}\n")

    assert str(problem.source) == "keystore.yaml:4:26"
    assert told(problem).removeprefix("keystore.yaml:4:26: [issuer] `issuers.corp.certificate`: ").startswith(expected)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (PARTS.replace("ca/ca.pem", "missing.pem"), "missing.pem cannot be read: there is no such file"),
        (PARTS.replace("ca/key.pem", "missing.pem"), "missing.pem cannot be read: there is no such file"),
        (PARTS.replace("ca/key.pem", "../key.pem"), "../key.pem lies outside the repository"),
        (PARTS.replace("ca/ca.pem", "/etc/hostname"), "/etc/hostname lies outside the repository"),
        (STORE.replace("ca/ca.p12", "../ca.p12"), "../ca.p12 lies outside the repository"),
        (STORE.replace("ca/ca.p12", "ca"), "ca cannot be read: is a directory"),
        (STORE.replace("ca/ca.p12", "ca/ca.pem"), "ca/ca.pem holds no private key"),
        (STORE.replace("ca/ca.p12", '"a\\tb"'), "a path with a control character"),
    ],
)
def test_the_files_of_a_ca_stay_inside_the_repository(authority: Repository, written: str, message: str) -> None:
    (authority.root.parent / "key.pem").write_bytes(key_pem())
    [problem] = authority.problems_in(f"issuers: {{corp: {written}}}")

    assert message in problem.message


# ----------------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize("written", [PARTS, STORE])
def test_nothing_of_a_ca_is_secret_in_the_state(authority: Repository, written: str) -> None:
    state = resolve(authority.state(PAIR % written))

    assert CANARY not in repr(state)
    assert "PRIVATE" not in repr(state)
    assert repr(pair(state).issuer.options["open_key"]).startswith("CaKey('ca/")


@pytest.mark.parametrize(
    ("password", "place", "message"),
    [
        ("{env: NOT_SET}", "keystore.yaml:4:", "the environment variable NOT_SET is not set"),
        ("{env: WRONG}", "keystore.yaml:4:3", "wrong password"),
    ],
)
def test_a_ca_whose_password_is_wrong_is_said_once_where_it_stands(
    authority: Repository, monkeypatch: pytest.MonkeyPatch, password: str, place: str, message: str
) -> None:
    monkeypatch.setenv("WRONG", "other-" + CANARY)
    pairs = "".join(f"  p{n}: {{subject: {{commonName: x}}, issuer: corp}}\n" for n in range(3))
    written = STORE.replace("{env: CA_PASSWORD}", password)
    state = authority.state(f"issuers:\n  corp: {written}\nkeyPairs:\n{pairs}")
    with pytest.raises(DesiredStateError) as caught:
        resolve(state)

    [problem] = caught.value.problems
    assert message in problem.message
    assert str(problem.source).startswith(place)
    assert CANARY not in told(problem)


def test_a_keystore_file_without_a_ca_is_refused_when_it_is_opened(authority: Repository) -> None:
    authority.write("ca/ca.p12", key_store(CANARY, SILENT))
    state = authority.state(PAIR % STORE)
    with pytest.raises(DesiredStateError) as caught:
        resolve(state)

    assert [told(problem) for problem in caught.value.problems] == [
        (
            "keystore.yaml:3:64: [issuer] 'CN=silent' is not the certificate of a CA "
            "(a CA says so in its basic constraints (CA:TRUE))"
        )
    ]


@pytest.mark.parametrize(
    ("key", "password", "message"),
    [
        (key_pem(OTHER_KEY), None, "is not the key of the certificate"),
        (key_pem(password="other"), CANARY, "wrong password"),
        (key_pem(password="other"), None, "the private key is encrypted and no password is given"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None, "not a private key"),
    ],
)
def test_a_key_that_does_not_open_is_said_when_it_is_needed(
    authority: Repository, key: bytes, password: str | None, message: str
) -> None:
    authority.write("ca/key.pem", key)
    written = PARTS if password else PARTS.replace(", password: {env: CA_PASSWORD}", "")
    open_key = issuer(authority, written).options["open_key"]
    assert isinstance(open_key, CaKey)
    with pytest.raises(MaterialError) as caught:
        open_key()

    assert message in caught.value.message
    assert CANARY not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("key", ["password", "keyPassword"])
@pytest.mark.parametrize(
    "value", [CANARY, f"[{CANARY}]", f"{{{CANARY}: x}}", f"{{env: {CANARY} x}}", f"{{env: A, file: {CANARY}}}"]
)
def test_a_secret_of_a_ca_that_stands_in_the_file_is_refused_and_not_repeated(
    authority: Repository, key: str, value: str
) -> None:
    problems = authority.problems_in(f"issuers: {{corp: {{type: local-ca, file: ca/ca.p12, {key}: {value}}}}}\n")

    assert problems
    assert CANARY not in " ".join(told(problem) for problem in problems)


def test_states_without_a_ca_need_no_cryptography(repository: Repository) -> None:
    repository.write(
        "keystore.yaml",
        HEAD + "issuers: {c: {type: command, command: [x]}, e: {type: external}}\n"
        "keyPairs:\n  a: {subject: {commonName: x}, issuer: c}\n  b: {existing: true}\n  d: {subject: {commonName: x}, issuer: e}\n",
    )
    program = (
        "import sys; from reconciler.desired import load; load('keystore.yaml'); print('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
