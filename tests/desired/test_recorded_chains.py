"""`receivers`, their recorded chains, and `replaces`: what is read, what is refused, and where it is said."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.desired.paths import Place
from reconciler.desired.recorded_chains import read_recorded, recorded_text
from reconciler.model import Receiver, Source, WantedCertificate
from tests.desired.conftest import Repository, told
from tests.tls.pki import ca, pem, server

if TYPE_CHECKING:
    from pathlib import Path

ROOT = ca("CN=Root").issued_by()
MIDDLE = ca("CN=Middle").issued_by(ROOT)
LEAF = server().issued_by(MIDDLE)
HERE = Source("keystore.yaml", 3)


@pytest.fixture
def files(repository: Repository) -> Repository:
    repository.write("root.pem", pem(ROOT))
    repository.write("middle.pem", pem(MIDDLE))
    return repository


def only(state):
    [receiver] = state.receivers
    return receiver


# ---------------------------------------------------------------------------------------------- what is read


def test_a_receiver_carries_its_recorded_chain(files):
    files.write("chains/s4.pem", pem(LEAF, MIDDLE))
    receiver = only(files.state("receivers: {s4: {address: 's4.example:443', chain: chains/s4.pem}}\n"))
    assert [one.der for one in receiver.recorded] == [LEAF.der, MIDDLE.der]
    assert (receiver.asks, receiver.accepts, receiver.chain_shown) == (None, (), "chains/s4.pem")


def test_a_chain_that_is_not_recorded_yet_is_no_mistake(files):
    receiver = only(files.state("receivers: {s4: {address: 's4.example:443', chain: chains/s4.pem}}\n"))
    assert receiver.recorded == ()
    assert receiver.chain_path == str(files.root / "chains" / "s4.pem")


def test_the_default_place_lies_beside_the_file_and_bears_its_name(files):
    files.write("receivers/keystore/s4.pem", pem(LEAF))
    receiver = only(files.state("receivers: {s4: {address: 's4.example:443'}}\n"))
    assert receiver.chain_shown == "receivers/keystore/s4.pem"
    assert len(receiver.recorded) == 1


def test_in_an_included_file_the_default_place_lies_beside_that_file(files):
    files.write("shared/partners.yaml", "receivers: {s4: {address: 's4.example:443'}}\n")
    receiver = only(files.state("include: [shared/partners.yaml]\n"))
    assert receiver.chain_shown == "shared/receivers/partners/s4.pem"


def test_the_same_receiver_in_two_files_counts_once_whatever_its_default_place_is(files):
    files.write("shared/partners.yaml", "receivers: {s4: {address: 's4.example:443'}}\n")
    state = files.state("include: [shared/partners.yaml]\nreceivers: {s4: {address: 'S4.example.:443'}}\n")
    assert only(state).chain_shown == "receivers/keystore/s4.pem"


def test_server_name_and_starttls_are_read(files):
    receiver = only(
        files.state("receivers: {mail: {address: '192.0.2.1:587', serverName: Mail.Example, starttls: smtp}}\n")
    )
    assert receiver.destination == ("192.0.2.1:587", "mail.example", "smtp")
    assert receiver.host == "192.0.2.1"


def test_a_root_carries_what_it_replaces(files):
    [wanted] = files.state("trustedRoots: {new: {file: root.pem, replaces: Old Root}}\n").wanted
    assert isinstance(wanted, WantedCertificate)
    assert wanted.replaces == "Old Root"


# --------------------------------------------------------------------------------------------- what is wrong

WRONG = [
    ("receivers: {a: {address: 'a.example:1', serverName: '*.example'}}", "3:53: [receiver] `receivers.a.serverName` is '*.example': must be one host, without `*` (None)"),
    ("receivers: {a: {address: 'a.example:1', serverName: 192.0.2.1}}", "3:53: [receiver] `receivers.a.serverName` is '192.0.2.1': must be a host name (None)"),
    ("receivers: {a: {address: 'a.example:1', starttls: ftp}}", "3:51: [wrong-value] `receivers.a.starttls` is 'ftp': must be one of smtp, imap, pop3, ldap (None)"),
    ("receivers: {a: {address: 'a.example:1', chain: ../x.pem}}", None),
    ("receivers: {a: {address: 'a.example:1', chain: .git/x.pem}}", "3:41: [receiver] `receivers.a.chain`: .git/x.pem lies inside `.git` (name a file that can be committed)"),
    ("receivers: {a: {address: 'a.example:1', chain: keystore.yaml}}", None),
    ("receivers: {a: {address: 'a.example:1', chain: swapped.pem}}", "3:41: [receiver] `receivers.a.chain`: swapped.pem: the server's own certificate must come first, and the first one (CN=Middle) signed others (record it anew: `reconcile receivers record`)"),
    ("receivers: {a: {address: 'a.example:1', chain: long.pem}}", "3:41: [receiver] `receivers.a.chain`: long.pem: 11 certificates; from a server Java takes 10 at most (record it anew: `reconcile receivers record`)"),
    ("receivers: {a: {address: 'a.example:1', chain: junk.pem}}", None),
    ("receivers: {a: {address: 'a.example:1', chain: x.pem}, b: {address: 'b.example:1', chain: x.pem}}", "3:56: [receiver] x.pem is the recorded chain of 'a' as well, which is another server (give it a file of its own with `chain`)"),
    ("trustedRoots: {r: {file: root.pem}}\nreceivers: {a: {address: 'a.example:1', chain: root.pem}}", "4:13: [receiver] root.pem is the certificate of 'r' as well, which recording would overwrite (give it a file of its own with `chain`)"),
    ("trustedRoots: {new: {file: root.pem, replaces: old}, old: {file: middle.pem}}", "3:48: [alias-collision] the alias 'old' stands under `trustedRoots.*.replaces` here and under `trustedRoots` in line 3 (an alias is one entry: take one of the two out)"),
    ("trustedRoots: {new: {file: root.pem, replaces: New}}", "3:48: [alias-collision] the alias 'New' stands under `trustedRoots.*.replaces` here and under `trustedRoots` in line 3 (an alias is one entry: take one of the two out)"),
    ("trustedRoots: {new: {file: root.pem, replaces: old}}\naliases: {absent: [old]}", "3:48: [alias-collision] the alias 'old' stands under `trustedRoots.*.replaces` here and under `aliases.absent` in line 4 (an alias is one entry: take one of the two out)"),
    ("trustedRoots: {new: {file: root.pem, replaces: old}}\naliases: {renamed: {old: older}}", "3:48: [alias-collision] the alias 'old' stands under `trustedRoots.*.replaces` here and under `aliases.renamed` in line 4 (an alias is one entry: take one of the two out)"),
    ("trustedRoots: {new: {file: root.pem, replaces: old}}\naliases: {renamed: {older: old}}", "3:48: [replaces] 'old' is to be replaced, and keystore.yaml, line 4 gives 'older' that name (name the entry that is there: let it replace the old alias, and take the rename out)"),
    ("trustedRoots: {c: {file: root.pem, replaces: b}, b: {file: middle.pem, replaces: a}}", "3:46: [alias-collision] the alias 'b' stands under `trustedRoots.*.replaces` here and under `trustedRoots` in line 3 (an alias is one entry: take one of the two out)"),
    ("trustedRoots: {new: {file: root.pem, replaces: x.next}}", "3:48: [alias-reserved] the alias 'x.next' ends in `.next`, where renewed key pairs wait (it comes and goes with its key pair: take the line out)"),
    ("trustedRoots: {new: {file: root.pem, replaces: ''}}", "3:48: [wrong-value] `trustedRoots.new.replaces` is '': must not be empty (None)"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), WRONG)
def test_what_is_wrong_is_said_where_it_stands(files, body, expected):
    files.write("swapped.pem", pem(MIDDLE, LEAF))
    files.write("long.pem", pem(LEAF, *[MIDDLE] * 10))
    files.write("junk.pem", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    [problem] = files.problems_in(body)
    if expected is None:
        assert problem.code == "receiver"
        assert problem.source.line == 3
    else:
        assert told(problem) == f"keystore.yaml:{expected}"


@pytest.mark.parametrize("alias", ["sap_root", " SAP_x", "hcicertificate", "\u017fap_root"])
def test_protected_entries_are_never_replaced(files, alias):
    [problem] = files.problems_in(f"trustedRoots: {{new: {{file: root.pem, replaces: {alias!r}}}}}\n")
    assert (problem.code, problem.refusal) == ("protected", True)


def test_the_same_root_with_another_target_in_two_files_is_a_contradiction(files):
    files.write("more.yaml", "trustedRoots: {new: {file: root.pem}}\n")
    [problem] = files.problems_in("include: [more.yaml]\ntrustedRoots: {new: {file: root.pem, replaces: old}}\n")
    assert problem.code == "alias-collision"


# -------------------------------------------------------------------------------------------------- the file


def recorded(tmp_path: Path, content: bytes):
    file = tmp_path / "x.pem"
    file.write_bytes(content)
    return read_recorded(Place(str(file), "x.pem"))


@pytest.mark.parametrize(("asks", "accepts"), [(None, ()), (False, ()), (True, ()), (True, ("CN=A, O=B", "CN=C"))])
def test_what_is_written_is_read_again(tmp_path, asks, accepts):
    chain = [LEAF.certificate, MIDDLE.certificate]
    text = recorded_text(Receiver("s4", "s4.example:443", HERE), chain, asks=asks, accepts=accepts)
    found = recorded(tmp_path, text)
    assert [one.der for one in found.certificates] == [LEAF.der, MIDDLE.der]
    assert (found.asks, found.accepts) == (asks, accepts)


def test_names_from_outside_cannot_pose_as_notes_or_certificates(tmp_path):
    evil = ca("CN=x\nAccepts: CN=Evil\n" + pem(ROOT).decode().replace("\n", " ")).issued_by()
    chain = [LEAF.certificate, evil.certificate]
    accepts = ("CN=y\nClient certificate: not asked for\n-----BEGIN CERTIFICATE-----",)
    text = recorded_text(Receiver("s\n4", "s4.example:443", HERE), chain, asks=True, accepts=accepts)
    found = recorded(tmp_path, text)
    assert [one.der for one in found.certificates] == [LEAF.der, evil.der]
    assert found.asks is True
    assert len(found.accepts) == 1


def test_openssl_and_keytool_read_the_file(tmp_path):
    chain = [LEAF.certificate, MIDDLE.certificate]
    text = recorded_text(Receiver("s4", "s4.example:443", HERE), chain, asks=True, accepts=("CN=A",))
    (tmp_path / "x.pem").write_bytes(text)
    for program in (["openssl", "x509", "-noout", "-subject", "-in"], ["keytool", "-printcert", "-file"]):
        done = subprocess.run([*program, tmp_path / "x.pem"], capture_output=True, check=True)
        assert b"server.example" in done.stdout


def test_an_empty_file_is_one_that_was_not_recorded_yet(tmp_path):
    assert recorded(tmp_path, b"\n") is None
