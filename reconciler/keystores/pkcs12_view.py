"""What Java makes of the bags of a PKCS#12 file: which entries it shows, under which aliases, and what it hides.

A transcription of the rules of `sun.security.pkcs12.PKCS12KeyStore` (`loadSafeContents`, `findMatchedCertificate`),
JDK 17 to 25. Bags are known by their position, counted over the whole file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from reconciler.keystores.pkcs12_bags import BagKind, bags_inside
from reconciler.keystores.pkcs12_chains import ChainSearch
from reconciler.model import Entry, EntryKind, HiddenEntry, Part
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.keystores.pkcs12_bags import Bag
    from reconciler.model import Certificate

# What Java takes for the localKeyID of the first key, and of a certificate that begins its SafeContents after it.
IMPLIED_KEY_ID = b"01"
# Bags inside bags inside bags: RFC 7292 sets no limit, and no program is known to write even one level.
MAX_NESTING = 8

_SKIPPED = "private key without localKeyID, of which Java reads none but the first"
_TWIN = "hidden by a later entry of the same alias"
_NO_CERTIFICATE = "Java finds no certificate for this private key"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CREATED = re.compile(rb"Time ([+-]?[0-9]{1,18})")


class Claim(NamedTuple):
    """A bag that asks for an alias in Java's table."""

    position: int
    alias: str  # as in the file, or the number that Java gives
    key: str  # its identity
    kind: EntryKind
    key_id: bytes | None
    unnamed: bool


