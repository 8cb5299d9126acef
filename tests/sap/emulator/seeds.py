"""What a tenant is delivered with, and content for people and benchmarks to play with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from tests.sap.emulator.certificates import distinguished_name, make
from tests.sap.emulator.entries import SAP, TENANT, HistoryEntry, StoredEntry
from tests.sap.emulator.keys import seeded_ec_key, seeded_key
from tests.sap.emulator.tenant import RENEWAL, SYSTEM, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

    from tests.sap.emulator.tenant import Entries

SAP_KEY_PAIR = "sap_cloudintegrationcertificate"
SAP_ROOTS = ("emulated cybertrust root", "emulated global root g2")  # lower case with blanks, as SAP's are
TENANT_ROOT = "partner_root"
TENANT_KEY_PAIR = "partner_client"


def standard(tenant: Tenant) -> None:
    """SAP's own: a key pair with its chain, two roots, a successor that waits, one entry of history."""
    roots = [_root(name, index) for index, name in enumerate(SAP_ROOTS)]
    entries = {name: _entry(tenant, name, (root,), SAP) for name, root in zip(SAP_ROOTS, roots, strict=True)}
    entries[SAP_KEY_PAIR] = _sap_key_pair(tenant, 0, days_left=40)
    tenant.commit({**tenant.keystore().entries, **entries}, SAP)
    tenant.commit({SAP_KEY_PAIR: _sap_key_pair(tenant, 1, days_left=400)}, SAP, RENEWAL)
    old = _sap_key_pair(tenant, 2, days_left=-10)
    moment = tenant.now()
    tenant.history.append(HistoryEntry(old, 1, moment - timedelta(days=375), moment - timedelta(days=15), SAP, SAP))


def demo(tenant: Tenant) -> None:
    """The standard, with a root and a key pair that an administrator has put there."""
    standard(tenant)
    root, key = partner_root(), seeded_key(3)
    subject = distinguished_name(CommonName="client.example.com", Organization="Example", Country="DE")
    leaf = make(subject, key, issuer=root, issuer_key=seeded_ec_key(100))
    entries = {
        TENANT_ROOT: _entry(tenant, TENANT_ROOT, (root,), TENANT),
        TENANT_KEY_PAIR: _entry(tenant, TENANT_KEY_PAIR, (leaf, root), TENANT, seed=3),
    }
    tenant.commit({**tenant.keystore().entries, **entries}, "S0001234", SYSTEM)


def empty(tenant: Tenant) -> None:
    """Nothing at all, which no real tenant is."""
    tenant.commit({}, SAP)


SEEDS: dict[str, Callable[[Tenant], None]] = {"standard": standard, "demo": demo, "empty": empty}


def many(tenant: Tenant, count: int) -> None:
    """As many trusted certificates of the tenant as asked for, on top of what is there."""
    entries: Entries = {
        f"root_{i:05}": _entry(tenant, f"root_{i:05}", (_root("bulk", i),), TENANT) for i in range(count)
    }
    tenant.commit({**tenant.keystore().entries, **entries}, "S0001234", SYSTEM)


@cache
def partner_root() -> x509.Certificate:
    """A root that tests sign with; its key is `seeded_ec_key(100)`."""
    subject = distinguished_name(CommonName="Partner Root CA", Organization="Partner, Inc.", Country="DE")
    return make(subject, seeded_ec_key(100), ca=True)


def _entry(
    tenant: Tenant, alias: str, chain: tuple[x509.Certificate, ...], owner: str, seed: int | None = None
) -> StoredEntry:
    user = SAP if owner == SAP else "S0001234"
    key = None if seed is None else seeded_key(seed)
    return tenant.entry(alias, chain, user, owner=owner, key=key)


def _sap_key_pair(tenant: Tenant, number: int, *, days_left: int) -> StoredEntry:
    return _entry(tenant, SAP_KEY_PAIR, _sap_chain(number, days_left), SAP, seed=number)


@cache
def _root(name: str, number: int) -> x509.Certificate:
    subject = distinguished_name(CommonName=f"{name} {number}", Organization="Emulated Trust", Country="US")
    return make(subject, seeded_ec_key(), ca=True)


@cache
def _sap_chain(number: int, days_left: int) -> tuple[x509.Certificate, ...]:
    root, issuer_key = _root(SAP_ROOTS[0], 0), seeded_ec_key()
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days_left)
    subject = distinguished_name(
        CommonName="emulated.it-cpi000.cfapps.example", OrganizationUnit="Emulated", Organization="SAP SE", Country="DE"
    )
    leaf = make(
        subject,
        seeded_key(number),
        issuer=root,
        issuer_key=issuer_key,
        not_before=end - timedelta(days=365),
        not_after=end,
    )
    return leaf, root
