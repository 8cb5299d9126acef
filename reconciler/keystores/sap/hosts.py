"""Whom credentials may be sent to: the hosts that the service key names, and those that the operator lists.

The address of the tenant stands in the repository, where a pull request can change it. The permission therefore
comes from outside the repository: from the secret itself, or from the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from reconciler.errors import ReconcileError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARIABLE = "RECONCILE_ALLOWED_HOSTS"
API_PATH = "/api/v1"
_HTTPS_PORT = 443


class AddressError(ReconcileError):
    """An address that is not one to sign in at."""


def api_url(url: str) -> str:
    """The service root: the address of the tenant with `/api/v1` behind it, once.

    Raises:
        AddressError: not an https address.
    """
    parts = _parts(url)
    path = parts.path.rstrip("/")
    if not path.endswith(API_PATH):
        path += API_PATH
    return f"https://{parts.netloc}{path}"


def origin(url: str) -> tuple[str, int]:
    """Host and port of an https address, for comparison.

    Raises:
        AddressError: not an https address, or one that hides a user name in it.
    """
    parts = _parts(url)
    assert parts.hostname is not None  # noqa: S101 - _parts has checked it
    return parts.hostname.rstrip("."), parts.port or _HTTPS_PORT


def check_allowed(urls: Iterable[str], trusted_urls: Iterable[str], environ: Mapping[str, str]) -> None:
    """Refuse to send credentials to `urls` unless they name these hosts themselves or the operator allows them.

    Raises:
        RefusedError: neither is the case for one of them.
        AddressError: not an https address.
    """
    named = {origin(trusted) for trusted in trusted_urls}
    listed = environ.get(VARIABLE, "")
    strangers = [_shown(at) for at in map(origin, urls) if at not in named and not _listed(at, listed)]
    if not strangers:
        return
    hosts = list(dict.fromkeys(strangers))
    value = ",".join([*listed.replace(",", " ").split(), *hosts])
    raise RefusedError(
        f"the credentials are not sent to {' or '.join(hosts)}: they do not name {'it' if len(hosts) == 1 else 'them'}",
        where=hosts[0],
        hint=f"if that is right, set {VARIABLE}={value} outside the repository",
    )


def _listed(wanted: tuple[str, int], value: str) -> bool:
    entries = {_host_of(entry) for entry in value.replace(",", " ").split()}
    host, port = wanted
    shown = f"[{host}]" if ":" in host else host
    return bool(entries & {host, shown, f"{shown}:{port}"})


def _host_of(entry: str) -> str:
    """Host and port of an entry that may be a whole address, as people copy it."""
    return entry.lower().removeprefix("https://").partition("/")[0].rstrip(".")


def _shown(wanted: tuple[str, int]) -> str:
    host, port = wanted
    host = f"[{host}]" if ":" in host else host
    return host if port == _HTTPS_PORT else f"{host}:{port}"


def _is_host(name: str | None) -> bool:
    """Letters beyond ASCII could look like another host; such names have an ASCII form (xn--…)."""
    return bool(name) and str(name).isascii() and str(name).isprintable() and " " not in str(name)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme == "https" and _is_host(parts.hostname) and parts.port != 0
    except ValueError:
        raise AddressError("an address of the tenant cannot be parsed", hint="write https://host") from None
    if not valid or parts.username is not None or parts.password is not None:
        shown = f"{parts.scheme}://{parts.hostname}" if parts.hostname else url.partition("?")[0][:80]
        raise AddressError(
            f"{shown!a} is not an https address to sign in at", hint="write https://host, without a user name"
        )
    return parts
