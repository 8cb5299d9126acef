"""The nouns of the product: what is wanted, what is there, what differs, what would be done, what was done.

Everything here is a frozen value. Nothing here opens a file, reads a clock, parses a certificate or holds a private
key: certificates arrive through the `Certificate` protocol, parsed at the edge (`reconciler.x509`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime, timedelta

    from reconciler.secret import Secret
    from reconciler.trust import TrustVerdict


# --------------------------------------------------------------------------------------------------- places


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A place in a file of the desired state; line and column count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


# --------------------------------------------------------------------------------------------- certificates


class Certificate(Protocol):
    """An X.509 certificate as the core sees it: the DER bytes and, on demand, plain facts about them.

    A fact that cannot be parsed is None (never an exception): a certificate that a strict parser refuses must not make
    a keystore unreadable. Two certificates are the same when their `der` is.
    """

    @property
    def der(self) -> bytes: ...
    @property
    def sha256(self) -> str:
        """SHA-256 over the DER bytes, lower-case hexadecimal without colons."""

    @property
    def subject(self) -> str | None:
        """RFC 4514 text, most specific attribute first."""

    @property
    def issuer(self) -> str | None: ...
    @property
    def subject_attributes(self) -> tuple[tuple[str, str], ...] | None:
        """The subject as (short name, value) in the order of the certificate, for example ``("CN", "x")``."""

    @property
    def subject_key(self) -> str | None:
        """The subject in the canonical form in which Java compares names (`X500Principal.equals`)."""

    @property
    def issuer_key(self) -> str | None: ...
    @property
    def serial(self) -> int | None: ...
    @property
    def not_before(self) -> datetime | None:
        """In UTC."""

    @property
    def not_after(self) -> datetime | None:
        """In UTC."""

    @property
    def key_algorithm(self) -> str | None:
        """RSA, RSASSA-PSS, EC, Ed25519, Ed448, DSA, or the dotted OID."""

    @property
    def key_size(self) -> int | None:
        """Bits of the modulus or of the curve's field."""

    @property
    def curve(self) -> str | None:
        """The SEC name of the curve of an EC key, for example secp256r1."""

    @property
    def public_key_sha256(self) -> str | None:
        """SHA-256 over the SubjectPublicKeyInfo: the identity of the key pair."""

    @property
    def signature_algorithm(self) -> str | None:
        """In Java's spelling, for example SHA256withRSA."""

    @property
    def subject_alt_names(self) -> tuple[str, ...] | None:
        """Such as ``DNS:example.com``, ``IP:192.0.2.1``, ``email:a@b``, ``URI:…``; empty when there is none."""

    @property
    def key_usage(self) -> frozenset[str] | None:
        """RFC 5280 names (digitalSignature, keyCertSign, …); None when absent."""

    @property
    def extended_key_usage(self) -> tuple[str, ...] | None:
        """serverAuth, clientAuth, … or the dotted OID; None when absent."""

    @property
    def is_ca(self) -> bool | None:
        """The basicConstraints cA flag; None when the extension is absent."""

    @property
    def path_length(self) -> int | None: ...
    @property
    def subject_key_identifier(self) -> bytes | None: ...
    @property
    def authority_key_identifier(self) -> bytes | None: ...
    @property
    def version(self) -> int | None: ...
    @property
    def problem(self) -> str | None:
        """Why the certificate could not be parsed, or None when it could."""


# ------------------------------------------------------------------------------------------ what is there


class StoreType(StrEnum):
    """The types of keystores, as the desired state spells them."""

    PKCS12 = "pkcs12"
    JKS = "jks"
    JCEKS = "jceks"
    SAP_CLOUD_INTEGRATION = "sap-cloud-integration"
    BKS = "bks"  # read only, as a source of imports
    UBER = "uber"  # read only, as a source of imports


