"""Answers of an OData version 2 service: JSON or Atom XML into plain values, dates, and the text of errors.

Whatever is cut short, of another type, or of another shape is an error; nothing here ever reads it as "no entries".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Properties = dict[str, Any]

_ATOM = "{http://www.w3.org/2005/Atom}"
_META = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
_DATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"/Date\((-?\d{1,18})(?:[+-]\d{1,4})?\)/")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_TEXT = 600
_LONGEST_PLAIN = 65536


class MalformedAnswerError(Exception):
    """The body is not what it should be; the sentence says how. The session adds where it came from."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a list request, and where the next one is (None: this was the last)."""

    items: tuple[Properties, ...]
    next: str | None


# ---------------------------------------------------------------------------------------------- success


def page(body: bytes, content_type: str) -> Page:
    """The entities of a list.

    Raises:
        MalformedAnswerError: not a list of entities.
    """
    if _is_xml(body, content_type):
        return _feed(_parsed_xml(body))
    content = _unwrapped(_parsed_json(body))
    if isinstance(content, list):  # the form of OData version 1, without paging
        return Page(tuple(_objects(content)), None)
    following = content.get("__next")
    if following is not None and not isinstance(following, str):
        raise MalformedAnswerError("the link to the next page is not a text")
    results = content.get("results")
    if not isinstance(results, list):
        raise MalformedAnswerError("it holds no list of results")
    return Page(tuple(_objects(results)), following or None)


def entity(body: bytes, content_type: str) -> Properties:
    """The properties of one entity.

    Raises:
        MalformedAnswerError: not one entity.
    """
    if _is_xml(body, content_type):
        return _properties(_parsed_xml(body))
    content = _unwrapped(_parsed_json(body))
    if isinstance(content, list) or not content or "results" in content:
        raise MalformedAnswerError("it holds no entity, or a list of them")
    return content


def _objects(items: list[Any]) -> Iterator[Properties]:
    for item in items:
        if not isinstance(item, dict):
            raise MalformedAnswerError("an entity in it is not an object")
        yield item


def _unwrapped(value: object) -> Properties | list[Any]:
    if not isinstance(value, dict) or "d" not in value:
        raise MalformedAnswerError("it is JSON, but not an answer of OData version 2")
    content = value["d"]
    if not isinstance(content, dict | list):
        raise MalformedAnswerError("it holds neither an entity nor a list")
    return content


def _parsed_json(body: bytes) -> object:
    try:
        value = json.loads(body.decode("utf-8-sig"))
        if _HALVES.search(body):
            json.dumps(value, ensure_ascii=False).encode()  # half of a character is no text: UnicodeEncodeError
    except (ValueError, RecursionError):  # UnicodeDecodeError and UnicodeEncodeError are ValueErrors
        # The exception carries the whole body, so it is not passed on.
        raise MalformedAnswerError("its JSON is cut short or broken") from None
    return value


