"""Who an entry belongs to: the identity of aliases, and the one rule over SAP's and the file's protected entries.

SAP reserves `sap_*`, `hcicertificate*` and `hcimsgcertificate*` (SAP Help, "Managing Keystore Entries"; the names are
read more widely than the service does, on purpose) and marks its entries with `Owner` = ``SAP``. Nothing in the
product can make this rule protect fewer entries.
"""

from __future__ import annotations

import unicodedata
from fnmatch import translate
from functools import lru_cache
from re import Pattern
from re import compile as compile_pattern
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SAP = "SAP"
SAP_PATTERNS = ("sap_*", "hcicertificate*", "hcimsgcertificate*")
STAGING_SUFFIX = ".next"
PREVIOUS_SUFFIX = ".previous"


def alias_key(alias: str) -> str:
    """The identity of an alias: Java's `String.toLowerCase(Locale.ENGLISH)`.

    Python's `str.lower` is the same full Unicode mapping, context-sensitive final sigma included.
    """
    return alias.lower()


def protected_by(alias: str, owner: str | None = None, patterns: Iterable[str] = ()) -> str | None:
    """Why nobody may touch the entry called `alias`, or None when it is free.

    Case and surrounding blanks do not count, and neither do look-alikes (`looks_protected_by`): an entry that exists
    under such a name is shown as protected as well.

    Args:
        alias: The alias as the store or the file spells it.
        owner: The store's own statement (`Owner` in a tenant), None where it makes none.
        patterns: Further patterns from `aliases.protected`, with ``*`` and ``?``.

    Returns:
        The pattern, or ``Owner SAP``: what a message can name.
    """
    if owner is not None and owner.strip().upper() == SAP:
        return "Owner SAP"
    name, skeleton = _folded(alias), _skeleton(alias)
    for pattern in (*SAP_PATTERNS, *patterns):
        expression = _compiled(pattern)
        if expression.match(name) or expression.match(skeleton):
            return pattern
    return None


def looks_protected_by(alias: str, patterns: Iterable[str] = ()) -> str | None:
    """The protected pattern that `alias` imitates without being it to Java, or None.

    A name with a long s (U+017F) or full-width letters is another alias to Java but the same to a reader: such a name
    is not to be created. Compared after NFKC, removal of invisible characters, and case folding.
    """
    name, skeleton = _folded(alias), _skeleton(alias)
    for pattern in (*SAP_PATTERNS, *patterns):
        expression = _compiled(pattern)
        if expression.match(skeleton) and not expression.match(name):
            return pattern
    return None


def staging_alias(alias: str) -> str:
    """The reserved alias under which a renewed key pair waits."""
    return alias + STAGING_SUFFIX


def previous_alias(alias: str) -> str:
    """The reserved alias under which a replaced key pair of a tenant waits for its deletion."""
    return alias + PREVIOUS_SUFFIX


def _folded(alias: str) -> str:
    return alias.strip().lower()


def _skeleton(alias: str) -> str:
    if alias.isascii() and alias.isprintable():
        return _folded(alias)
    visible = "".join(c for c in unicodedata.normalize("NFKC", alias) if _is_visible(c))
    # Folding can produce characters that normalise further, so both once more.
    return unicodedata.normalize("NFKC", visible.casefold()).casefold().strip()


# Letters and marks that show nothing (Default_Ignorable_Code_Point of DerivedCoreProperties.txt, beyond Cf): fillers,
# joiners and variation selectors. NFKC has made U+1160 of the fillers U+3164 and U+FFA0.
_INVISIBLE = compile_pattern("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\ufe00-\ufe0f\ufff0-\ufff8"
                             "\U000e0000-\U000e0fff]")  # fmt: skip


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in {"Cf", "Cc"} and not _INVISIBLE.match(character)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Pattern[str]:
    # `[` is an ordinary character in an alias (SAP's history calls entries `[1]_name`), so only * and ? are special.
    return compile_pattern(translate(pattern.strip().lower().replace("[", "[[]")))
