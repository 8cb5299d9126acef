"""Entities as OData version 2 writes them: JSON with the `d` wrapper, or Atom when JSON was not asked for."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from tests.sap.emulator.exchange import Request, Response, ServiceError
from tests.sap.emulator.switches import DateLiteral, Switches, TrustEnvelope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JSON = "application/json;charset=utf-8"
ATOM_FEED = "application/atom+xml;type=feed;charset=utf-8"
ATOM_ENTRY = "application/atom+xml;type=entry;charset=utf-8"
XML = "application/xml;charset=utf-8"
ATOM_NS = "http://www.w3.org/2005/Atom"
DATA_NS = "http://schemas.microsoft.com/ado/2007/08/dataservices"
META_NS = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
Properties = dict[str, Any]


@dataclass(frozen=True)
class EntitySet:
    """An entity set: its type, how a key is written, and which links an entity carries."""

    name: str
    type: str
    key: Callable[[Properties], str]
    links: tuple[str, ...] = ()


_ENTRY_LINKS = ("ChainCertificates", "Certificate", "Sshkey", "Keystore", "ChainResource", "SigningRequest")
KEYSTORE_ENTRIES = EntitySet("KeystoreEntries", "KeystoreEntry", lambda p: f"'{p['Hexalias']}'", _ENTRY_LINKS)
HISTORY_ENTRIES = EntitySet(
    "HistoryKeystoreEntries", "HistoryKeystoreEntry", lambda p: f"'{p['Hexalias']}'", _ENTRY_LINKS
)
CHAIN_CERTIFICATES = EntitySet(
    "ChainCertificates",
    "ChainCertificate",
    lambda p: f"Hexalias='{p['Hexalias']}',Index={p['Index']}",
    ("KeystoreEntry",),
)
KEYSTORES = EntitySet("Keystores", "Keystore", lambda p: f"'{p['Name']}'", ("Entries", "Runtimes"))


class Renderer:
    """Writes answers to one request in the manner of one tenant."""

    def __init__(self, request: Request, switches: Switches) -> None:
        self._request = request
        self._switches = switches
        self.json = request.wants_json and not switches.ignore_json

    # ---------------------------------------------------------------------------------------- collections

    def collection(self, kind: EntitySet, items: Sequence[Properties]) -> Response:
        """A page of entities, with the link to the next one."""
        query = self._request.query
        start = self._number("$skiptoken") or self._number("$skip") or 0
        stop = min(len(items), start + (self._number("$top") or len(items)))
        page = [self._shown(item) for item in items[start : min(stop, start + self._switches.page_size)]]
        following = start + len(page)
        link = self._next_link(following) if following < stop else None
        if not self.json:
            return Response(200, _feed(self._request, kind, page, link), ATOM_FEED)
        wrapped: Properties = {"results": [self._json_entity(kind, item) for item in page]}
        if query.get("$inlinecount") == "allpages":
            wrapped["__count"] = str(len(items))
        if link:
            wrapped["__next"] = link
        return _json_response({"d": wrapped})

    def _next_link(self, start: int) -> str:
        query = {**self._request.query, "$skiptoken": str(start)}
        query.pop("$skip", None)
        text = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query.items())
        address = f"{self._request.base}/{self._request.path}?{text}"
        if self._switches.relative_next:
            return f"{self._request.path}?{text}"
        if self._switches.foreign_next:
            return urlsplit(address)._replace(netloc=self._switches.foreign_next).geturl()
        return address

    def _number(self, option: str) -> int | None:
        text = self._request.query.get(option)
        if text is None:
            return None
        if not text.isdecimal():
            raise ServiceError(400, f"Invalid value '{text}' for the option '{option}'.")
        return int(text)

    # -------------------------------------------------------------------------------------------- entities

    def entity(self, kind: EntitySet, item: Properties, expanded: dict[str, Any] | None = None) -> Response:
        """One entity."""
        shown = self._shown(item)
        if not self.json:
            return Response(200, _entry_document(self._request, kind, shown), ATOM_ENTRY)
        return _json_response({"d": {**self._json_entity(kind, shown), **(expanded or {})}})

    def inline(self, kind: EntitySet, items: Sequence[Properties]) -> dict[str, Any]:
        """The `results` of an expanded link."""
        return {"results": [self._json_entity(kind, item) for item in items]}

    def _shown(self, item: Properties) -> Properties:
        """What `$select` and the tenant's peculiarities leave of an entity."""
        chosen = self._selected(item)
        for name in self._switches.missing_fields:
            chosen.pop(name, None)
        if self._switches.extra_fields:
            chosen |= {"FutureProperty": "x", "FutureNumber": 7, "FutureObject": {"results": [{"a": None}]}}
        if self._switches.lower_case_hex and "Hexalias" in chosen:
            chosen["Hexalias"] = chosen["Hexalias"].lower()
        return chosen

    def _selected(self, item: Properties) -> Properties:
        names = [name.strip() for name in self._request.query.get("$select", "").split(",") if name.strip()]
        if self._switches.refuse_select and names:
            raise ServiceError(400, "System query option '$select' is not supported.")
        if not names or self._switches.ignore_select:
            return dict(item)
        for name in names:
            if name not in item and name not in {"Entries", "Runtimes"}:
                raise ServiceError(400, f"Could not find a property named '{name}'.")
        return {name: item[name] for name in names if name in item}

    def _json_entity(self, kind: EntitySet, item: Properties) -> Properties:
        values = {name: self._json_value(value) for name, value in item.items()}
        # Without its key ($select) an entity has no address, and this service then sends none.
        if not self._switches.metadata or (kind.name != "Keystores" and "Hexalias" not in item):
            return values
        uri = f"{self._request.base}/{kind.name}({kind.key(item)})" if self._has_key(kind, item) else ""
        meta = {"__metadata": {"id": uri, "uri": uri, "type": f"com.sap.hci.api.{kind.type}"}}
        links = (
            {} if "$select" in self._request.query else {n: {"__deferred": {"uri": f"{uri}/{n}"}} for n in kind.links}
        )
        return {**meta, **values, **links}

    @staticmethod
    def _has_key(kind: EntitySet, item: Properties) -> bool:
        try:
            kind.key(item)
        except KeyError:
            return False
        return True

    def _json_value(self, value: object) -> object:
        match value:
            case datetime():
                offset = "+0000" if self._switches.date_literal is DateLiteral.WITH_OFFSET else ""
                return f"/Date({milliseconds(value)}{offset})/"
            case bytes():
                return base64.b64encode(value).decode()
        return value

    # ---------------------------------------------------------------------------------------------- errors

    def error(self, error: ServiceError) -> Response:
        """An error in the shape that the request and the tenant ask for."""
        if error.empty or self._switches.empty_errors:
            return Response(error.status, b"", "", error.headers)
        if error.entity is not None:
            return self._untrusted(error, error.entity)
        if not self.json:
            return Response(error.status, _error_document(error), XML, error.headers)
        return Response(error.status, _dumps(self._error_body(error.code, error.text)), JSON, error.headers)

    def _error_body(self, code: str, text: str | None) -> Properties:
        inner = {"code": code, "message": {"lang": "en", "value": text}}
        return inner if self._switches.bare_errors or text is None else {"error": inner}

    def _untrusted(self, error: ServiceError, entity: Properties) -> Response:
        """The 409, whose body carries the certificate that is not trusted."""
        plain = {name: self._json_value(value) for name, value in entity.items()}
        bodies: dict[TrustEnvelope, Properties] = {
            TrustEnvelope.ENTITY: {"d": plain},
            TrustEnvelope.RESULTS: {"d": {"results": [plain]}},
            TrustEnvelope.BARE: plain,
            TrustEnvelope.ERROR_TEXT: self._error_body(error.code, json.dumps(plain)),
            TrustEnvelope.PLAIN: self._error_body(error.code, "The certificate is not trusted."),
        }
        body = bodies[self._switches.trust_envelope]
        return Response(error.status, _dumps(body), JSON, error.headers)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def document(value: object, status: int = 200) -> Response:
    """Any JSON."""
    return _json_response(value, status)


