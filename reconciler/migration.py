"""Whether the keystore file itself is as declared: its format, its password, its encryption. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import Action, Change, Difference, EntryKind, Finding, Migration, Status, Step, StoreType
from reconciler.ownership import alias_key, protected_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model import DesiredState, Entry, Snapshot

TYPE, PASSWORD, ENCRYPTION = "type", "password", "encryption"  # reason codes
# What stands between the reasons of one change; their order is that of the three above.
AND = "+"


def due(desired: DesiredState, live: Snapshot) -> Migration | None:
    """How the keystore has to change to be as declared, or None when it is."""
    target = desired.keystore
    if not live.exists or target.type is StoreType.SAP_CLOUD_INTEGRATION:
        return None
    becomes_pkcs12 = target.type is StoreType.PKCS12
    migration = Migration(
        live.type,
        target.type,
        live.encryption,
        target.encryption if becomes_pkcs12 else None,
        live.opened_with_previous,
        _protected_keys(desired, live),
    )
    return migration if reasons(migration) else None


def reasons(migration: Migration) -> tuple[str, ...]:
    """The reason codes, in their fixed order."""
    same_type = migration.from_type is migration.to_type
    other = migration.to_encryption is not None and migration.to_encryption != migration.from_encryption
    applies = {TYPE: not same_type, PASSWORD: migration.new_password, ENCRYPTION: same_type and other}
    return tuple(reason for reason, holds in applies.items() if holds)


def finding(desired: DesiredState, migration: Migration) -> Finding:
    """What drift says of it. It is about no entry, so it has no alias."""
    return Finding(
        "",
        Status.DIFFERS,
        AND.join(reasons(migration)),
        f"the keystore {_sentence(migration)}",
        differences=tuple(_differences(migration)),
        source=desired.keystore.source,
    )


def change(desired: DesiredState, live: Snapshot, migration: Migration) -> Change:
    """What the plan says of it."""
    return Change(
        Action.MIGRATE,
        "",
        AND.join(reasons(migration)),
        "; ".join([f"the keystore {_sentence(migration)}; no entry changes", *_about_backups(live)]),
        desired.keystore.source,
        step=Step.MIGRATE,
        warnings=tuple(_warnings(live, migration)),
        migration=migration,
    )


def _protected_keys(desired: DesiredState, live: Snapshot) -> frozenset[str]:
    patterns = [one.pattern for one in desired.protected]
    return frozenset(
        alias_key(entry.alias)
        for entry in live.entries
        if entry.kind is not EntryKind.TRUSTED_CERTIFICATE and protected_by(entry.alias, entry.owner, patterns)
    )


def _sentence(migration: Migration) -> str:
    phrases = {
        TYPE: f"becomes {migration.to_type} instead of {migration.from_type}",
        PASSWORD: "changes from its previous password to the declared one",
        ENCRYPTION: f"changes its encryption from {migration.from_encryption or 'none'} to {migration.to_encryption}",
    }
    return ", ".join(phrases[reason] for reason in reasons(migration))


def _differences(migration: Migration) -> Iterator[Difference]:
    for reason in reasons(migration):
        match reason:
            case "type":
                yield Difference(TYPE, migration.from_type, migration.to_type)
            case "password":
                yield Difference(PASSWORD, "the previous one", "the declared one")
            case _:
                yield Difference(ENCRYPTION, migration.from_encryption or "none", migration.to_encryption or "")


def _about_backups(live: Snapshot) -> Iterator[str]:
    """Whoever changes a password because it leaked wants to know where it still opens something."""
    if live.opened_with_previous:
        count = len(live.old_backups)
        names = f" ({', '.join(live.old_backups)})" if count else ""
        plural = "backup opens" if count == 1 else "backups open"
        yield f"{count} {plural} with the previous password{names}, and so will the one that this run makes"


def _warnings(live: Snapshot, migration: Migration) -> Iterator[str]:
    """What keeps the password that it has, as far as it can be told without opening a key."""
    if not migration.new_password:
        return
    secret = [entry.alias for entry in live.entries if entry.kind is EntryKind.SECRET_KEY]
    if secret:
        yield f"secret keys keep the password that they have: {', '.join(secret)}"
    kept = [entry.alias for entry in _keys(live) if alias_key(entry.alias) in migration.unchanged]
    if kept:
        yield f"protected key entries keep the password that they have: {', '.join(kept)}"
    if live.hidden:
        yield f"{len(live.hidden)} pieces that Java does not show are kept as they are, their passwords included"


def _keys(live: Snapshot) -> Iterator[Entry]:
    return (entry for entry in live.entries if entry.kind is EntryKind.KEY_PAIR)
