"""A tenant as the keystore: its section of the file, and what its API cannot do, said before anything is sent.

The limits are those of SAP Help ("Managing Keystore Entries" and the pages below it) and of the API's metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.chains import is_self_issued
from reconciler.desired.document import Section, quoted
from reconciler.desired.key_pairs import DEFAULT_USAGE
from reconciler.desired.pins import with_colons
from reconciler.desired.secrets import secret_ref
from reconciler.errors import Problem, ReconcileError
from reconciler.key_pairs import EXTERNAL, SELF_SIGNED
from reconciler.model import KeystoreTarget, StoreType, WantedCertificate, WantedImport, WantedKeyPair
from reconciler.ownership import PREVIOUS_SUFFIX, alias_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.desired.document import Path
    from reconciler.desired.reading import Part
    from reconciler.model import Certificate, SecretRef, Wanted

TENANT, HERE = "tenant", "here"
HERE_HINT = "write `key: {…, generateIn: here}`: the key pair is then made here and uploaded"
MAX_CERTIFICATE = 10_240  # bytes of one certificate
MAX_CHAIN = 30_072  # bytes of a key pair or of a chain
MAX_ALIAS = 250  # characters
MAX_FIELD = 500  # characters of a part of the subject
_API_PATH = "/api/v1"
# Issuers who see of the names only what the signing request says.
_BY_REQUEST = frozenset({EXTERNAL, "command"})
_WAYS = (
    {"serviceKey"},
    {"serviceKey", "certificate", "key"},
    {"tokenUrl", "clientId", "clientSecret"},
    {"tokenUrl", "clientId", "certificate", "key"},
    {"username", "password"},
    {"certificate", "key"},
)
_HOW_TO_SIGN_IN = (
    "one of: serviceKey; tokenUrl, clientId, clientSecret; tokenUrl, clientId, certificate, key; "
    "username, password; certificate, key"
)


# ------------------------------------------------------------------------------------- the section `keystore`


def tenant_target(part: Part, written: Section, problems: list[Problem]) -> KeystoreTarget:
    """The section `keystore` of a tenant, of whose shape the schema approves. No secret is read."""
    return KeystoreTarget(
        StoreType.SAP_CLOUD_INTEGRATION,
        location(written["url"]),
        part.document.source(("keystore",), key=True),
        credentials=_credentials(part, ("keystore", "credentials"), written, problems),
        read_credentials=_credentials(part, ("keystore", "readCredentials"), written, problems),
    )


def location(url: str) -> str:
    """The address of a tenant in one spelling, so that the same tenant twice is noticed."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix(_API_PATH).rstrip("/")
    return f"https://{parts.netloc.lower().removesuffix(':443')}{path}"


def _credentials(
    part: Part, path: Path, written: Section, problems: list[Problem]
) -> tuple[tuple[str, SecretRef | str], ...]:
    given = written.get(str(path[-1]))
    if not isinstance(given, Section):
        return ()
    if set(given) not in _WAYS:
        message = f"`{'.'.join(map(str, path))}` names no way to sign in: {', '.join(given)} do not go together"
        problems.append(Problem("credentials", message, part.document.source(path, key=True), hint=_HOW_TO_SIGN_IN))
        return ()
    found: list[tuple[str, SecretRef | str]] = []
    for name, value in given.items():
        try:
            ref = value if isinstance(value, str) else secret_ref(part.document, (*path, name), value, part.base)
        except ReconcileError as error:
            problems.append(part.problem((*path, name), error))
            continue
        found.append((name, ref))
    return tuple(found)


# ------------------------------------------------------------------------------------------------- defaults


def default_rekey(wanted: WantedKeyPair) -> bool:
    """Whether a renewal in a tenant makes a new key when the file does not say.

    The key cannot leave the tenant, so a renewal keeps it where that is possible. It is not where nobody but the key
    itself signs, where the old and the new certificate have to stand beside each other, and where a signing request
    made by the tenant would lack the declared names.
    """
    return (
        wanted.issuer.type == SELF_SIGNED
        or wanted.activation == "approved"
        or (not wanted.born_in_tenant and bool(wanted.subject_alt_names) and wanted.issuer.type in _BY_REQUEST)
    )


# ------------------------------------------------------------------------------------------------- problems


def tenant_problems(wanted: Iterable[Wanted]) -> Iterator[Problem]:
    """What the API of a tenant cannot do, each with the way out."""
    for one in wanted:
        yield from _alias_problems(one)
        match one:
            case WantedCertificate():
                yield from _certificate_problems(one)
            case WantedImport():
                yield from _chain_problems(one, one.chain)
            case WantedKeyPair():
                yield from _key_pair_problems(one)