class JavaView:
    """The bags of a file in Java's eyes."""

    def __init__(self, safes: Sequence[Sequence[Bag]]) -> None:
        self.bags = [bag for bags in safes for bag in bags]
        self.shown: dict[str, Claim] = {}
        self.covered: list[Claim] = []  # replaced in the table by a later claim to the same alias
        self.skipped: set[int] = set()
        self._certificates: dict[int, Certificate] = {}
        self._candidates: list[tuple[int, bytes | None]] = []  # for leaves: certificates that are not trusted
        self._chains: dict[int, list[int]] = {}
        self._unnamed = 0
        self._keys = 0
        position = 0
        for bags in safes:
            for index, bag in enumerate(bags):
                self._load(position, bag, begins=index == 0)
                position += 1

    def _load(self, position: int, bag: Bag, *, begins: bool) -> None:
        match bag.kind:
            case BagKind.CERTIFICATE if bag.certificate is not None:
                self._certificates[position] = bag.certificate
                self._load_certificate(position, bag, begins=begins)
            case BagKind.KEY:
                self._keys += 1
                if bag.key_id is None and self._keys > 1:
                    self.skipped.add(position)
                else:
                    key_id = IMPLIED_KEY_ID if bag.key_id is None else bag.key_id
                    self._claim(position, bag, EntryKind.KEY_PAIR, key_id)
            case BagKind.SECRET_KEY:
                self._claim(position, bag, EntryKind.SECRET_KEY, bag.key_id)
            case _:
                pass  # Java reads over everything else

    def _load_certificate(self, position: int, bag: Bag, *, begins: bool) -> None:
        if bag.trusted:
            self._claim(position, bag, EntryKind.TRUSTED_CERTIFICATE, bag.key_id)
        else:
            implied = IMPLIED_KEY_ID if begins and self._keys == 1 else None
            self._candidates.append((position, implied if bag.key_id is None else bag.key_id))

    def _claim(self, position: int, bag: Bag, kind: EntryKind, key_id: bytes | None) -> None:
        alias = bag.name
        if alias is None:
            self._unnamed += 1
            alias = str(self._unnamed)
        key = alias_key(alias)
        before = self.shown.get(key)
        if before is not None:
            self.covered.append(before)
        # A dictionary keeps the place of the first, as Java's table does.
        self.shown[key] = Claim(position, alias, key, kind, key_id, bag.name is None)

    # ------------------------------------------------------------------------------------------- chains

    def leaf(self, claim: Claim) -> int | None:
        """The position of a key pair's own certificate (`findMatchedCertificate`)."""
        return self._matched(claim.alias, claim.key_id) if claim.kind is EntryKind.KEY_PAIR else None

    def _matched(self, alias: str | None, key_id: bytes | None) -> int | None:
        name = None if alias is None else _ignoring_case(alias)
        first_of_both, last_of_id, last_of_name = self._candidates_by_attribute
        for table, attribute in ((first_of_both, (key_id, name)), (last_of_id, key_id), (last_of_name, name)):
            if attribute in table:
                return table[attribute]
        return None

    @property
    def has_implied_key_id(self) -> bool:
        """Whether there is a key that Java gives a localKeyID because it is the first and has none."""
        claims = (*self.covered, *self.shown.values())
        return any(one.kind is EntryKind.KEY_PAIR and self.bags[one.position].key_id is None for one in claims)

    def bags_of(self, claim: Claim) -> tuple[bytes, ...]:
        """Every byte that the file carries for an entry: its own bag, and its leaf's."""
        own, leaf = self.bags[claim.position].raw, self.leaf(claim)
        return (own,) if leaf is None else (own, self.bags[leaf].raw)

    @cached_property
    def _candidates_by_attribute(self) -> tuple[dict[object, int], dict[object, int], dict[object, int]]:
        """The first with a localKeyID and a name, the last with a localKeyID, the last with a name: Java's order."""
        first_of_both: dict[object, int] = {}
        last_of_id: dict[object, int] = {}
        last_of_name: dict[object, int] = {}
        for position, key_id in self._candidates:
            name = self.bags[position].name
            if key_id is not None:
                last_of_id[key_id] = position
            if name is not None:
                last_of_name[_ignoring_case(name)] = position
            if key_id is not None and name is not None:
                first_of_both.setdefault((key_id, _ignoring_case(name)), position)
        return first_of_both, last_of_id, last_of_name

    def chain(self, claim: Claim) -> list[int]:
        """The positions of the certificates that Java shows for an entry, leaf first."""
        match claim.kind:
            case EntryKind.TRUSTED_CERTIFICATE:
                return [claim.position]
            case EntryKind.KEY_PAIR:
                return self._chain_from(self.leaf(claim))
            case _:
                return []

    def hidden_chain(self, position: int) -> list[int]:
        """The chain of a private key that Java does not show, found by the same rules."""
        bag = self.bags[position]
        return self._chain_from(self._matched(bag.name, bag.key_id))

    def chain_from_certificate(self, position: int) -> list[int]:
        """The chain that begins with the certificate at `position`."""
        return self._chain_from(position)

    def _chain_from(self, leaf: int | None) -> list[int]:
        if leaf is None:
            return []
        if leaf not in self._chains:
            positions, search = self._search
            self._chains[leaf] = [positions[index] for index in search.chain(bisect_left(positions, leaf))]
        return self._chains[leaf]

    @cached_property
    def _search(self) -> tuple[list[int], ChainSearch]:
        return list(self._certificates), ChainSearch(list(self._certificates.values()))

    def certificate(self, position: int) -> Certificate:
        """The certificate in the bag at `position`."""
        return self._certificates[position]

    @property
    def certificates(self) -> Mapping[int, Certificate]:
        """All certificates that Java reads, by position."""
        return self._certificates

    def chains(self) -> dict[str, tuple[bytes, ...]]:
        """The certificates of every shown entry."""
        return {
            claim.key: tuple([self.certificate(position).der for position in self.chain(claim)])
            for claim in self.shown.values()
        }

    @cached_property
    def certificates_in_chains(self) -> set[bytes]:
        """Every certificate that belongs to an entry or to a private key that is not shown."""
        chains = [self.chain(claim) for claim in self.shown.values()]
        chains.extend(self.hidden_chain(key) for key in self.hidden_keys)
        return {self.certificate(position).der for chain in chains for position in chain}

    @property
    def unclaimed_keys(self) -> list[int]:
        """The positions of private keys that Java reads over."""
        plain = [position for position, bag in enumerate(self.bags) if bag.kind is BagKind.PLAIN_KEY]
        return sorted((*plain, *self.skipped))

    @property
    def hidden_keys(self) -> list[int]:
        """The positions of private keys that are not shown: read over, or hidden by a later entry."""
        twins = (claim.position for claim in self.covered if claim.kind is EntryKind.KEY_PAIR)
        return sorted((*self.unclaimed_keys, *twins))

    # ---------------------------------------------------------------------------------------- as values

    def entries(self) -> tuple[Entry, ...]:
        """What Java shows, in its order."""
        return tuple([self._entry(claim) for claim in self.shown.values()])

    def _entry(self, claim: Claim) -> Entry:
        carried = self.bags_of(claim)
        is_trusted, is_key_pair = claim.kind is EntryKind.TRUSTED_CERTIFICATE, claim.kind is EntryKind.KEY_PAIR
        return Entry(
            alias=claim.key,
            kind=claim.kind,
            chain=tuple([self.certificate(position) for position in self.chain(claim)]),
            digest=sha256(b"".join(carried)).hexdigest(),
            stored_alias=claim.alias,
            created=None if is_trusted else _created(claim.key_id),
            note=_NO_CERTIFICATE if is_key_pair and len(carried) == 1 else None,
            key_digest=sha256(self.bags[claim.position].value).hexdigest() if is_key_pair else None,
        )

    def parts(self) -> tuple[Part, ...]:
        """Every bag in file order with the entry that it belongs to."""
        owners = self.owners()
        return tuple(
            [
                Part(
                    owners.get(position),
                    sha256(bag.raw).hexdigest(),
                    bag.certificate.sha256 if bag.certificate is not None else None,
                )
                for position, bag in enumerate(self.bags)
            ]
        )

    def owners(self) -> dict[int, str]:
        """The identity of the entry that each bag belongs to: its own, and for a leaf that of its one key."""
        claims = (*self.covered, *self.shown.values())
        owners = {claim.position: claim.key for claim in claims}
        leaves: dict[int, set[str]] = {}
        for claim in claims:
            if (leaf := self.leaf(claim)) is not None:
                leaves.setdefault(leaf, set()).add(claim.key)
        owners.update({leaf: next(iter(keys)) for leaf, keys in leaves.items() if len(keys) == 1})
        return owners

    def hidden(self) -> tuple[HiddenEntry, ...]:
        """What is in the file and not shown."""
        shown = {claim.position for claim in self.shown.values()}
        found: list[HiddenEntry] = []
        for position, bag in enumerate(self.bags):
            if position not in shown and not self._is_in_a_chain(bag):
                found.extend(self._hidden(position, bag))
        return tuple(found)

    def _is_in_a_chain(self, bag: Bag) -> bool:
        """Whether a certificate that is no entry of its own is listed with an entry or a hidden key."""
        return bag.certificate is not None and not bag.trusted and bag.certificate.der in self.certificates_in_chains

    @cached_property
    def _covered_positions(self) -> set[int]:
        return {claim.position for claim in self.covered}

    def why_hidden(self, position: int) -> str:
        """What a bag is that Java does not show, and why it does not."""
        bag = self.bags[position]
        if position in self.skipped:
            return _SKIPPED
        if position in self._covered_positions:
            return f"{'trusted ' if bag.trusted else ''}{bag.kind.value}, {_TWIN}"
        if bag.kind is BagKind.CERTIFICATE:
            return "certificate outside every chain" if bag.certificate else "certificate of another type than X.509"
        return str(bag.kind.value)

    def _hidden(self, position: int, bag: Bag) -> Iterator[HiddenEntry]:
        if bag.kind is BagKind.NESTED:
            yield from _nested(bag, MAX_NESTING)
            return
        certificates: tuple[Certificate, ...] = (bag.certificate,) if bag.certificate is not None else ()
        if bag.kind in (BagKind.PLAIN_KEY, BagKind.KEY):
            certificates = tuple([self.certificate(one) for one in self.hidden_chain(position)])
        yield HiddenEntry(bag.name or "", self.why_hidden(position), certificates)


