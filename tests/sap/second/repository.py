"""A repository whose live keystore is the second tenant, and `reconcile` run in it as a user would."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.cli import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.sap.second.server import SecondTenant

_VERBS = frozenset(
    {"plan", "apply", "drift", "list", "show", "adopt", "csr", "export", "validate", "history", "rollback"}
)
LOCAL_CA = "{type: local-ca, certificate: ca.pem, key: ca.key}"
EC = "{algorithm: EC, curve: secp256r1}"


@cache
def key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(7_000_000 + number, ec.SECP256R1())


def name(common: str) -> x509.Name:
    parts = ((NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, "Example, Inc."), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def certificate(
    subject: x509.Name,
    own: Any,
    issuer: tuple[x509.Certificate, Any] | None = None,
    *,
    ca: bool = False,
    days: tuple[int, int] = (-1, 365),
    names: Sequence[x509.GeneralName] = (),
) -> x509.Certificate:
    now = datetime.now(UTC).replace(microsecond=0)
    signer = issuer[1] if issuer else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number() >> 5)
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return builder.sign(signer, hashes.SHA256())


@cache
def root(common: str) -> x509.Certificate:
    return certificate(name(common), key(len(common)), ca=True, days=(-10, 3000))


def root_key(common: str) -> Any:
    return key(len(common))


def pem(*chain: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in chain)


def sha256(one: x509.Certificate) -> str:
    return one.fingerprint(hashes.SHA256()).hex()


def pair(alias: str, spec: str = EC, issuer: str = LOCAL_CA, more: str = "") -> str:
    return (
        f"  {alias}:\n    key: {spec}\n    subject: {{commonName: {alias}.example.com, country: DE}}\n"
        f"    issuer: {issuer}\n{more}"
    )


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def target(self) -> dict[str, Any]:
        [target] = json.loads(self.out)["targets"]
        return target

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(change["action"], change["alias"]) for change in self.target["changes"]]

    @property
    def outcomes(self) -> dict[str, str]:
        return {outcome["alias"]: outcome["status"] for outcome in self.target["outcomes"]}


class Repository:
    """A directory with `keystore.yaml`, the current one while a test runs."""

    def __init__(self, directory: Path, tenant: SecondTenant) -> None:
        self.directory, self.tenant = directory, tenant
        (directory / ".git").mkdir()
        self.write("ca.pem", pem(root("Our Root")))
        self.write("ca.key", root_key("Our Root").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.seed()

    def seed(self) -> None:
        """SAP's own entries, and two of an administrator."""
        keystore = self.tenant.keystore
        sap = root("SAP Root of Today")
        for alias in ("sap_cloudintegrationcertificate", "hcicertificate"):
            leaf = certificate(name(alias), key(90), (sap, root_key("SAP Root of Today")), days=(-300, 40))
            keystore.put(alias, leaf, sap, key=key(90), owner="SAP")
        keystore.put("baltimore cybertrust root", root("Baltimore"), owner="SAP")
        keystore.put("Old Root/ä", root("An Old Root of Ours"))
        keystore.put("legacy", certificate(name("legacy"), key(91)), key=key(91))
        successor = certificate(name("sap"), key(92), (sap, root_key("SAP Root of Today")))
        keystore.renewal["sap_cloudintegrationcertificate"] = keystore.new_item(
            "sap_cloudintegrationcertificate", successor, sap, key=key(92)
        )
        keystore.history["[1]_sap_cloudintegrationcertificate"] = keystore.new_item(
            "[1]_sap_cloudintegrationcertificate", root("SAP Root of Then"), key=key(93)
        )

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def root(self, alias: str, common: str) -> str:
        """The lines of a pinned root."""
        self.write(f"{alias}.pem", pem(root(common)))
        return f'  {alias}: {{file: {alias}.pem, sha256: "{sha256(root(common))}"}}\n'

    def brought_along(self, alias: str, number: int) -> str:
        """The lines of a key pair from a PKCS#12 file."""
        leaf = certificate(name(alias), key(number), (root("Our Root"), root_key("Our Root")))
        file = pkcs12.serialize_key_and_certificates(
            b"x", key(number), leaf, [root("Our Root")], BestAvailableEncryption(b"brought-along")
        )
        self.write(f"{alias}.p12", file)
        return f"  {alias}: {{file: {alias}.p12, password: {{env: P12_PASSWORD}}}}\n"

    def declare(self, body: str = "", keystore: str = "", credentials: str = "serviceKey: {env: SAP_KEY}") -> None:
        head = f"""\
            apiVersion: reconciler/v1
            keystore:
              type: sap-cloud-integration
              url: {self.tenant.url}
              credentials: {{{credentials}}}
            """
        self.write("keystore.yaml", dedent(head) + indent(keystore, "  ") + body)

    def __call__(self, *arguments: str) -> Result:
        """`reconcile` with these arguments; the state file is added where none is named."""
        words = list(arguments)
        if not any(word.endswith(".yaml") for word in words):
            words.insert(1, "keystore.yaml")
        verb = next(word for word in words if word in _VERBS)
        if verb == "apply":
            words.append("--yes")
        if verb in {"plan", "apply", "drift", "list", "show"} and "--format" not in words:
            words += ["--format", "json"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
        return Result(code, out.getvalue(), err.getvalue())

    def applied(self, *aliases: str) -> Result:
        """Apply, and say that all of these were."""
        done = self("apply")
        assert done.code == 0, done.out + done.err
        assert done.outcomes == dict.fromkeys(aliases, "applied")
        return done

    def settles(self) -> None:
        """After at most one further run nothing is left to do, and a run that has nothing to do writes nothing."""
        for _ in range(2):
            left = self("plan").target["changes"]
            if not left:
                break
            again = self("apply")
            assert again.code == 0, again.out + again.err
            # What a take-over has replaced goes in the run after it.
            if not any(alias.endswith(".previous") for alias in self.tenant.keystore.items):
                break
        plan = self("plan")
        assert (plan.code, plan.changes) == (0, []), plan.out + plan.err
        count = len(self.tenant.writes)
        assert self("apply").code == 0
        assert len(self.tenant.writes) == count

    def age(self, alias: str) -> None:
        """The entry's certificate over the same key ends tomorrow, as if a year had gone by."""
        item = self.tenant.keystore.items[alias]
        days = (-364, 1)
        if item.leaf.issuer == item.leaf.subject:
            chain: tuple[x509.Certificate, ...] = (certificate(item.leaf.subject, item.key, days=days),)
        else:
            issuer = (root("Our Root"), root_key("Our Root"))
            chain = (certificate(item.leaf.subject, item.key, issuer, days=days), *item.chain[1:])
        self.tenant.keystore.put(alias, *chain, key=item.key)
