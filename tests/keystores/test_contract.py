"""One list of cases for every type of keystore file. Each ends with a second run that finds nothing to do.

A case is a story: state files that are applied one after the other, and the changes that each of them makes. It is
told through the command line, so that comparison, plan, guard and file are the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from reconciler import x509
from reconciler.keystores.formats import FORMATS, parse_container
from reconciler.secret import Secret
from tests.cli.pki import authority, pair
from tests.cli.repository import PASSWORD, Repository, pairs, roots

if TYPE_CHECKING:
    from collections.abc import Callable

TYPES = [store_type.value for store_type, row in FORMATS.items() if row.empty is not None]
ROOT, OTHER_ROOT = authority("a root"), authority("another root")
SIGNED = pair("mine", ROOT)
MINE, MINE_RENEWED = pair("mine alone"), pair("mine alone", days=366)
EXPIRED, EXPIRING = pair("client", days=30, start=-40), pair("client", days=365, start=-360)

EC = "{subject: {commonName: client}, key: {algorithm: EC, curve: secp256r1}}"
RSA = "{subject: {commonName: client}, key: {algorithm: RSA, size: 2048}}"
ED25519 = "{subject: {commonName: client}, key: {algorithm: Ed25519}}"
SAME_KEY = EC.replace("}}", "}, rekey: false}")
RENAMED = EC.replace("commonName: client", "commonName: client, organization: Example")


def files(repository):
    """Everything that the state files name."""
    for name, one in {"root": ROOT, "other": OTHER_ROOT}.items():
        repository.write(f"{name}.pem", one.pem)
        repository.write(f"{name}.der", one.der)
    repository.write("leaf.pem", SIGNED.key_pem + SIGNED.pem)
    leaves = {"chain": SIGNED, "mine": MINE, "renewed": MINE_RENEWED, "expired": EXPIRED, "expiring": EXPIRING}
    for name, one in leaves.items():
        repository.write(f"{name}.pem", one.key_pem + one.chain_pem)
    sealed = BestAvailableEncryption(PASSWORD.encode())
    issuers = list(SIGNED.issuers)
    exported = pkcs12.serialize_key_and_certificates(b"theirs", SIGNED.key, SIGNED.certificate, issuers, sealed)
    repository.write("chain.p12", exported)


def key_of(repository, alias):
    container = parse_container(repository.live.read_bytes(), Secret(PASSWORD), origin="live")
    return container.private_key(alias, Secret(PASSWORD))


@dataclass(frozen=True)
class Step:
    """A state file, the changes that applying it makes, and what is true of the keystore afterwards."""

    body: str
    changes: tuple[tuple[str, str], ...]
    entries: dict[str, tuple[str, ...]]  # alias -> fingerprints, leaf first; none where they are made on the spot
    check: Callable[[Repository], None] = lambda _repository: None


def fits_its_certificate(repository):
    """The private key opens with the password of the keystore and belongs to the certificate."""
    shown = repository.entries()["client"]["certificates"]
    container = parse_container(repository.live.read_bytes(), Secret(PASSWORD), origin="live")
    [entry] = [entry for entry in container.snapshot().entries if entry.alias == "client"]
    assert shown[0]["sha256"] == entry.leaf.sha256
    assert x509.key_fits(container.private_key("client", Secret(PASSWORD)), entry.leaf)


def is_the_key_of(one):
    def check(repository):
        assert key_of(repository, "client") == Secret(one.pkcs8)

    return check


def is_another_key_than(one):
    def check(repository):
        assert key_of(repository, "client") != Secret(one.pkcs8)
        fits_its_certificate(repository)

    return check


MADE = ()
FIRST_ROOT = Step(roots(root="root.pem"), (("create-store", ""), ("import", "root")), {"root": (ROOT.sha256,)})


def first_pair(file):
    return (("create-store", ""), ("import", "client")), pairs(client=f"{{file: {file}}}")


def generated(specification):
    changes = (("create-store", ""), ("create", "client"))
    return Step(pairs(client=specification), changes, {"client": MADE}, fits_its_certificate)


def brought_along(file, *chain):
    changes, body = first_pair(file)
    return Step(body, changes, {"client": chain}, fits_its_certificate)


CASES = {
    "a new keystore with nothing in it": [Step("", (("create-store", ""),), {})],
    "a root from a PEM file": [FIRST_ROOT],
    "a root from a DER file": [
        Step(roots(root="root.der"), (("create-store", ""), ("import", "root")), {"root": (ROOT.sha256,)})
    ],
    "a second root": [
        FIRST_ROOT,
        Step(
            roots(root="root.pem", other="other.pem"),
            (("import", "other"),),
            {"root": (ROOT.sha256,), "other": (OTHER_ROOT.sha256,)},
        ),
    ],
    "the same root under two aliases": [
        Step(
            roots(one="root.pem", two="root.pem"),
            (("create-store", ""), ("import", "one"), ("import", "two")),
            {"one": (ROOT.sha256,), "two": (ROOT.sha256,)},
        ),
    ],
    "another root under the same alias": [
        FIRST_ROOT,
        Step(roots(root="other.pem"), (("replace", "root"),), {"root": (OTHER_ROOT.sha256,)}),
    ],
    "a root that is no longer declared stays": [FIRST_ROOT, Step("", (), {"root": (ROOT.sha256,)})],
    "an alias in other letters is the same": [FIRST_ROOT, Step(roots(ROOT="root.pem"), (), {"root": (ROOT.sha256,)})],
    "an alias in capitals is found again": [
        Step(roots(ROOT="root.pem"), (("create-store", ""), ("import", "ROOT")), {"root": (ROOT.sha256,)}),
        Step(roots(root="other.pem"), (("replace", "root"),), {"root": (OTHER_ROOT.sha256,)}),
    ],
    "an alias beyond ASCII": [
        Step(
            roots(**{"größe ключ": "root.pem"}),
            (("create-store", ""), ("import", "größe ключ")),
            {"größe ключ": (ROOT.sha256,)},
        )
    ],
    "a generated RSA key": [generated(RSA)],
    "a generated EC key": [generated(EC)],
    "a generated Ed25519 key": [generated(ED25519)],
    "another kind of key": [
        generated(EC),
        Step(pairs(client=RSA), (("renew", "client"),), {"client": MADE}, fits_its_certificate),
    ],
    "another subject": [
        generated(EC),
        Step(pairs(client=RENAMED), (("renew", "client"),), {"client": MADE}, fits_its_certificate),
    ],
    "an expired key pair gets a new key": [
        brought_along("expired.pem", EXPIRED.sha256),
        Step(pairs(client=EC), (("renew", "client"),), {"client": MADE}, is_another_key_than(EXPIRED)),
    ],
    "an expired key pair keeps its key where the file says so": [
        brought_along("expired.pem", EXPIRED.sha256),
        Step(pairs(client=SAME_KEY), (("renew", "client"),), {"client": MADE}, is_the_key_of(EXPIRED)),
    ],
    "an expiring key pair is renewed in time": [
        brought_along("expiring.pem", EXPIRING.sha256),
        Step(pairs(client=EC), (("renew", "client"),), {"client": MADE}, is_another_key_than(EXPIRING)),
    ],
    "a key pair from a PEM file": [brought_along("chain.pem", SIGNED.sha256, ROOT.sha256)],
    "a key pair from a PKCS#12 file": [
        Step(
            pairs(client="{file: chain.p12, alias: theirs, password: {env: STORE_PASSWORD}}"),
            (("create-store", ""), ("import", "client")),
            {"client": (SIGNED.sha256, ROOT.sha256)},
            is_the_key_of(SIGNED),
        )
    ],
    "a renewed key pair from a file": [
        brought_along("mine.pem", MINE.sha256),
        Step(
            pairs(client="{file: renewed.pem}"),
            (("replace", "client"),),
            {"client": (MINE_RENEWED.sha256,)},
            is_the_key_of(MINE_RENEWED),
        ),
    ],
    "a key that somebody certified is thrown away only on demand": [
        brought_along("chain.pem", SIGNED.sha256, ROOT.sha256),
        Step(
            pairs(client=f"{{file: mine.pem, replaceKey: {SIGNED.sha256}}}"),
            (("replace", "client"),),
            {"client": (MINE.sha256,)},
            is_the_key_of(MINE),
        ),
    ],
    "everything at once": [
        FIRST_ROOT,
        Step(
            roots(root="other.pem", more="root.der") + pairs(client="{file: mine.pem}", made=EC),
            (("replace", "root"), ("import", "more"), ("import", "client"), ("create", "made")),
            {"root": (OTHER_ROOT.sha256,), "more": (ROOT.sha256,), "client": (MINE.sha256,), "made": MADE},
            is_the_key_of(MINE),
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize("store_type", TYPES)
@pytest.mark.parametrize("story", CASES.values(), ids=CASES)
def test_the_changes_are_as_expected_and_a_second_run_writes_nothing(tmp_path, store_type, story):
    repository = Repository(tmp_path, store_type)
    files(repository)
    for step in story:
        repository.declare(step.body, create=True)
        before = repository.live.read_bytes() if repository.live.exists() else None
        applied = repository.apply("--format", "json")
        assert (applied.code, applied.err) == (0, "")
        assert tuple(applied.changes) == step.changes
        check_entries(repository, step)
        check_backup(repository, before, applied.changes)
        writes_nothing(repository)


def check_entries(repository, step):
    entries = repository.entries()
    assert entries.keys() == step.entries.keys()
    for alias, chain in step.entries.items():
        if chain != MADE:
            assert tuple(one["sha256"] for one in entries[alias]["certificates"]) == chain
    step.check(repository)


def check_backup(repository, before, changes):
    backups = [path.read_bytes() for path in repository.backups()]
    if before is not None and changes:
        assert before in backups
    assert repository.live.read_bytes() not in backups


def writes_nothing(repository):
    """Not one byte, no newer time, no backup, no temporary file."""
    before = repository.files()
    for result in (repository.plan(), repository.apply("--format", "json")):
        assert (result.code, result.err, result.changes) == (0, "", [])
    assert repository.run("drift", "keystore.yaml").code in (0, 2)
    assert repository.files() == before


@pytest.mark.parametrize("store_type", TYPES)
def test_a_missing_directory_is_made_for_its_owner_alone(tmp_path, store_type):
    repository = Repository(tmp_path, store_type)
    files(repository)
    repository.declare(roots(root="root.pem"), create=True, path="some/where/store")

    assert repository.apply().code == 0
    assert (tmp_path / "some" / "where").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "some" / "where" / "store").stat().st_mode & 0o777 == 0o600
    writes_nothing(repository)


@pytest.mark.parametrize("store_type", ["jks", "jceks"])
def test_an_alias_that_java_cannot_reach_is_mended(tmp_path, store_type):
    """Other programs store capitals in JKS and JCEKS; Java looks for lower case alone."""
    from tests.keystores.java_files import store, trusted

    repository = Repository(tmp_path, store_type)
    files(repository)
    repository.live.write_bytes(store(trusted("ROOT", ROOT.der), trusted("Untouched"), kind=store_type))
    repository.declare(roots(root="root.pem"))

    applied = repository.apply("--format", "json")

    assert applied.code == 0, applied.err
    [change] = applied.document["targets"][0]["changes"]
    assert (change["action"], change["alias"], change["reason"]) == ("replace", "root", "alias-case")
    assert set(repository.entries()) == {"root", "Untouched"}
    writes_nothing(repository)


@pytest.mark.parametrize("store_type", ["jks", "jceks"])
def test_two_live_spellings_of_a_declared_alias_are_refused(tmp_path, store_type):
    from tests.keystores.java_files import store, trusted

    repository = Repository(tmp_path, store_type)
    files(repository)
    repository.live.write_bytes(store(trusted("ROOT"), trusted("root"), kind=store_type))
    repository.declare(roots(root="root.pem"))
    before = repository.files()

    result = repository.apply()

    assert result.code == 4
    assert "'ROOT', 'root'" in result.err
    assert f"keystore.yaml:{repository.line_of('root.pem')}:" in result.err
    assert repository.files() == before


@pytest.mark.parametrize("store_type", TYPES)
def test_a_certified_key_is_not_thrown_away(tmp_path, store_type):
    repository = Repository(tmp_path, store_type)
    files(repository)
    _, body = first_pair("chain.pem")
    repository.declare(body, create=True)
    assert repository.apply().code == 0
    for specification in ("{file: mine.pem}", EC, RSA):
        repository.declare(pairs(client=specification))
        before = repository.files()

        result = repository.apply("--allow-mass-change")

        assert result.code == 4
        assert "the live private key would be thrown away" in result.err
        assert f"replaceKey: {SIGNED.sha256}" in result.err
        assert f"keystore.yaml:{repository.line_of('client')}:" in result.err
        assert repository.files() == before


@pytest.mark.parametrize("store_type", TYPES)
def test_many_replacements_at_once_need_a_word(tmp_path, store_type):
    repository = Repository(tmp_path, store_type)
    files(repository)
    names = [f"root{number}" for number in range(12)]
    repository.declare(roots(**dict.fromkeys(names, "root.pem")), create=True)
    assert repository.apply().code == 0
    repository.declare(roots(**dict.fromkeys(names[:5], "other.pem"), **dict.fromkeys(names[5:], "root.pem")))
    before = repository.files()

    refused = repository.apply()

    assert refused.code == 4
    assert "the plan would delete or replace 5 of 12 entries" in refused.err
    assert "--allow-mass-change" in refused.err
    assert repository.files() == before
    assert repository.apply("--allow-mass-change").code == 0
    writes_nothing(repository)


# ------------------------------------------------- side effects: in PKCS#12 Java finds chains among all certificates


@pytest.fixture
def lonely(tmp_path):
    """A PKCS#12 keystore whose key has no issuer in it: `leaf` is the state file's part for it."""
    repository = Repository(tmp_path, "pkcs12")
    files(repository)
    repository.declare(pairs(client="{file: leaf.pem}"), create=True)
    assert repository.apply().code == 0
    assert shown_chain(repository) == [SIGNED.sha256]
    return repository


