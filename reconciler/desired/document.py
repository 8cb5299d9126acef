"""YAML with places: plain values, and for every key and value the line and column where it stands.

YAML is read as the product's files mean it, which is narrower than YAML: one document, text keys, no tags, no merge
keys. Every scalar is text, except an unquoted one under a key that the schema declares as a boolean or an integer:
then `true`, `false` and decimal digits are what they look like. So `NO` is Norway, `2026-01-01` is text, an alias may
be called `123`, and a fingerprint of digits keeps its leading zeros.

The values are built from the parser's events and not from its node graph: 10,000 entries take a third of the time,
and depth, expansion and duplicates are judged while reading, before anything has exploded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from reconciler.errors import DesiredStateError, Problem
from reconciler.model import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# 10,000 trusted roots with their pins are 1.3 MB.
MAX_BYTES = 5_000_000
# The deepest value that the schema knows is five levels down.
MAX_DEPTH = 32
# Characters and values that are there only because an anchor is used again.
MAX_EXPANDED = 1_000_000

Place = tuple[int, int]  # line and column, both from 1
Path = tuple[str | int, ...]
Value = Any  # str | bool | int | None | Section | Items


class Section(dict[str, Value]):
    """A YAML mapping that knows where its keys and values stand."""

    __slots__ = ("key_places", "value_places")

    def __init__(self) -> None:
        super().__init__()
        self.key_places: dict[str, Place] = {}
        self.value_places: dict[str, Place] = {}


class Items(list[Value]):
    """A YAML sequence that knows where its items stand."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        super().__init__()
        self.places: list[Place] = []


@dataclass(frozen=True, slots=True)
class Document:
    """One file of the desired state: its value, and what was wrong with it as YAML.

    Attributes:
        file: How messages call the file.
        root: The value of the document, normally a `Section`.
        problems: What was wrong and did not stop the reading, for example a key that stands twice.
    """

    file: str
    root: Value
    place: Place
    problems: tuple[Problem, ...]

    def source(self, path: Iterable[str | int] = (), *, key: bool = False) -> Source:
        """Where the value at `path` stands (or, with `key`, the last key of the path).

        What does not exist is looked for where it would be: the nearest container that does.
        """
        value, place = self.root, self.place
        for step in path:
            if isinstance(value, Section) and step in value:
                place = value.key_places[str(step)] if key else value.value_places[str(step)]
                value = value[str(step)]
            elif isinstance(value, Items) and isinstance(step, int) and step < len(value):
                place, value = value.places[step], value[step]
            else:
                break
        return Source(self.file, *place)


def read_document(data: bytes, file: str, typed_keys: frozenset[str] = frozenset()) -> Document:
    """The one YAML document in `data`.

    Args:
        data: The content of the file.
        file: How messages call the file.
        typed_keys: The keys under which an unquoted scalar may be a boolean or an integer.

    Raises:
        DesiredStateError: this is not a YAML document as described above; with the problems found until then.
    """
    import yaml

    text = _decoded(data, file)
    builder = _Builder(file, typed_keys)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while loader.check_event():
            builder.take(loader.get_event())
    except yaml.MarkedYAMLError as error:
        builder.stop(_syntax_problem(error, text, file))
    except (yaml.YAMLError, ValueError, OverflowError):
        # The parser in pure Python lets `chr` and `int` speak for themselves on impossible escapes and versions.
        builder.stop(Problem("yaml", "not valid YAML", Source(file, 1)))
    finally:
        loader.dispose()
    return builder.document()


# --------------------------------------------------------------------------------------------------- text

# YAML 1.2, 5.1: what is not c-printable. The parsers check it too, each with other words and no line.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_SCALARS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def _decoded(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        message = f"the file has more than {MAX_BYTES // 1_000_000} MB"
        _fail(Problem("size", message, Source(file, 1), hint="split it and use `include`"))
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or b"\x00" in data[:4]:
        _fail(Problem("encoding", "the file is not UTF-8 but UTF-16 or UTF-32", Source(file, 1), hint=_SAVE_AS))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        _fail(Problem("encoding", "the file is not UTF-8", Source(file, *_place_after(before)), hint=_SAVE_AS))
    if found := _UNPRINTABLE.search(text):
        message = f"a control character (U+{ord(found[0]):04X}) that YAML does not allow"
        _fail(Problem("encoding", message, Source(file, *_place_after(text[: found.start()]))))
    return text


_SAVE_AS = "save it as UTF-8"