def file_problems(wanted: Iterable[Wanted]) -> Iterator[Problem]:
    """What only a tenant can do, asked of a keystore file."""
    for one in wanted:
        if isinstance(one, WantedKeyPair) and one.generate_in is not None:
            message = f"the key pair {quoted(one.alias)}: `generateIn` goes with a tenant; this keystore is a file"
            yield Problem("tenant", message, one.source, hint="take `generateIn` out")


def _problem(one: Wanted, message: str, hint: str, code: str = "tenant") -> Problem:
    return Problem(code, f"{quoted(one.alias)}: {message}", one.source, hint=hint)


def _alias_problems(one: Wanted) -> Iterator[Problem]:
    if alias_key(one.alias).endswith(PREVIOUS_SUFFIX):
        message = f"the alias ends in `{PREVIOUS_SUFFIX}`, where replaced key pairs of a tenant wait for their deletion"
        yield _problem(one, message, "choose another ending", "alias-reserved")
    longest = MAX_ALIAS - (len(PREVIOUS_SUFFIX) if isinstance(one, WantedKeyPair) else 0)
    if len(one.alias) > longest:
        why = f" and `{PREVIOUS_SUFFIX}` may be added to it" if longest < MAX_ALIAS else ""
        message = f"the alias has {len(one.alias)} characters; a tenant takes {MAX_ALIAS}{why}"
        yield _problem(one, message, f"choose one with at most {longest} characters", "alias-unfit")


def _certificate_problems(one: WantedCertificate) -> Iterator[Problem]:
    if len(one.certificate.der) > MAX_CERTIFICATE:
        message = f"the certificate has {len(one.certificate.der)} bytes; a tenant takes at most {MAX_CERTIFICATE}"
        yield _problem(one, message, "nothing can be done about this limit of the tenant")
    if not one.pinned and is_self_issued(one.certificate):
        message = "a self-signed certificate goes into a tenant only with its fingerprint"
        hint = f'compare it with its owner, then add this line: sha256: "{with_colons(one.certificate.sha256)}"'
        yield _problem(one, message, hint, "missing-key")


def _chain_problems(one: Wanted, chain: Iterable[Certificate]) -> Iterator[Problem]:
    size = sum(len(certificate.der) for certificate in chain)
    if size > MAX_CHAIN:
        message = f"its chain has {size} bytes; a tenant takes at most {MAX_CHAIN}"
        yield _problem(one, message, "leave certificates out of the chain that its readers have themselves")


def _key_pair_problems(one: WantedKeyPair) -> Iterator[Problem]:
    if one.key.algorithm not in {"RSA", "EC"}:
        message = f"a tenant holds no keys of the algorithm {one.key.algorithm}"
        yield _problem(one, message, "choose RSA with `size`, or EC with `curve`")
    yield from _chain_problems(one, one.chain)
    if one.born_in_tenant:
        yield from _subject_problems(one)
        yield from _extension_problems(one)
    if not one.rekey:
        yield from _same_key_problems(one)


def _subject_problems(one: WantedKeyPair) -> Iterator[Problem]:
    names = [name for name, _ in one.subject]
    for name, key in (("CN", "commonName"), ("C", "country")):
        if name not in names:
            message = f"a key pair that is made in a tenant needs `subject.{key}`"
            yield _problem(one, message, f"add it; or {HERE_HINT}")
    if names.count("OU") > 1:
        yield _problem(one, "a key pair that is made in a tenant has one organizational unit", HERE_HINT)
    if any(len(value) > MAX_FIELD for _, value in one.subject):
        message = f"a part of its subject is longer than the {MAX_FIELD} characters that a tenant takes"
        yield _problem(one, message, "shorten it")


def _extension_problems(one: WantedKeyPair) -> Iterator[Problem]:
    if one.subject_alt_names:
        message = "subject alternative names cannot be asked for when the key pair is made in a tenant"
        yield _problem(one, message, HERE_HINT)
    # Our own CA writes what the file says, whatever the request says; nobody else hears of it.
    if one.issuer.type == SELF_SIGNED and set(one.extended_key_usage) - set(DEFAULT_USAGE):
        message = "an extended key usage cannot be asked for when the key pair is made and signed in a tenant"
        yield _problem(one, message, HERE_HINT)


def _same_key_problems(one: WantedKeyPair) -> Iterator[Problem]:
    if one.issuer.type == SELF_SIGNED:
        message = "a self-signed certificate in a tenant cannot be renewed over the same key: the key never leaves it"
        yield _problem(one, message, "write `rekey: true`")
    elif one.activation == "approved":
        message = (
            "with `activation: approved` the renewed key pair waits beside the old one, so it has a key of its own"
        )
        yield _problem(one, message, "write `rekey: true`, or take `activation` out")
    elif not one.born_in_tenant and one.subject_alt_names and one.issuer.type in _BY_REQUEST:
        message = "a renewal over the same key asks with the tenant's request, which has no subject alternative names"
        yield _problem(one, message, "write `rekey: true`")
