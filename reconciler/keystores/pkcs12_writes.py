"""Writes on the bags of a PKCS#12 file: what no write names keeps its bag, and its place.

Every bag is a slot of a draft. A write empties a slot, or puts one or more bags into it; new bags get slots at the end
of the contents that hold their like. An alias means every bag that Java answers it with: a write reaches hidden twins
too, and what Java would show afterwards is checked before anything is written.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from reconciler.errors import ReconcileError, RefusedError
from reconciler.keystores.pkcs12_bags import Bag, BagKind, certificate_bag, key_bag, with_name
from reconciler.keystores.pkcs12_crypto import protect_key
from reconciler.keystores.pkcs12_pfx import Envelope, Safe
from reconciler.keystores.pkcs12_view import JavaView
from reconciler.model import EntryKind, PutCertificate, PutChain, PutKeyPair, Remove, Rename, Restore
from reconciler.ownership import alias_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from reconciler.keystores.pkcs12_crypto import Passphrase
    from reconciler.keystores.pkcs12_profiles import Profile
    from reconciler.keystores.pkcs12_view import Claim
    from reconciler.model import Certificate, Write

# Stands for the protected key in a preview, which is never written.
_PLACEHOLDER = b"\x30\x00"
_HINT = (
    "entries without a name or localKeyID, or several with the same, are in the way; copy the keystore with "
    "keytool -importkeystore, which gives each its own, and use the copy"
)


class Carried(NamedTuple):
    """An entry as its bags, for another file.

    Attributes:
        alias: As the file spells it.
        kind: What Java shows.
        own: Its bag.
        leaf: The bag of its own certificate, for key pairs.
        chain: What Java shows.
    """

    alias: str
    kind: EntryKind
    own: Bag
    leaf: Bag | None
    chain: tuple[Certificate, ...]


@runtime_checkable
class HoldsBags(Protocol):
    """A container whose entries can be put into another one bag by bag."""

    def carried(self, alias: str) -> Carried | None:
        """The entry that Java shows under `alias`; None where its bags would mean something else elsewhere."""


class _Place(NamedTuple):
    """A slot: in which of the contents, and which of theirs."""

    safe: int
    slot: int


class _Holder(NamedTuple):
    """What answers to an alias.

    Attributes:
        kind: What Java shows.
        alias: Under which name, as the file spells it.
        places: The slots of all that ask for the alias; the one that Java shows is the last.
        leaf: The slot of its own certificate, for key pairs.
        twin_leaves: The same for the keys that the shown one hides.
        chain: What Java shows.
        key_id: The localKeyID, for key pairs; given or implied.
        unnamed: Whether the alias is a number that Java gives because there is no name.
    """

    kind: EntryKind
    alias: str
    places: tuple[_Place, ...]
    leaf: _Place | None = None
    twin_leaves: tuple[_Place, ...] = ()
    chain: tuple[Certificate, ...] = ()
    key_id: bytes | None = None
    unnamed: bool = False

    @property
    def shown(self) -> _Place:
        return self.places[-1]

    @property
    def leaves(self) -> tuple[_Place, ...]:
        """All leaves; one that several of the keys share stands there for each."""
        return self.twin_leaves if self.leaf is None else (self.leaf, *self.twin_leaves)


class Draft:
    """The contents of a file while writes are applied to them."""

    def __init__(  # each is a fact of its own
        self, safes: Sequence[Safe], password: Passphrase | None, now: datetime, profile: Profile, *, plain: bool
    ) -> None:
        """Begin.

        Args:
            safes: The contents as they are.
            password: Protects new keys; None for a preview.
            now: The creation date of new keys.
            profile: How new keys and new contents with certificates are encrypted.
            plain: Whether contents that have to be added for certificates are left unencrypted.
        """
        view = JavaView([safe.bags for safe in safes])
        places = [_Place(s, i) for s, safe in enumerate(safes) for i in range(len(safe.bags))]
        self._safes = list(safes)
        self._password = password
        self._now = now
        self._profile = profile
        self._plain = plain
        self._slots: list[list[tuple[Bag, ...]]] = [[(bag,) for bag in safe.bags] for safe in safes]
        self._kinds = [{bag.kind for bag in safe.bags} for safe in safes]
        self._changed: set[int] = set()
        self._before = view
        self._written: set[str] = set()  # the aliases that the writes name
        self._holders = _holders(view, places)
        self._unnamed = {places[claim.position] for claim in (*view.covered, *view.shown.values()) if claim.unnamed}
        self._leaf_uses = Counter(leaf for holder in self._holders.values() for leaf in holder.leaves)
        self._leaf_uses.update(places[chain[0]] for at in view.unclaimed_keys if (chain := view.hidden_chain(at)))
        self._present = Counter(certificate.der for certificate in view.certificates.values())
        self._key_ids = {bag.key_id for bag in view.bags}
        # Certificates that may have been in no other chain than one that went away.
        self._loose: set[bytes] = set()
        self._retired: set[bytes] = set()  # those of them that were leaves
        # What Java must show afterwards: the leaf or trusted certificate of each alias that was written.
        self._expected: dict[str, tuple[EntryKind, Certificate | None]] = {}

    def apply(self, write: Write) -> None:
        """Apply one write.

        Raises:
            ReconcileError: it does not fit what is there.
            RefusedError: it would change what it does not name.
        """
        _check_alias(write.new_alias if isinstance(write, Rename) else write.alias)
        self._written.add(alias_key(write.alias))
        match write:
            case PutCertificate():
                self._put_certificate(write)
            case PutKeyPair():
                self._put_key_pair(write)
            case PutChain():
                self._put_chain(write)
            case Remove():
                self._remove(write)
            case Rename():
                self._rename(write)
            case Restore():
                self._restore(write)

    def finished(self) -> tuple[Safe, ...]:
        """The contents after the writes.

        Raises:
            RefusedError: Java would show something else than what was asked for, or something would be lost.
        """
        safes = self._built()
        view = JavaView([safe.bags for safe in safes])
        if self._loose:
            safes, view = self._without_orphans(safes, view)
        self._check_expected(view)
        self._check_others(view)
        return safes

    # ------------------------------------------------------------------------------------------- the writes

    def _put_certificate(self, write: PutCertificate) -> None:
        holder = self._holder_of(write.alias, EntryKind.TRUSTED_CERTIFICATE)
        unnamed = holder is not None and holder.unnamed
        bag = certificate_bag(write.certificate, name=None if unnamed else write.alias, trusted=True)
        place = self._put(holder, bag, self._certificate_safe)
        self._holders[alias_key(write.alias)] = _Holder(
            EntryKind.TRUSTED_CERTIFICATE, write.alias, (place,), chain=(write.certificate,), unnamed=unnamed
        )
        self._expected[alias_key(write.alias)] = (EntryKind.TRUSTED_CERTIFICATE, write.certificate)

    def _put_key_pair(self, write: PutKeyPair) -> None:
        if not write.chain:
            raise ReconcileError(f"the key pair {write.alias!r} has no certificate")
        holder = self._holder_of(write.alias, EntryKind.KEY_PAIR)
        unnamed = holder is not None and holder.unnamed
        key, key_id = alias_key(write.alias), self._fresh_key_id(write.created or self._now)
        bag = key_bag(self._protected(write), name=None if unnamed else key, key_id=key_id)
        place = self._put(holder, bag, self._key_safe)
        leaf = self._place_leaf(key, key_id, write.chain, holder)
        self._holders[key] = _Holder(EntryKind.KEY_PAIR, key, (place,), leaf, (), write.chain, key_id, unnamed)
        self._expected[key] = (EntryKind.KEY_PAIR, write.chain[0])

    def _put_chain(self, write: PutChain) -> None:
        holder = self._holder_of(write.alias, EntryKind.KEY_PAIR)
        if holder is None or not write.chain:
            raise ReconcileError(f"there is no key pair {write.alias!r} to give the chain to")
        # The bag of the key stays as it is. Where it has no localKeyID, it is the one key that Java gives an implied
        # one, and the new leaf carries that.
        key, key_id, leaf = alias_key(write.alias), holder.key_id or b"", holder.leaf
        self._loosen(holder.chain)
        if leaf is not None and write.chain[0].der in _ders(self._bags(leaf)[:1]):
            self._set(leaf, (*self._bags(leaf), *self._missing(write.chain[1:])))
        else:
            self._retire(() if leaf is None else (leaf,))
            leaf = self._place_leaf(key, key_id, write.chain, holder)
        self._holders[key] = holder._replace(leaf=leaf, chain=write.chain)
        self._expected[key] = (EntryKind.KEY_PAIR, write.chain[0])

    def _remove(self, write: Remove) -> None:
        holder = self._existing(write.alias)
        self._refuse_renumbering(holder.places, f"removing {write.alias!r}")
        self._loosen(holder.chain if holder.kind is EntryKind.KEY_PAIR else ())
        self._retire(holder.leaves)
        self._empty(holder.places)
        del self._holders[alias_key(write.alias)]
        self._expected.pop(alias_key(write.alias), None)

    def _rename(self, write: Rename) -> None:
        holder, old, new = self._existing(write.alias), alias_key(write.alias), alias_key(write.new_alias)
        if new != old and new in self._holders:
            raise ReconcileError(f"{write.alias!r} cannot be renamed, there is an entry {write.new_alias!r} already")
        self._refuse_renumbering(holder.places, f"renaming {write.alias!r}")
        # As Java stores them: keys in lower case, trusted certificates as they are spelled.
        name = write.new_alias if holder.kind is EntryKind.TRUSTED_CERTIFICATE else new
        for place in holder.places:
            self._edit(place, lambda bag: with_name(bag, name))
        for leaf in holder.leaves:
            if self._leaf_uses[leaf] == 1:
                self._edit(leaf, lambda bag: with_name(bag, name) if _is_called(bag, old) else bag)
        self._unnamed.difference_update(holder.places)
        del self._holders[old]
        self._holders[new] = holder._replace(alias=name, unnamed=False)
        self._written.add(new)
        self._expected.pop(old, None)
        self._expected[new] = (holder.kind, holder.chain[0] if holder.chain else None)

    def _restore(self, write: Restore) -> None:
        """The bag of an entry of another file, with the bag of its leaf, and what of its chain is not here."""
        carried = write.origin.carried(write.alias) if isinstance(write.origin, HoldsBags) else None
        if carried is None:
            raise ReconcileError(f"the backup holds no entry {write.alias!r} that could be put back as it is")
        own, leaf, chain = carried.own, carried.leaf, carried.chain
        key, holder = alias_key(write.alias), self._holder_of(write.alias, carried.kind)
        trusted = carried.kind is EntryKind.TRUSTED_CERTIFICATE
        place = self._put(holder, own, self._certificate_safe if trusted else self._key_safe)
        at = None if leaf is None else self._put_leaf(leaf, chain, holder)
        self._holders[key] = _Holder(carried.kind, carried.alias, (place,), at, (), chain, own.key_id)
        self._expected[key] = (carried.kind, chain[0] if chain else None)

    # ------------------------------------------------------------------------------------------- what answers

    def _holder_of(self, alias: str, kind: EntryKind) -> _Holder | None:
        """What answers to `alias`, if it is of the kind that is to be put there."""
        holder = self._holders.get(alias_key(alias))
        if holder is not None and holder.kind is not kind:
            raise RefusedError(
                f"{alias!r} is a {holder.kind.value} and is not replaced by a {kind.value}",
                hint="remove or rename the entry first",
            )
        return holder

    def _existing(self, alias: str) -> _Holder:
        holder = self._holders.get(alias_key(alias))
        if holder is None:
            raise ReconcileError(f"there is no entry {alias!r}")
        return holder

    def _refuse_renumbering(self, places: Iterable[_Place], doing: str) -> None:
        """Java numbers entries without a name in file order: one less, and all that follow are called otherwise."""
        gone = self._unnamed.intersection(places)
        if gone and any(place > min(gone) for place in self._unnamed - gone):
            raise RefusedError(
                f"{doing} would change the aliases of other entries: Java numbers the entries without a name",
                hint="begin with the last entry that has a number for an alias, and rename towards the first",
            )

    # ------------------------------------------------------------------------------------------- key pairs

    def _protected(self, write: PutKeyPair) -> bytes:
        if self._password is None:
            return _PLACEHOLDER
        if write.private_key is None:
            raise ReconcileError(f"the key pair {write.alias!r} has no private key")
        return protect_key(write.private_key.reveal(), self._password, self._profile.keys())

    def _fresh_key_id(self, created: datetime) -> bytes:
        """A localKeyID as Java makes it, the creation date in it; a millisecond later where it is taken."""
        moment = round(created.timestamp() * 1000)
        while (key_id := b"Time %d" % moment) in self._key_ids:
            moment += 1
        self._key_ids.add(key_id)
        return key_id

    def _place_leaf(self, key: str, key_id: bytes, chain: Sequence[Certificate], holder: _Holder | None) -> _Place:
        """Put a new leaf, and what of its chain is not in the file yet, where the old leaf was, else at the end.

        It stands before the old leaf, which stays if it is in another chain: of two that fit, Java takes the first.
        """
        return self._put_leaf(certificate_bag(chain[0], name=key, key_id=key_id), chain, holder)

    def _put_leaf(self, leaf: Bag, chain: Sequence[Certificate], holder: _Holder | None) -> _Place:
        vacant = next((place for place in holder.leaves if not self._leaf_uses[place]), None) if holder else None
        if vacant is None:
            vacant = self._append(self._certificate_safe(), (leaf, *self._missing(chain[1:], leaf)))
        else:
            old = [bag for bag in self._bags(vacant) if bag.certificate is None or bag.certificate.der != chain[0].der]
            self._set(vacant, (leaf, *self._missing(chain[1:], leaf), *old))
        self._leaf_uses[vacant] += 1
        return vacant

    def _missing(self, certificates: Sequence[Certificate], *besides: Bag) -> list[Bag]:
        """Bags for those certificates that are not in the file yet, trusted or not."""
        there = set(_ders(besides))
        missing = []
        for certificate in certificates:
            if certificate.der not in there and not self._present[certificate.der]:
                missing.append(certificate_bag(certificate, name=None))
                there.add(certificate.der)
        return missing

    def _loosen(self, certificates: Iterable[Certificate]) -> None:
        self._loose.update(certificate.der for certificate in certificates)

    def _retire(self, leaves: Sequence[_Place]) -> None:
        """These leaves are no longer needed once; what no key uses any more may be the issuer in another chain yet."""
        self._leaf_uses.subtract(leaves)
        unused = [bag for leaf in leaves if not self._leaf_uses[leaf] for bag in self._bags(leaf)]
        self._loose.update(_ders(unused))
        self._retired.update(bag.raw for bag in unused)

    # ------------------------------------------------------------------------------------------- slots

    def _bags(self, place: _Place) -> tuple[Bag, ...]:
        return self._slots[place.safe][place.slot]

    def _set(self, place: _Place, bags: tuple[Bag, ...]) -> None:
        safe = self._safes[place.safe]
        if safe.obstacle is not None:
            raise RefusedError(f"the keystore cannot be written whole: {safe.obstacle}")
        self._present.subtract(_ders(self._bags(place)))
        self._present.update(_ders(bags))
        self._slots[place.safe][place.slot] = bags
        self._kinds[place.safe].update(bag.kind for bag in bags)
        self._changed.add(place.safe)

    def _edit(self, place: _Place, edit: Callable[[Bag], Bag]) -> None:
        """Put another bag in the place of a slot's first: its entry, or the leaf before what was put in with it."""
        bag, *others = self._bags(place)
        edited = edit(bag)
        if edited != bag:
            self._set(place, (edited, *others))

    def _put(self, holder: _Holder | None, bag: Bag, safe: Callable[[], int]) -> _Place:
        """`bag` in the place of what the alias shows, all that answered to it taken out; else at the end."""
        if holder is None:
            return self._append(safe(), (bag,))
        self._refuse_renumbering(holder.places[:-1], f"writing {holder.alias!r}")
        self._loosen(holder.chain if holder.kind is EntryKind.KEY_PAIR else ())
        self._retire(holder.leaves)
        self._empty(holder.places[:-1])
        self._set(holder.shown, (bag,))
        return holder.shown

    def _empty(self, places: Sequence[_Place]) -> None:
        for place in places:
            self._set(place, ())
        self._unnamed.difference_update(places)

    def _append(self, safe: int, bags: tuple[Bag, ...]) -> _Place:
        self._slots[safe].append(())
        place = _Place(safe, len(self._slots[safe]) - 1)
        self._set(place, bags)
        return place

    # ------------------------------------------------------------------------------------------- contents

    def _certificate_safe(self) -> int:
        """The contents that new certificates go to: where certificates are, the encrypted ones if there are some."""
        holding = self._safes_with(BagKind.CERTIFICATE)
        encrypted = [index for index in holding if self._safes[index].envelope is not None]
        envelope = None if self._plain else Envelope(self._profile.certificates())
        return (encrypted or holding or [self._empty_safe(envelope)])[-1]

    def _key_safe(self) -> int:
        """The contents that new keys go to: where keys are. Each is encrypted on its own, as Java does it."""
        holding = self._safes_with(BagKind.KEY, BagKind.SECRET_KEY)
        if not holding:
            return self._empty_safe(None)
        # As long as there is one key, and it has no localKeyID, Java takes the first of the certificates that follow
        # for its own: a second key must not come before them.
        if self._before.has_implied_key_id and any(at > holding[-1] for at in self._safes_with(BagKind.CERTIFICATE)):
            return self._new_safe(None)
        return holding[-1]

    def _safes_with(self, *kinds: BagKind) -> list[int]:
        """The contents that hold bags of these kinds, or did before the writes."""
        return [index for index, held in enumerate(self._kinds) if held.intersection(kinds)]

    def _empty_safe(self, envelope: Envelope | None) -> int:
        for index, slots in enumerate(self._slots):
            safe = self._safes[index]
            if not slots and safe.raw is None and (safe.envelope is None) == (envelope is None):
                return index
        return self._new_safe(envelope)

    def _new_safe(self, envelope: Envelope | None) -> int:
        self._safes.append(Safe(envelope=envelope))
        self._slots.append([])
        self._kinds.append(set())
        return len(self._safes) - 1

    # ------------------------------------------------------------------------------------------- the end

    def _built(self) -> tuple[Safe, ...]:
        built = list(self._safes)
        for index in self._changed:
            bags = tuple(bag for slot in self._slots[index] for bag in slot)
            built[index] = built[index]._replace(bags=bags, raw=None)
        return tuple(built)

    def _without_orphans(self, safes: tuple[Safe, ...], view: JavaView) -> tuple[tuple[Safe, ...], JavaView]:
        """Take out certificates that were there for nothing but a chain that went away."""
        orphans = self._loose - view.certificates_in_chains
        spare = self._spare_leaves(view)
        if not spare and not any(_is_orphan(bag, orphans) for bag in view.bags):
            return safes, view
        before = view.chains()
        for index, slots in enumerate(self._slots):
            for slot in range(len(slots)):
                place = _Place(index, slot)
                kept = tuple(b for b in self._bags(place) if not _is_orphan(b, orphans) and id(b) not in spare)
                if kept != self._bags(place):
                    self._set(place, kept)
        cleaned = self._built()
        view_after = JavaView([safe.bags for safe in cleaned])
        # Which certificate begins its contents can matter to Java: then they stay.
        return (cleaned, view_after) if view_after.chains() == before else (safes, view)

    def _spare_leaves(self, view: JavaView) -> set[int]:
        """Leaves that lost their key while the same certificate came back in another bag (by `id`)."""
        owned = view.owners()
        held = Counter(bag.certificate.der for bag in view.bags if bag.certificate is not None)
        spare = set()
        for position, bag in enumerate(view.bags):
            if bag.certificate is None or bag.trusted or position in owned:
                continue
            if bag.raw in self._retired and held[bag.certificate.der] > 1:
                held[bag.certificate.der] -= 1
                spare.add(id(bag))
        return spare

    def _check_expected(self, view: JavaView) -> None:
        for key, (kind, certificate) in self._expected.items():
            claim = view.shown.get(key)
            chain = view.chain(claim) if claim is not None else []
            leaf = view.certificate(chain[0]).der if chain else None
            if claim is None or claim.kind is not kind or leaf != (certificate.der if certificate else None):
                raise RefusedError(
                    f"{key!r} cannot be written: among the other contents of the file Java would show something else",
                    hint=_HINT,
                )

    def _check_others(self, view: JavaView) -> None:
        """An entry that no write names must be what it was; its chain beyond its own certificate may have changed."""
        before = self._before
        others = [key for key in before.shown if key not in self._written]
        for key in others:
            after = view.shown.get(key)
            if after is None or before.bags_of(before.shown[key]) != view.bags_of(after):
                raise RefusedError(
                    f"this cannot be written without changing {key!r}: Java would take something else for it",
                    hint=_HINT,
                )
        for key in sorted(view.shown.keys() - set(others) - self._expected.keys()):
            raise RefusedError(
                f"this cannot be written without another entry appearing: {key!r}, which Java does not show so far",
                hint=_HINT,
            )


