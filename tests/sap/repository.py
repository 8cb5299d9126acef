"""A small repository whose live keystore is an emulated tenant, and `reconcile` run in it as a user would."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from hashlib import sha256
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.cli import run
from tests.sap.emulator.certificates import distinguished_name, make
from tests.sap.emulator.keys import seeded_ec_key

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

    from tests.sap.conftest import Place
    from tests.sap.emulator import Recorded


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def target(self) -> dict[str, Any]:
        [target] = self.document["targets"]
        return target

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(change["action"], change["alias"]) for change in self.target["changes"]]

    @property
    def outcomes(self) -> dict[str, str]:
        return {outcome["alias"]: outcome["status"] for outcome in self.target["outcomes"]}


def pin(certificate: x509.Certificate) -> str:
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def our_root(number: int = 50) -> x509.Certificate:
    """A CA whose certificate and key lie in the repository; the same bytes in every test."""
    if number not in _ROOTS:
        subject = distinguished_name(CommonName=f"Our Root {number}", Organization="Example", Country="DE")
        _ROOTS[number] = make(subject, seeded_ec_key(number), ca=True)
    return _ROOTS[number]


_ROOTS: dict[int, x509.Certificate] = {}


class TenantRepository:
    """A directory with `keystore.yaml`, the current one while a test runs."""

    def __init__(self, directory: Path, place: Place) -> None:
        self.directory = directory
        self.place = place
        self.tenant = place.tenant
        (directory / ".git").mkdir()
        key = seeded_ec_key(50).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.write("ca.pem", our_root().public_bytes(Encoding.PEM))
        self.write("ca.key", key)

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def declare(self, body: str = "", keystore: str = "", name: str = "keystore.yaml") -> None:
        """Write the state file: the tenant, `keystore` added to its section, and `body` below."""
        head = f"""\
            apiVersion: reconciler/v1
            keystore:
              type: sap-cloud-integration
              url: {self.place.url}
              credentials: {{serviceKey: {{env: SAP_SERVICE_KEY}}}}
            """
        self.write(name, dedent(head) + indent(dedent(keystore), "  ") + dedent(body))

    def root(self, alias: str = "our_root", number: int = 50) -> str:
        """The lines of a pinned root."""
        self.write(f"{alias}.pem", our_root(number).public_bytes(Encoding.PEM))
        return f'  {alias}: {{file: {alias}.pem, sha256: "{pin(our_root(number))}"}}\n'

    def __call__(self, *arguments: str) -> Result:
        """`reconcile` with these arguments; the state file is added where none is named."""
        words = list(arguments)
        if not any(word.endswith(".yaml") for word in words):
            words.insert(1, "keystore.yaml")
        if words[0] == "apply":
            words.append("--yes")
        if words[0] in {"plan", "apply", "drift"} and "--format" not in words:
            words += ["--format", "json"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
        return Result(code, out.getvalue(), err.getvalue())

    def since(self) -> Since:
        return Since(self.place, len(self.place.requests))

    def settles(self) -> None:
        """After at most one further run nothing is left to do, and a run that has nothing to do writes nothing."""
        if self("plan").changes:
            again = self("apply")
            assert again.code == 0, again.out + again.err
        plan = self("plan")
        assert (plan.code, plan.changes) == (0, [])
        since = self.since()
        assert self("apply").code == 0
        assert since.writes == []


@dataclass
class Since:
    """What was asked of the tenant since a moment."""

    place: Place
    start: int

    @property
    def requests(self) -> tuple[Recorded, ...]:
        return self.place.requests[self.start :]

    @property
    def lines(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.requests]

    @property
    def writes(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.requests if one.is_write]
