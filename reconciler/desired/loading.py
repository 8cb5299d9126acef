"""From state files to `DesiredState`: read, include, check, build; every problem at once, in the order of the files.

`load` needs neither a keystore nor a secret. `resolve` adds what only a password shows: the chains of key pairs that
are brought along in keystore files, and the certificates of CAs in such files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from reconciler.desired.building import Building
from reconciler.desired.issuers import issuer_problem, with_certificates
from reconciler.desired.material import KeyPairFile, chain_of
from reconciler.desired.reading import Reading
from reconciler.errors import DesiredStateError, Problem, ReconcileError
from reconciler.model import WantedImport, WantedKeyPair

if TYPE_CHECKING:
    from reconciler.model import DesiredState, IssuerSpec, Source, Wanted


def load(path: str) -> DesiredState:
    """Read one state file with everything that it includes.

    Args:
        path: The file, as the user wrote it; messages call it so.

    Raises:
        DesiredStateError: with every problem that was found.
    """
    loaded = load_noting(path)
    if loaded.state is None:
        raise DesiredStateError(loaded.problems)
    return loaded.state


@dataclass(frozen=True, slots=True)
class Loaded:
    """A state file that was read, well or not.

    Attributes:
        path: As the user wrote it.
        state: What it says; None where there are problems.
        problems: What is wrong with it.
        named: The absolute paths that it and what it includes name, links not resolved, there or not.
    """

    path: str
    state: DesiredState | None
    problems: tuple[Problem, ...]
    named: frozenset[str]


def load_noting(path: str) -> Loaded:
    """As `load`, and with every path that was named on the way."""
    reading = Reading()
    reading.read_state(path)
    state = Building(reading).state() if reading.parts else None
    problems = tuple(reading.in_file_order())
    return Loaded(path, None if problems else state, problems, frozenset(reading.named))


def resolve(state: DesiredState) -> DesiredState:
    """The state with the chains of its imports and its CAs, for which passwords of their files may be needed.

    Raises:
        DesiredStateError: a file or its password is not what it should be.
    """
    resolving = _Resolving()
    wanted = tuple(resolving.resolved(one) for one in state.wanted)
    if resolving.problems:
        raise DesiredStateError(resolving.problems)
    return replace(state, wanted=wanted)


class _Resolving:
    """One run over a state; a CA that several key pairs name is opened once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._authorities: dict[Source | None, IssuerSpec] = {}

    def resolved(self, wanted: Wanted) -> Wanted:
        match wanted:
            case WantedImport(chain=()):
                return self._import(wanted)
            case WantedKeyPair():
                issuer = self._issuer(wanted.issuer)
                return wanted if issuer is wanted.issuer else replace(wanted, issuer=issuer)
            case _:
                return wanted

    def _import(self, wanted: WantedImport) -> WantedImport:
        material = cast("KeyPairFile", wanted.material)
        try:
            return replace(wanted, chain=chain_of(material))
        except ReconcileError as error:
            # What is wrong with a secret is said where the secret is named.
            secrets = [ref.source for ref in material.secrets()]
            source = next((one for one in secrets if str(one) == error.where), wanted.source)
            self.problems.append(Problem("key-pair-file", error.message, source, hint=error.hint))
            return wanted

    def _issuer(self, spec: IssuerSpec) -> IssuerSpec:
        if spec.source not in self._authorities:
            try:
                self._authorities[spec.source] = with_certificates(spec)
            except ReconcileError as error:
                self.problems.append(issuer_problem(spec, error))
                self._authorities[spec.source] = spec
        return self._authorities[spec.source]
