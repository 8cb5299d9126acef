"""The pinned lists of requirements/ fit pyproject.toml: complete, by hash, from no registry in particular."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
_PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?P<rest>[^\\\n]*)(?P<hashes>(?:\\\n +--hash=\S+ ?)+)", re.MULTILINE
)


def text(name: str) -> str:
    return (REPOSITORY / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    return {canonicalize_name(pin["name"]): pin["version"] for pin in _PIN.finditer(text(name))}


def wanted(*groups: list[str]) -> list[Requirement]:
    return [Requirement(one) for group in groups for one in group]


BUILD = wanted(PROJECT["dependency-groups"]["build"])
RUN = wanted(PROJECT["project"]["dependencies"])
DEV = wanted(PROJECT["project"]["dependencies"], PROJECT["dependency-groups"]["dev"])


@pytest.mark.parametrize(("name", "requirements"), [("run", RUN), ("build", BUILD), ("dev", DEV)])
def test_every_dependency_is_pinned_to_a_version_that_fits(name: str, requirements: list[Requirement]):
    found = pins(name)
    for requirement in requirements:
        version = found.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is missing: uv lock, then requirements/pin"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} but {version} is pinned"


@pytest.mark.parametrize("name", ["run", "build", "dev"])
def test_every_line_is_a_pin_with_its_hashes(name: str):
    rest = _PIN.sub("", text(name))
    assert [line for line in rest.splitlines() if line and not line.startswith("#")] == ["--only-binary :all:"]


@pytest.mark.parametrize("name", ["run", "build", "dev"])
def test_no_registry_is_named_and_nothing_needs_a_compiler(name: str):
    assert "://" not in text(name)
    assert "twofish" not in pins(name)


@pytest.mark.parametrize("name", ["run", "build"])
def test_all_lists_pin_the_same_versions(name: str):
    dev = pins("dev")
    assert {one: dev.get(one) for one in pins(name)} == pins(name)


def test_what_builds_is_what_the_build_system_asks_for():
    assert wanted(PROJECT["build-system"]["requires"]) == BUILD
