"""`reconcile adopt`: a state file and certificates from a live keystore, and the proof that the next plan is empty."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.commands import options

if TYPE_CHECKING:
    from reconciler.adopting import Adopted
    from reconciler.model import DesiredState, KeystoreTarget, SecretRef, Snapshot


@click.command(name="adopt", short_help="Write a state file from a live keystore.")
@options.keystore_or_state
@click.argument("directory", metavar="[DIR]", default=".")
@options.passwords
def command(subject: str, directory: str, password_env: str | None, password_file: str | None) -> int:
    """Write a state file and certificates into DIR (default: here) that describe a live keystore.

    Roots of the Mozilla bundle are recognised and referred to, other certificates get a file, key pairs are watched.
    Then the plan is made: when it is not empty, the exit code says so. Nothing that exists is overwritten.

    \b
    Examples:
      reconcile adopt live/outbound.p12 . --password-env KEYSTORE_PASSWORD
      reconcile adopt /etc/ssl/certs/java/cacerts cacerts --password-file password.txt
    """
    from reconciler.adopting import adopt
    from reconciler.commands.public_files import file_name
    from reconciler.commands.targets import opened_subject
    from reconciler.desired.aliases import why_unfit
    from reconciler.desired.mozilla import bundle
    from reconciler.reports.printable import printable

    root = Path(directory)
    state = root / "keystore.yaml"
    with opened_subject(subject, password_env, password_file) as (live, desired, complete):
        snapshot = complete(live, _to_be_written(live, desired))
        keystore = _keystore(snapshot, desired, root, password_env, password_file)
        adopted = adopt(snapshot, keystore, bundle(), file_name, why_unfit)
        _write(root, state, adopted)
    for alias, reason in adopted.left_out.items():
        click.echo(f"left out  {printable(alias)}: {printable(reason)}")
    return _proof(state, len(snapshot.entries) - len(adopted.left_out))


def _to_be_written(live: Snapshot, desired: DesiredState) -> list[str]:
    """The entries whose certificates get a file: all that are not in the Mozilla bundle, and not SAP's."""
    from reconciler.desired.mozilla import bundle
    from reconciler.model import EntryKind
    from reconciler.ownership import protected_by

    if not desired.keystore.is_tenant:
        return []
    known = bundle()
    return [
        one.alias
        for one in live.entries
        if one.kind is EntryKind.TRUSTED_CERTIFICATE and one.chain and one.chain[0].sha256 not in known
        if protected_by(one.alias, one.owner) is None
    ]


def _keystore(
    snapshot: Snapshot, desired: DesiredState, root: Path, password_env: str | None, password_file: str | None
) -> dict[str, object]:
    """The section `keystore` of the new file."""
    target = desired.keystore
    if target.is_tenant:
        return _tenant(target, root)
    section: dict[str, object] = {"type": snapshot.type.value, "path": _relative(target.path, root)}
    if target.password is not None:
        section["password"] = _secret(target.password, root)
    elif password_env:
        section["password"] = {"env": password_env}
    elif password_file:
        section["password"] = {"file": _relative(password_file, root)}
    if "password" in section and not snapshot.integrity:
        section["integrity"] = "none"
    return section


def _tenant(target: KeystoreTarget, root: Path) -> dict[str, object]:
    section: dict[str, object] = {"type": target.type.value, "url": target.location}
    for name, fields in (("credentials", target.credentials), ("readCredentials", target.read_credentials)):
        if fields:
            section[name] = {key: one if isinstance(one, str) else _secret(one, root) for key, one in fields}
    return section


def _secret(ref: SecretRef, root: Path) -> dict[str, object]:
    if ref.kind == "file":
        return {"file": _relative(str(ref.value), root)}
    if ref.kind == "env":
        return {"env": ref.value}
    from reconciler.errors import ReconcileError

    raise ReconcileError(
        "the password comes from a command, which a new file in another directory cannot simply repeat",
        where=str(ref.source),
        hint="adopt the keystore file itself, with --password-env",
    )


def _relative(path: str, root: Path) -> str:
    """A path as the state file in `root` will see it; absolute where the two share no root (Windows drives)."""
    try:
        return os.path.relpath(Path(path).resolve(), root.resolve()).replace(os.sep, "/")
    except ValueError:
        return str(Path(path).resolve())


def _write(root: Path, state: Path, adopted: Adopted) -> None:
    from reconciler.desired.schema import schema_path
    from reconciler.errors import ReconcileError
    from reconciler.keystores.files import reason_of
    from reconciler.reports.printable import printable
    from reconciler.x509 import to_pem

    files = {root / path: to_pem([one]) for path, one in adopted.certificates.items()}
    files[state] = adopted.text.encode()
    if taken := [path for path in files if path.exists()]:
        raise ReconcileError(
            "the file exists and is not overwritten", where=str(taken[0]), hint="adopt into an empty directory"
        )
    schema = root / "keystore.schema.json"
    if not schema.exists():
        files[schema] = schema_path(schema.name).read_bytes()
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise ReconcileError(f"the files cannot be written: {reason_of(error)}", where=str(root)) from None
    click.echo(f"wrote  {printable(str(state))} and {len(adopted.certificates)} certificates")


def _proof(state: Path, declared: int) -> int:
    """Plan what was written: it must be empty."""
    from datetime import UTC, datetime

    from reconciler.commands.output import write_report
    from reconciler.commands.targets import exit_codes, plan_states, worst
    from reconciler.desired import load_states
    from reconciler.terminal import say

    report = plan_states(load_states([str(state)]), datetime.now(UTC), "plan")
    if code := worst(exit_codes(report)):
        return code
    if any(target.plan and target.plan.changes for target in report.targets):
        write_report(report, "text")
        say("what was written does not describe the keystore: its plan is not empty", hint="please report this")
        return 1
    click.echo(f"The plan is empty: {declared} entries are declared as they are.")
    return 0
