"""In which of the ways that the description leaves open this tenant answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Manner:
    """Every field is one question that the sources answer differently, or not at all."""

    # Shapes
    lower_hex: bool = False
    offset: bool = True  # `/Date(ms+0000)/` or `/Date(ms)/`
    times: str = "ms"  # LastModifiedTime and CreatedTime: "ms", "seconds", "none"
    metadata: bool = True  # `__metadata` and deferred links
    surplus: bool = False  # properties that nobody has heard of
    atom: bool = False  # JSON is never honoured
    results: bool = True  # lists as `d.results`; False: `d` is the list, as in OData version 1
    type_case: str = "title"  # Type: "title", "upper", "joined"
    owner: bool = True  # whether Owner is stated
    owner_case: str = "title"  # Owner: "title" ("SAP"), "odd" (" sap ")
    facts: bool = True  # False: the list states nothing but alias, Type and Owner
    absent: str = "null"  # what has no value: "null", "omitted", "empty"
    entity: str = "same"  # one entry asked for by itself: "same" as in the list, "precise" times, "bare"
    order: str = "kept"  # of a list: "kept", "reversed", "shuffled"
    page: int = 1000
    next_link: str = "foreign"  # "foreign" host, "relative", "path", "encoded"
    # Success and refusal
    status: int = 204  # of a confirmed write that lists nothing
    created: int = 204  # of a generated key pair
    echo: bool = False  # whether a confirmed write answers with a body
    envelope: str = "d"  # where the answer 409 has the certificate
    error: str = "error"  # shape of errors: "error", "bare", "null", "xml", "empty"
    lock: int = 503
    # Sessions
    csrf: bool = False  # enforced, for bearer tokens as well
    csrf_at_root: bool = True
    csrf_once: bool = False  # a token serves one write
    token: str = "query"
    expires_in: object = 43199
    # The wire
    close: bool = False
    chunked: bool = False
    gzip: bool = False
    header_case: str = "title"  # "title", "lower", "upper"
    json_type: str = "application/json;charset=utf-8"
    slow: float = 0.0  # seconds before each answer
    per_second: int = 0  # hard limit, 0 for none
    retry_after: bool = False
    delay: float = 0.0  # seconds until reads show a write
    # Requests
    select: bool = True  # False: `$select` is refused
    keystores: bool = True  # whether `Keystores('system')` answers
    public: bool = True  # whether the public content of the whole keystore is given
    single_delete: int = 0  # the status with which it is refused, 0: it works
    takes: tuple[str, ...] = ("pem", "base64", "der")  # bodies of certificates
    takes_chain: tuple[str, ...] = ("pem", "pkcs7")
    # Material
    certificate_as: str = "pem"  # "pem", "base64", "der", "crlf"
    chain_as: str = "pkcs7-pem"  # "pkcs7-pem", "pkcs7-der", "pkcs7-base64", "certificates"
    root_first: bool = False
    root_of_chain: str = "kept"  # what becomes of the root of an uploaded chain: "kept", "dropped", "added"
    request_as: str = "CERTIFICATE REQUEST"
    curve: str = "java"  # EllipticCurve: "java", "sec", "none"
    serial_padded: bool = False


ECHOING = Manner(csrf=True, echo=True, status=200)
CONTRARY = {
    "plain": Manner(),
    "old-specification": Manner(
        lower_hex=True, offset=False, metadata=False, times="seconds", envelope="error", error="bare", lock=423,
        status=200, created=201, echo=True, request_as="NEW CERTIFICATE REQUEST", curve="sec", absent="omitted",
        order="reversed", next_link="relative", page=3, header_case="lower",
    ),
    "atom": Manner(
        atom=True, error="xml", envelope="atom", times="seconds", curve="none", certificate_as="crlf", status=202,
        created=201, page=4, next_link="path",
    ),
    "terse": Manner(
        metadata=False, results=False, owner=False, facts=False, times="none", type_case="upper", error="empty",
        envelope="text", keystores=False, public=False, csrf=True, csrf_at_root=False, single_delete=404,
        header_case="upper", json_type="application/json; odata=verbose",
    ),
    "wire": Manner(
        close=True, chunked=True, gzip=True, token="form", expires_in=None, status=200, created=202,
        page=7, envelope="results", surplus=True, csrf=True, single_delete=405, error="html", slow=0.003,
        next_link="encoded",
    ),
    "hasty": Manner(
        delay=0.08, retry_after=True, envelope="top", type_case="joined", takes=("pem",), order="shuffled",
        entity="precise", times="seconds", csrf=True, csrf_once=True,
    ),
    "picky": Manner(
        select=False, takes=("der",), takes_chain=("pkcs7",), certificate_as="der", chain_as="pkcs7-der",
        root_first=True, expires_in="3600", error="null", root_of_chain="added", single_delete=501, absent="empty",
        entity="bare", json_type="text/json",
    ),
    "loose": Manner(
        certificate_as="base64", chain_as="certificates", root_first=True, root_of_chain="dropped", takes=("base64",),
        serial_padded=True, expires_in=90, status=201, echo=True, envelope="error-results", owner_case="odd",
        chunked=True, json_type="",
    ),
}  # fmt: skip
