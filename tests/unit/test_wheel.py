"""The wheel holds all that the program needs: it is built, unpacked elsewhere, and used from there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
SOURCES = REPOSITORY / "reconciler"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what a wheel of today would install."""
    if not SOURCES.exists():
        pytest.skip("these tests run on an installed wheel already")
    built = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    directory = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(directory)
    return directory


def reconcile(installed: Path, directory: Path, *arguments: str) -> str:
    """Run the unpacked program, in a directory from which the repository cannot be seen."""
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from reconciler.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], cwd=directory, capture_output=True, text=True, check=False,
        env={"KEYSTORE_PASSWORD": "a password", "PYTHONUTF8": "1"}, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_package_its_schemas_and_the_licence(installed: Path):
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    sources = {path.relative_to(REPOSITORY).as_posix() for path in SOURCES.rglob("*.py")}
    schemas = {f"reconciler/schemas/{path.name}" for path in (REPOSITORY / "schemas").iterdir()}
    starters = {path.relative_to(REPOSITORY).as_posix() for path in (SOURCES / "starter").iterdir() if path.is_file()}
    assert sources | schemas | starters | {"reconciler/py.typed"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_holds_no_tests_and_no_keystores(installed: Path):
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    assert not {name for name in names if name.startswith(("tests", "benchmarks", "examples", "docs"))}
    assert not {name for name in names if name.endswith((".p12", ".jks", ".lock", ".pyc"))}


def test_a_starter_repository_is_written_validated_and_applied(installed: Path, tmp_path: Path):
    reconcile(installed, tmp_path, "init", "new")
    assert "valid, 2 declared" in reconcile(installed, tmp_path, "validate", "new/keystore.yaml")
    assert "Applied: all 3 changes" in reconcile(installed, tmp_path, "apply", "new/keystore.yaml", "--yes")
    assert "2 entries" in reconcile(installed, tmp_path, "list", "new/keystore.yaml")
