"""The round trip with an outside CA that is openssl: answers in every form are accepted, bad ones rejected with a reason."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.commands.carrying_out import carry_out
from reconciler.commands.targets import plan_states
from reconciler.desired import load_states
from reconciler.errors import ReconcileError
from reconciler.model import OutcomeStatus
from reconciler.responses import read_response
from tests.life.openssl_ca import OpensslCa, forms

HEAD = """\
apiVersion: reconciler/v1
keystore: {{type: {type}, path: live/store.{type}, password: {{file: password}}, create: true}}
"""
PAIR = """\
  {alias}:
    key: {{algorithm: EC, curve: secp256r1}}
    subject: {{commonName: {alias}.example.com, organization: Example}}
    renewBefore: 30d
    chain: [issuing.pem]
    issuer: {{type: external, request: requests/{alias}.csr, response: responses/{alias}.bin}}
"""
# alias -> (what is done to the request, words of the reason)
BAD = {
    "wrong_key": "another key",
    "is_expired": "expired",
    "wrong_usage": "clientAuth",
    "no_issuer": "incomplete",
    "garbage": "neither PEM nor DER",
    "empty": "neither PEM nor DER",
    "wrong_name": "common name",
    "due_at_once": "due at once",
}


@pytest.fixture(scope="module")
def ca(tmp_path_factory) -> OpensslCa:
    return OpensslCa(tmp_path_factory.mktemp("ca"))


def applied(state: Path, now: datetime):
    report = plan_states(load_states([str(state)]), now, "plan")
    assert report.targets[0].failure is None, report.targets[0].failure
    done = carry_out(report, now)
    for outcome in done.targets[0].outcomes or ():
        assert outcome.status is OutcomeStatus.APPLIED, outcome.message
    assert done.targets[0].failure is None, done.targets[0].failure
    return done.targets[0]


def planned(state: Path, now: datetime):
    return plan_states(load_states([str(state)]), now, "plan").targets[0].plan


def repository(root: Path, store_type: str, ca: OpensslCa, aliases, *, roots: bool = True) -> Path:
    (root / "password").write_text("changeit\n")
    (root / "root.pem").write_bytes(ca.root)
    (root / "issuing.pem").write_bytes(ca.issuing)
    (root / "responses").mkdir()
    pin = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=ca.root, capture_output=True, check=True
    ).stdout.decode().partition("=")[2].strip()  # fmt: skip
    text = HEAD.format(type=store_type)
    if roots:
        text += f'trustedRoots:\n  the_root: {{file: root.pem, sha256: "{pin}"}}\n'
    text += "keyPairs:\n" + "".join(PAIR.format(alias=alias) for alias in aliases)
    state = root / "keystore.yaml"
    state.write_text(text)
    return state


@pytest.mark.parametrize("store_type", ["jks", "pkcs12"])
def test_an_answer_in_every_form_is_put_in_place_with_its_whole_chain(store_type, ca, tmp_path, capsys):
    now = datetime.now(UTC)
    aliases = list(forms(ca.root, ca.issuing, ca.root))
    state = repository(tmp_path, store_type, ca, aliases)
    applied(state, now)
    assert planned(state, now).changes == ()
    for alias in aliases:
        leaf = ca.sign(tmp_path / f"requests/{alias}.csr")
        (tmp_path / f"responses/{alias}.bin").write_bytes(forms(leaf, ca.issuing, ca.root)[alias])
    found = {finding.alias: finding for finding in planned(state, now + timedelta(minutes=1)).findings}
    assert {found[alias].status.value for alias in aliases} == {"response-ready"}
    applied(state, now + timedelta(minutes=1))
    assert planned(state, now + timedelta(minutes=1)).changes == ()
    store = tmp_path / f"live/store.{store_type}"
    listing = subprocess.run(
        ["keytool", "-list", "-v", "-keystore", store, "-storepass", "changeit"], capture_output=True, check=True
    ).stdout.decode()  # fmt: skip
    assert listing.count("Entry type: PrivateKeyEntry") == len(aliases)
    assert listing.count("Certificate chain length: 3") == len(aliases)
    with capsys.disabled():
        print(f"\n{store_type}: {len(aliases)} forms of an answer accepted, chains of 3 to keytool")


def bad_answers(ca: OpensslCa, root: Path) -> dict[str, bytes]:
    def request(alias: str) -> Path:
        return root / f"requests/{alias}.csr"

    stranger = OpensslCa(root.parent / "stranger")
    chain = ca.issuing + ca.root
    return {
        "wrong_key": ca.sign(request("garbage")) + chain,
        "is_expired": ca.expired(request("is_expired")) + chain,
        "wrong_usage": ca.sign(request("wrong_usage"), usage="serverAuth") + chain,
        "no_issuer": stranger.sign(request("no_issuer")),
        "garbage": b"\x00\x01\x02 not a certificate",
        "empty": b"",
        "wrong_name": _renamed(ca, request("wrong_name")) + chain,
        "due_at_once": ca.sign(request("due_at_once"), days=20) + chain,
    }


def _renamed(ca: OpensslCa, request: Path) -> bytes:
    """A certificate over the same key with another subject."""
    key = subprocess.run(
        ["openssl", "req", "-in", request, "-noout", "-pubkey"], capture_output=True, check=True
    ).stdout  # fmt: skip
    public, out = ca.directory / "public.pem", ca.directory / "renamed.pem"
    public.write_bytes(key)
    other, extensions = ca.directory / "other.csr", ca.directory / "renamed.ext"
    extensions.write_text("extendedKeyUsage=clientAuth\n")
    other_key = ca.directory / "issuing.key"
    subprocess.run(["openssl", "req", "-new", "-key", other_key, "-subj", "/CN=elsewhere", "-out", other], check=True)
    subprocess.run(
        ["openssl", "x509", "-req", "-in", other, "-force_pubkey", public, "-CA", ca.directory / "issuing.pem",
         "-CAkey", other_key, "-CAcreateserial", "-days", "365", "-extfile", extensions, "-out", out],
        check=True, capture_output=True,
    )  # fmt: skip
    return out.read_bytes()


@pytest.mark.parametrize("store_type", ["jks", "pkcs12"])
def test_a_bad_answer_is_a_finding_with_its_reason_and_never_a_write(store_type, ca, tmp_path, capsys):
    now = datetime.now(UTC)
    root = tmp_path / "git"
    root.mkdir()
    (tmp_path / "stranger").mkdir()
    state = repository(root, store_type, ca, BAD)
    applied(state, now)
    store = root / f"live/store.{store_type}"
    before = store.read_bytes()
    for alias, answer in bad_answers(ca, root).items():
        (root / f"responses/{alias}.bin").write_bytes(answer)
    plan = planned(state, now + timedelta(minutes=1))
    found = {finding.alias: finding for finding in plan.findings}
    for alias, words in BAD.items():
        assert found[alias].status == "response-rejected", (alias, found[alias])
        assert words in found[alias].message, (alias, found[alias].message)
    assert plan.changes == ()
    assert store.read_bytes() == before
    with capsys.disabled():
        print(f"\n{store_type}: {len(BAD)} bad answers rejected with the right reason")


@given(st.binary(max_size=300))
def test_whatever_lies_there_as_an_answer_is_read_or_refused(data: bytes):
    try:
        read_response(data)
    except ReconcileError as error:
        assert error.message