def _holders(view: JavaView, places: Sequence[_Place]) -> dict[str, _Holder]:
    covered: dict[str, list[Claim]] = {}
    for claim in view.covered:
        covered.setdefault(claim.key, []).append(claim)
    return {key: _holder(view, places, claim, covered.get(key, [])) for key, claim in view.shown.items()}


def _holder(view: JavaView, places: Sequence[_Place], shown: Claim, covered: Sequence[Claim]) -> _Holder:
    leaf = view.leaf(shown)
    return _Holder(
        shown.kind,
        shown.alias,
        tuple([places[claim.position] for claim in (*covered, shown)]),
        None if leaf is None else places[leaf],
        tuple([places[twin] for claim in covered if (twin := view.leaf(claim)) is not None]),
        tuple([view.certificate(position) for position in view.chain(shown)]),
        shown.key_id,
        shown.unnamed,
    )


def _check_alias(alias: str) -> None:
    try:
        alias.encode("utf-16-be")
    except UnicodeEncodeError:
        raise ReconcileError(f"the alias {alias!r} has half a surrogate pair, which is no character") from None


def _ders(bags: Iterable[Bag]) -> list[bytes]:
    return [bag.certificate.der for bag in bags if bag.certificate is not None]


def _is_called(bag: Bag, key: str) -> bool:
    return bag.name is not None and alias_key(bag.name) == key


def _is_orphan(bag: Bag, orphans: set[bytes]) -> bool:
    return bag.certificate is not None and not bag.trusted and bag.certificate.der in orphans