class EntryKind(StrEnum):
    """What an entry is, by Java's rule (`KeyStoreSpi.engineEntryInstanceOf`).

    A key with a chain is a key pair, a key without one is a secret key, whatever is inside.
    """

    TRUSTED_CERTIFICATE = "trusted-certificate"
    KEY_PAIR = "key-pair"
    SECRET_KEY = "secret-key"  # noqa: S105  # a kind of entry
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a live keystore, as Java (or the tenant) shows it.

    Attributes:
        alias: The alias as shown by the store. Identity is `ownership.alias_key(alias)`.
        kind: What Java takes it for.
        chain: Leaf first; one certificate for a trusted certificate, none for a secret key.
        digest: SHA-256 over every byte of the entry that the store carries for it. Two reads of an untouched entry
            give the same digest; it is never written into a plan that leaves the machine.
        stored_alias: The spelling inside the file where Java shows another one, else equal to `alias`.
        reachable: False where Java lists the entry but cannot find it by its alias (capitals in JKS and JCEKS).
        created: When the store says it was made, in UTC.
        owner: The store's own statement of ownership (``SAP``, ``Tenant Administrator``), None for files.
        note: One sentence where something is unusual, else None.
        key_digest: SHA-256 over the protected private key as the store carries it, None where there is no such thing.
            Equal means that the very same protected key is there.
    """

    alias: str
    kind: EntryKind
    chain: tuple[Certificate, ...]
    digest: str
    stored_alias: str = ""
    reachable: bool = True
    created: datetime | None = None
    owner: str | None = None
    note: str | None = None
    key_digest: str | None = None

    @property
    def leaf(self) -> Certificate | None:
        """The entry's own certificate."""
        return self.chain[0] if self.chain else None


@dataclass(frozen=True, slots=True)
class ReplacedSapKey:
    """A key pair of SAP's that a newer one has replaced, as the history of a tenant tells it."""

    entry: Entry
    original_alias: str
    active_from: datetime | None = None
    active_until: datetime | None = None
    activated_by: str | None = None
    deactivated_by: str | None = None


@dataclass(frozen=True, slots=True)
class HiddenEntry:
    """Something inside the file that Java does not show and would drop; we carry it."""

    name: str
    what: str  # for example "private key in a plain key bag", "certificate outside every chain"
    certificates: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One raw piece of a keystore file in file order, so that the guard can see that nothing else moved.

    Attributes:
        alias_key: The identity of the entry it belongs to, None for what belongs to none in particular.
        digest: SHA-256 over the raw bytes of the piece.
        certificate_sha256: Set where the piece is a certificate bag.
    """

    alias_key: str | None
    digest: str
    certificate_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A live keystore at one moment.

    Attributes:
        type: What the content is, whatever the file is called.
        exists: False for a keystore file that is missing; then everything else is empty.
        entries: What Java shows, in the order of the store.
        hidden: What Java does not show.
        parts: Every raw piece in file order; empty for stores that are not files.
        warnings: Sentences for `list` and `show`.
        integrity: Whether the file carries an integrity check that was verified.
        version: SHA-256 of the file, or the tenant's LastModifiedTime: equal means unchanged.
        encryption: How a PKCS#12 file is encrypted: modern, legacy, or other; None where that says nothing.
        opened_with_previous: Whether it was the previous password that opened it.
        old_backups: With `opened_with_previous`, the backups that the previous password opens as well.
        new_sap_keys: In a tenant, the successors that SAP has prepared; None where nobody asked.
        replaced_sap_keys: In a tenant, SAP's keys that were replaced; None where nobody asked.
    """

    type: StoreType
    exists: bool = True
    entries: tuple[Entry, ...] = ()
    hidden: tuple[HiddenEntry, ...] = ()
    parts: tuple[Part, ...] = ()
    warnings: tuple[str, ...] = ()
    integrity: bool = True
    version: str = ""
    encryption: str | None = None
    opened_with_previous: bool = False
    old_backups: tuple[str, ...] = ()
    new_sap_keys: tuple[Entry, ...] | None = None
    replaced_sap_keys: tuple[ReplacedSapKey, ...] | None = None


# ----------------------------------------------------------------------------------------- what is wanted


@dataclass(frozen=True, slots=True)
class KeySpec:
    """The key to generate: RSA with a size, EC with a curve, or Ed25519."""

    algorithm: str
    size: int | None = None
    curve: str | None = None


