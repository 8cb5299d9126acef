"""Answers that are spoiled at random: an error with a sentence, never a defect, and never a forbidden request."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.sap.second.repository import Repository, pair

if TYPE_CHECKING:
    from collections.abc import Callable

JUNK: list[Any] = [
    None, "", 0, -1, 1e400, [], {}, [[]], True, "\ud800", "x" * 5000, "9" * 5000, "\x00", "0x", "/Date(99999999999999999)/",
    {"results": None}, "-----BEGIN CERTIFICATE-----",
]  # fmt: skip
PIECES = [b"", b"&#0;", b"<x/>", b"m:null", b"\xff", b"<![CDATA[x]]>", b"9" * 30]
COMMANDS = [
    ("plan",), ("drift",), ("list",), ("show", "client"), ("export", "client", "--chain", "--root"), ("csr", "client"),
    ("apply",), ("plan", "--format", "text"), ("list", "--format", "text"),
]  # fmt: skip


def spoiler(rolls: random.Random) -> Callable[[bytes, str], bytes]:
    def junk(value: Any) -> Any:
        if rolls.random() < 0.02:
            return rolls.choice(JUNK)
        if isinstance(value, dict):
            return {name: junk(item) for name, item in value.items() if rolls.random() > 0.01}
        return [junk(item) for item in value] if isinstance(value, list) else value

    def spoil(body: bytes, content_type: str) -> bytes:
        if not body or rolls.random() < 0.5:
            return body
        if "json" in content_type:
            return json.dumps(junk(json.loads(body))).encode()
        start = rolls.randrange(len(body))
        return body[:start] + rolls.choice(PIECES) + body[start + rolls.randrange(60) :]

    return spoil


@pytest.mark.parametrize("manner_name", ["plain", "atom"], indirect=True)
def test_spoiled_answers_end_in_errors_that_say_what_is_wrong(
    reconcile: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.keystores.guarded_steps._WAITS", (0.0,))
    monkeypatch.setattr("reconciler.commands.carrying_out._WAITS", (0.0,))
    roots = "trustedRoots:\n" + reconcile.root("our_root", "Our Root")
    reconcile.declare(roots + "keyPairs:\n" + pair("client", more="    rekey: true\n"))
    assert reconcile("apply").code == 0
    rolls = random.Random(20261124)
    for _ in range(150):
        reconcile.tenant.spoil = spoiler(rolls)
        if "client" in reconcile.tenant.keystore.items and rolls.random() < 0.2:
            reconcile.age("client")
        done = reconcile(*rolls.choice(COMMANDS))
        assert done.code in {0, 1, 2, 3, 4, 5}
        assert "defect" not in done.err, done.err
    reconcile.tenant.spoil = None
    reconcile.settles()
