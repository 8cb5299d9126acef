"""What this tenant holds: entries with real certificates and keys, and what can be done to them."""

from __future__ import annotations

import itertools
import threading
import time
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

RESERVED = ("hcicertificate", "hcicertificate1", "hcimsgcertificate")
ORDER = (
    ("CommonName", NameOID.COMMON_NAME), ("OrganizationUnit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("Organization", NameOID.ORGANIZATION_NAME), ("Locality", NameOID.LOCALITY_NAME),
    ("State", NameOID.STATE_OR_PROVINCE_NAME), ("Country", NameOID.COUNTRY_NAME), ("Email", NameOID.EMAIL_ADDRESS),
)  # fmt: skip


class Refusal(Exception):  # noqa: N818 - an answer
    """A request that is answered with something other than success."""

    def __init__(self, status: int, text: str = "", certificate: x509.Certificate | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.certificate = status, text, certificate


@dataclass(frozen=True)
class Item:
    """One entry; the leaf of a key pair comes first."""

    alias: str
    chain: tuple[x509.Certificate, ...]
    key: Any = None
    owner: str = "Tenant Administrator"
    by: str = "Tester"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]


def reserved(alias: str) -> bool:
    return alias.startswith("sap_") or alias in RESERVED


def spki(public: Any) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def issued(one: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def self_signed(name: x509.Name, key: Any, start: datetime, end: datetime) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
    return builder.sign(key, hashes.SHA256())


class Keystore:
    """The keystore `system` of one tenant, with the successors and the history of SAP's keys beside it."""

    def __init__(self, delay: float = 0.0, root_of_chain: str = "kept") -> None:
        self.lock = threading.RLock()
        self.items: dict[str, Item] = {}
        self.renewal: dict[str, Item] = {}
        self.history: dict[str, Item] = {}
        self._delay, self._shown, self._since = delay, {}, 0.0
        self.list_delay = 0.0
        self._past: list[tuple[float, dict[str, Item]]] = []  # until when the entries were which
        self.root_of_chain = root_of_chain

    @staticmethod
    def new_item(alias: str, *chain: x509.Certificate, key: Any = None) -> Item:
        """An entry of SAP's, for the successors and the history."""
        return Item(alias, chain, key, "SAP", "SAP")

    # ------------------------------------------------------------------------------------------ reading

    def seen(self) -> dict[str, Item]:
        """What reads show: a write is seen a moment later."""
        with self.lock:
            if time.monotonic() - self._since >= self._delay:
                self._shown = copy(self.items)
            return copy(self._shown)

    def listed(self) -> dict[str, Item]:
        """What the list shows: it may be further behind than an entry that is asked for alone."""
        with self.lock:
            moment = time.monotonic() - self.list_delay
            return next((items for until, items in self._past if until > moment), None) or self.seen()

    def find(self, alias: str) -> Item:
        if alias not in self.items:
            raise Refusal(404, f"Alias '{alias}' not found in the keystore")
        return self.items[alias]

    # ------------------------------------------------------------------------------------------ writing

    def _writable(self, alias: str) -> None:
        if not 1 <= len(alias) <= 250:
            raise Refusal(400, "alias is too long")
        there = self.items.get(alias)
        if reserved(alias) or (there is not None and there.owner == "SAP"):
            raise Refusal(403, "")

    def _set(self, *gone: str, **more: Item) -> None:
        self.seen()
        if self.list_delay:
            self._past.append((time.monotonic(), dict(self.items)))
        self._since = time.monotonic()
        for alias in gone:
            self.items.pop(alias, None)
        for one in more.values():
            before = self.items.get(one.alias)
            self.items[one.alias] = replace(
                one, created=before.created if before else one.created, modified=datetime.now(UTC)
            )

    def put_certificate(self, alias: str, one: x509.Certificate, *, update: bool, verified: bool) -> None:
        self._writable(alias)
        there = self.items.get(alias)
        if (there is not None) != update:
            raise Refusal(400, f'Entry with alias "{alias}" {"already exists" if there else "does not exist"}')
        if there is not None and there.key is not None:
            raise Refusal(400, "Key Pair entry cannot be overwritten by a certificate entry.")
        self._trusted(one, verified=verified)
        self._set(one=Item(alias, (one,)))

    def _trusted(self, top: x509.Certificate, *, verified: bool) -> None:
        known = [one for item in self.items.values() for one in item.chain]
        if not verified and top not in known and not any(issued(top, one) for one in known):
            raise Refusal(409, "not trusted", top)

    def put_pair(
        self, alias: str, key: Any, chain: tuple[x509.Certificate, ...], *, update: bool, verified: bool
    ) -> None:
        self._writable(alias)
        if (alias in self.items) != update:
            raise Refusal(400, "exists" if alias in self.items else "does not exist")
        if not all(issued(one, two) for one, two in itertools.pairwise(chain)):
            raise Refusal(400, "chain does not validate")
        self._trusted(chain[-1], verified=verified)
        self._set(one=Item(alias, self._rooted(chain), key))

    def _rooted(self, chain: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
        top = chain[-1]
        if self.root_of_chain == "dropped" and len(chain) > 1 and top.subject == top.issuer:
            return chain[:-1]
        if self.root_of_chain == "added" and top.subject != top.issuer:
            roots = [item.leaf for item in self.items.values() if issued(top, item.leaf)]
            return (*chain, *roots[:1])
        return chain

    def put_chain(self, alias: str, certificates: list[x509.Certificate], *, verified: bool) -> None:
        self._writable(alias)
        there = self.find(alias)
        if there.key is None:
            raise Refusal(400, f'Alias "{alias}" does not represent a Key Pair')
        own = spki(there.key.public_key())
        rest = [one for one in certificates if spki(one.public_key()) != own]
        leaf = [one for one in certificates if spki(one.public_key()) == own]
        if not leaf:
            raise Refusal(400, "The public key of the CA Reply is different from the public key of the keystore entry")
        chain = [leaf[0]]
        while above := [one for one in rest if one not in chain and issued(chain[-1], one)]:
            chain.append(above[0])
        if len(chain) != len(certificates):
            raise Refusal(400, "chain does not validate")
        self._trusted(chain[-1], verified=verified)
        self._set(one=replace(there, chain=self._rooted(tuple(chain))))

    def generate(self, order: dict[str, Any], moment: Any) -> None:
        alias = order.get("Alias") or ""
        for name in ("Hexalias", "Alias", "CommonName"):
            if not order.get(name):
                raise Refusal(400, f"{name} is missing")
        if len(order.get("Country") or "") != 2:
            raise Refusal(400, "Country is missing")
        self._writable(alias)
        if alias in self.items:
            raise Refusal(400, "Keystore entry already exists")
        kind = order.get("KeyType", "RSA")
        if not str(order.get("SignatureAlgorithm", "SHA-512/RSA")).endswith(kind if kind != "EC" else "ECDSA"):
            raise Refusal(400, "signature algorithm does not fit")
        key = _new_key(kind, order)
        now = datetime.now(UTC).replace(microsecond=0)
        start = moment(order.get("ValidNotBefore")) or now
        end = moment(order.get("ValidNotAfter")) or now + timedelta(days=3 * 365)
        name = x509.Name([x509.NameAttribute(oid, order[field]) for field, oid in ORDER if order.get(field)])
        self._set(one=Item(alias, (self_signed(name, key, start, end),), key))

    def rename(self, alias: str, new: str) -> None:
        self._writable(alias)
        there = self.find(alias)
        self._writable(new)
        if new in self.items:
            raise Refusal(400, "new alias exists")
        self._set(alias, one=replace(there, alias=new))

    def delete(self, alias: str) -> None:
        there = self.find(alias)
        if there.owner == "SAP" or reserved(alias):
            raise Refusal(403, "")
        self._set(alias)

    def delete_all(self, aliases: list[str]) -> None:
        if any(reserved(alias) or self.items.get(alias, Item("", ())).owner == "SAP" for alias in aliases):
            raise Refusal(403, "")
        self._set(*aliases)

    # ---------------------------------------------------------------------------- what a test does itself

    def put(self, alias: str, *chain: x509.Certificate, key: Any = None, owner: str = "Tenant Administrator") -> None:
        """Somebody else's change, seen at once."""
        by = "SAP" if owner == "SAP" else "Tester"
        self._set(one=Item(alias, chain, key, owner, by))
        self._since = 0.0

    def fold(self) -> None:
        """From now on as in JKS: aliases are kept in lower case, and capitals do not count."""
        folded = _Folding()
        for alias, item in self.items.items():
            folded[alias] = item
        self.items = folded

    def put_first(self, alias: str, *chain: x509.Certificate) -> None:
        """Somebody else's new entry that the list shows before all others."""
        self.put(alias, *chain)
        self.items = {alias: self.items[alias]} | self.items

    def take(self, alias: str) -> None:
        self._set(alias)
        self._since = 0.0


class _Folding(dict[str, Item]):
    def __setitem__(self, alias: str, item: Item) -> None:
        super().__setitem__(alias.lower(), replace(item, alias=alias.lower()))

    def __getitem__(self, alias: str) -> Item:
        return super().__getitem__(alias.lower())

    def __contains__(self, alias: object) -> bool:
        return super().__contains__(str(alias).lower())

    def get(self, alias: str, default: Any = None) -> Any:
        return super().get(alias.lower(), default)

    def pop(self, alias: str, *default: Any) -> Any:
        return super().pop(alias.lower(), *default)


def _new_key(kind: str, order: dict[str, Any]) -> Any:
    size = order.get("KeySize")
    if kind == "RSA":
        if not isinstance(size, int):
            raise Refusal(400, "KeySize is missing")
        return rsa.generate_private_key(65537, size)
    if kind == "DSA":
        return dsa.generate_private_key(2048)
    curves = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1(), "secp521r1": ec.SECP521R1()}
    name = order.get("KeyAlgorithmParameter") or {256: "secp256r1", 384: "secp384r1"}.get(size or 0, "secp521r1")
    if name not in curves:
        raise Refusal(400, "unknown curve")
    return ec.generate_private_key(curves[name])
