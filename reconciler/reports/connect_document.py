"""The finding of `reconcile connect` as plain data: what its JSON holds (`schemas/connect.schema.json`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.reports.document import certificate_document, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.host_names import HostNameVerdict
    from reconciler.tls.results import ClientCertificate, ConnectResult
    from reconciler.tls.saving import SavedCertificate
    from reconciler.trust import Caution, TrustVerdict

FORMAT_VERSION = "1"
# A store with thousands of look-alikes must not make the result unreadable.
_MOST_NAMES = 1000


def connect_document(result: ConnectResult, saved: Sequence[SavedCertificate] = ()) -> dict[str, Any]:
    """The document; `saved` is what ``--save`` wrote."""
    destination = result.destination
    document = {
        "format_version": FORMAT_VERSION,
        "address": str(destination.address),
        "server_name": destination.server_name,
        "starttls": destination.starttls,
        "proxy": str(destination.proxy) if destination.proxy else None,
        "seen_from": "this host",
        "code": result.code,
        "message": result.message,
        "hint": result.hint or None,
        "java_message": result.java_message,
        "validated": result.validated,
        "peer": result.peer,
        "times": {
            "lookup_ms": _milliseconds(result.lookup_seconds),
            "connect_ms": _milliseconds(result.connect_seconds),
            "handshake_ms": _milliseconds(result.handshake_seconds),
        },
        "protocol": result.protocol,
        "cipher": result.cipher,
        "protocols": {name: _answer(spoken) for name, spoken in result.versions},
        "chain": [certificate_document(one) for one in result.chain],
        "trust_source": result.trust_source,
        "trust": _trust(result.trust),
        "host_name": _host_name(result.host_name),
        "client_certificate": _client_certificate(result.client_certificate),
        "warnings": _warnings(result.warnings),
    }
    if saved:
        document["saved"] = [
            {"alias": one.alias, "file": one.file, "sha256": one.certificate.sha256, "trusted_root": one.is_anchor}
            for one in saved
        ]
    return document


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _answer(spoken: bool | None) -> str:  # noqa: FBT001  # the value itself, not a switch
    return "unknown" if spoken is None else "yes" if spoken else "no"


def _trust(verdict: TrustVerdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "code": verdict.code,
        "reason": verdict.reason,
        "message": verdict.message,
        "hint": verdict.hint or None,
        "java_message": verdict.java_message,
        "anchor_alias": verdict.anchor_alias,
        "anchors": list(verdict.anchors),
        "path": [one.sha256 for one in verdict.path],
        "until": rfc3339(verdict.until),
    }


def _host_name(verdict: HostNameVerdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "code": verdict.code,
        "message": verdict.message,
        "java_message": verdict.java_message,
        "matched": verdict.matched,
    }


def _client_certificate(client: ClientCertificate) -> dict[str, Any]:
    return {
        "requested": client.requested,
        "required": client.required,
        "acceptable_cas": list(client.acceptable_cas[:_MOST_NAMES]),
        "key_types": list(client.key_types),
        "presented": client.presented,
        "alias": client.alias,
        "reaction": client.reaction,
    }


def _warnings(cautions: Iterable[Caution]) -> list[dict[str, str]]:
    return [{"code": one.code, "message": one.message} for one in cautions]
