"""JKS and JCEKS files put together by hand, without the code under test; valid by default."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha1
from struct import pack

from reconciler import x509
from reconciler.model import KeySpec
from reconciler.secret import Secret
from tests.builders import NOW, wanted_key_pair
from tests.conftest import CORPUS

PASSWORD = "changeit"
MAGIC = {"jks": b"\xfe\xed\xfe\xed", "jceks": b"\xce\xce\xce\xce"}
CREATED = 1_700_000_000_123


def text(content, encoding="utf-8"):
    encoded = content if isinstance(content, bytes) else content.encode(encoding, "surrogatepass")
    return pack(">H", len(encoded)) + encoded


def array(content):
    return pack(">i", len(content)) + content


def trusted(alias="root", der=None, *, created=CREATED, kind="X.509", version=2):
    type_ = text(kind) if version == 2 else b""
    return pack(">i", 2) + text(alias) + pack(">q", created) + type_ + array(root() if der is None else der)


def key_pair(alias="pair", chain=None, *, protected=None, created=CREATED, count=None, version=2):
    chain = [root()] if chain is None else chain
    types = text("X.509") if version == 2 else b""
    certificates = b"".join(types + array(der) for der in chain)
    head = (
        pack(">i", 1) + text(alias) + pack(">q", created) + array(protected_key() if protected is None else protected)
    )
    return head + pack(">i", len(chain) if count is None else count) + certificates


def secret_key(alias="secret", sealed=None, created=CREATED):
    return pack(">i", 3) + text(alias) + pack(">q", created) + (sealed_object() if sealed is None else sealed)


def store(*entries, kind="jks", count=None, version=2, password=PASSWORD, trailing=b""):
    body = MAGIC[kind] + pack(">ii", version, len(entries) if count is None else count) + b"".join(entries)
    return body + sha1(password.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest() + trailing


@cache
def manifest():
    files = json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))["files"]
    return {record["file"].removeprefix("files/"): record for record in files}


@cache
def corpus_file(name):
    return (CORPUS / "files" / name).read_bytes()


@cache
def root():
    """The DER of a certificate: the root of own_chain.jks."""
    return max(_arrays_of("own_chain.jks"), key=lambda der: der.count(b"Root"))


@cache
def protected_key():
    """A key that `changeit` opens, protected by keytool the JKS way."""
    data = corpus_file("own_keypass.jks")
    start = data.index(b"\x00\x04same") + 6 + 8
    return _array_at(data, start)


@cache
def sealed_object():
    """The serialized secret key of pyjks__AES128.jceks, the only entry of that file."""
    data = corpus_file("pyjks__AES128.jceks")
    return data[data.index(b"\xac\xed\x00\x05") : -20]


@cache
def new_key(curve="secp256r1"):
    """A key and its self-signed certificate."""
    key = x509.generate_private_key(KeySpec("EC", curve=curve))
    return key, x509.self_signed(key, wanted_key_pair(key=KeySpec("EC", curve=curve)), NOW)


def secret(password=PASSWORD):
    return Secret(password)


def _array_at(data, start):
    length = int.from_bytes(data[start : start + 4], "big")
    return data[start + 4 : start + 4 + length]


def _arrays_of(name):
    data, found, start = corpus_file(name), [], 0
    while (start := data.find(b"\x00\x05X.509", start)) >= 0:
        start += 7
        found.append(_array_at(data, start))
    return found