def _is_xml(body: bytes, content_type: str) -> bool:
    """Whether it is XML rather than JSON; by the type, or by the first character where there is none."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.endswith(("json", "/xml", "+xml")):
        return media_type.endswith("xml")
    if media_type:
        raise MalformedAnswerError(f"it is {media_type}, not JSON or XML")
    return body.lstrip()[:1] == b"<"


# -------------------------------------------------------------------------------------------------- XML


class _NoDoctype(ET.TreeBuilder):
    """Builds a tree and refuses document types: no answer has one, and entities could explode."""

    def doctype(self, *_: object) -> None:
        raise MalformedAnswerError("its XML has a document type")


def _parsed_xml(body: bytes) -> ET.Element:
    parser = ET.XMLParser(target=_NoDoctype())  # noqa: S314 - entities need a document type, which is refused
    try:
        parser.feed(body)
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError, LookupError):
        raise MalformedAnswerError("its XML is cut short or broken") from None
    return root


def _feed(root: ET.Element) -> Page:
    if root.tag != f"{_ATOM}feed":
        raise MalformedAnswerError("its XML is not a list of entities")
    following = next((link.get("href") for link in root.iter(f"{_ATOM}link") if link.get("rel") == "next"), None)
    return Page(tuple(_properties(item) for item in root.iter(f"{_ATOM}entry")), following)


def _properties(root: ET.Element) -> Properties:
    """The properties of an Atom entry, in the values that JSON would have."""
    holder = root.find(f".//{_META}properties")
    if root.tag != f"{_ATOM}entry" or holder is None:
        raise MalformedAnswerError("its XML is not an entity")
    return {element.tag.removeprefix(_DATA): _value(element) for element in holder}


def _value(element: ET.Element) -> object:
    if element.get(f"{_META}null") == "true":
        return None
    text = element.text or ""
    if element.get(f"{_META}type", "") in {"Edm.Int16", "Edm.Int32"}:
        return integer(text)
    return text


# ------------------------------------------------------------------------------------------------ values


def moment(value: object) -> datetime | None:
    """A date in either JSON literal or in ISO 8601, in UTC; None for what is none.

    The number in `/Date(…)/` counts from the epoch in UTC; an offset behind it only says how to show it.
    """
    if not isinstance(value, str):
        return None
    match = _DATE.fullmatch(value.strip())
    try:
        if match:
            return _EPOCH + timedelta(milliseconds=int(match.group(1)))
        parsed = datetime.fromisoformat(value.strip())
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def date_literal(value: datetime) -> str:
    """A date as requests carry it: `/Date(ms)/`, without an offset."""
    return f"/Date({(value - _EPOCH) // timedelta(milliseconds=1)})/"


def integer(value: object) -> int | None:
    """A number that came as one or as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:  # also for more digits than Python converts
        return None


def text(value: object) -> str | None:
    """A text that is there."""
    return value if isinstance(value, str) and value else None


# ------------------------------------------------------------------------------------------------- errors


def error_text(body: bytes, content_type: str, clean: Callable[[str], str] = str) -> str:
    """What an error answer says, in one printable line; empty when it says nothing.

    The shapes that were seen: with and without the outer `error`, `message` as an object or a text, `value` null, an
    XML document, plain text.

    Args:
        body: The answer.
        content_type: Its media type.
        clean: Takes secrets out of what the tenant said, before anything is cut off.
    """
    said = _said(body, content_type) if body else ""
    return printable(clean(said))


def printable(said: str) -> str:
    """A text from outside in one line, without characters that move a terminal's cursor or turn text around."""
    return _CONTROL.sub(" ", said).strip()[:_LONGEST_TEXT]


def _said(body: bytes, content_type: str) -> str:
    if "html" in content_type:
        return ""
    try:
        if _is_xml(body, content_type):
            return _xml_message(_parsed_xml(body))
        return _json_message(_parsed_json(body))
    except MalformedAnswerError:
        plain = content_type.startswith("text/plain") or not content_type
        return body[:_LONGEST_PLAIN].decode("utf-8", "replace") if plain else ""


def _xml_message(root: ET.Element) -> str:
    return next((element.text or "" for element in root.iter() if element.tag.endswith("}message")), "")


def _json_message(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    inner = value.get("error", value)
    message = inner.get("message") if isinstance(inner, dict) else inner
    if isinstance(message, dict):
        message = message.get("value")
    return message if isinstance(message, str) else ""


def untrusted_certificate(body: bytes, content_type: str) -> Mapping[str, Any] | None:
    """The certificate in the answer 409, wherever the tenant put it; None when there is none.

    No envelope is documented: an object with `FingerprintSha256` is looked for at every level, and in texts that are
    themselves JSON.
    """
    try:
        if _is_xml(body, content_type):
            return _properties(_parsed_xml(body))
        return _with_fingerprint(_parsed_json(body), depth=6)
    except MalformedAnswerError:
        return None


def _with_fingerprint(value: object, *, depth: int) -> Mapping[str, Any] | None:
    if depth == 0:
        return None
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return _with_fingerprint(_parsed_json(value.encode()), depth=depth - 1)
        except (MalformedAnswerError, UnicodeEncodeError):
            return None
    if isinstance(value, dict):
        if isinstance(value.get("FingerprintSha256"), str):
            return value
        value = list(value.values())
    if not isinstance(value, list):
        return None
    found = (_with_fingerprint(item, depth=depth - 1) for item in value)
    return next((item for item in found if item is not None), None)
