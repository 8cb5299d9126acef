"""From what two connections showed to one finding: the code, the sentence, Java's words, and the warnings.

Pure: nothing here opens a connection. The order is Java's: the connection, the server's certificate, its name, then
the client's certificate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.tls import failures
from reconciler.tls.alerts import CLOSE_NOTIFY, UNRECOGNIZED_NAME, alert_name
from reconciler.tls.failures import Failure
from reconciler.tls.results import ClientCertificate, ConnectResult
from reconciler.trust import OK, Caution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.host_names import HostNameVerdict
    from reconciler.model import Certificate
    from reconciler.tls.observing import Destination, Observation
    from reconciler.trust import TrustVerdict

# `jdk.tls.client.maxInboundCertificateChainLength`, before it `jdk.tls.maxCertificateChainLength`.
LONGEST_CHAIN_OF_JAVA = 10


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was seen and thought of about one server.

    Attributes:
        first: The connection without a client certificate.
        second: The connection with one; None when there was none.
        alias: The key pair that was presented, or was to be.
        key_failure: Why a wanted client certificate could not be presented.
        wanted: Whether a client certificate was to be presented.
        objection: What the server's request has against the key pair.
        acceptable_cas: The names in the request, readable.
    """

    destination: Destination
    trust_source: str
    validate: bool
    first: Observation
    second: Observation | None = None
    versions: tuple[tuple[str, bool | None], ...] = ()
    chain: tuple[Certificate, ...] = ()
    trust: TrustVerdict | None = None
    host_name: HostNameVerdict | None = None
    opinion: Caution | None = None
    wanted: bool = False
    alias: str | None = None
    key_failure: Failure | None = None
    objection: str | None = None
    acceptable_cas: tuple[str, ...] = ()


def judge(evidence: Evidence) -> ConnectResult:
    """The finding."""
    failure = _decisive(evidence)
    last = evidence.second or evidence.first
    return ConnectResult(
        destination=evidence.destination,
        code=failure.code if failure else OK,
        message=failure.message if failure else _success(evidence),
        hint=failure.hint if failure else "",
        java_message=failure.java_message if failure else None,
        trust_source=evidence.trust_source,
        validated=evidence.validate,
        peer=evidence.first.peer,
        lookup_seconds=evidence.first.lookup_seconds,
        connect_seconds=evidence.first.connect_seconds,
        handshake_seconds=last.handshake_seconds or evidence.first.handshake_seconds,
        protocol=last.version or evidence.first.version,
        cipher=last.cipher or evidence.first.cipher,
        versions=evidence.versions,
        chain=evidence.chain,
        trust=evidence.trust,
        host_name=evidence.host_name,
        client_certificate=_client_certificate(evidence),
        warnings=tuple(_warnings(evidence)),
    )


def with_length_limit(trust: TrustVerdict, count: int) -> TrustVerdict:
    """The verdict with Java's limit on the number of certificates that a server may send."""
    if count <= LONGEST_CHAIN_OF_JAVA:
        return trust
    limit = f"({count}) exceeds the maximum allowed length ({LONGEST_CHAIN_OF_JAVA})"
    return replace(
        trust,
        code="local-policy",
        reason="chain-length",
        message=f"The server sends {count} certificates; Java reads {LONGEST_CHAIN_OF_JAVA} at most",
        hint="the operator of the server should send its own certificate and the intermediates, nothing else",
        java_message=f"The certificate chain length {limit}",
    )


# ----------------------------------------------------------------------------------------------- what decides


def _decisive(evidence: Evidence) -> Failure | None:
    first, second = evidence.first, evidence.second
    if first.failure and not evidence.chain:
        return first.failure
    if evidence.validate:
        for verdict in (evidence.trust, evidence.host_name):
            if verdict is not None and verdict.code != OK:
                return Failure(verdict.code, verdict.message, verdict.hint, verdict.java_message)
    if second is not None:
        return second.failure
    if evidence.key_failure is not None and (first.requested is not False or first.failure):
        return evidence.key_failure
    return first.failure


