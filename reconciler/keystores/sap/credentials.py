"""How to sign in at a tenant: a service key as a whole, its single fields, a user with a password, a certificate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reconciler.errors import ReconcileError
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ENDPOINT_PATH = "/oauth/token"
_NESTS = ("credentials", "oauth")
_SINGLE = frozenset({"tokenUrl", "clientId", "clientSecret"})
_BASIC = frozenset({"username", "password"})
_CERTIFICATE = frozenset({"certificate", "key"})


class CredentialsError(ReconcileError):
    """The credentials are incomplete or not what they should be; never with their content in the message."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with its private key, both PEM, shown in the TLS handshake."""

    certificate: Secret  # public, but wrapped: it came along with secrets
    key: Secret


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """OAuth 2.0 client credentials with a secret."""

    token_url: str
    client_id: str
    client_secret: Secret


@dataclass(frozen=True, slots=True)
class CertificateToken:
    """OAuth 2.0 client credentials where the certificate takes the place of the secret."""

    token_url: str
    client_id: str
    client: ClientCertificate


@dataclass(frozen=True, slots=True)
class BasicUser:
    """A user with a password (Neo; elsewhere for compatibility)."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class CertificateOnly:
    """A certificate that is sent to the API itself, without a token."""

    client: ClientCertificate


SignIn = ClientSecret | CertificateToken | BasicUser | CertificateOnly


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to sign in, and what the service key said about where.

    Attributes:
        sign_in: One of the four ways.
        api_url: The `url` of the service key, None where there is no service key.
        trusted_urls: The addresses that the credentials themselves name: they alone may receive them without further
            permission. An address that stands in the state file does not count.
    """

    sign_in: SignIn
    api_url: str | None = None
    trusted_urls: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        """Whom the rate limit counts: the client or the user. Not to be shown."""
        match self.sign_in:
            case ClientSecret(client_id=name) | CertificateToken(client_id=name) | BasicUser(username=name):
                return name
            case CertificateOnly():
                return "certificate"

    @property
    def client_certificate(self) -> ClientCertificate | None:
        """What to show in the TLS handshake."""
        match self.sign_in:
            case CertificateToken(client=client) | CertificateOnly(client=client):
                return client
            case ClientSecret() | BasicUser():
                return None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must not appear in a message."""
        match self.sign_in:
            case ClientSecret(client_secret=secret) | BasicUser(password=secret):
                return (secret,)
            case CertificateToken(client=client) | CertificateOnly(client=client):
                return (client.key,)


def credentials(fields: Mapping[str, Secret | str]) -> Credentials:
    """The credentials from the keys that stand under `credentials:` or `readCredentials:`.

    Args:
        fields: By their names in the state file (`serviceKey`, `tokenUrl`, …). A `Secret` came from outside the
            repository, a text stands in the file.

    Raises:
        CredentialsError: keys missing or too many, or a service key that is none.
    """
    names = set(fields)
    if "serviceKey" in names:
        _only(names, {"serviceKey", *_CERTIFICATE})
        return _from_service_key(_secret(fields["serviceKey"]), _certificate(fields))
    if names & _SINGLE:
        return _from_single_fields(fields, names)
    if names & _BASIC:
        _exactly(names, _BASIC)
        return Credentials(BasicUser(_plain(fields["username"]), _secret(fields["password"])))
    client = _certificate(fields)
    _only(names, _CERTIFICATE)
    if client is None:
        raise CredentialsError(
            "no credentials are given",
            hint="serviceKey, or tokenUrl with clientId and clientSecret, or username and password, or certificate "
            "and key",
        )
    return Credentials(CertificateOnly(client))


def _from_single_fields(fields: Mapping[str, Secret | str], names: set[str]) -> Credentials:
    token_url = fields.get("tokenUrl", "")
    # A token address that stands in the repository does not vouch for itself.
    trusted = (token_endpoint(_plain(token_url)),) if isinstance(token_url, Secret) else ()
    if "clientSecret" in names:
        _exactly(names, _SINGLE)
        secret = ClientSecret(
            token_endpoint(_plain(token_url)), _plain(fields["clientId"]), _secret(fields["clientSecret"])
        )
        return Credentials(secret, trusted_urls=trusted)
    _exactly(names, {"tokenUrl", "clientId", *_CERTIFICATE})
    client = ClientCertificate(_pem(fields["certificate"]), _pem(fields["key"]))
    return Credentials(
        CertificateToken(token_endpoint(_plain(token_url)), _plain(fields["clientId"]), client), trusted_urls=trusted
    )


# ---------------------------------------------------------------------------------------------- service key


def _from_service_key(key: Secret, client: ClientCertificate | None) -> Credentials:
    fields = _service_key_fields(key)
    url = fields.get("url")
    token_url = fields.get("tokenurl") or fields.get("certurl")
    named = tuple(address for address in (url, token_url) if address)
    sign_in = _service_key_sign_in(fields, token_url, client)
    return Credentials(sign_in, api_url=url, trusted_urls=named)


def _service_key_sign_in(fields: Mapping[str, str], token_url: str | None, client: ClientCertificate | None) -> SignIn:
    client = client or _embedded_certificate(fields)
    name = fields.get("clientid")
    if client is not None:
        if token_url and name:
            return CertificateToken(token_endpoint(token_url), name, client)
        return CertificateOnly(client)
    if not fields.get("clientsecret"):
        raise CredentialsError(
            "the service key has neither a client secret nor a private key",
            hint="a key of the kind External Certificate needs certificate and key beside serviceKey"
            if "certificate" in fields
            else "use a service key of the plan api of the service Process Integration Runtime",
        )
    if not token_url or not name:
        raise CredentialsError("the service key has no tokenurl or no clientid")
    return ClientSecret(token_endpoint(token_url), name, Secret(fields["clientsecret"]))


def _embedded_certificate(fields: Mapping[str, str]) -> ClientCertificate | None:
    if not fields.get("certificate") or not fields.get("key"):
        return None
    return ClientCertificate(_pem(fields["certificate"]), _pem(fields["key"]))


def _service_key_fields(key: Secret) -> dict[str, str]:
    """The texts of a service key, names in lower case without separators, from whichever level they stand on."""
    try:
        value: Any = json.loads(key.reveal().decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # The exception carries the document, so it is not passed on.
        raise CredentialsError(
            "the service key is not JSON", hint="give the whole service key, as the cockpit shows it"
        ) from None
    if not isinstance(value, dict):
        raise CredentialsError("the service key is not a JSON object")
    return dict(_texts(value))


def _texts(value: Mapping[str, Any], depth: int = 3) -> Iterable[tuple[str, str]]:
    for name, item in value.items():
        if isinstance(item, str):
            yield name.lower().replace("_", "").replace("-", ""), item.strip()
    for nest in _NESTS:
        inner = value.get(nest)
        if isinstance(inner, dict) and depth:
            yield from _texts(inner, depth - 1)


# -------------------------------------------------------------------------------------------------- fields


def token_endpoint(url: str) -> str:
    """The address of the token endpoint; the path is added where only the host is given."""
    parts = urlsplit(url)
    return parts._replace(path=_ENDPOINT_PATH).geturl() if parts.path in {"", "/"} else url


def _certificate(fields: Mapping[str, Secret | str]) -> ClientCertificate | None:
    given = _CERTIFICATE & set(fields)
    if not given:
        return None
    _exactly(set(given), _CERTIFICATE)
    return ClientCertificate(_pem(fields["certificate"]), _pem(fields["key"]))


def _pem(value: Secret | str) -> Secret:
    r"""PEM with real line breaks: service keys write them as `\n`, and shells sometimes double the backslash."""
    content = _secret(value).reveal()
    return Secret(content.replace(b"\\r", b"").replace(b"\\n", b"\n").strip() + b"\n")


def _secret(value: Secret | str) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _plain(value: Secret | str) -> str:
    if not isinstance(value, Secret):
        return value.strip()
    try:
        return value.text().strip()
    except UnicodeDecodeError:
        raise CredentialsError("a field of the credentials is not text") from None


def _exactly(names: set[str], wanted: Iterable[str]) -> None:
    if lacking := sorted(set(wanted) - names):
        raise CredentialsError(f"the credentials lack {' and '.join(lacking)}")
    _only(names, set(wanted))


def _only(names: set[str], allowed: Iterable[str]) -> None:
    if surplus := sorted(names - set(allowed)):
        raise CredentialsError(
            f"the credentials name two ways to sign in; {' and '.join(surplus)} is too much",
            hint="keep one of: serviceKey; tokenUrl, clientId, clientSecret; username, password; certificate, key",
        )