def _place_after(text: str) -> Place:
    lines = re.split("\r\n|\r|\n", text)
    return len(lines), len(lines[-1]) + 1


def _fail(problem: Problem) -> NoReturn:
    raise DesiredStateError([problem])


# ------------------------------------------------------------------------------------------------- building


class _Open:
    """A mapping or sequence that is being filled."""

    __slots__ = ("anchor", "container", "has_key", "height", "key", "key_place", "place", "weight_before")

    def __init__(self, container: Section | Items, place: Place, anchor: str | None, weight_before: int) -> None:
        self.container = container
        self.place = place
        self.anchor = anchor
        self.weight_before = weight_before
        self.height = 1  # levels of nesting, itself included
        self.has_key = False
        self.key: str | None = None  # None while has_key: a duplicate, whose value is read and dropped
        self.key_place = place


class _Anchored(NamedTuple):
    """A value that can be used again: how much of it there is, and how deeply it is nested."""

    value: Value
    weight: int  # 0 while it is still being read
    height: int


class _Builder:
    """Plain values out of parser events."""

    def __init__(self, file: str, typed_keys: frozenset[str]) -> None:
        self._file = file
        self._typed_keys = typed_keys
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._weight = 0
        self._expanded = 0
        self._documents = 0
        self._root: Value = None
        self._place: Place = (1, 1)
        self._problems: list[Problem] = []
        self._steps = {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._start,
            "SequenceStartEvent": self._start,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
            "DocumentStartEvent": self._document,
        }

    def take(self, event: Any) -> None:
        if step := self._steps.get(type(event).__name__):
            step(event)

    def document(self) -> Document:
        if not self._documents:
            self.stop(Problem("empty", "the file is empty", Source(self._file, 1), hint="`reconcile init` writes one"))
        return Document(self._file, self._root, self._place, tuple(self._problems))

    def stop(self, problem: Problem) -> NoReturn:
        raise DesiredStateError([*self._problems, problem])

    def _refuse(self, event: Any, message: str, hint: str | None = None) -> NoReturn:
        self.stop(Problem("yaml", message, Source(self._file, *_place_of(event)), hint=hint))

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._refuse(
                event, "a second YAML document begins here", "one state to a file; use `include` to join files"
            )

    def _scalar(self, event: Any) -> None:
        self._count(event)
        text: str = event.value
        if event.style == '"' and _NOT_IN_SCALARS.search(text):
            self._refuse(event, "a control character or half a surrogate pair, written as an escape")
        place = _place_of(event)
        plain: bool = event.implicit[0]
        top = self._stack[-1] if self._stack else None
        if top is not None and not top.has_key and isinstance(top.container, Section):
            if plain and text == "<<":
                self._refuse(event, "merge keys (`<<`) are not read", "write the keys out, or use `include`")
            value: Value = text
            self._take_key(top, text, place)
        else:
            value = self._read(text, top) if plain else text
            self._put(value, place)
        self._weight += len(text)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, 1 + len(text), 0)

    def _read(self, text: str, top: _Open | None) -> Value:
        """An unquoted scalar, by the core schema of YAML 1.2 as far as the key wants more than text."""
        if text in _NULLS:
            return None
        if top is not None and top.key in self._typed_keys:
            if text in _BOOLEANS:
                return _BOOLEANS[text]
            if _INTEGER.fullmatch(text):
                return int(text)
        return text

    def _take_key(self, top: _Open, key: str, place: Place) -> None:
        top.has_key, top.key, top.key_place = True, key, place
        if not isinstance(top.container, Section) or key not in top.container:
            return
        top.key = None
        first = top.container.key_places[key][0]
        name = "a key" if may_hold_secret(one.key for one in self._stack) else f"the key {quoted(key)}"
        message = f"{name} stands twice: here and in line {first}"
        self._problems.append(Problem("duplicate-key", message, Source(self._file, *place), hint="keep one of the two"))

    def _put(self, value: Value, place: Place, height: int = 0) -> None:
        if not self._stack:
            self._root, self._place = value, place
            return
        top = self._stack[-1]
        top.height = max(top.height, height + 1)
        if isinstance(top.container, Items):
            top.container.append(value)
            top.container.places.append(place)
            return
        if top.key is not None:
            top.container[top.key] = value
            top.container.key_places[top.key] = top.key_place
            top.container.value_places[top.key] = place
        top.has_key, top.key = False, None

    def _start(self, event: Any) -> None:
        self._count(event)
        top = self._stack[-1] if self._stack else None
        if top is not None and not top.has_key and isinstance(top.container, Section):
            self._refuse(event, "a key must be text, not a list or a mapping", _BRACES)
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        container = Section() if type(event).__name__ == "MappingStartEvent" else Items()
        self._stack.append(_Open(container, _place_of(event), event.anchor, self._weight))
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(container, 0, 0)

    def _end(self, _event: Any) -> None:
        done = self._stack.pop()
        if done.anchor is not None:
            weight = self._weight - done.weight_before + 1
            self._anchors[done.anchor] = _Anchored(done.container, weight, done.height)
        self._put(done.container, done.place, done.height)

    def _alias(self, event: Any) -> None:
        # The name of an anchor is not repeated: `password: *abc` may be a password that lacks its quotes.
        value, weight, height = self._anchors.get(event.anchor, _Anchored(None, 0, 0))
        if not weight:
            what = "does not exist" if event.anchor not in self._anchors else "contains this place itself"
            self._refuse(event, f"`*` refers to an anchor that {what}", "a value that begins with `*` needs quotes")
        self._weight += weight
        self._expanded += weight
        if self._expanded > MAX_EXPANDED:
            self._refuse(event, "anchors that expand to far more than was written", "write less through anchors")
        if len(self._stack) + height > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        top = self._stack[-1]
        if top.has_key or isinstance(top.container, Items):
            self._put(value, _place_of(event), height)
        elif isinstance(value, str):
            self._take_key(top, value, _place_of(event))
        else:
            self._refuse(event, "a key must be text")

    def _count(self, event: Any) -> None:
        self._weight += 1
        if event.tag is not None:
            # Not repeated either: `password: !abc` may be a password.
            self._refuse(event, "YAML tags (`!…`) are not read", "a value that begins with `!` needs quotes")


