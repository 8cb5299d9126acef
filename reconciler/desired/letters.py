"""The letters to and from an outside CA: where the signing request goes, where the answer comes, and what lies there.

Both live in the repository. A request is written by us, so it must not be able to replace anything else.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING

from reconciler.desired.document import quoted
from reconciler.desired.issuers import LETTERS
from reconciler.desired.paths import Place, read_if_there
from reconciler.errors import MaterialError, Problem, ReconcileError
from reconciler.key_pairs import EXTERNAL
from reconciler.model import Correspondence, WantedKeyPair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.desired.document import Path, Section
    from reconciler.desired.reading import Part
    from reconciler.model import Certificate, DesiredState, IssuerSpec, RequestFacts, Source

# A request with a thousand names has 30 kB.
MAX_REQUEST = 1_000_000
# One byte more than `reconciler.responses` takes, so that it says itself that there is too much.
MAX_RESPONSE = 1024 * 1024 + 1
# How CAs call their answers; the content decides what it is. The first is the default.
ANSWER_SUFFIXES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p7c", ".spc", ".pkipath")


class Letters:
    """The letters of the key pairs of one state.

    Args:
        state: The state file: the default places lie beside it and bear its name.
        problems: Gets what is wrong.
    """

    def __init__(self, state: Part, problems: list[Problem]) -> None:
        self._state = state
        self._problems = problems

    def of(self, part: Part, path: Path, written: Section, issuer: IssuerSpec) -> Correspondence | None:
        """The letters of the key pair at `path`; None where there are none, or something is wrong with them."""
        if issuer.type != EXTERNAL:
            self._refuse_letters(part, path, written)
            return None
        try:
            return self._correspondence(part, str(path[-1]), written, issuer)
        except ReconcileError as error:
            key = next((key for key in LETTERS if key in written), "issuer")
            self._problems.append(part.problem((*path, key), error, "letters"))
            return None

    def _refuse_letters(self, part: Part, path: Path, written: Section) -> None:
        for key in LETTERS:
            if key in written:
                error = ReconcileError("goes with an issuer of the type external only", hint="take it out")
                self._problems.append(part.problem((*path, key), error, "wrong-value"))

    def _correspondence(self, part: Part, alias: str, written: Section, issuer: IssuerSpec) -> Correspondence:
        request = _place(part, written, issuer, "request") or default_request(self._state, alias)
        if ".git" in PurePath(os.path.relpath(request.path, self._state.base.root).lower()).parts:
            raise MaterialError(f"{request.shown} lies inside `.git`", hint="name a file that can be committed")
        given = _place(part, written, issuer, "response")
        responses = [given] if given else default_responses(self._state, alias)
        answer, problem = _read_responses(responses)
        return Correspondence(*request, *responses[0], _read_request(request), answer, problem)


def _place(part: Part, written: Section, issuer: IssuerSpec, key: str) -> Place | None:
    """What the key pair says itself comes before what its issuer says."""
    if key in written:
        return part.base.place(written[key])
    place = issuer.options.get(key)
    return place if isinstance(place, Place) else None


# ------------------------------------------------------------------------------------------------- defaults


def default_request(state: Part, alias: str) -> Place:
    """``requests/<state>/<alias>.csr``, beside the state file."""
    return state.base.place(f"requests/{_stem(state)}/{file_name(alias)}.csr")


def default_responses(state: Part, alias: str) -> list[Place]:
    """``responses/<state>/<alias>`` with every suffix that is usual, those that are there; else the first."""
    first, *others = (
        state.base.place(f"responses/{_stem(state)}/{file_name(alias)}{suffix}") for suffix in ANSWER_SUFFIXES
    )
    return [place for place in (first, *others) if os.path.lexists(place.path)] or [first]


def _stem(state: Part) -> str:
    return PurePath(state.document.file).stem


# What every file system can hold and no shell is surprised by.
_UNFIT = re.compile(r"[^A-Za-z0-9._@+=, ()\[\]~-]")
# Windows, "Naming Files, Paths, and Namespaces": these are devices, with any suffix.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_MAX_NAME = 200


def file_name(alias: str) -> str:
    """An alias as the name of a file, without its suffix: other characters as ``%`` and hexadecimal digits.

    Two aliases have two names; one that begins with a dot is not hidden; a very long one ends in a hash.
    """
    name = _UNFIT.sub(lambda found: _escaped(found[0]), alias)
    if name.startswith((".", " ")) or _DEVICE.match(name):
        name = _escaped(name[0]) + name[1:]
    if len(name) > _MAX_NAME:
        name = f"{name[: _MAX_NAME - 32]}~{sha256(alias.encode()).hexdigest()[:31]}"
    return name


def _escaped(character: str) -> str:
    return "".join(f"%{octet:02X}" for octet in character.encode())


# --------------------------------------------------------------------------------------------- what lies there


def _read_request(place: Place) -> RequestFacts | None:
    """What the request asks for; None where there is none, or one that is damaged and may be written again.

    Raises:
        MaterialError: something else lies there, which a request must not replace.
    """
    from reconciler.x509 import request_facts

    content = read_if_there(place.path, place.shown, MAX_REQUEST)
    if content is None or not content.strip():
        return None
    facts = request_facts(content)
    if b"PRIVATE KEY-----" in content or (facts is None and b"CERTIFICATE REQUEST-----" not in content):
        what = "a private key" if b"PRIVATE KEY-----" in content else "no signing request"
        raise MaterialError(
            f"{place.shown} is there and holds {what}; the request would replace it",
            hint="name another file with `request`, or remove this one",
        )
    return facts


def _read_responses(places: list[Place]) -> tuple[tuple[Certificate, ...] | None, str | None]:
    """The certificates of the answer, or why it cannot be read."""
    from reconciler.responses import read_response

    if len(places) > 1:
        names = ", ".join(place.shown for place in places)
        return None, f"there are several answers: {names}; keep the one that counts"
    try:
        content = read_if_there(*places[0], MAX_RESPONSE)
        return (None if content is None else read_response(content)), None
    except MaterialError as error:
        return None, error.message


# ---------------------------------------------------------------------------------------- one file, one letter


def shared_letters(states: Iterable[DesiredState]) -> Iterator[Problem]:
    """Letters that lie in one file: one would overwrite the other, or the keystore."""
    first: dict[str, tuple[str, Source, str]] = {}
    states = list(states)
    for state in states:
        if state.keystore.path:
            key = os.path.normcase(os.path.realpath(state.keystore.path))
            first.setdefault(key, ("the keystore", state.keystore.source, state.name))
    for state in states:
        for what, path, shown, source in _letters_in(state):
            mine = (what, source, state.name)
            other = first.setdefault(os.path.normcase(path), mine)
            if other is not mine:
                yield _shared(mine, other, shown)


def _letters_in(state: DesiredState) -> Iterator[tuple[str, str, str, Source]]:
    for one in state.wanted:
        if isinstance(one, WantedKeyPair) and (letters := one.correspondence):
            alias = quoted(one.alias)
            yield f"the signing request of {alias}", letters.request_path, letters.request_shown, one.source
            yield f"the answer for {alias}", letters.response_path, letters.response_shown, one.source


def _shared(mine: tuple[str, Source, str], other: tuple[str, Source, str], shown: str) -> Problem:
    what, source, state = mine
    theirs, there, their_state = other
    where = f"{there.file}, line {there.line}" + (f", for {their_state}" if state != their_state else "")
    message = f"{shown} is {what} here and {theirs} in {where}"
    return Problem(
        "letters", message, source, hint="give each a file of its own, or leave `request` and `response` out"
    )
