"""TLS alerts: their names, which Java prints, and what they say about a connection."""

from __future__ import annotations

from reconciler.tls import failures
from reconciler.tls.failures import Failure

CLOSE_NOTIFY = 0
CERTIFICATE_REQUIRED = 116
UNRECOGNIZED_NAME = 112

# The registry of TLS alerts; Java prints these names after "Received fatal alert: ".
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
# What a server answers when it does not like a client certificate, or misses one.
_ABOUT_CERTIFICATES = frozenset({40, 41, 42, 43, 44, 45, 46, 48, 49, 51, 80, 116})

_ASK_FOR_CLIENT_CERTIFICATE = (
    "test with --client-certificate ALIAS; the operator of the server must know the certificate of that key pair"
)
_HINTS = {
    40: "client and server have no cipher suite, curve or signature algorithm in common, or the server wants another "
    "name: try --server-name",
    42: "ask the operator of the server which client certificate is registered",
    43: "the server does not accept this kind of key or certificate",
    44: "the client certificate was revoked: renew it",
    45: "the client certificate has expired for the server: renew it, or compare the clocks",
    46: "ask the operator of the server which client certificate is registered",
    48: "the server does not know the CA of the client certificate: its operator must import that CA, or the right key "
    "pair is another one (--client-certificate ALIAS)",
    49: "the certificate is valid, but the server does not let its owner in",
    70: "the operator of the server must enable TLS 1.2 or 1.3",
    71: "the server asks for stronger cipher suites than this client offers",
    86: "the operator of the server must enable TLS 1.2 or 1.3",
    80: "the server failed; often it does not know the name: try --server-name",
    112: "the server does not know the name that was asked for: try --server-name, or correct the address",
    120: "the server insists on an application protocol (ALPN) that was not offered",
}


def alert_name(number: int) -> str:
    """The name of the alert, as Java prints it."""
    return ALERTS.get(number, f"unknown_alert({number})")


def alert_of_error(error: OSError) -> int | None:
    """The alert that OpenSSL's reason names, for a Python that does not show the alerts themselves."""
    reason = getattr(error, "reason", None) or ""
    prefix, _, name = reason.partition("_ALERT_")
    if not name and reason.startswith("TLSV1_"):
        prefix, _, name = reason.partition("_")
    known = {text: number for number, text in ALERTS.items()}
    return known.get(name.lower()) if prefix.startswith(("TLSV", "SSLV")) else None


def failure_of_alert(number: int, *, requested: bool, presented: bool) -> Failure:
    """What a fatal alert of the server means.

    Args:
        number: The alert.
        requested: Whether the server had asked for a client certificate, as far as is known.
        presented: Whether one was sent.
    """
    words = f"Received fatal alert: {alert_name(number)}"
    code, message = _meaning(number, requested=requested, presented=presented)
    hint = _ASK_FOR_CLIENT_CERTIFICATE if code == failures.CLIENT_CERT_REQUIRED else _HINTS.get(number, "")
    return Failure(code, message, hint, words, number)


def _meaning(number: int, *, requested: bool, presented: bool) -> tuple[str, str]:
    name = alert_name(number)
    if number in {70, 86}:
        return failures.PROTOCOL_VERSION, "The server speaks none of the TLS versions that Java offers (1.2 and 1.3)"
    if number == UNRECOGNIZED_NAME:
        return failures.SNI, "The server does not know the name that was asked for"
    if number == CERTIFICATE_REQUIRED and not presented:
        return failures.CLIENT_CERT_REQUIRED, "The server requires a client certificate"
    if requested and number in _ABOUT_CERTIFICATES:
        if presented:
            return failures.CLIENT_CERT_REJECTED, f"The server rejected the client certificate ({name})"
        return failures.CLIENT_CERT_REQUIRED, f"The server asked for a client certificate and refused without ({name})"
    return failures.HANDSHAKE_FAILURE, f"The server broke the handshake off ({name})"
