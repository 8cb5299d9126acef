"""One rich report for every format: two keystores and a third that could not be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from reconciler.model import (
    Absent,
    Accepted,
    Affect,
    Change,
    Correspondence,
    DesiredState,
    Entry,
    EntryKind,
    Failure,
    IssuerSpec,
    KeySpec,
    KeystoreTarget,
    Outcome,
    OutcomeStatus,
    Policy,
    PolicyLevel,
    ProtectedPattern,
    Receiver,
    Renamed,
    RenewBefore,
    Report,
    RequestFacts,
    Snapshot,
    Source,
    Status,
    Step,
    StoreType,
    TargetPlan,
    TargetReport,
    Unmanaged,
    WantedCertificate,
    WantedExisting,
    WantedImport,
    WantedKeyPair,
)
from reconciler.planning import digest, plan_target
from reconciler.policy import judge
from reconciler.reports.standing import Standing
from reconciler.reports.standing import standings as standings_of
from reconciler.x509 import is_signed_by
from tests.builders import NOW, entry, key_pair
from tests.reports.certificates import authority, certificate

VERSION = "1.2.3"


def source(line: int, file: str = "keystores/prod.yaml") -> Source:
    return Source(file, line, 3)


def trusted(alias: str, one: Any, line: int, file: str = "keystores/prod.yaml") -> WantedCertificate:
    return WantedCertificate(alias, source(line, file), one, origin=f"certs/{alias}.pem")


def generated(alias: str, line: int, common_name: str, **more: Any) -> WantedKeyPair:
    facts: dict[str, Any] = {
        "key": KeySpec("Ed25519"),
        "subject": (("C", "DE"), ("O", "Example"), ("CN", common_name)),
        "subject_alt_names": (),
        "extended_key_usage": ("clientAuth",),
        "validity": timedelta(days=365),
        "renew_before": RenewBefore(duration=timedelta(days=30)),
        "rekey": True,
        "issuer": IssuerSpec("self-signed"),
    }
    return WantedKeyPair(alias, source(line), **(facts | more))


def planned(
    state: str, location: str, type_: StoreType, wanted: list[Any], entries: list[Entry], *,
    live_type: StoreType | None = None, **more: Any,
) -> TargetPlan:  # fmt: skip
    target = KeystoreTarget(type_, location, source(4, state), path="/nowhere")
    patterns = (ProtectedPattern("vendor_*", source(9, state)),)
    desired = DesiredState(state, target, tuple(wanted), patterns, **more)
    live = Snapshot(live_type or type_, entries=tuple(entries), version="1")
    return plan_target(desired, live, NOW, lambda _writes, **_: live, is_signed_by)


PLACEHOLDER = certificate("waiting.example.com", age=12, days=353)
LETTERS = Correspondence(
    "/nowhere/waiting_client.csr", "requests/prod/waiting_client.csr", "/nowhere/waiting_client.cer",
    "responses/prod/waiting_client.cer",
    RequestFacts(PLACEHOLDER.public_key_sha256 or "", (("C", "DE"), ("O", "Example"), ("CN", "waiting.example.com")), ()),
)  # fmt: skip


TOLERATED = certificate("tolerated.example.org", days=800)
ACCEPTED = Accepted("tolerated_partner", TOLERATED.sha256, "the partner moves in spring", "integration team",
                    date(2027, 3, 31), source(102), Status.UNMANAGED)  # fmt: skip

GONE = replace(ACCEPTED, alias="moved_partner", owner="partner team", until=date(2026, 5, 1), source=source(109))


def production() -> TargetPlan:
    root, intermediate = authority("Example Root G1"), authority("Example Issuing CA 3", issued_by="Example Root G1")
    short_lived = authority("Example Issuing CA 2", issued_by="Example Root G1", days=41)
    partner_old = certificate("partner.example.org", key="EC", seed="partner-1", issued_by="Example Issuing CA 3")
    partner_new = certificate(
        "partner.example.org", key="EC", seed="partner-1", issued_by="Example Issuing CA 3", days=700
    )
    bank = certificate("bank.example.net", key="RSA 3072", issued_by="Example Issuing CA 2", days=300)
    wanted = [
        trusted("example_root_g1", root, 20),
        trusted("isrg_root_x1", authority("ISRG Root X1"), 23),
        trusted("old_authority", authority("Old Authority", days=-12), 26),
        trusted("soon_authority", authority("Soon Authority", days=64), 29),
        trusted("partner_authority", authority("Partner Authority 2026"), 32),
        generated("s4_client", 40, "cpi-prod.example.com"),
        generated("successfactors_client", 52, "sf-prod.example.com", subject_alt_names=("DNS:sf-prod.example.com",)),
        generated("concur_client", 61, "concur.example.com"),
        generated("waiting_client", 82, "waiting.example.com", issuer=IssuerSpec("external", "corporate"),
                  correspondence=LETTERS),
        WantedExisting("watched_client", source(90), None, RenewBefore(duration=timedelta(days=30))),
        WantedImport("partner_client", source(70), (partner_new, intermediate), "secrets/partner.p12",
                     RenewBefore(duration=timedelta(days=30))),
        WantedImport("bank_client", source(76), (bank, short_lived), "secrets/bank.p12",
                     RenewBefore(duration=timedelta(days=30))),
    ]  # fmt: skip
    entries = [
        entry("example_root_g1", root),
        entry("old_authority", authority("Old Authority", days=-12)),
        entry("soon_authority", authority("Soon Authority", days=64)),
        entry("partner_authority", authority("Partner Authority 2025", days=500)),
        key_pair("s4_client", certificate("cpi-prod.example.com", days=20, age=345)),
        key_pair("successfactors_client", certificate("sf.example.com", days=200)),
        key_pair("partner_client", partner_old, intermediate, root),
        key_pair("bank_client", bank, short_lived, root),
        entry("legacy_partner", certificate("legacy.example.com", days=-400, age=1400)),
        key_pair("test_key", certificate("test key of somebody", days=9)),
        entry("some_secret", kind=EntryKind.SECRET_KEY),
        entry("sap_global_root", authority("SAP Cloud Root CA"), owner="SAP"),
        key_pair("sap_cloudintegrationcertificate", certificate("cpi.sap.example", days=120), owner="SAP"),
        entry("vendor_root", authority("Vendor Root")),
        key_pair("waiting_client", PLACEHOLDER),
        key_pair("watched_client", certificate("watched.example.com", days=150)),
        entry("retired_partner", certificate("retired.example.com", days=75)),
        entry("c4c", certificate("c4c.example.com", days=500)),
        entry("tolerated_partner", TOLERATED),
    ]
    entries[10] = replace(entries[10], chain=())
    plan = planned(
        "keystores/prod.yaml", "../live/prod.p12", StoreType.PKCS12, wanted, entries,
        absent=(Absent("retired_partner", source(12)),), renamed=(Renamed("c4c", "c4c_client", source(13)),),
        receivers=(Receiver("s4hana", "s4.example.com:443", source(99), "s4_client"),),
        accepted=(ACCEPTED, GONE), policy=Policy({"root-expired": PolicyLevel.ERROR}, timedelta(days=398)),
    )  # fmt: skip
    affect = Affect("partner_client", (partner_old.sha256, intermediate.sha256),
                    (partner_old.sha256, intermediate.sha256, root.sha256))  # fmt: skip
    more: dict[str, Any] = {
        "isrg_root_x1": {"affects": (affect,)},
        "successfactors_client": {"warnings": ("a smaller key: EC secp256r1 instead of RSA 4096",)},
    }
    plan = replace(plan, changes=tuple(replace(one, **more.get(one.alias, {})) for one in plan.changes))
    return replace(plan, policy=judge(plan, NOW))


def testing() -> TargetPlan:
    state = "keystores/test.yaml"
    root = authority("Example Root G1")
    wanted = [
        trusted("example_root_g1", root, 12, state),
        trusted("isrg_root_x1", authority("ISRG Root X1"), 15, state),
    ]
    entries = [entry("example_root_g1", root)]
    return planned(state, "../live/test.p12", StoreType.PKCS12, wanted, entries, live_type=StoreType.JKS)


def quiet() -> TargetPlan:
    state = "keystores/dev.yaml"
    root = authority("Example Root G1")
    return planned(state, "../live/dev.jceks", StoreType.JCEKS, [trusted("example_root_g1", root, 12, state)],
                   [entry("example_root_g1", root)])  # fmt: skip


UNREADABLE = Failure(
    "the keystore cannot be opened: the password is wrong, or the file is damaged",
    "../live/broken.p12",
    "check the password that keystores/broken.yaml names",
    3,
)
REFUSED = Failure(
    "sap_root: declared, but the entry is protected (sap_*): it is never written",
    "keystores/refused.yaml:8:3",
    "take the alias out of the desired state: entries of SAP and protected aliases are not ours",
    4,
    (
        (
            "sap_root: declared, but the entry is protected (sap_*): it is never written",
            "keystores/refused.yaml:8:3",
            "take the alias out of the desired state: entries of SAP and protected aliases are not ours",
        ),
    ),
)


def target(plan: TargetPlan, **more: Any) -> TargetReport:
    keystore = plan.desired.keystore
    return TargetReport(plan.desired.name, keystore.location, keystore.type, plan, **more)


def failed(name: str, failure: Failure) -> TargetReport:
    return TargetReport(f"keystores/{name}.yaml", f"../live/{name}.p12", StoreType.PKCS12, failure=failure)


def report(command: str, *targets: TargetReport) -> Report:
    plans = [one.plan for one in targets if one.plan is not None]
    return Report(command, NOW, VERSION, digest(plans), targets)


def fleet(command: str) -> Report:
    """Four keystores: a rich one, one with a single change, a quiet one, and one that could not be read."""
    if command == "apply":
        return report("apply", applied(production()), applied(testing(), fails=()), target(quiet()),
                      failed("broken", UNREADABLE))  # fmt: skip
    return report(command, target(production()), target(testing()), target(quiet()), failed("broken", UNREADABLE),
                  failed("refused", REFUSED))  # fmt: skip


def single(command: str) -> Report:
    plan = production()
    return report(command, applied(plan) if command == "apply" else target(plan))


def applied(plan: TargetPlan, fails: tuple[str, ...] = ("concur_client",)) -> TargetReport:
    return target(plan, outcomes=tuple(_outcome(change, fails) for change in plan.changes))


def _outcome(change: Change, fails: tuple[str, ...]) -> Outcome:
    if change.alias in fails:
        return Outcome(change, OutcomeStatus.FAILED, "the issuer did not answer within 30 seconds; try again later")
    return Outcome(change, OutcomeStatus.APPLIED, "", _after(change))


def _after(change: Change) -> Entry | None:
    match change.wanted:
        case WantedCertificate() as wanted:
            return entry(change.alias, wanted.certificate)
        case WantedImport() as wanted:
            return key_pair(change.alias, *wanted.chain)
        case _ if change.step is Step.RENAME and change.before is not None:
            return replace(change.before, alias=change.new_alias or "")
        case WantedKeyPair() as wanted:
            common_name = dict(wanted.subject)["CN"]
            return key_pair(change.alias, certificate(common_name, seed=f"new {change.alias}", days=365, age=0))
        case _:
            return None


def ignoring(command: str) -> Report:
    """The rich keystore, with `unmanaged: ignore`."""
    plan = production()
    return report(command, target(replace(plan, desired=replace(plan.desired, unmanaged=Unmanaged.IGNORE))))


def standings(command: str) -> tuple[Standing, ...]:
    one = single(command)
    return standings_of(one.targets[0], one.generated_at)
