"""Every write passes the guard: nobody else makes one, loads a writer, or calls what writes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import reconciler

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(reconciler.__file__).parent
OPENING, GUARD, STEPS = "keystores/opening.py", "keystores/guarded.py", "keystores/guarded_steps.py"
WRITING = frozenset({"begin", "stage", "commit", "staged_private_key"})


def calls() -> Iterator[tuple[str, str, bool]]:
    """Every call in the package, as (file, name of what is called, whether it is a method)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name)):
                    yield file, name, False
                case ast.Call(func=ast.Attribute(attr=name)):
                    yield file, name, True


def test_only_open_keystore_makes_a_guarded_keystore():
    assert {file for file, name, _ in calls() if name == "GuardedKeystore"} == {OPENING}


def test_only_the_guard_calls_what_writes():
    assert {file for file, name, is_method in calls() if is_method and name in WRITING} == {GUARD}


def test_only_the_guard_of_steps_sends_a_write():
    found = {file for file, name, is_method in calls() if is_method and name == "send"}
    assert {file for file in found if not file.startswith("keystores/sap/")} == {STEPS}


def test_writers_are_named_in_the_table_alone():
    named = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "WritableFileKeystore" in path.read_text(encoding="utf-8")
    }
    assert named == {OPENING, "keystores/file_keystore.py"}


def test_what_reading_commands_hold_has_no_method_that_writes():
    from reconciler.keystores.file_keystore import FileKeystore

    assert not {name for name in WRITING | {"execute"} if hasattr(FileKeystore, name)}


def test_what_the_guard_offers():
    from reconciler.keystores.guarded import GuardedKeystore

    offered = {name for name in vars(GuardedKeystore) if not name.startswith("_")}
    # Three ways to write a file and one to write a tenant, each with its proof; the other two only read.
    assert offered == {"execute", "migrate", "restore_file", "steps", "private_key", "restoration"}
