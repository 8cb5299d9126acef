"""Every piece of a state file on a page is one that the program takes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from reconciler.desired import load_states
from reconciler.errors import DesiredStateError
from tests.documentation.pages import REPOSITORY, Block, blocks, pages

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = frozenset({"apiVersion", "keystore", "aliases", "include", "trustedRoots", "keyPairs"})
BLOCKS = [block for page in pages() for block in blocks(page, "yaml")]
STATES = [block for block in BLOCKS if SECTIONS & set(yaml.safe_load(block.text))]
# The files that the examples of the pages name are not there: that alone is forgiven.
_NOT_THERE = "there is no such file"


def test_every_block_is_yaml():
    for block in BLOCKS:
        assert isinstance(yaml.safe_load(block.text), dict), str(block)


@pytest.mark.parametrize("block", STATES, ids=map(str, STATES))
def test_a_piece_of_a_state_file_validates(block: Block, tmp_path: Path):
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    state = tmp_path / "examples" / "from-the-page.yaml"
    state.write_text(_completed(block.text), encoding="utf-8")
    try:
        load_states([str(state)])
    except DesiredStateError as error:
        wrong = [f"{one.source}: {one.message}" for one in error.problems if _NOT_THERE not in one.message]
        assert wrong == [], str(block)


def _completed(text: str) -> str:
    """A piece with what a whole state file must have."""
    given = yaml.safe_load(text)
    head = "" if "apiVersion" in given else "apiVersion: reconciler/v1\n"
    if "keystore" not in given:
        head += "keystore: {type: pkcs12, path: live/from-the-page.p12, password: {env: KEYSTORE_PASSWORD}}\n"
    return head + text
