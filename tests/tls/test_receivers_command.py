"""Receivers on the command line: recorded, judged, asked side by side, required, and shown the keys of tomorrow."""

from __future__ import annotations

import json
import threading
import time

import pytest

from reconciler.tls.probing import probe_receivers, side_by_side
from tests.cli.repository import PASSWORD
from tests.tls import peers
from tests.tls.pki import pem
from tests.tls.receiver_site import TODAY, Site, client, leaf, root

OLD, NEW = root("Old CA"), root("New CA")
CLIENTS, OTHER_CLIENTS = root("Client CA"), root("Other Client CA")


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    site.certificates(old=OLD, new=NEW)
    return site


def receivers_at(port, **more):
    return {"s4hana": {"address": f"localhost:{port}", **more}}


OLD_ROOT = {"old_root": {"file": "old.pem"}}


def verdict_of(result):
    [target] = result.document["targets"]
    [verdict] = target["receivers"]
    return verdict


# --------------------------------------------------------------------------------------------------- record


def test_recording_writes_the_chain_once_and_says_what_it_is(site):
    with peers.openssl_server(site.directory / "s", [leaf(OLD)], "TLSv1.3", ("optional", CLIENTS)) as port:
        site.state(OLD_ROOT, receivers_at(port, chain="chains/s4.pem"))
        first = site.run("receivers", "record", "keystore.yaml")
        file = site.directory / "chains" / "s4.pem"
        written, status = file.read_text(), file.stat()
        second = site.run("receivers", "record", "keystore.yaml")
    assert (first.code, second.code) == (0, 0)
    assert "s4hana: wrote chains/s4.pem" in first.out
    assert "CN=localhost" in first.out
    assert second.out == "s4hana: unchanged\n"
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (status.st_mtime_ns, status.st_ino)
    assert "Client certificate: asked for\nAccepts: CN=Client CA\n" in written
    assert [path.name for path in file.parent.iterdir()] == ["s4.pem"]


def test_recording_says_what_changed(site):
    with site.receiver(leaf(OLD)) as receiver:
        site.state(OLD_ROOT, receivers_at(receiver.port))
        assert site.run("receivers", "record", "keystore.yaml").code == 0
        receiver.show([leaf(NEW)])
        again = site.run("receivers", "record", "keystore.yaml", "--receiver", "s4hana")
    assert "leaf: another certificate than recorded" in again.out
    assert "root: it hangs on another root now: CN=New CA instead of CN=Old CA" in again.out