CLIENT = pairs(client="{file: leaf.pem}")
PROTECTED = "aliases: {protected: [client]}\n"


def shown_chain(repository):
    return [one["sha256"] for one in repository.entries()["client"]["certificates"]]


@pytest.mark.parametrize("protected", [False, True])
def test_a_root_that_lengthens_the_chain_of_another_entry_says_so(lonely, protected):
    lonely.declare(roots(root="root.pem") + (PROTECTED if protected else CLIENT))

    planned = lonely.plan("--out", "plan.json")

    [change] = planned.document["targets"][0]["changes"]
    assert change["affects"] == [
        {"alias": "client", "chain_before": [SIGNED.sha256], "chain_after": [SIGNED.sha256, ROOT.sha256]}
    ]
    assert lonely.apply("--plan", "plan.json").code == 0
    assert shown_chain(lonely) == [SIGNED.sha256, ROOT.sha256]
    writes_nothing(lonely)


def test_a_root_whose_replacement_shortens_the_chain_of_another_entry_says_so(lonely):
    lonely.declare(roots(root="root.pem") + CLIENT)
    assert lonely.apply().code == 0
    lonely.declare(roots(root="other.pem") + CLIENT)

    [change] = lonely.plan().document["targets"][0]["changes"]

    assert change["affects"] == [
        {"alias": "client", "chain_before": [SIGNED.sha256, ROOT.sha256], "chain_after": [SIGNED.sha256]}
    ]
    assert lonely.apply().code == 0
    assert shown_chain(lonely) == [SIGNED.sha256]
    writes_nothing(lonely)


def test_the_chain_of_a_protected_entry_is_not_shortened(lonely):
    lonely.declare(roots(root="root.pem") + CLIENT)
    assert lonely.apply().code == 0
    lonely.declare(roots(root="other.pem") + PROTECTED)
    before = lonely.files()

    for result in (lonely.plan(), lonely.apply("--allow-mass-change")):
        assert result.code == 4
        assert "this would change the chain of the protected entry (client) 'client'" in result.err
        assert f"keystore.yaml:{lonely.line_of('other.pem')}:" in result.err
    assert lonely.files() == before