@dataclass(frozen=True, slots=True)
class RenewBefore:
    """When a renewal is due: a fixed time before the end, or a share of the lifetime that is left."""

    duration: timedelta | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class IssuerSpec:
    """Who signs: the type of issuer, its name where it stands under `issuers:`, and its options as data.

    Attributes:
        type: self-signed, local-ca, external, command, …
        name: Under `issuers:`, None for an issuer that stands with its key pair.
        options: What the type needs besides: paths, references to secrets, arguments.
        certificates: The certificates of the authority where the file names them, its own first.
        source: Where it is declared.
    """

    type: str
    name: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    certificates: tuple[Certificate, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a signing request asks for, so that one that is out can be told from one that is outdated.

    Attributes:
        public_key_sha256: The key that is to be certified.
        subject: As in `WantedKeyPair`.
        subject_alt_names: As in `WantedKeyPair`.
        requested: The day that we noted above the request; None for requests that others wrote.
        renews: SHA-256 of the certificate that it renews over the same key, as we noted; None for a first one.
    """

    public_key_sha256: str
    subject: tuple[tuple[str, str], ...]
    subject_alt_names: tuple[str, ...]
    requested: date | None = None
    renews: str | None = None


@dataclass(frozen=True, slots=True)
class Correspondence:
    """The letters to and from an outside CA, which live in the repository.

    Attributes:
        request_path: Where the signing request is written, absolute.
        request_shown: How messages call it.
        request: What the request that lies there asks for; None when there is none that can be read.
        response_path: Where the answer is picked up, absolute.
        response_shown: How messages call it.
        response: The certificates of the answer in the order of the file; None when there is no answer.
        response_problem: Why the answer cannot be read, None when it can.
    """

    request_path: str
    request_shown: str
    response_path: str
    response_shown: str
    request: RequestFacts | None = None
    response: tuple[Certificate, ...] | None = None
    response_problem: str | None = None


@dataclass(frozen=True, slots=True)
class WantedCertificate:
    """A trusted certificate that must be there."""

    alias: str
    source: Source
    certificate: Certificate
    pinned: bool = False
    origin: str = ""  # the file, or "bundle mozilla"
    replaces: str | None = None  # the alias that goes as soon as no receiver needs it any more


@dataclass(frozen=True, slots=True)
class WantedKeyPair:
    """A key pair that is generated and renewed by us."""

    alias: str
    source: Source
    key: KeySpec
    subject: tuple[tuple[str, str], ...]  # (short name, value), in the order of the certificate
    subject_alt_names: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    validity: timedelta
    renew_before: RenewBefore
    rekey: bool
    issuer: IssuerSpec
    activation: str = "automatic"  # automatic | approved
    activate: str | None = None  # SHA-256 of the staged leaf that may take over
    chain: tuple[Certificate, ...] = ()  # further certificates for its chain
    correspondence: Correspondence | None = None  # with an issuer that answers later
    replace_key: str | None = None  # SHA-256 of a live leaf whose key may be thrown away
    generate_in: str | None = None  # tenant | here, where a tenant is the keystore; None for files

    @property
    def born_in_tenant(self) -> bool:
        """Whether the tenant makes the key, so that it never leaves it."""
        return self.generate_in == "tenant"


@dataclass(frozen=True, slots=True)
class WantedImport:
    """A key pair that is brought along in a file of the repository; `material` is how the edge opens it again."""

    alias: str
    source: Source
    chain: tuple[Certificate, ...]
    origin: str
    renew_before: RenewBefore
    material: object = None
    replace_key: str | None = None  # SHA-256 of a live leaf whose key may be thrown away


@dataclass(frozen=True, slots=True)
class WantedExisting:
    """A key pair that is watched and never written."""

    alias: str
    source: Source
    sha256: str | None
    renew_before: RenewBefore


Wanted = WantedCertificate | WantedKeyPair | WantedImport | WantedExisting


@dataclass(frozen=True, slots=True)
class Absent:
    """An alias that must not exist."""

    alias: str
    source: Source


@dataclass(frozen=True, slots=True)
class Accepted:
    """A difference that somebody answers for, until a day: what must be true of the finding for it to apply.

    Attributes:
        alias: The alias of the finding.
        sha256: Of the live leaf certificate.
        reason: Why it is accepted.
        owner: Who answers for it.
        until: The last day on which it is accepted, in UTC.
        source: Where it is declared.
        status: The finding that is meant, `differs` or `unmanaged`; None for either.
        fields: The differing fields that are meant; empty for any.
    """

    alias: str
    sha256: str
    reason: str
    owner: str
    until: date
    source: Source
    status: Status | None = None
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Renamed:
    """An entry that gets another alias, as long as the old one exists and the new one does not."""

    old: str
    new: str
    source: Source


@dataclass(frozen=True, slots=True)
class Receiver:
    """A system that we connect to, the key pair that it expects of us, and what was recorded of it in the repository.

    Attributes:
        name: How the file calls it.
        address: HOST:PORT.
        source: Where it is declared.
        key_pair: The alias of the client certificate.
        server_name: The name to ask for and to find in the certificate, where it is not the host.
        starttls: The protocol that begins in plain text, None for TLS from the first octet.
        chain_path: Where its chain is recorded, absolute; there may be no such file yet.
        chain_shown: How messages call that file.
        recorded: The certificates that it sent when that was recorded, its own first; empty when nothing is recorded.
        asks: Whether it asked for a client certificate then; None where the file does not say.
        accepts: Whose client certificates it took then, as names; empty where it named nobody.
    """

    name: str
    address: str
    source: Source
    key_pair: str | None = None
    server_name: str | None = None
    starttls: str | None = None
    chain_path: str = ""
    chain_shown: str = ""
    recorded: tuple[Certificate, ...] = ()
    asks: bool | None = None
    accepts: tuple[str, ...] = ()

    @property
    def destination(self) -> tuple[str, str | None, str | None]:
        """What tells whether two receivers are the same server, asked in the same way."""
        return self.address, self.server_name, self.starttls

    @property
    def host(self) -> str:
        """The host of the address, without brackets."""
        return self.address.rpartition(":")[0].strip("[]")


class Unmanaged(StrEnum):
    """What happens to live entries that the file does not name."""

    REPORT = "report"
    IGNORE = "ignore"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class ProtectedPattern:
    """A pattern of `aliases.protected`, with the line that asks for it."""

    pattern: str
    source: Source


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret comes from, never the secret itself; `reconciler.desired.secrets` reads it when it is used.

    Attributes:
        kind: ``env``, ``file`` or ``command``.
        value: The name of the variable, the absolute path, or the arguments of the command.
        source: The line that asks for it.
        directory: The absolute directory of the file that asks for it: where a command runs.
    """

    kind: str
    value: str | tuple[str, ...]
    source: Source
    directory: str = ""


@dataclass(frozen=True, slots=True)
class KeystoreTarget:
    """The live keystore that the file names.

    Attributes:
        type: The declared type.
        location: What is shown and what goes into the digest: the path as written (POSIX, relative to the state file)
            or the URL.
        path: The absolute path for files, else empty.
        create: Whether a missing file may be made.
        allow_no_integrity: `integrity: none`: a password is declared and the missing check is accepted.
        password: Where the password comes from; None for a keystore without one.
        previous_password: Where the password comes from that the keystore has until now; None when it is `password`.
        encryption: modern or legacy; None as the file is, and modern for a new one.
        keep_backups: How many backups of the keystore file are kept.
        credentials: How to sign in at a tenant: the keys of the file, texts as they stand, secrets as references.
        read_credentials: The same for commands that only read; empty where `credentials` serve for them too.
    """

    type: StoreType
    location: str
    source: Source
    path: str = ""
    create: bool = False
    allow_no_integrity: bool = False
    password_declared: bool = False
    password: SecretRef | None = None
    previous_password: SecretRef | None = None
    encryption: str | None = None
    keep_backups: int = 10
    credentials: tuple[tuple[str, SecretRef | str], ...] = ()
    read_credentials: tuple[tuple[str, SecretRef | str], ...] = ()

    @property
    def is_tenant(self) -> bool:
        """Whether it is a tenant rather than a file."""
        return self.type is StoreType.SAP_CLOUD_INTEGRATION


class PolicyLevel(StrEnum):
    """How grave a finding of the policy is."""

    ERROR = "error"  # stops validate, plan and apply
    WARNING = "warning"
    NOTE = "note"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the files say of the checks in `reconciler.policy`.

    Attributes:
        levels: By the id of the check, where a file says something else than the default.
        maximum_validity: How long a key pair may be valid; None for as long as it wants.
    """

    levels: Mapping[str, PolicyLevel] = field(default_factory=dict)
    maximum_validity: timedelta | None = None


@dataclass(frozen=True, slots=True)
class DesiredState:
    """One state file with everything that it includes, resolved and validated."""

    name: str  # how reports call it: the path as given, POSIX
    keystore: KeystoreTarget
    wanted: tuple[Wanted, ...] = ()
    protected: tuple[ProtectedPattern, ...] = ()
    unmanaged: Unmanaged = Unmanaged.REPORT
    absent: tuple[Absent, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    policy: Policy = field(default_factory=Policy)


# ---------------------------------------------------------------------------------------------- findings


class Status(StrEnum):
    """What a finding says; the table stands in the contract."""

    IN_SYNC = "in-sync"
    MISSING = "missing"
    DIFFERS = "differs"
    AWAITING_SIGNATURE = "awaiting-signature"
    RESPONSE_READY = "response-ready"
    RESPONSE_REJECTED = "response-rejected"
    READY_TO_ACTIVATE = "ready-to-activate"
    STILL_NEEDED = "still-needed"  # replaced by another root, and a receiver still hangs on it
    EXPIRING = "expiring"
    EXPIRED = "expired"
    UNMANAGED = "unmanaged"
    ACCEPTED = "accepted"  # differs or unmanaged, and somebody answers for it until a day
    PROTECTED = "protected"


class Expiry(StrEnum):
    """How an entry stands against the clock, whatever else is true of it."""

    OK = "ok"
    EXPIRING = "expiring"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which live and wanted differ, as text for people."""

    field: str
    live: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a finding would be if nobody had accepted it, and who has."""

    by: Accepted
    status: Status
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is true of one alias: exactly one finding for each alias that is wanted or live."""

    alias: str
    status: Status
    reason: str  # a stable code: missing, certificate, key-spec, subject, alias-case, kind, expiring, …
    message: str
    expiry: Expiry = Expiry.OK
    differences: tuple[Difference, ...] = ()
    wanted: Wanted | None = None
    live: Entry | None = None
    source: Source | None = None  # where the file asks for it
    staged: Entry | None = None  # what waits under `<alias>.next`
    chain: tuple[Certificate, ...] = ()  # the answer of the CA in order, or a chain that could be completed
    renamed_from: Entry | None = None  # `live` still carries this old alias
    receivers: tuple[str, ...] = ()  # who still needs it, of a root that is to be replaced
    acceptance: Acceptance | None = None  # of an accepted finding


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """What a check of the policy has to say of one alias, or of a receiver.

    Attributes:
        check: The id of the check.
        level: How grave it is.
        alias: The alias, or the name of the receiver.
        message: What is the matter.
        hint: What to do.
        source: Where it is declared; None for what is only live.
        sha256: Of the certificate that it is about.
        is_live: Whether only the keystore shows it.
    """

    check: str
    level: PolicyLevel
    alias: str
    message: str
    hint: str
    source: Source | None = None
    sha256: str | None = None
    is_live: bool = False


# ---------------------------------------------------------------------------------------------- receivers


@dataclass(frozen=True, slots=True)
class Probe:
    """What one connection to a receiver showed, without a client certificate.

    Attributes:
        chain: As sent, its own certificate first; empty when there was none.
        code: ``ok``, or why the connection did not come about or did not last; see `tls.failures`.
        message: That in a sentence.
        asks: Whether it asked for a client certificate; None when that cannot be known.
        accepts: Whose client certificates it takes, as names for people; empty where it names nobody.
        accepted_keys: The same names as Java compares them.
    """

    chain: tuple[Certificate, ...] = ()
    code: str = "ok"
    message: str = ""
    asks: bool | None = None
    accepts: tuple[str, ...] = ()
    accepted_keys: frozenset[str] = frozenset()


class ReceiverStatus(StrEnum):
    """What a plan means for the trust in a receiver, the worst first."""

    WOULD_BREAK = "would-break"  # trusted before, not after
    UNTRUSTED = "untrusted"  # neither before nor after
    UNKNOWN = "unknown"  # not reached, and nothing recorded
    NEWLY_TRUSTED = "newly-trusted"
    STILL_TRUSTED = "still-trusted"


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """One chain of a receiver against the entries before and after the plan.

    Attributes:
        origin: ``recorded`` or ``probe``.
        chain: Its own certificate first.
        moment: When it is judged: now, or the last moment of a certificate that has expired since.
        status: Before against after, at that moment.
        before: Java's answer with the entries of today.
        after: Java's answer with the entries after the plan.
        later: Java's answer with the entries after the plan, at the horizon.
        later_status: Before against after at the horizon.
        lost: The aliases that carry the chain today and that the plan takes away; only where it would break.
        host_code: Whether the name fits: ``ok``, ``no-san``, ``name-mismatch``.
        host_message: That in a sentence.
    """

    origin: str
    chain: tuple[Certificate, ...]
    moment: datetime
    status: ReceiverStatus
    before: TrustVerdict
    after: TrustVerdict
    later: TrustVerdict
    later_status: ReceiverStatus
    lost: tuple[str, ...] = ()
    host_code: str = "ok"
    host_message: str = ""


@dataclass(frozen=True, slots=True)
class ReceiverNote:
    """Something about a receiver that somebody should know; `code` is stable.

    `recorded` and `seen` are the two sides where something changed since it was recorded, as text for people.
    """

    code: str
    message: str
    recorded: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class ReceiverVerdict:
    """What is true of one receiver: the worst of its chains decides.

    Attributes:
        receiver: The receiver.
        status: The worst of its chains, now and at the horizon.
        message: One sentence.
        hint: What to do; empty when there is nothing to do.
        chains: What is known: the recorded chain, the one that was probed, both, or none.
        probe: What the connection showed, None when there was none.
        differences: How the receiver differs from what was recorded, or stops fitting: what `drift` counts.
        warnings: What does not change the verdict.
    """

    receiver: Receiver
    status: ReceiverStatus
    message: str
    hint: str = ""
    chains: tuple[ChainVerdict, ...] = ()
    probe: Probe | None = None
    differences: tuple[ReceiverNote, ...] = ()
    warnings: tuple[ReceiverNote, ...] = ()


# --------------------------------------------------------------------------------------------------- plan


class Action(StrEnum):
    """The closed set of changes, in the order in which a plan lists and applies them."""

    CREATE_STORE = "create-store"
    MIGRATE = "migrate"
    DELETE = "delete"
    RENAME = "rename"
    REPLACE = "replace"
    IMPORT = "import"
    CREATE = "create"
    RENEW = "renew"
    REQUEST = "request"


class Step(StrEnum):
    """What apply does for a change: decided by the plan, carried out by `applying` without a second thought."""

    CREATE_STORE = "create-store"
    PUT = "put"  # what the repository holds, under the alias
    GENERATE = "generate"  # a new key under the alias
    REISSUE = "reissue"  # a new certificate over the same key
    STAGE = "stage"  # a renewed key pair under `<alias>.next`
    REKEY = "rekey"  # a renewed key pair under `<alias>.next`, which takes the alias over as soon as it is complete
    ANSWER = "answer"  # the signing response onto the alias
    ANSWER_STAGED = "answer-staged"  # the signing response onto `<alias>.next`, where it waits for approval
    ANSWER_TAKE_OVER = "answer-take-over"  # the signing response onto `<alias>.next`, which takes the alias over
    TAKE_OVER = "take-over"  # `<alias>.next` takes the alias over
    COMPLETE_CHAIN = "complete-chain"  # the missing certificates onto the same leaf and key
    REQUEST = "request"  # the signing request into the repository
    RESPELL = "respell"  # the same entry under the spelling that Java finds
    RENAME = "rename"
    REMOVE = "remove"
    MIGRATE = "migrate"  # the same entries in another format, under another password or encryption
    RESTORE = "restore"  # what a backup holds under the alias
    RESTORE_FILE = "restore-file"  # a whole backup in the place of the keystore


@dataclass(frozen=True, slots=True)
class Affect:
    """A side effect that Java would show: the chain of another entry, as SHA-256 leaf first."""

    alias: str
    chain_before: tuple[str, ...]
    chain_after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """How a keystore file becomes what is declared, without a change of any entry.

    Attributes:
        from_type: What the file is.
        to_type: What it becomes.
        from_encryption: `Snapshot.encryption` of the file.
        to_encryption: The declared encryption, None where nothing is declared.
        new_password: Whether the password changes.
        unchanged: The identities of protected entries: their keys go over byte for byte, or the keystore does not.
    """

    from_type: StoreType
    to_type: StoreType
    from_encryption: str | None = None
    to_encryption: str | None = None
    new_password: bool = False
    unchanged: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that apply would do.

    `before` is the live entry that the change was planned against (None: there must be none); `wanted` is what the
    file asks for. Neither the message nor anything else that is prose steers what happens.
    """

    action: Action
    alias: str
    reason: str
    message: str
    source: Source | None = None
    wanted: Wanted | None = None
    before: Entry | None = None
    affects: tuple[Affect, ...] = ()
    step: Step = Step.PUT
    staged: Entry | None = None  # the live entry under `<alias>.next` that it was planned against
    chain: tuple[Certificate, ...] = ()  # the chain that is put in place, where it is known
    new_alias: str | None = None  # of a rename
    certificate_change: str | None = None  # same-key-renewed, re-keyed, other-issuer, names-changed
    warnings: tuple[str, ...] = ()  # how the new certificate is weaker than the old one
    receivers: tuple[str, ...] = ()  # who has to know of it
    migration: Migration | None = None
    restored: Entry | None = None  # what the backup holds, where it is put back
    run: str | None = None  # the run whose backup that is


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What would be done to one keystore, the findings that it follows from, and what it means for the receivers.

    Attributes:
        receivers: In the order of the file.
        unneeded: The trusted certificates after the plan that carry no receiver that is known.
        policy: What the policy has to say, the gravest first.
    """

    desired: DesiredState
    live: Snapshot
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    receivers: tuple[ReceiverVerdict, ...] = ()
    unneeded: tuple[str, ...] = ()
    policy: tuple[PolicyFinding, ...] = ()


# ------------------------------------------------------------------------------------------------- writes


@dataclass(frozen=True, slots=True)
class PutCertificate:
    """Set a trusted certificate, new or in place of a trusted certificate of the same alias."""

    alias: str
    certificate: Certificate
    created: datetime | None = None  # None: now
    vouched: bool = False  # in a tenant: whether somebody has checked the fingerprint


@dataclass(frozen=True, slots=True)
class PutKeyPair:
    """Set a key pair, new or in place of one.

    `private_key` is PKCS#8 DER in a `Secret`; it is None only while planning, when there is no key yet.
    """

    alias: str
    chain: tuple[Certificate, ...]
    private_key: Secret | None = None
    created: datetime | None = None  # None: now
    vouched: bool = False  # as for a certificate, about the top of the chain


@dataclass(frozen=True, slots=True)
class PutChain:
    """Give a key pair another chain; the protected key is carried as it is, undecrypted."""

    alias: str
    chain: tuple[Certificate, ...]
    vouched: bool = False  # as for a key pair


@dataclass(frozen=True, slots=True)
class Generate:
    """Have a tenant make a key pair with a self-signed certificate; the private key never leaves it.

    Attributes:
        alias: Must be free.
        wanted: The key, the subject and the validity.
        start: From when the certificate is valid.
    """

    alias: str
    wanted: WantedKeyPair
    start: datetime


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an entry out."""

    alias: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give an entry another alias; everything else stays as it is."""

    alias: str
    new_alias: str


@dataclass(frozen=True, slots=True)
class Restore:
    """Put back what a backup holds under an alias, byte for byte.

    Attributes:
        alias: The alias.
        entry: The entry as the backup shows it.
        run: The run whose backup it is.
        origin: The container of the backup, filled in where the write meets a container.
    """

    alias: str
    entry: Entry
    run: str
    origin: object = field(default=None, repr=False, compare=False)


Write = PutCertificate | PutKeyPair | PutChain | Generate | Remove | Rename | Restore


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the record beside a backup says of the run that made it; see `keystores.history`.

    Attributes:
        command: apply or rollback.
        state: The state file, as reports call it.
        digest: Of the plan.
        changes: Of the plan for this keystore.
        undoes: The run that a rollback undoes.
    """

    command: str
    state: str
    digest: str
    changes: tuple[Change, ...] = ()
    undoes: str | None = None


# ----------------------------------------------------------------------------------------------- outcomes


class OutcomeStatus(StrEnum):
    """How one change ended."""

    APPLIED = "applied"
    FAILED = "failed"
    NOT_TRIED = "not-tried"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change."""

    change: Change
    status: OutcomeStatus
    message: str = ""
    after: Entry | None = None


# ------------------------------------------------------------------------------------------------ reports


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a target could not be planned or applied, as data for reports."""

    message: str
    where: str | None
    hint: str | None
    exit_code: int
    problems: tuple[tuple[str, str, str | None], ...] = ()  # where there are several: message, place, hint
    is_tried: bool = True  # False: nothing failed here; the run had stopped before


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One keystore in a report: its plan, what came of it, or why there is none."""

    state: str
    location: str
    type: StoreType | None
    plan: TargetPlan | None = None
    outcomes: tuple[Outcome, ...] | None = None  # None: nothing was to be applied
    failure: Failure | None = None
    notes: tuple[str, ...] = ()  # what people should know beside the changes, a sentence each


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found and did, for every format. Renderers turn it into text and open nothing."""

    command: str  # plan, apply, drift
    generated_at: datetime
    tool_version: str
    digest: str
    targets: tuple[TargetReport, ...]
