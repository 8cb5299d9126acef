"""PKCS#12 files that Java and OpenSSL protect in every way they know: read, added to, and read by both again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler import der
from reconciler.keystores.pkcs12 import empty, parse
from reconciler.model import PutCertificate, PutKeyPair
from reconciler.secret import Secret
from tests.builders import NOW
from tests.conftest import program
from tests.keystores.conftest import Question
from tests.keystores.pkcs12_files import (
    PASSWORD,
    certificate,
    file_of,
    leaf,
    openssl_counts,
    pkcs8,
    shape,
    shape_in_java,
    shrouded,
    trusted,
)

PROGRAM = Path(__file__).parent.parent / "java" / "Pkcs12Variants.java"
ROOT, PAIR = certificate("Root"), certificate("pair", "Root")
NEW = certificate("New")
ONE = b"Time 1700000000001"
OPENSSL_CIPHERS = [
    "PBE-SHA1-RC2-40", "PBE-SHA1-RC2-128", "PBE-SHA1-3DES", "PBE-SHA1-2DES", "PBE-SHA1-RC4-128", "PBE-SHA1-RC4-40",
    "aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des-ede3-cbc", "NONE",
]  # fmt: skip
OPENSSL_MACS = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512-256"]


# ---------------------------------------------------------------------------------------------------- Java


@pytest.fixture(scope="module")
def java_variants(tmp_path_factory, java):
    directory = tmp_path_factory.mktemp("variants")
    source = directory / "source.p12"
    writes = [PutCertificate("Root", ROOT), PutKeyPair("pair", (PAIR, ROOT), pkcs8("pair"))]
    source.write_bytes(empty().with_writes(writes, password=PASSWORD, now=NOW).to_bytes(PASSWORD))
    run = subprocess.run(
        [java, PROGRAM, source, PASSWORD.text(), directory], capture_output=True, text=True, check=True
    )
    return [directory / name for name in run.stdout.split()]


def test_java_writes_every_variant(java_variants):
    assert len(java_variants) == 22


def test_every_protection_that_java_offers_is_read(java_variants):
    for path in java_variants:
        container = parse(path.read_bytes(), PASSWORD, origin=path.name)
        assert shape(container.snapshot()) == {
            "root": ("trustedCertEntry", (ROOT.sha256,)),
            "pair": ("PrivateKeyEntry", (PAIR.sha256, ROOT.sha256)),
        }, path.name
        assert container.private_key("pair", PASSWORD) == pkcs8("pair"), path.name
        assert container.snapshot().integrity is not path.name.endswith(".NONE.p12"), path.name


def test_every_protection_stays_what_it_was_and_java_reads_it_again(java_variants, java_sees, tmp_path):
    questions, shapes = [], []
    for path in java_variants:
        before = parse(path.read_bytes(), PASSWORD, origin=path.name)
        after = before.with_writes([PutCertificate("new", NEW)], password=PASSWORD, now=NOW)
        written = tmp_path / path.name
        written.write_bytes(after.to_bytes(PASSWORD))
        assert algorithms(written) == algorithms(path), path.name
        questions.append(Question(written, "pkcs12", keys={"pair": PASSWORD.text()}))
        shapes.append(shape(after.snapshot()))
    views = java_sees(questions)
    assert [shape_in_java(view) for view in views] == shapes
    assert {tuple(view.opened.items()) for view in views} == {(("pair", "EC"),)}


def algorithms(path):
    """Every object identifier and every iteration count of the encryption and the MAC, in order."""
    found = []

    def walk(element):
        if element.tag in (der.OBJECT_IDENTIFIER, der.INTEGER):
            found.append(element.raw)
        if element.is_constructed:
            for child in element.iterate():
                walk(child)

    pfx = der.read(path.read_bytes()).children()
    for info in der.read(pfx[1].children()[1].inner("content").octets()).iterate():
        if info.children()[0].oid() == "1.2.840.113549.1.7.6":
            walk(info)
    for mac in pfx[2:]:
        walk(mac)
    return found


def test_a_passwordless_store_of_java_is_read_and_written_without_a_password(java_variants, java_sees, tmp_path):
    [path] = [one for one in java_variants if one.name == "NONE.NONE.p12"]
    container = parse(path.read_bytes(), None, origin=path.name)
    after = container.with_writes([PutCertificate("new", NEW)], password=None, now=NOW)
    written = tmp_path / "still-passwordless.p12"
    written.write_bytes(after.to_bytes(None))
    assert shape_in_java(java_sees([Question(written, "pkcs12", password=None)])[0]) == shape(after.snapshot())


@pytest.mark.parametrize("password", ["pässwort", "пароль🔑"])
def test_what_a_password_beyond_ascii_protects_is_read_by_newer_java_and_not_by_17(
    password, tmp_path, java_sees, newer_java_sees, openssl
):
    secret, path = Secret(password), tmp_path / "unicode.p12"
    writes = [PutCertificate("root", ROOT), PutKeyPair("pair", (PAIR,), pkcs8("pair"))]
    path.write_bytes(empty().with_writes(writes, password=secret, now=NOW).to_bytes(secret))
    container = parse(path.read_bytes(), secret, origin=path.name)
    assert container.private_key("pair", secret) == pkcs8("pair")
    question = Question(path, "pkcs12", password=password, keys={"pair": password})
    assert java_sees([question])[0].error is not None
    [newer] = newer_java_sees([question])
    assert shape_in_java(newer) == shape(container.snapshot())
    assert newer.opened == {"pair": "EC"}
    assert openssl_counts(openssl, path, secret) == (2, 1)


# ------------------------------------------------------------------------------------------------- OpenSSL


@pytest.fixture(scope="module")
def openssl_material(tmp_path_factory):
    directory = tmp_path_factory.mktemp("openssl")
    source = directory / "source.p12"
    source.write_bytes(file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), leaf(ROOT)]))
    pem = directory / "pair.pem"
    subprocess.run(
        [program("openssl"), "pkcs12", "-in", source, "-nodes", "-passin", "pass:changeit", "-out", pem], check=True
    )
    return directory, pem


def exported(material, name, *options, password="changeit"):
    directory, pem = material
    path = directory / f"{name}.p12"
    command = [program("openssl"), "pkcs12", "-export", "-legacy", "-in", pem, "-out", path, "-name", "Pair"]
    subprocess.run([*command, "-passout", f"pass:{password}", *options], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("cipher", OPENSSL_CIPHERS)
def test_every_cipher_of_openssl_is_read_and_kept(cipher, openssl_material, openssl, tmp_path):
    path = exported(
        openssl_material, cipher, "-keypbe", cipher if cipher != "NONE" else "aes-256-cbc", "-certpbe", cipher
    )
    container = parse(path.read_bytes(), PASSWORD, origin=path.name)
    assert shape(container.snapshot()) == {"pair": ("PrivateKeyEntry", (PAIR.sha256, ROOT.sha256))}
    assert container.private_key("pair", PASSWORD) == pkcs8("pair")
    written = tmp_path / "written.p12"
    after = container.with_writes([PutCertificate("new", NEW)], password=PASSWORD, now=NOW)
    written.write_bytes(after.to_bytes(PASSWORD))
    assert algorithms(written) == algorithms(path)
    assert openssl_counts(openssl, written, PASSWORD) == (3, 1)
    warned = any("cannot open the file" in warning for warning in container.snapshot().warnings)
    assert warned is (cipher in ("aes-192-cbc", "des-ede3-cbc", "PBE-SHA1-2DES"))


def test_the_ciphers_that_we_warn_of_are_those_that_java_does_not_read(openssl_material, java_sees, newer_java_sees):
    paths = [exported(openssl_material, f"java-{cipher}", "-certpbe", cipher) for cipher in OPENSSL_CIPHERS]
    questions = [Question(path, "pkcs12") for path in paths]
    refused = ["aes-192-cbc", "des-ede3-cbc", "PBE-SHA1-2DES"]
    for views in (java_sees(questions), newer_java_sees(questions)):
        assert [c for c, view in zip(OPENSSL_CIPHERS, views, strict=True) if view.error] == [
            cipher for cipher in OPENSSL_CIPHERS if cipher in refused
        ]


@pytest.mark.parametrize("digest", OPENSSL_MACS)
def test_every_digest_of_openssl_is_read_and_kept(digest, openssl_material, openssl, tmp_path):
    path = exported(openssl_material, f"mac-{digest}", "-macalg", digest)
    container = parse(path.read_bytes(), PASSWORD, origin=path.name)
    assert container.snapshot().integrity
    written = tmp_path / "written.p12"
    after = container.with_writes([PutCertificate("new", NEW)], password=PASSWORD, now=NOW)
    written.write_bytes(after.to_bytes(PASSWORD))
    assert algorithms(written) == algorithms(path)
    assert openssl_counts(openssl, written, PASSWORD) == (3, 1)


def test_one_iteration_and_no_check_are_kept(openssl_material, openssl, tmp_path):
    for name, options in {"noiter": ["-noiter", "-nomaciter"], "nomac": ["-nomac"]}.items():
        path = exported(openssl_material, name, *options)
        container = parse(path.read_bytes(), PASSWORD, origin=name)
        after = container.with_writes([PutCertificate("new", NEW)], password=PASSWORD, now=NOW)
        written = tmp_path / f"{name}.p12"
        written.write_bytes(after.to_bytes(PASSWORD))
        assert algorithms(written) == algorithms(path)
        assert openssl_counts(openssl, written, PASSWORD) == (3, 1)


@pytest.mark.parametrize("cipher", ["PBE-SHA1-3DES", "aes-256-cbc", "PBE-SHA1-RC4-128"])
def test_the_empty_password_is_read_and_written(cipher, openssl_material, java_sees, tmp_path):
    path = exported(openssl_material, f"empty-{cipher}", "-certpbe", cipher, "-keypbe", cipher, password="")
    empty_one = Secret("")
    container = parse(path.read_bytes(), empty_one, origin=path.name)
    assert container.private_key("pair", empty_one) == pkcs8("pair")
    written = tmp_path / "empty.p12"
    after = container.with_writes([PutCertificate("new", NEW)], password=empty_one, now=NOW)
    written.write_bytes(after.to_bytes(empty_one))
    for one, expected in ((path, container), (written, after)):
        [view] = java_sees([Question(one, "pkcs12", password="", keys={"pair": ""})])
        assert shape_in_java(view) == shape(expected.snapshot())
        assert view.opened == {"pair": "EC"}


def test_a_plain_key_that_java_hides_can_be_imported(openssl_material, java_sees):
    path = exported(openssl_material, "plain", "-keypbe", "NONE", "-certpbe", "NONE")
    container = parse(path.read_bytes(), PASSWORD, origin=path.name)
    assert shape(container.snapshot()) == {} == shape_in_java(java_sees([Question(path, "pkcs12")])[0])
    [hidden] = container.hidden_keys()
    assert (hidden.name, hidden.what) == ("Pair", "private key in a plain key bag")
    opened = container.open_hidden(hidden, PASSWORD)
    assert (opened.private_key, opened.chain) == (pkcs8("pair"), (PAIR, ROOT))
    assert container.private_key("pair", PASSWORD) == pkcs8("pair")
    [listed] = [one for one in container.snapshot().hidden if one.certificates]
    assert (listed.what, listed.certificates) == (hidden.what, (PAIR, ROOT))


def test_openssl_and_keytool_agree_on_what_was_written(openssl, keytool_blocks, tmp_path):
    path = tmp_path / "both.p12"
    before = parse(
        file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), trusted(ROOT, "Root")]), PASSWORD, origin="x"
    )
    path.write_bytes(before.to_bytes(PASSWORD))
    old = keytool_blocks(path, PASSWORD.text())
    after = before.with_writes([PutCertificate("new", NEW)], password=PASSWORD, now=NOW)
    path.write_bytes(after.to_bytes(PASSWORD))
    new = keytool_blocks(path, PASSWORD.text())
    assert {alias: new[alias] for alias in ("pair",)} == {alias: old[alias] for alias in ("pair",)}
    assert sorted(new) == ["new", "pair", "root"]
    assert openssl_counts(openssl, path, PASSWORD) == (3, 1)
