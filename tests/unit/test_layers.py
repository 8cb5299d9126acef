"""Who may import whom: the layers of pyproject.toml, the pure core, and concrete parts that only their table knows."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.cli import lint_imports

from tests.unit.tables import modules_of_rows

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"
ROOT = "reconciler"

CORE = frozenset(
    f"{ROOT}.{name}"
    for name in (
        "model", "ownership", "errors", "secret", "compare", "planning", "trust", "path_building", "path_facts",
        "name_constraints", "host_names", "names", "der", "chains", "modified_utf8", "key_pairs", "issued",
        "expiry", "words", "migration", "runs", "undoing", "receivers", "receiver_drift", "rollover", "acceptance", "policy",
        "distrusted_roots",
    )
)  # fmt: skip

# What a core module must not even ask the standard library for: files, the network, processes, clocks, chance, logs.
IMPURE = frozenset({
    "asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "signal", "socket",
    "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "warnings",
})  # fmt: skip

# Who may import a part that stands in a table, although it is not the table. Each has its reason.
EXCEPTIONS = {
    # UBER and BKS begin alike; telling them apart needs a look behind the header.
    ("reconciler.keystores.detect", "reconciler.keystores.bouncycastle"),
    # `validate` has problems to tell, not a plan: it borrows the escaping and the tables of the Markdown report.
    ("reconciler.commands.validate", "reconciler.reports.markdown"),
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """What is imported when the program runs; imports for type checkers do not count."""
    return grimp.build_graph(
        ROOT, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )  # fmt: skip


def test_imports_go_downwards_through_the_layers(capsys):
    assert len(read_configuration(str(PYPROJECT))["contracts_options"]) >= 1
    code = lint_imports(config_filename=str(PYPROJECT), no_cache=True)
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("module", sorted(CORE))
def test_the_core_imports_the_standard_library_and_itself_alone(graph, module):
    imported = {name.removesuffix(".__init__") for name in graph.find_modules_directly_imported_by(module)}
    others = {name for name in imported - CORE if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others == set()
    assert imported & IMPURE == set()


def test_the_core_reads_no_clock():
    for module in sorted(CORE):
        text = inspect.getsource(import_module(module))
        assert ".now(" not in text, module
        assert ".today(" not in text, module


@pytest.mark.parametrize("module", modules_of_rows())
def test_a_part_that_stands_in_a_table_is_known_to_the_table_alone(graph, module):
    importers = graph.find_modules_that_directly_import(module)
    family = module.rpartition(".")[0] if module.count(".") > 2 else module  # reconciler.keystores.sap.…
    strangers = {one for one in importers if (one, module) not in EXCEPTIONS and not one.startswith(f"{family}.")}
    assert strangers == set()


def test_every_exception_is_still_needed(graph):
    unused = {pair for pair in EXCEPTIONS if pair[0] not in graph.find_modules_that_directly_import(pair[1])}
    assert unused == set()