def _nested(bag: Bag, depth: int) -> Iterator[HiddenEntry]:
    inside = bags_inside(bag) if depth else ()
    if not inside:
        yield HiddenEntry(bag.name or "", bag.kind.value)
    for one in inside:
        if one.kind is BagKind.NESTED:
            yield from _nested(one, depth - 1)
        else:
            certificates = (one.certificate,) if one.certificate is not None else ()
            yield HiddenEntry(one.name or "", f"{one.kind.value} inside a nested bag", certificates)


def _created(key_id: bytes | None) -> datetime | None:
    """The creation date that Java keeps in the localKeyID of a key."""
    match = _CREATED.fullmatch(key_id) if key_id is not None else None
    if match is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=int(match[1]))
    except OverflowError:
        return None


def _ignoring_case(name: str) -> str:
    """Equal for two names when Java's `String.equalsIgnoreCase` says so: character by character, without folding."""
    return name.lower() if name.isascii() else "".join(map(_lowered_upper, name))


def _lowered_upper(character: str) -> str:
    # Java maps one character to one; where Python knows only a longer mapping, there is none.
    upper = character.upper()
    lower = (upper if len(upper) == 1 else character).lower()
    return lower if len(lower) == 1 else "i"  # only İ (U+0130) has a longer lower case