def _success(evidence: Evidence) -> str:
    if not evidence.validate:
        return "The server can be reached; its certificate was not to be validated"
    anchor = evidence.trust.anchor_alias if evidence.trust else None
    return f"The server can be reached and is trusted through the entry {anchor}"


# --------------------------------------------------------------------------------------- the client certificate


def _client_certificate(evidence: Evidence) -> ClientCertificate:
    last = evidence.second or evidence.first
    request = last.request or evidence.first.request
    requested = last.requested if evidence.first.requested is None else evidence.first.requested
    return ClientCertificate(
        requested=_yes_or_no(requested),
        required=_required(evidence.first),
        acceptable_cas=evidence.acceptable_cas,
        key_types=request.key_types if request else (),
        presented=last.presented,
        alias=evidence.alias,
        reaction=_reaction(evidence),
    )


def _yes_or_no(value: bool | None) -> str:  # noqa: FBT001  # the value itself, not a switch
    return "unknown" if value is None else "yes" if value else "no"


def _required(first: Observation) -> str:
    if first.failure and first.failure.code == failures.CLIENT_CERT_REQUIRED:
        return "yes"
    if first.requested is False and (first.completed or first.chain):
        return "no"
    return "no" if first.completed and not first.failure and not first.closed else "unknown"


def _reaction(evidence: Evidence) -> str | None:
    second = evidence.second
    if second is None or not second.presented:
        return None
    if second.failure is not None:
        alert = second.failure.alert
        return f"rejected: {alert_name(alert)}" if alert is not None else f"broken off: {second.failure.code}"
    if second.closed:
        return "closed"
    was_refused = _required(evidence.first) == "yes"
    return "accepted" if was_refused and second.confirmed else "presented"


# -------------------------------------------------------------------------------------------------- warnings


def _warnings(evidence: Evidence) -> Iterator[Caution]:
    for verdict in (evidence.trust, evidence.host_name):
        if verdict is not None:
            yield from verdict.warnings
    if evidence.opinion is not None:
        yield evidence.opinion
    yield from _about_the_connection(evidence)
    yield from _about_the_client_certificate(evidence)


def _about_the_connection(evidence: Evidence) -> Iterator[Caution]:
    first = evidence.first
    if UNRECOGNIZED_NAME in first.warning_alerts:
        yield Caution("sni-warning", "the server warned that it does not know the name, and answered nevertheless")
    for alert in first.warning_alerts:
        if alert not in {UNRECOGNIZED_NAME, CLOSE_NOTIFY}:
            yield Caution("alert", f"the server sent the warning {alert_name(alert)}")
    if first.cipher and not first.cipher.startswith(("TLS_", "ECDHE-", "DHE-")):
        yield Caution("weak-cipher", f"{first.cipher} has no forward secrecy; current releases of Java refuse it")
    for version in ("TLSv1", "TLSv1.1"):
        if dict(evidence.versions).get(version):
            yield Caution("old-version", f"the server speaks {version}, which Java does not offer any more")
    if first.completed and first.requested is None:
        yield Caution("request-unknown", "this Python cannot tell whether the server asked for a client certificate")
    if first.completed and evidence.chain and first.closed:
        yield Caution("closed", "the server closed the connection right after the handshake")


def _about_the_client_certificate(evidence: Evidence) -> Iterator[Caution]:
    first, second = evidence.first, evidence.second
    if evidence.wanted and first.requested is False and first.completed:
        yield Caution("not-requested", "the server did not ask for a client certificate, so none was presented")
    elif evidence.wanted and second is None and evidence.key_failure is None and first.chain:
        yield Caution("not-presented", "no client certificate was presented to a server that is not trusted")
    elif first.requested and first.completed and not first.failure and second is None:
        yield Caution(
            "may-be-required",
            "the server asked for a client certificate and went on without one; nginx, IIS and others then answer the "
            "request with HTTP 400 or 403",
        )
    if second is not None and evidence.objection:
        yield Caution("request-does-not-fit", f"Java would not present {evidence.alias}: {evidence.objection}")
    if second is not None and not second.presented and second.completed:
        yield Caution("not-presented", f"the certificate of {evidence.alias} was not sent: it does not fit the request")
