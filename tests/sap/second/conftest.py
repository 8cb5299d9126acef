"""One contrary tenant for each test, and an innocent log at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.keystores.sap.session import Session
from tests.sap.second.manner import CONTRARY, ECHOING
from tests.sap.second.repository import Repository
from tests.sap.second.server import SecondTenant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manner_name(request: pytest.FixtureRequest) -> str:
    """`plain`, unless a test is parametrized with another."""
    return str(getattr(request, "param", "plain"))


@pytest.fixture
def second(manner_name: str) -> Iterator[SecondTenant]:
    path = "/location/edge-1" if manner_name == "loose" else ""
    with SecondTenant(CONTRARY.get(manner_name, ECHOING), path) as running:
        yield running
    assert running.crashes == []
    assert running.violations == []


@pytest.fixture
def reconcile(tmp_path: Path, second: SecondTenant, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECONCILE_CA_FILE", str(second.ca_file))
    monkeypatch.setenv("SAP_KEY", second.service_key)
    monkeypatch.setenv("P12_PASSWORD", "brought-along")
    monkeypatch.setitem(Session.__init__.__kwdefaults__, "sleep", lambda _: None)
    monkeypatch.setattr("reconciler.keystores.guarded_steps._WAITS", (0.0, 0.02, 0.05, 0.1, 0.2))
    return Repository(tmp_path, second)
