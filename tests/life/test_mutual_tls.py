"""A Java TLS client accepts the keystore after each kind of change, and a server accepts what it presents."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.life.openssl_ca import OpensslCa, openssl
from tests.life.test_responses import applied, planned

CLIENT = Path(__file__).parent.parent / "java" / "MutualTlsClient.java"
STATE = """\
apiVersion: reconciler/v1
keystore: {{type: {type}, path: live/store, password: {{file: password}}, create: true}}
aliases: {{renamed: {{{renamed}}}}}
trustedRoots:
  the_root: {{file: root.pem, sha256: "{pin}"}}
issuers:
  inside: {{type: local-ca, certificate: issuing.pem, key: issuing.key}}
keyPairs:
  {name}:
    key: {{algorithm: {algorithm}}}
    subject: {{commonName: self.example.com}}
    validity: 365d
    renewBefore: 284d
    rekey: {rekey}
    issuer: {{type: self-signed}}
  inside:
    key: {{algorithm: EC, curve: secp384r1}}
    subject: {{commonName: inside.example.com}}
    validity: 365d
    renewBefore: 284d
    rekey: {rekey}
    issuer: inside
  outside:
    subject: {{commonName: outside.example.com, organization: Example}}
    renewBefore: 10d
    chain: [issuing.pem]
    issuer: {{type: external, request: outside.csr, response: outside.pem}}
  brought:
    file: brought.p12
    password: {{file: password}}
"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory) -> OpensslCa:
    return OpensslCa(tmp_path_factory.mktemp("ca"))


@contextmanager
def server(certificate: Path, key: Path, trusted: bytes):
    """A server that wants a client certificate which `trusted` (PEM) vouches for, and says hello to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=trusted.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    # A self-signed client certificate is trusted as itself.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            connection.settimeout(15)
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(b"hello")
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(timeout=5)


class Story:
    """A repository whose keystore goes through every kind of change, and a copy of it after each."""

    def __init__(self, root: Path, store_type: str, ca: OpensslCa) -> None:
        self.root, self.ca = root, ca
        self.facts = {"type": store_type, "renamed": "", "name": "own", "algorithm": "RSA, size: 2048",
                      "rekey": "true"}  # fmt: skip
        # The story ends today, so that every certificate in it is valid now, when Java looks at it.
        self.now = datetime.now(UTC) - timedelta(days=165)
        self.copies: list[tuple[str, Path, str]] = []
        for name in ("root.pem", "issuing.pem", "issuing.key"):
            shutil.copy(ca.directory / name, root / name)
        (root / "password").write_text("changeit\n")
        self._brought_along()
        fingerprint = openssl("x509", "-noout", "-fingerprint", "-sha256", data=ca.root).decode()
        self.facts["pin"] = fingerprint.partition("=")[2].strip()

    def _brought_along(self) -> None:
        key, request, leaf = (self.root / f"brought.{ending}" for ending in ("key", "csr", "pem"))
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", "/CN=brought", "-out", request)
        leaf.write_bytes(self.ca.sign(request) + self.ca.issuing)
        out = self.root / "brought.p12"
        openssl("pkcs12", "-export", "-inkey", key, "-in", leaf, "-passout", "pass:changeit", "-out", out)

    def step(self, what: str, *aliases: str, **facts: str) -> None:
        """Change the state file, apply it at the story's moment, prove that nothing is left, keep a copy."""
        self.facts |= facts
        (self.root / "keystore.yaml").write_text(STATE.format(**self.facts))
        state = self.root / "keystore.yaml"
        applied(state, self.now)
        assert planned(state, self.now).changes == ()
        for alias in aliases:
            copy = self.root / f"{len(self.copies)}.{self.facts['type']}"
            shutil.copy(self.root / "live" / "store", copy)
            self.copies.append((what, copy, alias))

    def leaf(self, copy: Path, alias: str) -> bytes:
        export = ["keytool", "-exportcert", "-rfc", "-keystore", copy, "-storepass", "changeit", "-alias", alias]
        return subprocess.run(export, capture_output=True, check=True).stdout


@pytest.mark.parametrize("store_type", ["jks", "pkcs12"])
def test_java_connects_after_each_kind_of_change(store_type, ca, tmp_path, capsys):
    story = Story(tmp_path, store_type, ca)
    story.step("created", "own", "inside", "brought")
    story.step("key specification", "own", algorithm="EC, curve: secp256r1")
    story.now += timedelta(days=82)
    story.step("renewed with a new key", "own", "inside")
    story.now += timedelta(days=82)
    story.step("renewed over the same key", "own", "inside", rekey="false")
    story.step("renamed", "renamed_own", renamed="own: renamed_own", name="renamed_own")
    story.now = datetime.now(UTC) + timedelta(minutes=1)
    (tmp_path / "outside.pem").write_bytes(ca.sign(tmp_path / "outside.csr"))
    story.step("signed outside", "outside")
    other = {"jks": "pkcs12", "pkcs12": "jks"}[store_type]
    story.step("migrated", "renamed_own", "inside", "outside", "brought", type=other)
    server_key, server_request = tmp_path / "server.key", tmp_path / "server.csr"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", server_key)
    openssl("req", "-new", "-key", server_key, "-subj", "/CN=127.0.0.1", "-out", server_request)
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(ca.sign(server_request, usage="serverAuth", days=3650) + ca.issuing)
    arguments: list[str] = []
    with ExitStack() as stack:
        for _what, copy, alias in story.copies:
            trusted = story.leaf(copy, alias) if "own" in alias else ca.root
            port = stack.enter_context(server(certificate, server_key, trusted))
            arguments += [copy.suffix[1:].upper(), str(copy), alias, str(port)]
        done = subprocess.run(["java", CLIENT, *arguments], capture_output=True, check=True, timeout=120)
    answers = done.stdout.decode().splitlines()
    with capsys.disabled():
        print(f"\n{store_type}: {len(answers)} keystores accepted by Java in mutual TLS")
    assert len(answers) == len(arguments) // 4
    assert all(answer.startswith("ok ") for answer in answers), answers
