"""A receiver moves to another CA, and at no step is the connection broken: a Java program with the keystore judges."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

import pytest

from tests.tls.jdk import JAVA, OPTIONS
from tests.tls.receiver_site import Site, leaf, root


class JavaProgram:
    """Runs all the time, as an integration flow does, and opens the keystore for each connection."""

    def __init__(self, process: subprocess.Popen[str], keystore: object) -> None:
        self._process = process
        self._keystore = keystore

    def says(self, port: int) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{self._keystore}\tlocalhost\t{port}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def java_program(java, keystore):
    process = subprocess.Popen(
        [java, *OPTIONS, str(JAVA / "TlsClient.java")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
    )  # fmt: skip
    try:
        yield JavaProgram(process, keystore)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_a_receiver_moves_to_another_ca_and_no_connection_breaks(site, java):
    old, new = root("Old CA"), root("New CA")
    site.certificates(old=old, new=new)
    with site.receiver(leaf(old)) as receiver, java_program(java, site.live) as program:
        receivers = {"s4hana": {"address": f"localhost:{receiver.port}"}}
        site.state({"old_root": {"file": "old.pem"}}, receivers)
        assert site.apply().code == 0
        assert site.run("receivers", "record", "keystore.yaml").code == 0
        assert program.says(receiver.port) == "ok"
        assert site.run("drift", "keystore.yaml", "--check-receivers").code == 0

        # The naive way: out with the old root, in with the new one.
        site.state({"new_root": {"file": "new.pem"}}, receivers, aliases={"absent": ["old_root"]})
        before = site.live.read_bytes()
        refused = site.apply()
        assert refused.code == 4
        assert "s4hana would break" in refused.err
        assert "old_root" in refused.err
        assert "replaces: old_root" in refused.err
        assert site.plan().code == 4
        assert site.live.read_bytes() == before
        assert program.says(receiver.port) == "ok"

        # Make before break: the new root comes, the old one stays for the receiver.
        site.state({"new_root": {"file": "new.pem", "replaces": "old_root"}}, receivers)
        planned = site.plan()
        assert planned.changes == [("import", "new_root")]
        [target] = planned.document["targets"]
        [kept] = [finding for finding in target["findings"] if finding["alias"] == "old_root"]
        assert (kept["status"], kept["receivers"]) == ("still-needed", ["s4hana"])
        assert site.apply().code == 0
        assert program.says(receiver.port) == "ok"
        assert site.plan().changes == []
        assert site.run("drift", "keystore.yaml", "--check-receivers").code == 0

        # The receiver moves. Nothing breaks, and the next drift announces it.
        receiver.show([leaf(new)])
        assert program.says(receiver.port) == "ok"
        drift = site.run("drift", "keystore.yaml", "--check-receivers")
        assert drift.code == 2
        assert "CN=New CA instead of CN=Old CA" in drift.out
        assert site.plan().changes == []  # what is recorded still hangs on the old root

        # What the receiver sends is recorded and reviewed; that proves that the old root can go.
        assert site.run("receivers", "record", "keystore.yaml").code == 0
        assert site.plan().changes == [("delete", "old_root")]
        assert site.apply("--check-receivers").code == 0
        assert program.says(receiver.port) == "ok"
        assert set(site.entries()) == {"new_root"}
        assert site.plan().changes == []
        assert site.run("drift", "keystore.yaml", "--check-receivers").code == 0

        # And the test can tell a broken connection from a good one.
        receiver.show([leaf(old)])
        assert "unable to find valid certification path" in program.says(receiver.port)


def test_a_receiver_that_moves_before_anybody_knew_is_broken_already_and_the_new_root_mends_it(site, java):
    old, new = root("Old CA"), root("New CA")
    site.certificates(old=old, new=new)
    with site.receiver(leaf(old)) as receiver, java_program(java, site.live) as program:
        receivers = {"s4hana": {"address": f"localhost:{receiver.port}"}}
        site.state({"old_root": {"file": "old.pem"}}, receivers)
        assert site.apply().code == 0
        assert site.run("receivers", "record", "keystore.yaml").code == 0
        receiver.show([leaf(new)])
        assert program.says(receiver.port) != "ok"
        drift = site.run("drift", "keystore.yaml", "--check-receivers", "--format", "json")
        [verdict] = drift.document["targets"][0]["receivers"]
        assert drift.code == 2
        assert {"root", "missing-intermediate"} <= {note["code"] for note in verdict["differences"]}

        site.state({"new_root": {"file": "new.pem", "replaces": "old_root"}}, receivers)
        assert site.run("receivers", "record", "keystore.yaml").code == 0
        assert site.plan("--check-receivers").changes == [("delete", "old_root"), ("import", "new_root")]
        assert site.apply("--check-receivers").code == 0
        assert program.says(receiver.port) == "ok"
        assert site.plan().changes == []
