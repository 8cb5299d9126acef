"""A new key takes over by two renames: every state in which a run can stop, and the run that mends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sap.second.repository import Repository, certificate, key, pair, root, root_key

REKEY = "    rekey: true\n"
OLD, NEW = key(40), key(41)


def subject(alias: str = "client") -> x509.Name:
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"{alias}.example.com"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        ]
    )


def signed(
    own: ec.EllipticCurvePrivateKey, days: tuple[int, int] = (-1, 300), alias: str = "client"
) -> tuple[x509.Certificate, ...]:
    ours = (root("Our Root"), root_key("Our Root"))
    return certificate(subject(alias), own, ours, days=days), root("Our Root")


def unsigned(own: ec.EllipticCurvePrivateKey) -> tuple[x509.Certificate, ...]:
    return (certificate(subject(), own),)


AGED, FRESH = (-364, 1), (-1, 300)
Chain = tuple[x509.Certificate, ...]
Entries = dict[str, tuple[Chain, ec.EllipticCurvePrivateKey]]
STATES: dict[str, Callable[[], Entries]] = {
    "nothing was done": lambda: {"client": (signed(OLD, AGED), OLD)},
    "the key was made": lambda: {"client": (signed(OLD, AGED), OLD), "client.next": (unsigned(NEW), NEW)},
    "it was signed": lambda: {"client": (signed(OLD, AGED), OLD), "client.next": (signed(NEW), NEW)},
    "the old one made way": lambda: {"client.previous": (signed(OLD, AGED), OLD), "client.next": (signed(NEW), NEW)},
    "both renames were done": lambda: {"client.previous": (signed(OLD, AGED), OLD), "client": (signed(NEW), NEW)},
    "the new one was deleted": lambda: {"client.previous": (signed(OLD, AGED), OLD)},
    "the new one was deleted and the old one is good": lambda: {"client.previous": (signed(OLD, FRESH), OLD)},
    "the new one is not signed": lambda: {"client.previous": (signed(OLD, AGED), OLD), "client.next": (unsigned(NEW), NEW)},
    "the new one is old": lambda: {"client.previous": (signed(OLD, AGED), OLD), "client.next": (signed(NEW, AGED), NEW)},
    "a former one is left": lambda: {"client": (signed(OLD, AGED), OLD), "client.previous": (signed(key(42), AGED), key(42))},
    "all three are there": lambda: {
        "client": (signed(OLD, AGED), OLD), "client.next": (signed(NEW), NEW),
        "client.previous": (signed(key(42), AGED), key(42)),
    },
    "only the new one is there": lambda: {"client.next": (signed(NEW), NEW)},
}  # fmt: skip


def put(repository: Repository, entries: Entries) -> None:
    repository.tenant.keystore.put("our_root", root("Our Root"))
    for alias, (chain, own) in entries.items():
        repository.tenant.keystore.put(alias, *chain, key=own)


def declare(repository: Repository, more: str = REKEY, issuer: str | None = None) -> None:
    spec = pair("client", more=more) if issuer is None else pair("client", more=more, issuer=issuer)
    repository.declare("trustedRoots:\n" + repository.root("our_root", "Our Root") + "keyPairs:\n" + spec)


@pytest.mark.parametrize("mode", [(), ("--renewals-only",)], ids=["apply", "nightly"])
@pytest.mark.parametrize("stopped", list(STATES))
def test_the_next_runs_mend_every_state(reconcile: Repository, stopped: str, mode: tuple[str, ...]) -> None:
    put(reconcile, STATES[stopped]())
    declare(reconcile)

    first = reconcile("apply", *mode)

    assert first.code == 0, first.out + first.err
    items = reconcile.tenant.keystore.items
    assert "client" in items  # from the first run on, the alias serves
    for _ in range(3):
        if not reconcile("plan").changes:
            break
        again = reconcile("apply", *mode)
        assert again.code == 0, again.out + again.err
    assert (reconcile("plan").changes, {"client.next", "client.previous"} & set(items)) == ([], set())
    leaf = items["client"].leaf
    assert leaf.issuer == root("Our Root").subject
    assert (leaf.not_valid_after_utc - datetime.now(UTC)).days > 200


def test_a_good_key_pair_whose_successor_is_gone_is_put_back_and_not_made_anew(reconcile: Repository) -> None:
    put(reconcile, STATES["the new one was deleted and the old one is good"]())
    declare(reconcile)
    drift = reconcile("drift")
    assert drift.code == 2
    assert "a take-over was interrupted" in drift.out

    reconcile.applied("client.previous")

    assert reconcile.tenant.keystore.items["client"].leaf.public_key() == OLD.public_key()
    assert [line.split("(")[0] for line in reconcile.tenant.writes] == ["PUT KeystoreEntries"]
    reconcile.settles()


def test_a_successor_that_nobody_has_approved_does_not_keep_the_alias_empty(reconcile: Repository) -> None:
    put(reconcile, STATES["the old one made way"]())
    declare(reconcile, REKEY + "    activation: approved\n")
    assert reconcile("plan").changes == [("rename", "client.previous")]
    assert reconcile("apply").code == 0
    items = reconcile.tenant.keystore.items
    assert items["client"].leaf.public_key() == OLD.public_key()
    assert items["client.next"].leaf.public_key() == NEW.public_key()
    reconcile.settles()


def test_a_former_key_pair_of_somebody_else_is_not_put_back(reconcile: Repository) -> None:
    reconcile.tenant.keystore.put("client.previous", *signed(OLD), key=OLD, owner="SAP")
    declare(reconcile)
    assert ("create", "client") in reconcile("plan").changes


def test_many_replaced_key_pairs_are_cleared_away_without_a_mass_change(reconcile: Repository) -> None:
    reconcile.tenant.keystore.put("our_root", root("Our Root"))
    names = [f"client{number}" for number in range(6)]
    for number, alias in enumerate(names):
        own, old = key(50 + number), key(60 + number)
        reconcile.tenant.keystore.put(alias, *signed(own, alias=alias), key=own)
        reconcile.tenant.keystore.put(f"{alias}.previous", *signed(old, AGED, alias), key=old)
    reconcile.declare("keyPairs:\n" + "".join(pair(alias, more=REKEY) for alias in names))
    done = reconcile("apply", "--renewals-only")
    assert done.code == 0, done.out + done.err
    assert set(done.outcomes) == {f"{alias}.previous" for alias in names}
    reconcile.settles()


@pytest.mark.parametrize("fault", ["before", "cut after"])
@pytest.mark.parametrize("at", range(5))
def test_a_run_that_is_interrupted_at_any_write_converges(reconcile: Repository, at: int, fault: str) -> None:
    put(reconcile, STATES["a former one is left"]())
    declare(reconcile)
    reconcile.tenant.fault_at(at, fault, 502)

    first = reconcile("apply")

    assert first.code in {0, 1, 4, 5}, first.out + first.err
    again = reconcile("apply")
    assert again.code == 0, again.out + again.err
    assert "client" in reconcile.tenant.keystore.items
    reconcile.settles()
