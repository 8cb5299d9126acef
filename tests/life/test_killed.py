"""The process dies between any two steps of a staged re-key: the next run completes it, and the old key served."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.commands.targets import plan_states, reader_of
from reconciler.desired import load_states
from reconciler.ownership import alias_key
from tests.life.openssl_ca import OpensslCa
from tests.life.test_responses import applied, planned

STATE = """\
apiVersion: reconciler/v1
keystore: {{type: {type}, path: live/store.{type}, password: {{file: password}}, create: true}}
keyPairs:
  outside:
    key: {{algorithm: EC, curve: secp256r1}}
    subject: {{commonName: outside.example.com}}
    renewBefore: 284d
    rekey: true
    chain: [issuing.pem, root.pem]
    issuer: {{type: external, request: outside.csr, response: outside.pem}}
"""
# What changes something on the disk: the process may die before any of them.
STEPS = [(os, "open"), (os, "fsync"), (os, "unlink"), (os, "mkdir"), (os, "rename"), (os, "replace"), (os, "link")]


@pytest.fixture(scope="module")
def ca(tmp_path_factory) -> OpensslCa:
    return OpensslCa(tmp_path_factory.mktemp("ca"))


def die_at(number: int) -> None:
    """From now on, die like by SIGKILL before the step of this number that changes the disk."""
    count = 0

    def counted(original):
        def call(*arguments, **more):
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **more)

        return call

    for module, name in STEPS:
        setattr(module, name, counted(getattr(module, name)))


def runs_until_killed(state: Path, now: datetime, number: int) -> bool:
    """Apply in a child that dies at a step; whether it lived to the end."""
    with warnings.catch_warnings():
        # Threads of other tests may still end; the child execs nothing and takes no lock of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            die_at(number)
            applied(state, now)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def leaf_of(state: Path):
    (desired,) = load_states([str(state)])
    entries = {alias_key(entry.alias): entry for entry in reader_of(desired).read().entries}
    return entries["outside"].leaf if "outside" in entries else None


def renewal(tmp_path: Path, store_type: str, ca: OpensslCa, phase: str) -> tuple[Path, datetime]:
    """A repository just before a phase of a re-key: `stage` prepares the new key, `answer` lets it take over."""
    for name in ("root.pem", "issuing.pem"):
        shutil.copy(ca.directory / name, tmp_path / name)
    (tmp_path / "password").write_text("changeit\n")
    state = tmp_path / "keystore.yaml"
    state.write_text(STATE.format(type=store_type))
    now = datetime.now(UTC) + timedelta(minutes=1)
    applied(state, now)
    (tmp_path / "outside.pem").write_bytes(ca.sign(tmp_path / "outside.csr"))
    applied(state, now)
    now += timedelta(days=82)
    if phase == "answer":
        applied(state, now)
        (tmp_path / "outside.pem").write_bytes(ca.sign(tmp_path / "outside.csr", days=600))
    return state, now


@pytest.mark.parametrize("store_type", ["jks", "pkcs12"])
@pytest.mark.parametrize("phase", ["stage", "answer"])
def test_the_next_run_completes_it_and_the_old_key_served(store_type, phase, ca, tmp_path, capsys):
    start = tmp_path / "start"
    start.mkdir()
    state, now = renewal(start, store_type, ca, phase)
    old = leaf_of(state)
    finished, number = False, 0
    while not finished:
        number += 1
        root = tmp_path / f"{number}"
        shutil.copytree(start, root)
        state = root / "keystore.yaml"
        finished = runs_until_killed(state, now, number)
        between = leaf_of(state)
        assert between is not None
        if phase == "stage":
            assert between.sha256 == old.sha256
        applied(state, now)
        assert planned(state, now).changes == ()
        report = plan_states(load_states([str(state)]), now, "plan")
        (finding,) = [f for f in report.targets[0].plan.findings if f.alias == "outside"]
        if phase == "stage":
            assert finding.status == "awaiting-signature"
            assert leaf_of(state).sha256 == old.sha256
        else:
            assert finding.status == "in-sync"
            assert leaf_of(state).sha256 != old.sha256
        assert not list((root / "live").glob(".*.tmp")) or not finished
        shutil.rmtree(root)
    assert number > 5
    with capsys.disabled():
        print(f"\n{store_type}, {phase}: killed at each of {number - 1} steps, completed by the next run each time")
