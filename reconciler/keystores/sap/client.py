"""Opens a tenant: from an address and credentials to the typed requests, for reading or for reading and writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.keystores.sap.credentials import credentials
from reconciler.keystores.sap.reading import TenantReader
from reconciler.keystores.sap.session import Session
from reconciler.keystores.sap.writing import TenantWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.secret import Secret


def open_reader(url: str, fields: Mapping[str, Secret | str], environ: Mapping[str, str]) -> TenantReader:
    """A tenant that can only be looked at.

    Args:
        url: The address in the state file.
        fields: The keys under `credentials:` or `readCredentials:`, secrets already fetched.
        environ: The environment.

    Raises:
        ReconcileError: credentials, addresses or roots are not usable; no request has been sent.
    """
    return TenantReader(Session(url, credentials(fields), environ))


def open_writer(
    url: str, fields: Mapping[str, Secret | str], environ: Mapping[str, str]
) -> tuple[TenantReader, TenantWriter]:
    """The same tenant to read and to write, in one session."""
    session = Session(url, credentials(fields), environ)
    return TenantReader(session), TenantWriter(session)