def _json_response(value: object, status: int = 200) -> Response:
    return Response(status, _dumps(value), JSON)


def _dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


# ------------------------------------------------------------------------------------------------------ Atom

ET.register_namespace("", ATOM_NS)
ET.register_namespace("d", DATA_NS)
ET.register_namespace("m", META_NS)


def _feed(request: Request, kind: EntitySet, items: Sequence[Properties], link: str | None) -> bytes:
    feed = ET.Element(f"{{{ATOM_NS}}}feed")
    _text(feed, "id", f"{request.base}/{kind.name}")
    _text(feed, "title", kind.name)
    for item in items:
        feed.append(_entry(request, kind, item))
    if link:
        ET.SubElement(feed, f"{{{ATOM_NS}}}link", {"rel": "next", "href": link})
    return _serialised(feed)


def _entry_document(request: Request, kind: EntitySet, item: Properties) -> bytes:
    return _serialised(_entry(request, kind, item))


def _entry(request: Request, kind: EntitySet, item: Properties) -> ET.Element:
    entry = ET.Element(f"{{{ATOM_NS}}}entry")
    if Renderer._has_key(kind, item):
        _text(entry, "id", f"{request.base}/{kind.name}({kind.key(item)})")
    _text(entry, "title", kind.name)
    _text(entry, "updated", _iso(datetime.now(UTC)))
    content = ET.SubElement(entry, f"{{{ATOM_NS}}}content", {"type": "application/xml"})
    properties = ET.SubElement(content, f"{{{META_NS}}}properties")
    for name, value in item.items():
        if not isinstance(value, dict):
            _property(properties, name, value)
    return entry


def _property(parent: ET.Element, name: str, value: object) -> None:
    element = ET.SubElement(parent, f"{{{DATA_NS}}}{name}")
    match value:
        case None:
            element.set(f"{{{META_NS}}}null", "true")
        case datetime():
            element.set(f"{{{META_NS}}}type", "Edm.DateTimeOffset")
            element.text = _iso(value)
        case int():
            element.set(f"{{{META_NS}}}type", "Edm.Int32")
            element.text = str(value)
        case bytes():
            element.set(f"{{{META_NS}}}type", "Edm.Binary")
            element.text = base64.b64encode(value).decode()
        case _:
            element.text = str(value)


def _error_document(error: ServiceError) -> bytes:
    root = ET.Element(f"{{{META_NS}}}error")
    ET.SubElement(root, f"{{{META_NS}}}code").text = error.code
    ET.SubElement(root, f"{{{META_NS}}}message").text = error.text
    return _serialised(root)


def _iso(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace(".000", "").replace("+00:00", "Z")


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{ATOM_NS}}}{name}").text = text


def _serialised(root: ET.Element) -> bytes:
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text