_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_BRACES = "a value that begins with `{` or `[` needs quotes"


def _place_of(event: Any) -> Place:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


# ------------------------------------------------------------------------------------------------- messages

_HINTS: Sequence[tuple[str, str]] = (
    ("mapping values are not allowed", "text that contains `: ` needs quotes; otherwise check the indentation"),
    ("cannot start any token", "text that begins with @, ` or % needs quotes"),
    ("expected key", "check the indentation: keys of one mapping begin in the same column"),
    ("expected ':'", "a key needs a colon and a blank after it"),
    ("expected ','", "a list in [brackets] or a mapping in {braces} is not closed"),
    ("escape", "in double quotes a backslash begins an escape; use single quotes"),
    ("end of stream", "a quote or bracket is not closed"),
    ("block end", "check the indentation"),
    ("tag", "a value that begins with `!` needs quotes"),
    ("alias", "a value that begins with `*` or `&` needs quotes"),
    ("anchor", "a value that begins with `*` or `&` needs quotes"),
)


def _syntax_problem(error: Any, text: str, file: str) -> Problem:
    # What the parser quotes may be a piece of a secret.
    reason = re.sub(r"(?:, but got| but found)? (?:'[^']*'|\"[^\"]*\")(?= |$)", "", str(error.problem or "a mistake"))
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    begun = error.context_mark
    since = f", {error.context} that began in line {begun.line + 1}" if begun and begun.line + 1 != place[0] else ""
    hint = next((hint for sign, hint in _HINTS if sign in str(error.problem)), None)
    if _character_at(text, place) == "\t":
        reason, since, hint = "a tab where YAML wants blanks", "", "indent with blanks"
    return Problem("yaml", f"not valid YAML: {reason}{since}", Source(file, *place), hint=hint)


def _character_at(text: str, place: Place) -> str:
    lines = re.split("\r\n|\r|\n", text)
    line = lines[place[0] - 1] if place[0] <= len(lines) else ""
    return line[place[1] - 1 : place[1]]


# Misspelt too: what stands under `pasword` is a password all the same.
_SENSITIVE = re.compile("pas|pwd|psw|secret|token|credential|servicekey", re.IGNORECASE)


def may_hold_secret(path: Iterable[str | int | None]) -> bool:
    """Whether what stands at or below `path` must not be repeated in a message."""
    return any(isinstance(step, str) and _SENSITIVE.search(step) for step in path)


def quoted(text: str, limit: int = 64) -> str:
    """Text from a file, for a message: in quotes, without anything that a terminal would act on, cut when long."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return f"'{visible}'"
