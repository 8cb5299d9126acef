"""What goes wrong while a tenant is read and written: the exit code, the report, and an empty plan soon after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sap.emulator import Effect
from tests.sap.emulator.gate import READ_ROLE
from tests.sap.emulator.seeds import SAP_KEY_PAIR, partner_root
from tests.sap.repository import TenantRepository, our_root

if TYPE_CHECKING:
    from tests.sap.conftest import Place

PAIR = """\
keyPairs:
  client:
    key: {algorithm: EC, curve: secp256r1}
    subject: {commonName: client.example.com, country: DE}
    issuer: {type: local-ca, certificate: ca.pem, key: ca.key}
"""


def everything(reconcile: TenantRepository) -> None:
    """A root, a key pair that is made and signed, a rename and a deletion: five writes."""
    reconcile.declare(
        "aliases: {absent: [partner_root], renamed: {partner_client: partner}}\ntrustedRoots:\n"
        + reconcile.root()
        + PAIR
    )


@pytest.mark.parametrize("nth", range(5))
@pytest.mark.parametrize("effect", [Effect.DROP_BEFORE, Effect.DROP_AFTER, Effect.STATUS, Effect.STATUS_AFTER])
def test_a_connection_that_breaks_around_a_write(reconcile: TenantRepository, effect: Effect, nth: int) -> None:
    everything(reconcile)
    options = {"status": 500} if effect in {Effect.STATUS, Effect.STATUS_AFTER} else {}
    reconcile.tenant.faults.add(effect, method="WRITE", skip=nth, **options)

    applied = reconcile("apply")

    took_effect = effect in {Effect.DROP_AFTER, Effect.STATUS_AFTER}
    failed = [alias for alias, status in applied.outcomes.items() if status == "failed"]
    assert (applied.code, len(failed)) == ((0, 0) if took_effect else (5, 1)), applied.out
    assert reconcile.tenant.faults.pending == ()
    if failed:
        [said] = [one["message"] for one in applied.target["outcomes"] if one["status"] == "failed"]
        assert "read again" in said
    reconcile.settles()


@pytest.mark.parametrize("nth", [0, 1, 2])
@pytest.mark.parametrize("effect", [Effect.TRUNCATE, Effect.TRUNCATE_SILENTLY, Effect.WRONG_TYPE])
def test_a_body_that_is_cut_short_is_an_error_and_never_an_empty_keystore(
    reconcile: TenantRepository, effect: Effect, nth: int
) -> None:
    """A cut that shows is read again; one that does not show is an error of its own."""
    everything(reconcile)
    reconcile.tenant.faults.add(effect, method="GET", contains="KeystoreEntries", skip=nth, times=1)

    applied = reconcile("apply")

    assert applied.code in {0, 3, 5}, applied.out + applied.err
    assert applied.code == 0 or "could not be read" in applied.out + applied.err
    assert SAP_KEY_PAIR in reconcile.tenant.aliases()
    reconcile.settles()


@pytest.mark.parametrize("effect", [Effect.TRUNCATE, Effect.WRONG_TYPE])
def test_a_plan_of_a_list_that_stays_cut_fails(reconcile: TenantRepository, effect: Effect) -> None:
    everything(reconcile)
    reconcile.tenant.faults.add(effect, method="GET", contains="KeystoreEntries", times=99)

    plan = reconcile("plan")

    assert plan.code == 3
    assert plan.target["changes"] == []
    assert plan.target["error"]["exit_code"] == 3


@pytest.mark.parametrize("status", [429, 503, 423])
def test_a_storm_that_passes_is_waited_for(reconcile: TenantRepository, status: int) -> None:
    everything(reconcile)
    reconcile.tenant.faults.add(Effect.STATUS, method="WRITE", status=status, times=4)

    assert reconcile("apply").code == 0
    assert len(reconcile.place.slept) == 4
    reconcile.settles()


@pytest.mark.parametrize(("status", "code"), [(429, 1), (503, 4), (423, 4)])
def test_a_storm_that_does_not_pass_stops_the_run(reconcile: TenantRepository, status: int, code: int) -> None:
    everything(reconcile)
    reconcile.tenant.faults.add(Effect.STATUS, method="WRITE", status=status, times=999)

    applied = reconcile("apply")

    assert applied.code == code
    assert sorted(applied.outcomes.values()) == ["failed", "not-tried", "not-tried", "not-tried"]
    reconcile.tenant.faults.clear()
    reconcile.settles()


def test_a_lock_in_the_middle_leaves_a_part_that_is_told(reconcile: TenantRepository) -> None:
    everything(reconcile)
    reconcile.tenant.faults.add(Effect.STATUS, method="WRITE", status=503, skip=2, times=999)

    applied = reconcile("apply")

    assert applied.code == 5
    assert sorted(applied.outcomes.values()) == ["applied", "applied", "failed", "not-tried"]
    reconcile.tenant.faults.clear()
    reconcile.settles()


@pytest.mark.parametrize("nth", range(0, 20, 3))
def test_a_token_that_expires_in_the_middle_is_fetched_anew(reconcile: TenantRepository, nth: int) -> None:
    everything(reconcile)
    reconcile.tenant.faults.add(Effect.EXPIRE_TOKENS, contains="Resources" if nth % 2 else "", skip=nth)

    assert reconcile("apply").code == 0
    reconcile.settles()


def test_reads_that_lag_behind_writes_are_waited_for(reconcile: TenantRepository) -> None:
    reconcile.tenant.switches.verify_writes_lazily = 0.1
    everything(reconcile)

    assert reconcile("apply").code == 0
    reconcile.settles()


def test_reads_that_lag_for_too_long_are_told(reconcile: TenantRepository) -> None:
    reconcile.tenant.switches.verify_writes_lazily = 60.0
    reconcile.declare("trustedRoots:\n" + reconcile.root())

    applied = reconcile("apply")

    assert applied.code == 1
    assert "confirmed the write" in applied.target["outcomes"][0]["message"]
    reconcile.tenant.switches.verify_writes_lazily = 0.0
    reconcile.tenant.put("somebody", our_root(70))  # a version that is seen at once


def another_root(place: Place) -> None:
    place.tenant.put("partner_root", our_root(71))


def test_an_entry_that_somebody_changes_between_plan_and_apply_is_refused(reconcile: TenantRepository) -> None:
    reconcile.declare("aliases: {absent: [partner_root]}\n")
    reconcile.tenant.faults.add(
        Effect.RUN, method="GET", contains="Keystores(", run=lambda: another_root(reconcile.place)
    )

    applied = reconcile("apply")

    assert applied.code == 4
    assert applied.outcomes == {"partner_root": "failed"}
    assert "plan again" in applied.target["outcomes"][0]["message"]
    assert "last changed by S0001234" in applied.target["outcomes"][0]["message"]
    assert "partner_root" in reconcile.tenant.aliases()
    reconcile.settles()


def test_an_entry_that_somebody_makes_meanwhile_is_not_overwritten(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root("somebodys_root"))
    somebodys = our_root(72)
    reconcile.tenant.faults.add(
        Effect.RUN, method="GET", contains="Keystores(", run=lambda: reconcile.tenant.put("somebodys_root", somebodys)
    )

    assert reconcile("apply").code == 4
    assert reconcile.tenant.find("somebodys_root").leaf == somebodys


def test_a_change_of_another_entry_is_told_and_stops_nothing(reconcile: TenantRepository) -> None:
    reconcile.declare("trustedRoots:\n" + reconcile.root())
    reconcile.tenant.faults.add(Effect.RUN, method="PUT", run=lambda: reconcile.tenant.put("visitor", our_root(73)))

    applied = reconcile("apply")

    assert applied.code == 0
    assert any("'visitor' appeared by somebody else" in note for note in applied.target["notes"])


def test_a_sap_key_that_is_activated_meanwhile_is_told_and_stops_nothing(reconcile: TenantRepository) -> None:
    everything(reconcile)
    reconcile.tenant.faults.add(Effect.RUN, method="PUT", run=lambda: reconcile.tenant.activate(SAP_KEY_PAIR))

    applied = reconcile("apply")

    assert applied.code == 0
    assert any("was changed by SAP" in note for note in applied.target["notes"])
    reconcile.settles()


def test_an_entry_that_becomes_saps_meanwhile_is_not_written(reconcile: TenantRepository) -> None:
    """Ownership is looked up live, in the moment before the request."""
    reconcile.declare("aliases: {absent: [partner_root]}\n")
    root = partner_root()
    reconcile.tenant.faults.add(
        Effect.RUN, method="GET", contains="Keystores(",
        run=lambda: reconcile.tenant.put("partner_root", root, owner="SAP", user="SAP"),
    )  # fmt: skip

    applied = reconcile("apply")

    assert applied.code == 4
    assert "protected (Owner SAP)" in applied.target["outcomes"][0]["message"]


def test_without_the_role_nothing_more_is_tried(reconcile: TenantRepository) -> None:
    everything(reconcile)
    for account in reconcile.tenant.gate.clients.values():
        object.__setattr__(account, "roles", frozenset({READ_ROLE}))

    applied = reconcile("apply")

    assert applied.code == 1
    assert sorted(applied.outcomes.values()) == ["failed", "not-tried", "not-tried", "not-tried"]
    assert "SecurityMaterialEdit" in applied.out


def test_credentials_that_are_refused_are_code_3(reconcile: TenantRepository) -> None:
    everything(reconcile)
    for account in reconcile.tenant.gate.clients.values():
        object.__setattr__(account, "secret", "another")

    for command in ("plan", "apply", "drift"):
        assert reconcile(command).code == 3


def test_after_an_apply_the_report_says_how_long_the_old_keystore_may_serve(reconcile: TenantRepository) -> None:
    reconcile.declare(
        "trustedRoots:\n" + reconcile.root() + PAIR
        + 'receivers: {s4: {address: "s4.example.com:443", keyPair: client}}\n'
    )  # fmt: skip

    applied = reconcile("apply")

    assert any("24 hours" in note for note in applied.target["notes"])
    assert "receivers concerned: s4 (s4.example.com:443)" in applied.target["notes"]