def test_recording_goes_on_when_one_receiver_is_dead_and_keeps_what_was_recorded_of_it(site):
    with site.receiver(leaf(OLD)) as receiver, peers.closed_port() as dead:
        site.state(OLD_ROOT, {"dead": {"address": f"localhost:{dead}", "chain": "d.pem"}} | receivers_at(receiver.port))
        site.write("d.pem", pem(leaf(OLD)))
        before = (site.directory / "d.pem").read_bytes()
        result = site.run("receivers", "record", "keystore.yaml")
    assert result.code == 1
    assert "s4hana: wrote" in result.out
    assert "dead: nothing was recorded: localhost" in result.err
    assert (site.directory / "d.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--receiver", "s4hanna"], "no receiver is called s4hanna"),
        (["--receiver", "s4hanna"], "did you mean s4hana?"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_recording_says_what_it_cannot_do(site, arguments, expected):
    site.state(OLD_ROOT, receivers_at(1))
    result = site.run("receivers", "record", "keystore.yaml", *arguments)
    assert result.code == 1
    assert expected in result.err


def test_recording_without_receivers_says_so(site):
    site.state(OLD_ROOT, {})
    assert site.run("receivers", "record", "keystore.yaml").code == 1


def test_recording_needs_neither_keystore_nor_password(site):
    with site.receiver(leaf(OLD)) as receiver:
        site.state(OLD_ROOT, receivers_at(receiver.port))
        result = site.run("receivers", "record", "keystore.yaml", STORE_PASSWORD="")
    assert result.code == 0
    assert not site.live.exists()


def test_a_directory_that_cannot_be_made_is_said(site):
    with site.receiver(leaf(OLD)) as receiver:
        site.write("chains", "a file")
        site.state(OLD_ROOT, receivers_at(receiver.port, chain="chains/s4.pem"))
        result = site.run("receivers", "record", "keystore.yaml")
    assert result.code == 1
    assert "chains/s4.pem" in result.err


# ---------------------------------------------------------------------------------------------- plan, apply


def test_what_nobody_knows_is_a_warning_and_refused_only_where_it_is_required(site):
    with peers.closed_port() as dead:
        site.state(OLD_ROOT, receivers_at(dead))
        plan = site.plan("--check-receivers")
        required = site.plan("--check-receivers", "--require-receivers")
        refused = site.apply("--check-receivers", "--require-receivers")
        applied = site.apply("--check-receivers")
        nothing = site.apply("--check-receivers", "--require-receivers")
    assert (plan.code, required.code, refused.code, applied.code, nothing.code) == (0, 4, 4, 0, 0)
    assert verdict_of(plan)["status"] == "unknown"
    assert verdict_of(plan)["probe"]["code"] == "connect-refused"
    assert "the receiver s4hana is unknown" in required.err


def test_a_recorded_chain_is_judged_without_a_network(site):
    site.state(OLD_ROOT, receivers_at(1, chain="s4.pem"))
    site.write("s4.pem", pem(leaf(OLD)))
    assert verdict_of(site.plan())["status"] == "newly-trusted"
    assert site.apply("--require-receivers").code == 0
    site.state({}, receivers_at(1, chain="s4.pem"), aliases={"unmanaged": "prune"})
    assert site.apply().code == 4
    assert site.apply("--allow-mass-change").code == 4


def test_a_live_chain_refuses_as_a_recorded_one_does(site):
    with site.receiver(leaf(OLD)) as receiver:
        site.state(OLD_ROOT, receivers_at(receiver.port))
        assert site.apply().code == 0
        site.state({"new": {"file": "new.pem"}}, receivers_at(receiver.port), aliases={"absent": ["old_root"]})
        assert site.plan("--check-receivers").code == 4
        refused = site.apply("--check-receivers")
    assert refused.code == 4
    assert "the chain that it sends now is trusted by old_root" in refused.err


def test_a_reviewed_plan_is_stale_when_another_chain_is_recorded(site):
    site.state(OLD_ROOT, receivers_at(1, chain="s4.pem"))
    site.write("s4.pem", pem(leaf(OLD)))
    assert site.plan("--out", "plan.json").code == 0
    site.write("s4.pem", pem(leaf(NEW)))
    stale = site.apply("--plan", "plan.json")
    assert stale.code == 4
    assert "reviewed, not now: receiver s4hana" in stale.err


def test_a_reviewed_plan_runs_whatever_the_network_shows(site):
    with site.receiver(leaf(OLD)) as receiver:
        site.state(OLD_ROOT, receivers_at(receiver.port, chain="s4.pem"))
        site.write("s4.pem", pem(leaf(OLD)))
        assert site.plan("--check-receivers", "--out", "plan.json").code == 0
    assert site.apply("--plan", "plan.json").code == 0


def test_a_breaking_plan_is_not_written_for_apply(site):
    site.state(OLD_ROOT, receivers_at(1, chain="s4.pem"))
    site.write("s4.pem", pem(leaf(OLD)))
    assert site.apply().code == 0
    site.state({}, receivers_at(1, chain="s4.pem"), aliases={"absent": ["old_root"]})
    result = site.run("plan", "keystore.yaml", "--out", "plan.json")
    assert result.code == 4
    assert "would-break" in result.out
    assert not (site.directory / "plan.json").exists()


@pytest.mark.parametrize("horizon", ["soon", "0d", "-1d", "90"])
def test_a_horizon_that_is_none_is_said(site, horizon):
    site.state(OLD_ROOT, receivers_at(1))
    result = site.plan(f"--horizon={horizon}")
    assert result.code == 1
    assert "--horizon" in result.err


# ---------------------------------------------------------------------------------------------------- drift


def test_every_difference_at_a_receiver_is_told_and_counts(site):
    with peers.openssl_server(site.directory / "s", [leaf(OLD)], "TLSv1.3", ("required", CLIENTS)) as port:
        site.state(OLD_ROOT, receivers_at(port))
        assert site.apply().code == 0
        assert site.run("receivers", "record", "keystore.yaml").code == 0
        assert site.run("drift", "keystore.yaml", "--check-receivers").code == 0
    other = root("Middle")
    chain = [leaf(other), other]
    with peers.openssl_server(site.directory / "s", chain, "TLSv1.3", ("required", OTHER_CLIENTS)) as port:
        site.state(OLD_ROOT, receivers_at(port))
        text = site.run("drift", "keystore.yaml", "--check-receivers")
        markdown = site.run("drift", "keystore.yaml", "--check-receivers", "--format", "markdown")
        document = site.run("drift", "keystore.yaml", "--check-receivers", "--format", "json")
    assert (text.code, markdown.code, document.code) == (2, 2, 2)
    codes = {note["code"] for note in verdict_of(document)["differences"]}
    assert {"leaf", "root", "client-cas"} <= codes
    for code in codes:
        assert code in text.out
        assert code in markdown.out
    assert "Drift: 1 difference" in text.out
    assert site.run("drift", "keystore.yaml").code == 0  # without a connection nothing is seen


def test_drift_names_who_was_not_reached_and_that_is_no_difference(site):
    with peers.closed_port() as dead:
        site.state(OLD_ROOT, receivers_at(dead, chain="s4.pem"))
        site.write("s4.pem", pem(leaf(OLD)))
        assert site.apply().code == 0
        drift = site.run("drift", "keystore.yaml", "--check-receivers")
    assert drift.code == 0
    assert "not-reached" in drift.out


@pytest.mark.parametrize("name", ["text", "json", "markdown"])
def test_every_format_shows_a_break(site, name):
    site.state(OLD_ROOT, receivers_at(1, chain="s4.pem"))
    site.write("s4.pem", pem(leaf(OLD)))
    assert site.apply().code == 0
    site.state({}, receivers_at(1, chain="s4.pem"), aliases={"absent": ["old_root"]})
    result = site.run("plan", "keystore.yaml", "--format", name)
    assert result.code == 4
    assert "s4hana" in result.out
    assert "would-break" in result.out


# ------------------------------------------------------------------------------- the client certificate of tomorrow


def bring(site, one):
    """The key pair that the repository brings along."""
    site.write("client.key", one.key_pem)
    site.write("client.pem", pem(one))


def test_a_plan_warns_when_the_receiver_does_not_name_the_ca_of_the_new_certificate(site):
    first = client(CLIENTS)
    bring(site, first)
    pairs = {"s4_client": {"file": "client.key", "certificateFile": "client.pem"}}
    with peers.openssl_server(site.directory / "s", [leaf(OLD)], "TLSv1.2", ("optional", CLIENTS)) as port:
        site.state(OLD_ROOT, receivers_at(port, keyPair="s4_client"), keyPairs=pairs)
        good = site.plan("--check-receivers")
        bring(site, client(OTHER_CLIENTS, key=first.key))
        bad = site.plan("--check-receivers")
    assert (good.code, bad.code) == (0, 0)
    assert "client-ca" not in {note["code"] for note in verdict_of(good)["warnings"]}
    assert "client-ca" in {note["code"] for note in verdict_of(bad)["warnings"]}


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_certificate_that_the_receiver_would_turn_down_does_not_take_over(site, version):
    pairs = {"s4_client": {"file": "client.key", "certificateFile": "client.pem"}}
    first = client(CLIENTS)
    bring(site, first)
    with site.receiver(leaf(OLD), accepted=[CLIENTS]) as receiver:
        receiver.show([leaf(OLD)], version, accepted=[CLIENTS])
        site.state(OLD_ROOT, receivers_at(receiver.port, keyPair="s4_client"), keyPairs=pairs)
        assert site.apply("--check-receivers").code == 0
        bring(site, client(OTHER_CLIENTS, key=first.key))
        before = site.live.read_bytes()
        plan = site.plan("--check-receivers")
        refused = site.apply("--check-receivers")
        assert site.live.read_bytes() == before
        receiver.show([leaf(OLD)], version, accepted=[CLIENTS, OTHER_CLIENTS])
        assert site.apply("--check-receivers").code == 0
    assert plan.code == 0
    assert "turns down the certificate that s4_client gets" in plan.err
    assert refused.code == 4
    assert "receiver s4hana: it takes the certificate that s4_client has today" in refused.err
    assert PASSWORD not in refused.err


def test_a_renewed_key_pair_is_tried_from_its_staging_alias(site):
    site.certificates(ca1=CLIENTS, ca2=OTHER_CLIENTS)
    site.write("ca1.key", CLIENTS.key_pem)
    site.write("ca2.key", OTHER_CLIENTS.key_pem)

    def declare(port, number, **more):
        issuer = {"type": "local-ca", "certificate": f"ca{number}.pem", "key": f"ca{number}.key"}
        key = {"algorithm": "EC", "curve": "secp256r1"}
        pair = {"subject": {"commonName": "me"}, "key": key, "issuer": issuer, "rekey": False}
        pair |= {"activation": "approved", "validity": "200d", **more}
        site.state(OLD_ROOT, receivers_at(port, keyPair="s4_client"), keyPairs={"s4_client": pair})

    with site.receiver(leaf(OLD), accepted=[CLIENTS]) as receiver:
        declare(receiver.port, 1)
        assert site.apply("--check-receivers").code == 0
        declare(receiver.port, 2)
        assert site.apply("--check-receivers").code == 0
        entries = site.entries()
        today = entries["s4_client"]["certificates"][0]["sha256"]
        waiting = entries["s4_client.next"]["certificates"][0]["sha256"]
        declare(receiver.port, 2, activate=waiting)
        assert site.plan("--check-receivers").code == 0  # a plan opens no key
        refused = site.apply("--check-receivers")
        assert site.entries()["s4_client"]["certificates"][0]["sha256"] == today
        receiver.show([leaf(OLD)], accepted=[CLIENTS, OTHER_CLIENTS])
        assert site.apply("--check-receivers").code == 0
        assert site.entries()["s4_client"]["certificates"][0]["sha256"] == waiting
    assert refused.code == 4
    assert "s4hana" in refused.err


# ---------------------------------------------------------------------------------------------- side by side


def test_work_goes_side_by_side_within_its_bound_and_keeps_its_order():
    running, most, lock = 0, 0, threading.Lock()

    def work(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return number * 2

    assert side_by_side(work, range(20), 5) == [number * 2 for number in range(20)]
    assert most == 5
    assert side_by_side(work, [], 5) == []


def test_what_goes_wrong_in_one_of_them_is_raised():
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda number: 1 // number, [1, 0, 1], 2)


def test_many_receivers_take_as_long_as_the_slowest_not_as_all_of_them(site):
    """40 receivers, 8 of them mute: eight time-outs one after the other would be twelve seconds."""
    with site.receiver(leaf(OLD)) as alive, peers.raw_server(peers.mute) as mute, peers.raw_server(peers.mute) as dead:
        ports = {f"r{number}": (mute if number % 2 else dead) if number < 8 else alive.port for number in range(40)}
        named = {
            name: {"address": f"localhost:{port}", "serverName": f"{name}.example"} for name, port in ports.items()
        }
        site.state(OLD_ROOT, named)
        begin = time.monotonic()
        result = site.plan("--check-receivers", "--receiver-timeout", "1.5", "--jobs", "40")
        took = time.monotonic() - begin
    statuses = [verdict["status"] for verdict in result.document["targets"][0]["receivers"]]
    assert (statuses.count("unknown"), statuses.count("newly-trusted")) == (8, 32)
    assert took < 6


def test_the_same_server_is_asked_once(site):
    connections = []

    def counting(peer):
        connections.append(peer)
        peers.closing(peer)

    with peers.raw_server(counting) as port:
        site.state(OLD_ROOT, {name: {"address": f"localhost:{port}"} for name in ("a", "b", "c")})
        site.plan("--check-receivers")
    assert len(connections) == 1


def test_hostile_servers_are_reported_not_raised(site):
    with (
        peers.raw_server(peers.saying(b"HTTP/1.0 400\r\n\r\n")) as http,
        peers.raw_server(peers.resetting) as resetting,
        peers.raw_server(peers.saying(b"\x16\x03\x03\xff\xff" + b"\x00" * 70_000, after=True)) as junk,
    ):
        site.state(OLD_ROOT, {str(port): {"address": f"localhost:{port}"} for port in (http, resetting, junk)})
        result = site.plan("--check-receivers", "--receiver-timeout", "2")
    codes = [verdict["probe"]["code"] for verdict in result.document["targets"][0]["receivers"]]
    assert result.code == 0
    assert "ok" not in codes


def test_certificates_that_cannot_be_read_make_a_receiver_untrusted(site):
    from reconciler.model import Probe, Receiver, Source
    from reconciler.receivers import Outlook, circumstances, judge_receivers
    from reconciler.x509 import certificate, is_signed_by

    one = Receiver("s4hana", "localhost:443", Source("keystore.yaml", 1))
    probe = Probe((certificate(b"\x30\x03junk"),))
    facts = circumstances(TODAY, is_signed_by, Outlook(probes={one.destination: probe}))
    [verdict] = judge_receivers([one], (), (), (), facts)
    assert verdict.status == "untrusted"


def test_a_proxy_of_the_environment_is_used_and_one_that_is_none_is_said(site):
    with peers.closed_port() as dead:
        site.state(OLD_ROOT, receivers_at(443))
        by_proxy = site.plan("--check-receivers", HTTPS_PROXY=f"http://127.0.0.1:{dead}")
        wrong = site.plan("--check-receivers", HTTPS_PROXY="socks5://127.0.0.1:1")
    assert by_proxy.code == 0
    assert wrong.code == 1


def test_probing_without_receivers_does_nothing():
    assert probe_receivers([], timeout=1, environment={}) == {}


def test_a_plan_without_the_option_connects_to_nobody(site):
    def refuse(_peer):
        raise AssertionError

    with peers.raw_server(refuse) as port:
        site.state(OLD_ROOT, receivers_at(port))
        assert verdict_of(site.plan())["probe"] is None
        assert json.loads(site.plan().out)["targets"][0]["receivers"][0]["status"] == "unknown"
