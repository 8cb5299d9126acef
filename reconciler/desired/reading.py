"""The files of one state: read once each, judged by the schema, with everything that they include."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.desired.document import MAX_BYTES, Document, Section, read_document
from reconciler.desired.paths import Base, base_of, base_of_included, read_file
from reconciler.desired.schema import INCLUDED, STATE, check_shape, spelled, typed_keys
from reconciler.desired.secrets import secret_ref
from reconciler.errors import DesiredStateError, Problem, ReconcileError
from reconciler.model import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.desired.document import Path
    from reconciler.model import SecretRef

MAX_INCLUDE_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Part:
    """One file that was read, and the paths in it that must not be used."""

    document: Document
    base: Base
    bad: frozenset[Path]
    above_bad: frozenset[Path]

    def can_use(self, path: Path) -> bool:
        """Whether the schema approves of the value at `path`, of all above it and of all below it."""
        if not self.bad:
            return True
        return path not in self.above_bad and not any(path[:end] in self.bad for end in range(len(path) + 1))

    def section(self, name: str) -> Section:
        """A section of the file, empty when it is missing or no mapping."""
        root = self.document.root
        section = root.get(name) if isinstance(root, Section) else None
        return section if isinstance(section, Section) else Section()

    def entries(self, name: str) -> Iterator[tuple[Path, Any]]:
        """The entries of a section of which the schema approves, each with its path."""
        for key, written in self.section(name).items():
            if self.can_use(path := (name, key)):
                yield path, written

    def problem(self, path: Path, error: ReconcileError, code: str = "file") -> Problem:
        """An error about what stands at `path`, at the line of that key."""
        message = f"{spelled(path)}: {error.message}"
        return Problem(code, message, self.document.source(path, key=True), hint=error.hint)

    def secret(self, path: Path, written: Section, problems: list[Problem]) -> SecretRef | None:
        """Where the secret under the last key of `path` comes from; None when it is not there or cannot be one."""
        value = written.get(str(path[-1]))
        try:
            return None if value is None else secret_ref(self.document, path, value, self.base)
        except ReconcileError as error:
            problems.append(self.problem(path, error))
            return None


@dataclass(slots=True)
class Reading:
    """All files of one state, read once each, in the order in which they are named."""

    parts: list[Part] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)  # every path that the files name, whether it is there or not
    _seen: set[str] = field(default_factory=set)

    def in_file_order(self) -> list[Problem]:
        """The problems as a reader meets them."""
        order = {file: place for place, file in enumerate(self.order)}

        def place(problem: Problem) -> tuple[int, int, int]:
            source = problem.source or Source("", 0)
            return order.get(source.file, len(order)), source.line, source.column

        return sorted(self.problems, key=place)

    def read_state(self, path: str) -> None:
        shown = path.replace(os.sep, "/")
        self.order.append(shown)
        content = self._content(path, shown, Source(shown, 1))
        if content is not None:
            base = base_of(path)
            self.named = base.named
            self._read(content, shown, STATE, base, {os.path.realpath(path): Source(shown, 1)})

    def _content(self, path: str, shown: str, asked_for_at: Source) -> bytes | None:
        try:
            # One byte more than is allowed, so that the document itself says that it is too large.
            return read_file(path, shown, MAX_BYTES + 1)
        except ReconcileError as error:
            self.problems.append(Problem("file", error.message, asked_for_at, hint=error.hint))
            return None

    def _read(self, content: bytes, shown: str, role: str, base: Base, open_files: dict[str, Source]) -> None:
        try:
            document, shape, bad = (_judged if role == INCLUDED else _judged_anew)(content, shown, role)
        except DesiredStateError as error:
            self.problems += error.problems
            return
        self.problems += [*document.problems, *shape]
        part = Part(document, base, bad, frozenset(path[:end] for path in bad for end in range(len(path))))
        self.parts.append(part)
        self._seen.update(open_files)
        for path, written in self._includes(part):
            self._include(part, path, written, open_files)

    def _includes(self, part: Part) -> Iterator[tuple[Path, str]]:
        root = part.document.root
        named = root.get("include") if isinstance(root, Section) else None
        if isinstance(named, list):
            for at, written in enumerate(named):
                if part.can_use(("include", at)):
                    yield ("include", at), written

    def _include(self, part: Part, path: Path, written: str, open_files: dict[str, Source]) -> None:
        source = part.document.source(path)
        try:
            base = base_of_included(part.base, written)
            real = part.base.inside(written)
        except ReconcileError as error:
            self.problems.append(Problem("include", error.message, source, hint=error.hint))
            return
        shown = part.base.show(written)
        if real in open_files:
            message = f"{shown} includes itself, by way of {open_files[real].file}, line {open_files[real].line}"
            self.problems.append(Problem("include", message, source, hint="take one of the two `include` lines out"))
        elif len(open_files) > MAX_INCLUDE_DEPTH:
            self.problems.append(Problem("include", f"includes nested deeper than {MAX_INCLUDE_DEPTH} files", source))
        elif real not in self._seen:
            self.order.append(shown)
            content = self._content(real, shown, source)
            if content is not None:
                self._read(content, shown, INCLUDED, base, {**open_files, real: source})


def _judged_anew(content: bytes, shown: str, role: str) -> tuple[Document, list[Problem], frozenset[Path]]:
    """A file as YAML and by its schema.

    Raises:
        DesiredStateError: it is not YAML.
    """
    document = read_document(content, shown, typed_keys())
    shape, bad = check_shape(document, role)
    return document, shape, bad


# What a whole fleet includes is read and judged once. Nobody changes a document.
_judged = lru_cache(maxsize=32)(_judged_anew)
