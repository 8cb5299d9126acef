"""What the tests of a tenant share: one emulator for all, a fresh tenant for each, and an innocent log."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import pytest

from reconciler.keystores.sap.credentials import credentials
from reconciler.keystores.sap.reading import TenantReader
from reconciler.keystores.sap.session import Session
from reconciler.keystores.sap.writing import TenantWriter
from reconciler.secret import Secret
from tests.sap.emulator import Emulator, Tenant
from tests.sap.emulator.seeds import demo
from tests.sap.repository import TenantRepository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sap.emulator import Recorded

_numbers = count(1)
# The tenants that only `reconcile` and its client talk to.
OURS = ("client-", "fleet-")


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running
    assert running.crashes == []
    # The log of everything that our client asked for in the whole run; `test_emulator` speaks for itself elsewhere.
    ours = [one for one in running.requests if one.tenant.startswith(OURS)]
    assert [one.violation for one in ours if one.violation] == []


@pytest.fixture
def paced() -> None:
    """For the tests that are about the rate limit: the session waits for its turns."""


@pytest.fixture(autouse=True)
def _unhurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "paced" not in request.fixturenames:
        monkeypatch.setattr("reconciler.keystores.sap.session.wait_for_turn", lambda *_: None)


@dataclass
class Place:
    """One tenant of the emulator with everything that a test asks of it."""

    emulator: Emulator
    tenant: Tenant
    slept: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.tenant.name

    @property
    def url(self) -> str:
        return self.emulator.url(self.name)

    @property
    def environ(self) -> dict[str, str]:
        return {"RECONCILE_CA_FILE": str(self.emulator.ca_file)}

    @property
    def requests(self) -> tuple[Recorded, ...]:
        return tuple(request for request in self.emulator.requests if request.tenant == self.name)

    def of(self, kind: str) -> tuple[Recorded, ...]:
        return tuple(request for request in self.requests if request.kind == kind)

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    @property
    def writes(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests if request.is_write]

    def session(self, fields: dict[str, Secret | str] | None = None, **environ: str) -> Session:
        """A session that waits without waiting."""
        given = fields or {"serviceKey": Secret(self.emulator.service_key(self.name))}
        return Session(self.url, credentials(given), self.environ | environ, sleep=self.slept.append)

    def basic(self) -> Session:
        user = next(iter(self.tenant.gate.users.values()))
        fields: dict[str, Secret | str] = {"username": user.name, "password": Secret(user.secret)}
        return self.session(fields, RECONCILE_ALLOWED_HOSTS="127.0.0.1")

    def reader(self) -> TenantReader:
        return TenantReader(self.session())

    def writer(self) -> TenantWriter:
        return TenantWriter(self.session())


@pytest.fixture
def place(emulator: Emulator) -> Iterator[Place]:
    """A fresh tenant with SAP's own entries and two of an administrator; at the end nothing forbidden was asked."""
    tenant = emulator.tenant(f"client-{next(_numbers)}")
    demo(tenant)
    made = Place(emulator, tenant)
    yield made
    assert [request.violation for request in made.requests if request.violation] == []


@pytest.fixture
def reconcile(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> TenantRepository:
    """A repository whose live keystore is `place`; whoever waits there does not wait for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECONCILE_CA_FILE", str(place.emulator.ca_file))
    monkeypatch.setenv("SAP_SERVICE_KEY", place.emulator.service_key(place.name))
    monkeypatch.setitem(Session.__init__.__kwdefaults__, "sleep", place.slept.append)
    monkeypatch.setattr("reconciler.keystores.guarded_steps._WAITS", (0.0, 0.05, 0.1, 0.2, 0.4))
    return TenantRepository(tmp_path, place)
