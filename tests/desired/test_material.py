"""Key pairs brought along: from keystores of every type and from PEM and DER, with what proves that they fit."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from reconciler.desired import resolve
from reconciler.desired.material import KeyPairFile, chain_of, look, only_chain, open_key
from reconciler.errors import DesiredStateError, MaterialError
from reconciler.model import RenewBefore, SecretRef, Source, WantedImport
from reconciler.x509 import certificate, public_key_sha256_of, to_pem
from tests.conftest import CORPUS

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model import Certificate
    from tests.desired.conftest import Repository

HERE = Source("keystore.yaml", 3, 1)
PASSWORD = "hunter2-in-tests"


# ------------------------------------------------------------------------------------------- certificates


def made(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> Certificate:
    def as_name(common_name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])

    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(as_name(name)).issuer_name(as_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=3650))
    return certificate(builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER))


KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
LEAF_KEY, MIDDLE_KEY, ROOT_KEY, OTHER_KEY = KEYS
ROOT = made("root", ROOT_KEY, "root", ROOT_KEY)
MIDDLE = made("middle", MIDDLE_KEY, "root", ROOT_KEY)
LEAF = made("leaf", LEAF_KEY, "middle", MIDDLE_KEY)
MIDDLE_TWIN = made("middle", OTHER_KEY, "root", ROOT_KEY)
LONER = made("loner", OTHER_KEY, "loner", OTHER_KEY)


def pem_of(
    key: ec.EllipticCurvePrivateKey, form: PrivateFormat = PrivateFormat.PKCS8, password: str | None = None
) -> bytes:
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, protection)


@pytest.mark.parametrize("order", [[LEAF, MIDDLE, ROOT], [ROOT, MIDDLE, LEAF], [MIDDLE, LEAF, ROOT, LEAF, MIDDLE]])
def test_a_chain_is_put_in_order_leaf_first(order: list[Certificate]) -> None:
    assert only_chain(order) == (LEAF, MIDDLE, ROOT)


def test_a_chain_may_lack_its_root_and_a_self_signed_certificate_is_a_chain() -> None:
    assert only_chain([MIDDLE, LEAF]) == (LEAF, MIDDLE)
    assert only_chain([LONER]) == (LONER,)
    assert only_chain([LEAF]) == (LEAF,)


def test_of_two_certificates_with_the_issuers_name_the_signature_tells() -> None:
    with pytest.raises(MaterialError, match="not part of the chain of 'CN=leaf': 'CN=middle'"):
        only_chain([LEAF, MIDDLE_TWIN, MIDDLE, ROOT])
    assert only_chain([LEAF, MIDDLE, ROOT])[1] is MIDDLE


@pytest.mark.parametrize(
    ("certificates", "message"),
    [
        ([LEAF, LONER], "more than one certificate that signs none of the others: 'CN=leaf', 'CN=loner'"),
        ([LEAF, MIDDLE_TWIN], "not part of the chain of 'CN=leaf': 'CN=middle'"),
        ([LEAF, ROOT], "more than one certificate that signs none of the others: 'CN=leaf', 'CN=root'"),
        ([certificate(b"\x30\x03\x02\x01\x05")], "a certificate that cannot be read"),
        (
            [made("a", LEAF_KEY, "b", MIDDLE_KEY), made("b", MIDDLE_KEY, "a", LEAF_KEY)],
            "certificates that sign each other",
        ),
    ],
)
def test_what_is_not_one_chain_is_refused(certificates: list[Certificate], message: str) -> None:
    with pytest.raises(MaterialError) as caught:
        only_chain(certificates)

    assert message in caught.value.message


# --------------------------------------------------------------------------------------------- PEM and DER


@pytest.fixture
def with_password(monkeypatch: pytest.MonkeyPatch) -> SecretRef:
    monkeypatch.setenv("MATERIAL_PASSWORD", PASSWORD)
    return SecretRef("env", "MATERIAL_PASSWORD", HERE)


def material(
    repository: Repository, file: str, content: bytes, certificates: bytes | None = None, **more: Any
) -> KeyPairFile:
    path = repository.write(file, content)
    if certificates is not None:
        more |= {
            "certificate_path": str(repository.write("chain.pem", certificates)),
            "certificate_shown": "chain.pem",
        }
    return KeyPairFile(str(path), file, **more)


@pytest.mark.parametrize(
    ("form", "protected"),
    [
        (PrivateFormat.PKCS8, False),
        (PrivateFormat.PKCS8, True),
        (PrivateFormat.TraditionalOpenSSL, False),
        (PrivateFormat.TraditionalOpenSSL, True),
        (PrivateFormat.OpenSSH, False),
    ],
)
def test_a_key_in_pem_is_opened_with_its_certificates(
    repository: Repository,
    with_password: SecretRef,
    form: PrivateFormat,
    protected: bool,  # noqa: FBT001
) -> None:
    content = pem_of(LEAF_KEY, form, PASSWORD if protected else None)
    brought = material(
        repository, "key.pem", content, to_pem([ROOT, LEAF, MIDDLE]), password=with_password if protected else None
    )
    private_key, chain = open_key(brought)

    assert look(brought) == chain_of(brought) == chain == (LEAF, MIDDLE, ROOT)
    assert public_key_sha256_of(private_key) == LEAF.public_key_sha256


def test_key_and_certificates_may_stand_in_one_file(repository: Repository) -> None:
    brought = material(repository, "both.pem", to_pem([MIDDLE]) + pem_of(LEAF_KEY) + to_pem([LEAF]))

    assert open_key(brought)[1] == (LEAF, MIDDLE)


def test_a_key_in_der_is_opened_with_its_certificate(repository: Repository) -> None:
    der = LEAF_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    assert open_key(material(repository, "key.der", der, LEAF.der))[1] == (LEAF,)


def test_a_key_that_is_not_the_certificates_is_refused(repository: Repository) -> None:
    brought = material(repository, "key.pem", pem_of(OTHER_KEY), to_pem([LEAF]))
    with pytest.raises(MaterialError) as caught:
        open_key(brought)

    assert caught.value.message == "the private key in key.pem is not the key of the certificate 'CN=leaf' in chain.pem"


@pytest.mark.parametrize("protected", [False, True])
def test_a_password_that_does_not_fit_the_key_is_refused_and_not_repeated(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    protected: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setenv("WRONG", "c4n4ry")
    content = pem_of(LEAF_KEY, password=PASSWORD if protected else None) + to_pem([LEAF])
    with pytest.raises(MaterialError) as caught:
        open_key(material(repository, "key.pem", content, password=SecretRef("env", "WRONG", HERE)))

    assert caught.value.message.startswith("key.pem: ")
    assert "c4n4ry" not in f"{caught.value.message} {caught.value.hint} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("content", "more", "message", "hint"),
    [
        (b"", {}, "x: this is not a keystore but an empty file", None),
        (b"hello", {}, "x: this is not a keystore but text", None),
        (b"PK\x03\x04", {}, "x: this is not a keystore but a ZIP or JAR archive", "extract"),
        (to_pem([LEAF]), {}, "x holds no private key", "trustedRoots"),
        (pem_of(LEAF_KEY), {}, "x: no certificate in it", "certificateFile"),
        (pem_of(LEAF_KEY) + to_pem([LEAF, LONER]), {}, "x: more than one certificate that signs none of the others", None),
        (pem_of(LEAF_KEY) + to_pem([LEAF]), {"alias": "a"}, "x is no keystore file, so there is no entry to choose", "take `alias` out"),
        (LEAF_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), {}, "x: this is not a keystore but a private key in DER", "certificateFile"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_key_pair_is_refused_without_a_secret(
    repository: Repository, content: bytes, more: dict[str, Any], message: str, hint: str | None
) -> None:
    with pytest.raises(MaterialError) as caught:
        look(material(repository, "x", content, **more))

    assert message in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


def test_a_keystore_file_brings_its_own_certificates(repository: Repository) -> None:
    content = (CORPUS / "files" / "own_legacy.pkcs12").read_bytes()
    with pytest.raises(MaterialError, match="is a keystore file, which holds its certificates itself"):
        look(material(repository, "x.p12", content, to_pem([LEAF])))


# ------------------------------------------------------------------------------------------------ keystores


def _private_keys() -> list[Any]:
    manifest = json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))
    return [
        pytest.param(file, entry, id=f"{file['file']} {entry['alias']}")
        for file in manifest["files"]
        for entry in file.get("entries", ())
        if entry["type"] == "PrivateKeyEntry"
        # Its keys have the empty password and the file has another one: a case for tests of containers.
        if "spring-boot__chains" not in file["file"] and "uber" not in file["file"]
    ]


@pytest.mark.parametrize(("file", "entry"), _private_keys())
def test_every_key_pair_that_other_programs_wrote_is_opened_with_the_chain_that_keytool_shows(
    monkeypatch: pytest.MonkeyPatch, file: dict[str, Any], entry: dict[str, Any]
) -> None:
    store, key = file["store_password"], file["key_passwords"].get(entry["alias"]) or file["store_password"]
    monkeypatch.setenv("STORE", store)
    monkeypatch.setenv("KEY", key)
    brought = KeyPairFile(
        str(CORPUS / file["file"]),
        file["file"],
        entry["alias"],
        SecretRef("env", "STORE", HERE) if store else None,
        SecretRef("env", "KEY", HERE) if key != store else None,
    )
    private_key, chain = open_key(brought)

    assert look(brought) == ()
    assert chain_of(brought) == chain
    assert public_key_sha256_of(private_key) == chain[0].public_key_sha256
    assert [one.sha256 for one in chain] == entry["chain_sha256"]


@pytest.fixture
def changeit(monkeypatch: pytest.MonkeyPatch) -> SecretRef:
    monkeypatch.setenv("CHANGEIT", "changeit")
    return SecretRef("env", "CHANGEIT", HERE)


def corpus_file(name: str, **more: Any) -> KeyPairFile:
    return KeyPairFile(str(CORPUS / "files" / name), name, **more)


def test_the_only_key_pair_of_a_file_needs_no_alias(changeit: SecretRef) -> None:
    assert len(chain_of(corpus_file("own_secret.jceks", password=changeit))) == 1


def test_the_case_of_the_alias_does_not_count(changeit: SecretRef) -> None:
    assert len(chain_of(corpus_file("own_chain.jks", alias="ISSUING", password=changeit))) == 2


def test_an_ambiguous_file_is_refused_with_its_key_pairs(changeit: SecretRef) -> None:
    with pytest.raises(MaterialError) as caught:
        chain_of(corpus_file("own_keypass.jks", password=changeit))

    assert caught.value.message == "own_keypass.jks holds several key pairs: 'different', 'same'"
    assert caught.value.hint == "choose one with `alias`"


def test_an_alias_that_is_not_there_is_refused_with_those_that_are(changeit: SecretRef) -> None:
    with pytest.raises(MaterialError) as caught:
        chain_of(corpus_file("own_keypass.jks", alias="nope", password=changeit))

    assert caught.value.message == "own_keypass.jks has no key pair called 'nope'; it has 'different', 'same'"


def test_a_keystore_without_key_pairs_is_refused(changeit: SecretRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "12345678")
    with pytest.raises(MaterialError, match="holds no key pair"):
        chain_of(corpus_file("pyjks__3certs.jks", password=SecretRef("env", "PW", HERE)))


@pytest.mark.parametrize("name", ["own_chain.jks", "own_chain.jceks", "own_chain.pkcs12", "own_chain.bks"])
def test_a_wrong_password_is_an_error_of_the_desired_state(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("WRONG", "c4n4ry")
    with pytest.raises(MaterialError) as caught:
        chain_of(corpus_file(name, alias="issuing", password=SecretRef("env", "WRONG", HERE)))

    assert caught.value.exit_code == 1
    assert name in caught.value.message
    assert "c4n4ry" not in f"{caught.value.message} {caught.value.hint}"


def test_a_missing_password_is_asked_for() -> None:
    with pytest.raises(MaterialError) as caught:
        chain_of(corpus_file("own_chain.pkcs12", alias="issuing"))

    assert caught.value.hint == "name its password with `password`"


def test_a_key_with_a_password_of_its_own_is_opened_with_it(
    changeit: SecretRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "otherPass-Steer")
    brought = corpus_file("own_keypass.jks", alias="different", password=changeit)

    with pytest.raises(MaterialError):
        open_key(brought)
    opened, chain = open_key(
        corpus_file("own_keypass.jks", alias="different", password=changeit, key_password=SecretRef("env", "KEY", HERE))
    )
    assert public_key_sha256_of(opened) == chain[0].public_key_sha256


def test_a_key_that_java_does_not_show_can_be_brought_along(
    repository: Repository, openssl: str, with_password: SecretRef
) -> None:
    """`openssl pkcs12 -export -keypbe NONE` writes a key in the clear, which Java ignores."""
    repository.write("key.pem", pem_of(LEAF_KEY))
    repository.write("chain.pem", to_pem([LEAF, MIDDLE]))
    command = [
        openssl,
        "pkcs12",
        "-export",
        "-in",
        "chain.pem",
        "-inkey",
        "key.pem",
        "-name",
        "x",
        "-keypbe",
        "NONE",
        "-out",
        "x.p12",
        "-passout",
        f"pass:{PASSWORD}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    brought = KeyPairFile(str(repository.root / "x.p12"), "x.p12", password=with_password)
    opened, chain = open_key(brought)

    assert chain == chain_of(brought) == (LEAF, MIDDLE)
    assert public_key_sha256_of(opened) == LEAF.public_key_sha256


def test_a_key_without_its_certificate_cannot_be_brought_along(
    repository: Repository, openssl: str, with_password: SecretRef
) -> None:
    repository.write("key.pem", pem_of(LEAF_KEY))
    command = [
        openssl,
        "pkcs12",
        "-export",
        "-nocerts",
        "-inkey",
        "key.pem",
        "-name",
        "x",
        "-out",
        "x.p12",
        "-passout",
        f"pass:{PASSWORD}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(MaterialError) as caught:
        chain_of(KeyPairFile(str(repository.root / "x.p12"), "x.p12", password=with_password))

    assert caught.value.message == "x.p12 holds no certificate of its private key 'x'"


@pytest.mark.parametrize("name", sorted(path.name for path in (CORPUS / "files").iterdir()))
def test_a_keystore_cut_short_anywhere_is_an_error(tmp_path: Path, changeit: SecretRef, name: str) -> None:
    content = (CORPUS / "files" / name).read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        (tmp_path / "x").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(MaterialError):
            open_key(KeyPairFile(str(tmp_path / "x"), "x", password=changeit))


# ----------------------------------------------------------------------------------------- in a state file


def _p12(password: str = PASSWORD) -> bytes:
    from cryptography.x509 import load_der_x509_certificate

    leaf, middle = (load_der_x509_certificate(one.der) for one in (LEAF, MIDDLE))
    return pkcs12.serialize_key_and_certificates(
        b"x", LEAF_KEY, leaf, [middle], BestAvailableEncryption(password.encode())
    )


def test_loading_needs_no_secret_and_resolving_adds_the_chain(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("secrets/partner.p12", _p12())
    state = repository.state(
        "keyPairs:\n  partner: {file: secrets/partner.p12, password: {env: MATERIAL_PASSWORD}, renewBefore: 30d}\n"
    )
    [wanted] = state.wanted
    assert isinstance(wanted, WantedImport)
    assert wanted.chain == ()
    assert wanted.origin == "secrets/partner.p12"
    assert wanted.renew_before == RenewBefore(duration=timedelta(days=30))

    monkeypatch.setenv("MATERIAL_PASSWORD", PASSWORD)
    [resolved] = resolve(state).wanted
    assert isinstance(resolved, WantedImport)
    assert resolved.chain == (LEAF, MIDDLE)
    assert open_key(resolved.material)[1] == resolved.chain
    assert PASSWORD not in repr(resolved)


def test_a_key_in_pem_has_its_chain_at_once(repository: Repository) -> None:
    repository.write("key.pem", pem_of(LEAF_KEY, password=PASSWORD))
    repository.write("chain.pem", to_pem([MIDDLE, LEAF]))
    [wanted] = repository.state(
        "keyPairs: {a: {file: key.pem, certificateFile: chain.pem, password: {env: MATERIAL_PASSWORD}}}"
    ).wanted
    assert isinstance(wanted, WantedImport)

    assert wanted.chain == (LEAF, MIDDLE)
    assert (
        resolve(repository.state("include: []\nkeyPairs: {a: {file: key.pem, certificateFile: chain.pem}}"))
        .wanted[0]
        .chain
        == wanted.chain
    )  # type: ignore[union-attr]  # an import has one


def test_a_renewal_that_is_no_duration_is_said_at_its_own_line(repository: Repository) -> None:
    repository.write("partner.p12", _p12())
    [problem] = repository.problems_in("keyPairs:\n  a:\n    file: partner.p12\n    renewBefore: 99999d\n")

    assert (problem.message, str(problem.source)) == (
        "`keyPairs.a.renewBefore`: must lie between 1m and 36525d",
        "keystore.yaml:6:5",
    )


def test_resolving_says_all_that_is_wrong_with_its_lines(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("partner.p12", _p12())
    monkeypatch.setenv("WRONG", "c4n4ry")
    state = repository.state("""\
        keyPairs:
          a: {file: partner.p12, password: {env: WRONG}}
          b: {file: partner.p12, password: {env: NOT_SET}}
          c: {file: partner.p12, password: {command: [pass, show]}}
        """)
    with pytest.raises(DesiredStateError) as caught:
        resolve(state)
    problems = caught.value.problems

    assert [(problem.code, str(problem.source)) for problem in problems] == [
        ("key-pair-file", "keystore.yaml:4:3"),
        ("key-pair-file", "keystore.yaml:5:37"),
        ("key-pair-file", "keystore.yaml:6:37"),
    ]
    assert "wrong password" in problems[0].message
    assert problems[1].message == "the environment variable NOT_SET is not set"
    assert problems[2].message == "the command pass is not run: RECONCILE_ALLOW_COMMANDS=1 is not set"


def test_a_private_key_needs_a_keystore_with_a_password(repository: Repository) -> None:
    [problem] = repository.problems("""\
        apiVersion: reconciler/v1
        keystore: {type: pkcs12, path: x.p12}
        keyPairs: {a: {subject: {commonName: x}}}
        """)

    assert problem.message == "`keystore` needs `password`: the private key of 'a' cannot be kept without one"
    assert str(problem.source) == "keystore.yaml:2:1"


@pytest.mark.parametrize("path", ["../partner.p12", "/etc/hostname"])
@pytest.mark.parametrize("key", ["file", "certificateFile"])
def test_a_key_pair_from_outside_the_repository_is_refused(repository: Repository, path: str, key: str) -> None:
    (repository.root.parent / "partner.p12").write_bytes(_p12())
    repository.write("key.pem", pem_of(LEAF_KEY))
    more = "" if key == "file" else "file: key.pem, "
    [problem] = repository.problems_in(f"keyPairs: {{a: {{{more}{key}: {path}}}}}")

    assert "lies outside the repository" in problem.message


def test_the_same_import_in_two_files_counts_once_and_another_password_does_not(repository: Repository) -> None:
    repository.write("partner.p12", _p12())
    repository.write("x.yaml", "keyPairs: {a: {file: partner.p12, password: {env: A}}}")

    assert (
        len(repository.state("include: [x.yaml]\nkeyPairs: {a: {file: ./partner.p12, password: {env: A}}}").wanted) == 1
    )
    [problem] = repository.problems_in("include: [x.yaml]\nkeyPairs: {a: {file: partner.p12, password: {env: B}}}")
    assert "means something else" in problem.message


def test_the_corpus_is_what_the_manifest_says() -> None:
    manifest = json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))
    for file in manifest["files"]:
        if "sha256" in file:
            assert sha256((CORPUS / file["file"]).read_bytes()).hexdigest() == file["sha256"]
