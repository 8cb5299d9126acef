"""The connectivity test: one connection that learns, and on demand one that presents a client certificate."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError
from reconciler.host_names import host_name_verdict
from reconciler.tls import failures
from reconciler.tls.client_key import Choice, choose, choose_alias, load
from reconciler.tls.distinguished_names import readable_name
from reconciler.tls.failures import Failure
from reconciler.tls.judging import Evidence, judge, with_length_limit
from reconciler.tls.observing import JAVA_VERSIONS, OLD_VERSIONS, client_context, observe
from reconciler.trust import OK, evaluate
from reconciler.x509 import certificate, is_signed_by

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.host_names import HostNameVerdict
    from reconciler.model import Certificate
    from reconciler.tls.handshake_messages import CertificateRequest
    from reconciler.tls.observing import Destination, Observation
    from reconciler.tls.results import ConnectResult, TrustSource

# A peer that is mute or speaks something else will not say more when it is asked again.
_WITHOUT_VERSION = frozenset({failures.HANDSHAKE_TIMEOUT, failures.NOT_TLS})

ANY_KEY_PAIR = ""
"""As the wanted alias: the key pair that Java would choose."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be found out.

    Attributes:
        validate: Whether trust and name decide; they are told in any case.
        client_alias: The key pair to present, `ANY_KEY_PAIR` for Java's choice, None for none.
        probe_versions: Whether to find out, with further connections, which TLS versions the server speaks.
    """

    validate: bool = True
    client_alias: str | None = None
    probe_versions: bool = True


def connect(
    destination: Destination, source: TrustSource, now: datetime, wishes: Wishes | None = None
) -> ConnectResult:
    """Test the connection to one server.

    Args:
        destination: Where to and by which way.
        source: What the server is judged against, and the key pairs that could be presented.
        now: Aware, in UTC.
        wishes: What is to be found out.
    """
    wishes = wishes or Wishes()
    first = observe(destination, client_context())
    evidence = Evidence(
        destination=destination,
        trust_source=source.name,
        validate=wishes.validate,
        first=first,
        wanted=wishes.client_alias is not None,
        versions=_versions(destination, first) if wishes.probe_versions else (),
        acceptable_cas=_readable_names(first.request),
    )
    if first.chain:
        evidence = _with_verdicts(evidence, source, now)
    if wishes.client_alias is not None and _may_present(evidence):
        evidence = _with_client_certificate(evidence, source, wishes.client_alias)
    return judge(evidence)


# --------------------------------------------------------------------------------------------- the certificate


def _with_verdicts(evidence: Evidence, source: TrustSource, now: datetime) -> Evidence:
    chain = tuple(certificate(der) for der in evidence.first.chain)
    trust = with_length_limit(evaluate(chain, source.anchors, now, verify=is_signed_by), len(chain))
    name = _host_name(evidence.destination, chain[0])
    opinion = None
    if trust.is_trusted and name.code == OK:
        from reconciler.tls.second_opinion import second_opinion

        anchors = [one for alias, one in source.anchors if alias in trust.anchors]
        host = evidence.destination.server_name or evidence.destination.address.host
        opinion = second_opinion(chain, anchors, host, now)
    return replace(evidence, chain=chain, trust=trust, host_name=name, opinion=opinion)


def _host_name(destination: Destination, leaf: Certificate) -> HostNameVerdict:
    """Java compares the name that it asked for, and if that does not fit, the host that it connected to."""
    host = destination.address.host
    if not destination.server_name:
        return host_name_verdict(leaf, host)
    asked = host_name_verdict(leaf, destination.server_name)
    connected = host_name_verdict(leaf, host)
    return connected if asked.code != OK and connected.code == OK else asked


# ------------------------------------------------------------------------------------- the client certificate


def _may_present(evidence: Evidence) -> bool:
    """A client certificate is shown to a trusted server that asks for one (or may have asked)."""
    if not evidence.chain or evidence.first.requested is False:
        return False
    trusted = evidence.trust is not None and evidence.trust.is_trusted
    named = evidence.host_name is not None and evidence.host_name.code == OK
    return not evidence.validate or (trusted and named)


def _with_client_certificate(evidence: Evidence, source: TrustSource, alias: str) -> Evidence:
    choice = _choice(source, alias, evidence.first.request)
    if choice.key_pair is None:
        return replace(evidence, alias=alias or None, key_failure=_no_key(choice.objection or ""))
    context = client_context()
    try:
        load(context, choice.key_pair)
    except ReconcileError as error:
        return replace(evidence, alias=choice.key_pair.alias, key_failure=_no_key(error.message, error.hint))
    second = observe(evidence.destination, context, has_client_key=True)
    names = evidence.acceptable_cas or _readable_names(second.request)
    return replace(
        evidence, alias=choice.key_pair.alias, objection=choice.objection, second=second, acceptable_cas=names
    )


def _choice(source: TrustSource, alias: str, request: CertificateRequest | None) -> Choice:
    if source.keys_withheld:
        return Choice(None, source.keys_withheld)
    if alias == ANY_KEY_PAIR:
        return choose(source.key_pairs, request)
    return choose_alias(source.key_pairs, alias, request)


def _no_key(reason: str, hint: str | None = None) -> Failure:
    return Failure(
        failures.CLIENT_KEY_NOT_AVAILABLE,
        f"The client certificate cannot be presented: {reason}",
        hint or "name a key pair of a keystore file with --keystore and --client-certificate ALIAS",
    )


def _readable_names(request: CertificateRequest | None) -> tuple[str, ...]:
    return tuple(readable_name(name) for name in request.authorities) if request else ()


# --------------------------------------------------------------------------------------------------- versions


def _versions(destination: Destination, first: Observation) -> tuple[tuple[str, bool | None], ...]:
    """Which versions the server speaks. Old ones are tried only when it speaks nothing newer."""
    if first.peer is None or (first.failure and first.failure.code in _WITHOUT_VERSION):
        return ()
    known: dict[str, bool | None] = {first.version: True} if first.version in JAVA_VERSIONS else {}
    known |= _probed(destination, {name: one for name, one in JAVA_VERSIONS.items() if name not in known})
    if not any(known.values()):
        known |= _probed(destination, OLD_VERSIONS)
    order = (*OLD_VERSIONS, *JAVA_VERSIONS)
    return tuple((name, known[name]) for name in order if name in known)


def _probed(destination: Destination, versions: Mapping[str, ssl.TLSVersion]) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    # Contexts are made here: making them changes the filters for warnings, which threads share.
    contexts = {name: client_context(version, version) for name, version in versions.items()}

    def probe(name: str, context: ssl.SSLContext) -> None:
        found[name] = _speaks(name, observe(destination, context))

    threads = [threading.Thread(target=probe, args=pair, daemon=True) for pair in contexts.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _speaks(version: str, seen: Observation) -> bool | None:
    if seen.version == version:
        return True
    alert = seen.failure.alert if seen.failure else None
    refused = seen.failure is not None and seen.failure.code == failures.PROTOCOL_VERSION
    return False if refused or alert == 40 else None
