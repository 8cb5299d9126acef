"""Opens a tenant: from an address and credentials to the typed requests, for reading or for reading and writing."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.keystores.sap.credentials import credentials
from reconciler.keystores.sap.reading import TenantReader
from reconciler.keystores.sap.session import Session
from reconciler.keystores.sap.writing import TenantWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.keystores.sap.credentials import Credentials
    from reconciler.secret import Secret


class _Sharing:
    """The sessions of a run that reads, writes and reads again: one token serves all of it."""

    def __init__(self) -> None:
        self._sessions: list[tuple[str, Credentials, Session]] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def during(self) -> Iterator[None]:
        self._sessions = []
        try:
            yield
        finally:
            self._sessions = None

    def session(self, url: str, given: Credentials, environ: Mapping[str, str]) -> Session:
        with self._lock:
            for known, signed_in_with, session in self._sessions or ():
                if known == url and signed_in_with == given:
                    return session
            session = Session(url, given, environ)
            if self._sessions is not None:
                self._sessions.append((url, given, session))
            return session


_sharing = _Sharing()
sharing_sessions = _sharing.during


def open_reader(url: str, fields: Mapping[str, Secret | str], environ: Mapping[str, str]) -> TenantReader:
    """A tenant that can only be looked at.

    Args:
        url: The address in the state file.
        fields: The keys under `credentials:` or `readCredentials:`, secrets already fetched.
        environ: The environment.

    Raises:
        ReconcileError: credentials, addresses or roots are not usable; no request has been sent.
    """
    return TenantReader(_sharing.session(url, credentials(fields), environ))


def open_writer(
    url: str, fields: Mapping[str, Secret | str], environ: Mapping[str, str]
) -> tuple[TenantReader, TenantWriter]:
    """The same tenant to read and to write, in one session."""
    session = _sharing.session(url, credentials(fields), environ)
    return TenantReader(session), TenantWriter(session)
