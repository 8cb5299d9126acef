"""Where to connect to: HOST:PORT as people write it, and the port that goes without saying."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.errors import ReconcileError

HTTPS_PORT = 443
# The ports on which STARTTLS is usual (RFC 6409, 9051, 1939, 4511).
STARTTLS_PORTS = {"smtp": 587, "imap": 143, "pop3": 110, "ldap": 389}

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BRACKETED = re.compile(r"\[([0-9a-f:.]+(?:%[\w.-]+)?)\](?::(\d+))?", re.IGNORECASE)
_PLAIN = re.compile(r"([^\s:/\[\]@]+)(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Address:
    """A host (name or address, without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default_port: int = HTTPS_PORT) -> Address:
    """An address from HOST, HOST:PORT, [IPV6]:PORT, or a whole URL, of which only host and port count.

    Raises:
        ReconcileError: it is none of them.
    """
    stripped = _SCHEME.sub("", text.strip()).partition("/")[0].rpartition("@")[2]
    if stripped.count(":") > 1 and not stripped.startswith("["):
        stripped = f"[{stripped}]"
    found = _BRACKETED.fullmatch(stripped) or _PLAIN.fullmatch(stripped)
    if found is None:
        raise ReconcileError("not an address", where=text, hint="write HOST:PORT, for example my.example.com:443")
    port = int(found[2] or default_port)
    if not 0 < port < 65536:
        raise ReconcileError("not a port number", where=text, hint="ports go from 1 to 65535")
    return Address(found[1].rstrip(".") or found[1], port)
