"""Which aliases may be declared: readable, unambiguous to Java, not reserved, and not SAP's or protected by the file.

The rule of ownership itself is `reconciler.ownership`; here it meets the lines of the files.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.desired.document import quoted
from reconciler.errors import Problem
from reconciler.ownership import SAP_PATTERNS, STAGING_SUFFIX, alias_key, looks_protected_by, protected_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.model import ProtectedPattern, Source

# SAP's limit for an alias is not published; file formats allow 65,535 bytes. Beyond this no list is readable.
MAX_CHARACTERS = 250


@dataclass(frozen=True, slots=True)
class Declared:
    """An alias where a file speaks of it.

    Attributes:
        alias: The alias.
        section: Where it stands.
        file: The file that it stands in.
        source: Its line.
        made: Whether an entry of this name may be made: it must be one that does not surprise. One that is only
            removed or renamed is called as it is called.
        collides: Whether it must stand nowhere else.
    """

    alias: str
    section: str
    file: str
    source: Source
    made: bool = True
    collides: bool = True


def check_aliases(declared: Sequence[Declared], protected: Sequence[ProtectedPattern]) -> Iterator[Problem]:
    """What is wrong with the declared aliases, each by itself and all together."""
    for one in declared:
        # Protection first: blanks around a protected name make it no less protected, and the exit code tells.
        if (problem := _protection_problem(one, protected) or _own_problem(one)) is not None:
            yield problem
    yield from _collisions([one for one in declared if one.collides])


def is_plain(alias: str) -> bool:
    """Whether `alias` can be shown, typed and compared without a surprise."""
    return bool(alias) and alias == alias.strip() and len(alias) <= MAX_CHARACTERS and not _unfit_character(alias)


# -------------------------------------------------------------------------------------------- one by one


def _own_problem(one: Declared) -> Problem | None:
    if not one.alias.strip() or (one.made and not is_plain(one.alias)):
        reason, hint = _why_not_plain(one.alias)
        return Problem("alias-unfit", f"the alias {quoted(one.alias)} {reason}", one.source, hint=hint)
    if alias_key(one.alias).endswith(STAGING_SUFFIX):
        message = f"the alias {quoted(one.alias)} ends in `{STAGING_SUFFIX}`, where renewed key pairs wait"
        hint = "choose another ending" if one.made else "it comes and goes with its key pair: take the line out"
        return Problem("alias-reserved", message, one.source, hint=hint)
    return None


def why_unfit(alias: str) -> str | None:
    """Why an alias cannot be declared, in words; None when it can."""
    return None if is_plain(alias) else f"the alias {_why_not_plain(alias)[0]}"


def _why_not_plain(alias: str) -> tuple[str, str | None]:
    if not alias.strip():
        return "is empty", "give the entry a name"
    if alias != alias.strip():
        return "begins or ends with a blank", "take the blanks out"
    if found := _unfit_character(alias):
        return f"contains the character U+{ord(found):04X}, which cannot be seen", "take it out"
    return f"has {len(alias)} characters; at most {MAX_CHARACTERS} are allowed", None


# Controls, lone surrogates, line and paragraph separators, and what turns the direction of text: with these an alias
# reads as another one. Joiners (U+200C, U+200D) stay: Persian and several Indian languages spell with them.
_UNFIT_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _unfit_character(alias: str) -> str | None:
    if alias.isascii() and alias.isprintable():
        return None
    return next((c for c in alias if c in _DIRECTIONS or unicodedata.category(c) in _UNFIT_CATEGORIES), None)


def _protection_problem(one: Declared, protected: Sequence[ProtectedPattern]) -> Problem | None:
    patterns = [pattern.pattern for pattern in protected]
    found = protected_by(one.alias, None, patterns)
    if found is None:
        return None
    imitated = looks_protected_by(one.alias, patterns) is not None
    verb = "imitates the protected pattern" if imitated else "is protected by the pattern"
    message = f"the alias {quoted(one.alias)} {verb} {quoted(found)} {_origin(found, protected)}"
    return Problem("protected", message, one.source, hint=_way_out(found, one), refusal=True)


def _origin(pattern: str, protected: Iterable[ProtectedPattern]) -> str:
    if pattern in SAP_PATTERNS:
        return "of SAP's own entries"
    place = next(one.source for one in protected if one.pattern == pattern)
    return f"of `aliases.protected` ({place.file}, line {place.line})"


def _way_out(pattern: str, one: Declared) -> str:
    if pattern in SAP_PATTERNS:
        what = "choose another alias" if one.made else "take the line out"
        return f"SAP renews these entries itself and nothing opens them; {what}"
    return "take the entry out of the file, or the pattern out of `aliases.protected`"


# ------------------------------------------------------------------------------------------ all together


def _collisions(declared: Sequence[Declared]) -> Iterator[Problem]:
    """The same alias twice, to Java: in two sections, or in two spellings."""
    first: dict[str, Declared] = {}
    for one in declared:
        other = first.setdefault(alias_key(one.alias), one)
        if other is one:
            continue
        where = (
            f"in line {other.source.line}" if other.file == one.file else f"in {other.source.file}:{other.source.line}"
        )
        if other.section != one.section:
            message = (
                f"the alias {quoted(one.alias)} stands under `{one.section}` here and under `{other.section}` {where}"
            )
        elif other.alias != one.alias:
            message = f"the alias {quoted(one.alias)} is the same as {quoted(other.alias)} {where}: case does not count"
        else:
            continue  # the same in two files, or twice in a list
        what = "rename one of the two" if one.made and other.made else "take one of the two out"
        yield Problem("alias-collision", message, one.source, hint=f"an alias is one entry: {what}")
