"""Five years of daily runs: every declared alias is there, valid and complete at every moment."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as cx509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from reconciler.chains import is_complete
from reconciler.commands.carrying_out import carry_out
from reconciler.commands.targets import plan_states, reader_of
from reconciler.desired import load_states
from reconciler.key_pairs import EXTERNAL
from reconciler.model import OutcomeStatus
from reconciler.ownership import alias_key

START = datetime(2026, 1, 1, 6, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)

STATE = """\
apiVersion: reconciler/v1
keystore:
  type: {type}
  path: live/store.{type}
  password: {{file: password}}
  create: true
trustedRoots:
  outside_root: {{file: outside.pem, sha256: "{pin}"}}
issuers:
  inside: {{type: local-ca, certificate: inside.pem, key: inside.key}}
keyPairs:
  self_year:
    key: {{algorithm: EC, curve: secp256r1}}
    subject: {{commonName: self.example.com}}
    validity: 365d
    renewBefore: 30d
  inside_quarter:
    key: {{algorithm: EC, curve: secp256r1}}
    subject: {{commonName: inside.example.com}}
    subjectAltNames: {{dns: [inside.example.com]}}
    validity: 90d
    issuer: inside
  inside_same_key:
    key: {{algorithm: EC, curve: secp256r1}}
    subject: {{commonName: same.example.com}}
    validity: 90d
    renewBefore: 25%
    rekey: false
    issuer: inside
  outside_year:
    key: {{algorithm: EC, curve: secp256r1}}
    subject: {{commonName: outside.example.com, organization: Example}}
    renewBefore: 40d
    rekey: true
    issuer: {{type: external, request: requests/outside_year.csr, response: responses/outside_year.pem}}
  outside_quarter:
    key: {{algorithm: EC, curve: secp384r1}}
    subject: {{commonName: quarter.example.com, organization: Example}}
    renewBefore: 30d
    issuer: {{type: external, request: requests/outside_quarter.csr, response: responses/outside_quarter.pem}}
"""
LIFETIMES = {"outside_year": 365 * DAY, "outside_quarter": 90 * DAY}


def name(common: str) -> cx509.Name:
    return cx509.Name([cx509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass
class Authority:
    """A CA: a root and what it signs."""

    common: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def root(self) -> cx509.Certificate:
        return self._sign(name(self.common), self.key.public_key(), START - DAY, START + 10000 * DAY, ca=True)

    def answer(self, request: cx509.CertificateSigningRequest, now: datetime, lifetime: timedelta) -> cx509.Certificate:
        """As CAs do: the subject is rewritten, the extensions are its own."""
        common = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0]
        subject = cx509.Name([cx509.NameAttribute(NameOID.ORGANIZATION_NAME, "As the CA says"), common])
        return self._sign(subject, request.public_key(), now - timedelta(hours=1), now + lifetime, ca=False)

    def _sign(self, subject, public_key, start, end, *, ca: bool) -> cx509.Certificate:
        builder = (
            cx509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name(self.common))
            .public_key(public_key)
            .serial_number(cx509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(cx509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(cx509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(cx509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if not ca:
            usage = cx509.ExtendedKeyUsage([cx509.ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(usage, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def pem(one) -> bytes:
    return one.public_bytes(Encoding.PEM)


class Landscape:
    """A repository, its keystore, and an outside CA that takes its time."""

    def __init__(self, root: Path, store_type: str, *, chance: random.Random) -> None:
        self.root = root
        self.chance = chance
        self.outside, inside = Authority("Outside Root"), Authority("Inside Root")
        self.state = root / "keystore.yaml"
        certificate = self.outside.root()
        self.chain = pem(certificate)
        pin = certificate.fingerprint(hashes.SHA256()).hex()
        (root / "outside.pem").write_bytes(pem(certificate))
        (root / "inside.pem").write_bytes(pem(inside.root()))
        key = inside.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (root / "inside.key").write_bytes(key)
        (root / "password").write_text("changeit\n")
        (root / "responses").mkdir()
        self.state.write_text(STATE.format(type=store_type, pin=pin))
        self.due: dict[str, tuple[datetime, bytes]] = {}
        self.sent: dict[str, bytes] = {}

    def post_leaves(self, now: datetime) -> None:
        """New requests go to the CA, which answers after 1 to 10 days."""
        for alias in LIFETIMES:
            request = self.root / "requests" / f"{alias}.csr"
            if request.exists() and self.sent.get(alias) != request.read_bytes():
                self.sent[alias] = request.read_bytes()
                self.due[alias] = (now + self.chance.randint(1, 10) * DAY, self.sent[alias])

    def post_arrives(self, now: datetime) -> None:
        for alias, (moment, request) in list(self.due.items()):
            if now >= moment:
                parsed = cx509.load_pem_x509_csr(request)
                answer = pem(self.outside.answer(parsed, now, LIFETIMES[alias]))
                # With or without the root, in any order: the chain is completed from what is at hand.
                form = self.chance.choice([answer, answer + self.chain, self.chain + answer])
                (self.root / "responses" / f"{alias}.pem").write_bytes(form)
                del self.due[alias]


def run(states, now: datetime):
    report = plan_states(states, now, "plan")
    assert all(target.failure is None for target in report.targets), report.targets
    return report


@pytest.mark.parametrize(("store_type", "years"), [("jks", 5), ("pkcs12", 5)])
def test_no_declared_alias_is_ever_missing_expired_or_incomplete(tmp_path, store_type, years, capsys):
    landscape = Landscape(tmp_path, store_type, chance=random.Random(20260101))
    days, renewals, gaps, leaves = years * 365, 0, [], {}
    for number in range(days):
        now = START + number * DAY
        landscape.post_arrives(now)
        states = load_states([str(landscape.state)])
        report = run(states, now)
        if report.targets[0].plan.changes:
            done = carry_out(report, now)
            outcomes = done.targets[0].outcomes or ()
            assert outcomes, done.targets[0].failure
            assert all(outcome.status is OutcomeStatus.APPLIED for outcome in outcomes), outcomes
            again = run(load_states([str(landscape.state)]), now).targets[0].plan
            assert again.changes == (), [change.message for change in again.changes]
            live = again.live
        else:
            live = report.targets[0].plan.live
        landscape.post_leaves(now)
        entries = {alias_key(entry.alias): entry for entry in live.entries}
        for wanted in states[0].wanted[1:]:
            entry = entries.get(wanted.alias)
            leaf = entry.leaf if entry else None
            # Until the first answer a fresh key waits under a certificate of its own.
            ok = leaf is not None and leaf.not_before <= now <= leaf.not_after and is_complete(entry.chain)
            gaps += [] if ok else [(number, wanted.alias)]
            if leaf is not None and leaves.get(wanted.alias) != leaf.sha256:
                renewals += wanted.alias in leaves
                leaves[wanted.alias] = leaf.sha256
            if wanted.issuer.type == EXTERNAL and number > 10:
                gaps += [] if entry and len(entry.chain) == 2 else [(number, wanted.alias)]
    with capsys.disabled():
        print(f"\n{store_type}: {days} days, {renewals} renewals, {len(gaps)} gaps")
    assert gaps == []
    assert renewals > 5 * years
    assert reader_of(states[0]).read().entries
