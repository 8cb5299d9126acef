"""The type of a keystore is told by its content; everything else is called by its name."""

from __future__ import annotations

from base64 import b64encode
from importlib import import_module
from io import BytesIO
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import der, x509
from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.keystores.detect import detect
from reconciler.keystores.formats import FORMATS, new_container, parse_container
from reconciler.model import StoreType
from reconciler.secret import Secret
from tests.builders import wanted_key_pair
from tests.keystores.java_files import corpus_file, manifest, new_key, store, trusted


@pytest.mark.parametrize("name", manifest())
def test_every_file_of_the_corpus_is_what_the_manifest_says(name):
    assert detect(corpus_file(name), name) == manifest()[name]["format"].lower()


@pytest.mark.parametrize(("file", "expected"), [("v1.bks", "bks"), ("v2.bks", "bks"), ("v1.uber", "uber")])
def test_the_files_of_bouncy_castle_are_told_apart(file, expected, request):
    data = (request.path.parent / "bouncycastle" / file).read_bytes()

    assert detect(data, file) == expected


@pytest.mark.parametrize("beginning", ["30 03", "30 80", "30 81 03", "30 82 00 03", "30 84 00 00 00 03"])
def test_a_pfx_is_known_in_every_form_of_length(beginning):
    assert detect(bytes.fromhex(beginning) + b"\x02\x01\x03", "x") is StoreType.PKCS12


def archive():
    content = BytesIO()
    with ZipFile(content, "w") as zip_file:
        zip_file.writestr("keystore.jks", "x")
    return content.getvalue()


KEY, LEAF = new_key()
PEM = x509.to_pem([LEAF])
LOOKS = {
    "an empty file": b"",
    "PEM (CERTIFICATE)": PEM,
    "PEM (PRIVATE KEY)": b"\xef\xbb\xbf\r\n-----BEGIN PRIVATE KEY-----\nAA==\n",
    "PEM (NEW CERTIFICATE REQUEST)": b"Bag Attributes\n-----BEGIN NEW CERTIFICATE REQUEST-----\n",
    "a ZIP or JAR archive": archive(),
    "a gzip archive": b"\x1f\x8b\x08\x00",
    "an SQLite database": b"SQLite format 3\x00",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "an Ansible Vault": b"$ANSIBLE_VAULT;1.1;AES256\n",
    "a JKS keystore in base64": b64encode(store(trusted())),
    "a JCEKS keystore in base64": b"\n" + b64encode(store(kind="jceks")),
    "DER in base64": b64encode(corpus_file("own_chain.pkcs12")),
    "a web page or XML": b"<!DOCTYPE html><html>",
    "JSON": b'{"a": 1}',
    "text": b"alias: value\n",
    "a file of zeros": bytes(100),
    "something else": b"\x01\x02\x03",
    "a certificate or signing request in DER": LEAF.der,
    "a private key in DER": KEY.reveal(),
    "a PKCS#7 file": der.sequence(der.object_identifier("1.2.840.113549.1.7.2"), der.explicit(0, der.null())),
    "an encrypted private key or a public key": der.sequence(
        der.sequence(der.object_identifier("1.2.840.113549.1.5.13"), der.null()), der.octet_string(b"")
    ),
    "DER of another kind": der.sequence(der.utf8_string("x")),
}


@pytest.mark.parametrize("what", LOOKS)
def test_what_is_not_a_keystore_is_called_by_its_name(what):
    with pytest.raises(KeystoreUnreadableError) as raised:
        detect(LOOKS[what], "live.jks")

    assert raised.value.message.startswith(f"this is not a keystore but {what}")
    assert raised.value.where == "live.jks"


@pytest.mark.parametrize(
    "what", ["PEM (CERTIFICATE)", "an empty file", "a JKS keystore in base64", "a Git LFS pointer"]
)
def test_a_hint_says_what_to_do_about_it(what):
    with pytest.raises(KeystoreUnreadableError) as raised:
        detect(LOOKS[what], "live.jks")

    assert raised.value.hint


def test_a_signing_request_is_told_from_a_keystore():
    with pytest.raises(KeystoreUnreadableError, match="signing request in DER"):
        detect(x509.signing_request(KEY, wanted_key_pair()), "x.csr")


@given(st.binary(max_size=80))
def test_any_bytes_are_a_type_or_a_clear_error(data):
    try:
        found = detect(data, "x")
    except KeystoreUnreadableError:
        return
    assert found in FORMATS


@given(
    st.sampled_from([b"\x00\x00\x00\x01\x00\x00\x00\x14", b"\x00\x00\x00\x02\x00\x00\x00\x14"]), st.binary(max_size=90)
)
def test_any_bytes_after_the_beginning_of_bouncy_castle_are_a_type_or_a_clear_error(beginning, data):
    try:
        assert detect(beginning + data, "x") in (StoreType.BKS, StoreType.UBER)
    except KeystoreUnreadableError as error:
        assert error.where == "x"  # either way will do


# ----------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("store_type", [StoreType.JKS, StoreType.JCEKS])
def test_a_new_keystore_has_its_type_and_no_entries(store_type):
    container = new_container(store_type)

    assert container.type is store_type
    assert container.snapshot().entries == ()


@pytest.mark.parametrize("store_type", [StoreType.BKS, StoreType.UBER, StoreType.SAP_CLOUD_INTEGRATION])
def test_what_is_only_read_cannot_be_created(store_type):
    with pytest.raises(ReconcileError, match="cannot be created"):
        new_container(store_type)


def test_every_row_of_the_table_leads_to_a_function():
    for row in FORMATS.values():
        for name in filter(None, row):
            module, _, attribute = name.partition(":")
            assert callable(getattr(import_module(module), attribute))


def test_a_file_is_parsed_by_its_content():
    data = store(trusted())

    assert parse_container(data, Secret("changeit"), origin="misnamed.p12").type is StoreType.JKS
