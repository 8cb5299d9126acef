"""What a server is judged against: a keystore file, or the Mozilla bundle where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.model import EntryKind, StoreType
from reconciler.tls.client_key import KeyPair
from reconciler.tls.results import TrustSource
from reconciler.trust import anchors_of

if TYPE_CHECKING:
    from reconciler.keystores.protocol import Container
    from reconciler.model import Snapshot
    from reconciler.secret import Secret


def trust_source(argument: str, password_env: str | None, password_file: str | None) -> TrustSource:
    """What `--keystore STATE|KEYSTORE` names.

    Raises:
        KeystoreUnreadableError: missing, unreachable, wrong password, corrupt.
    """
    from reconciler.commands.targets import given_password, is_keystore_file

    if is_keystore_file(argument):
        data = _read(argument, argument)
        return keystore_source(argument, data, given_password(argument, password_env, password_file))
    if password_env or password_file:
        raise ReconcileError(
            "a password option was given, but the argument is a state file",
            where=argument,
            hint="the state file says itself where its keystore's password comes from",
        )
    return _of_state(argument)


def _of_state(argument: str) -> TrustSource:
    from reconciler.commands.targets import password_of, reader_of
    from reconciler.desired import load_states

    states = load_states([argument])
    if len(states) != 1:
        raise ReconcileError(f"{len(states)} state files; this command takes one", where=argument)
    keystore = states[0].keystore
    if keystore.type is StoreType.SAP_CLOUD_INTEGRATION:
        reader = reader_of(states[0])
        try:
            live = reader.read()
            # Every entry may be the anchor, and each has to be there whole when the server is judged.
            snapshot = reader.complete(live, [entry.alias for entry in live.entries])
        finally:
            reader.close()
        return source_of_snapshot(keystore.location, snapshot, keys_withheld="the private keys of a tenant stay in it")
    return keystore_source(keystore.location, _read(keystore.path, keystore.location), password_of(keystore))


def _read(path: str, shown_as: str) -> bytes:
    from reconciler.keystores.files import read_keystore_file

    data = read_keystore_file(path, shown_as=shown_as)
    if data is None:
        raise KeystoreUnreadableError("there is no such keystore file", where=shown_as, hint="check the path")
    return data


def mozilla_source() -> TrustSource:
    """The public roots that the certifi package carries, each under ``mozilla:`` and its label."""
    from reconciler.desired.mozilla import bundle, version

    anchors = tuple((f"mozilla: {root.label}", root.certificate) for root in bundle().values())
    return TrustSource(f"the Mozilla bundle ({version()}), since no --keystore is named", anchors)


def keystore_source(name: str, data: bytes, password: Secret | None) -> TrustSource:
    """A keystore file: its entries as Java's trust manager takes them, and its key pairs.

    Raises:
        KeystoreUnreadableError: wrong password, or not a keystore.
    """
    from reconciler.keystores.formats import parse_container

    container = parse_container(data, password, origin=name)
    snapshot = container.snapshot()
    return source_of_snapshot(name, snapshot, _key_pairs(container, snapshot, password))


def source_of_snapshot(
    name: str, snapshot: Snapshot, key_pairs: tuple[KeyPair, ...] = (), keys_withheld: str | None = None
) -> TrustSource:
    """Any live keystore; `keys_withheld` says why its keys cannot be used here (those of a tenant)."""
    return TrustSource(
        f"the {len(snapshot.entries)} entries of {name}", anchors_of(snapshot.entries), key_pairs, keys_withheld
    )


def _key_pairs(container: Container, snapshot: Snapshot, password: Secret | None) -> tuple[KeyPair, ...]:
    return tuple(
        KeyPair(entry.alias, entry.chain, _Opener(container, entry.alias, password))
        for entry in snapshot.entries
        if entry.kind is EntryKind.KEY_PAIR and entry.chain and entry.reachable
    )


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens the private key of one entry when the handshake needs it."""

    container: Container
    alias: str
    password: Secret | None

    def __call__(self) -> Secret:
        from reconciler.secret import Secret

        return self.container.private_key(self.alias, self.password or Secret(b""))
