"""`reconcile connect` as it is called: text, JSON, exit codes, keystores, proxies, and what it never shows."""

from __future__ import annotations

import contextlib
import json
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from reconciler.cli import run
from reconciler.keystores.formats import new_container
from reconciler.model import PutCertificate, PutKeyPair, StoreType
from reconciler.secret import Secret
from tests.tls import peers
from tests.tls.pki import CLIENT_AUTH, Draft, ca, extended_key_usage, key_usage, server

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/connect.schema.json").read_text("utf-8"))
PASSWORD = "a long password"
TODAY = datetime.now(UTC).replace(microsecond=0)
DAYS = {"not_before": TODAY - timedelta(days=2), "not_after": TODAY + timedelta(days=30)}


class Site:
    """Certificates of today, a keystore that knows them, and servers that show them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = ca("CN=Site Root", **DAYS).issued_by()
        self.client_root = ca("CN=Client Root", **DAYS).issued_by()
        self.chain = self.chain_for(server(names=("DNS:server.example", "IP:127.0.0.1"), **DAYS))
        usages = (key_usage(0), extended_key_usage(CLIENT_AUTH))
        self.client = Draft("CN=me", extensions=usages, **DAYS).issued_by(self.client_root)
        self.keystore = self._keystore()

    def chain_for(self, draft: Draft):
        intermediate = ca("CN=Site Intermediate", **DAYS).issued_by(self.root)
        return [draft.issued_by(intermediate), intermediate]

    def _keystore(self) -> Path:
        writes = [
            PutCertificate("site_root", self.root.certificate),
            PutKeyPair("my_client", (self.client.certificate,), Secret(self.client.key_der)),
        ]
        container = new_container(StoreType.PKCS12).with_writes(writes, password=Secret(PASSWORD), now=TODAY)
        path = self.directory / "store.p12"
        path.write_bytes(container.to_bytes(Secret(PASSWORD)))
        return path

    @contextlib.contextmanager
    def serving(self, chain=None, version="TLSv1.3", policy=None):
        client = (policy, self.client_root) if policy else None
        context = peers.server_context(self.directory / "identity", chain or self.chain, version, client)
        with peers.raw_server(peers.speaking_tls(context)) as port:
            yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("STORE_PASSWORD", PASSWORD)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def reconcile(site, capsys):
    """Run the command with the site's keystore: (exit code, standard output, standard error)."""

    def call(*arguments: str, keystore: bool = True):
        options = ["--keystore", str(site.keystore), "--password-env", "STORE_PASSWORD"] if keystore else []
        code = run(["connect", *arguments, *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def document(output: str):
    parsed = json.loads(output)
    jsonschema.validate(parsed, SCHEMA, jsonschema.Draft202012Validator)
    return parsed


# ---------------------------------------------------------------------------------------------------- results


def test_a_trusted_server_is_told_as_text(site, reconcile):
    with site.serving() as address:
        code, out, err = reconcile(address)
    assert (code, err) == (0, "")
    for expected in (
        f"{address}: ok",
        "TLSv1.3",
        "CN=Site Intermediate",
        "site_root",
        "not asked for",
        "not from a tenant",
    ):
        assert expected in out


def test_the_json_has_what_the_contract_names(site, reconcile):
    with site.serving() as address:
        code, out, _ = reconcile(address, "--format", "json")
    result = document(out)
    assert (code, result["code"], result["address"], result["protocol"]) == (0, "ok", address, "TLSv1.3")
    assert [one["sha256"] for one in result["chain"]] == [one.certificate.sha256 for one in site.chain]
    assert result["trust"]["anchor_alias"] == "site_root"
    assert result["trust"]["anchors"] == ["site_root"]
    assert result["trust"]["until"] == DAYS["not_after"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert result["host_name"]["code"] == "ok"
    assert result["client_certificate"]["requested"] == "no"
    assert result["java_message"] is None


def test_the_schema_knows_every_failure_too(site, reconcile):
    with site.serving([server(**DAYS).issued_by()]) as address:
        code, out, _ = reconcile(address, "--format", "json")
    result = document(out)
    assert (code, result["code"]) == (1, "self-signed")
    assert "unable to find valid certification path" in result["java_message"]
    with peers.closed_port() as port:
        code, out, _ = reconcile(f"127.0.0.1:{port}", "--format", "json")
    assert (code, document(out)["code"], document(out)["trust"]) == (1, "connect-refused", None)


def test_without_validation_reaching_is_enough_and_the_verdict_is_still_told(site, reconcile):
    with site.serving([server(**DAYS).issued_by()]) as address:
        code, out, _ = reconcile(address, "--format", "json", "--no-validate")
    result = document(out)
    assert (code, result["code"], result["trust"]["code"]) == (0, "ok", "self-signed")


def test_without_a_keystore_mozilla_s_roots_judge_and_the_result_says_so(site, reconcile):
    with site.serving() as address:
        code, out, _ = reconcile(address, "--format", "json", keystore=False)
    result = document(out)
    assert (code, result["code"]) == (1, "unknown-ca")
    assert "Mozilla" in result["trust_source"]


def test_a_name_can_be_asked_for(site, reconcile):
    with site.serving() as address:
        assert reconcile(address, "--server-name", "server.example")[0] == 0
        code, out, _ = reconcile(address, "--server-name", "other.example", "--format", "json")
        # Java falls back to the host it connected to, which the certificate has as well.
        assert (code, document(out)["host_name"]["matched"]) == (0, "127.0.0.1")


def test_what_a_server_calls_itself_cannot_move_the_cursor(site, reconcile):
    evil = "CN=\x1b[2J\u202eevil\r\nHost: ok"
    with site.serving(site.chain_for(server(evil, names=("IP:127.0.0.1",), **DAYS))) as address:
        code, out, _ = reconcile(address)
    assert code == 0
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\u{1b}[2J" in out


# --------------------------------------------------------------------------------------------------- keystores


def state_file(directory: Path, keystore: str) -> str:
    path = directory / "keystore.yaml"
    path.write_text(
        "apiVersion: reconciler/v1\nkeystore:\n  type: pkcs12\n"
        f"  path: {keystore}\n  password: {{env: STORE_PASSWORD}}\n"
    )
    return str(path)


def test_a_state_file_names_the_keystore_and_its_password(site, reconcile):
    state = state_file(site.directory, "store.p12")
    with site.serving(policy="required") as address:
        arguments = [address, "--keystore", state, "--client-certificate", "my_client", "--format", "json"]
        code, out, err = reconcile(*arguments, keystore=False)
    assert (code, err) == (0, "")
    assert document(out)["trust"]["anchor_alias"] == "site_root"


def test_a_keystore_that_is_missing_or_does_not_open_is_code_3(site, reconcile, tmp_path, monkeypatch):
    assert reconcile("x", "--keystore", state_file(tmp_path, "nowhere.p12"), keystore=False)[0] == 3
    monkeypatch.setenv("STORE_PASSWORD", "wrong")
    assert reconcile("x")[0] == 3


def test_a_state_file_takes_no_password_option(site, reconcile, tmp_path):
    state = state_file(tmp_path, "store.p12")
    code, _, err = reconcile("x", "--keystore", state, "--password-env", "STORE_PASSWORD", keystore=False)
    assert code == 1
    assert "the argument is a state file" in err


def test_one_state_file_is_enough(reconcile, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        state_file(tmp_path / name, "store.p12")
    code, _, err = reconcile("x", "--keystore", str(tmp_path), keystore=False)
    assert code == 1
    assert err


def test_java_s_own_keystore_judges_too(site, reconcile, keytool, tmp_path):
    import subprocess

    from tests.tls.pki import pem

    (tmp_path / "root.pem").write_bytes(pem(site.root))
    store = tmp_path / "truststore.jks"
    options = ["-storetype", "jks", "-storepass", PASSWORD, "-alias", "imported", "-file", str(tmp_path / "root.pem")]
    subprocess.run(
        [keytool, "-importcert", "-noprompt", "-keystore", str(store), *options], check=True, capture_output=True
    )
    with site.serving() as address:
        arguments = [address, "--keystore", str(store), "--password-env", "STORE_PASSWORD", "--format", "json"]
        code, out, _ = reconcile(*arguments, keystore=False)
    assert (code, document(out)["trust"]["anchors"]) == (0, ["imported"])


def test_the_keys_of_a_tenant_are_withheld_its_trust_is_not(site):
    from reconciler.commands.trust_source import source_of_snapshot
    from reconciler.model import Entry, EntryKind, Snapshot

    entry = Entry(
        "root", EntryKind.TRUSTED_CERTIFICATE, (site.root.certificate,), "digest", owner="Tenant Administrator"
    )
    snapshot = Snapshot(StoreType.SAP_CLOUD_INTEGRATION, entries=(entry,))
    source = source_of_snapshot("https://tenant.example", snapshot, keys_withheld="they stay in it")
    assert (source.anchors, source.key_pairs) == ((("root", site.root.certificate),), ())


# ------------------------------------------------------------------------------------------ client certificates


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("alias", [["my_client"], []], ids=["named", "any"])
def test_the_client_certificate_of_the_keystore_is_presented(site, reconcile, version, alias):
    with site.serving(version=version, policy="required") as address:
        assert reconcile(address)[0] == 1
        code, out, _ = reconcile(address, "--format", "json", "--client-certificate", *alias)
    client = document(out)["client_certificate"]
    assert (code, client["alias"], client["presented"]) == (0, "my_client", True)
    assert (client["requested"], client["required"], client["reaction"]) == ("yes", "yes", "accepted")


def test_the_flag_without_alias_may_stand_before_the_address(site, reconcile):
    with site.serving(policy="required") as address:
        code, out, _ = reconcile("--client-certificate", address, "--format", "json")
    assert (code, document(out)["client_certificate"]["alias"]) == (0, "my_client")


def test_an_alias_that_is_not_there_is_said_to_be_not_available(site, reconcile):
    with site.serving(policy="required") as address:
        code, out, _ = reconcile(address, "--client-certificate", "nobody", "--format", "json")
    result = document(out)
    assert (code, result["code"]) == (1, "client-key-not-available")
    assert "my_client" in result["message"]


def test_the_keys_of_a_tenant_are_said_to_be_not_available(site):
    from reconciler.tls.address import parse_address
    from reconciler.tls.connecting import ANY_KEY_PAIR, Wishes, connect
    from reconciler.tls.observing import Destination
    from reconciler.tls.results import TrustSource

    source = TrustSource("a tenant", (("root", site.root.certificate),), keys_withheld="they stay in it")
    with site.serving(policy="required") as address:
        result = connect(Destination(parse_address(address)), source, TODAY, Wishes(client_alias=ANY_KEY_PAIR))
    assert (result.code, result.trust.code) == ("client-key-not-available", "ok")
    assert "stay in it" in result.message


def test_a_server_that_is_not_trusted_gets_no_client_certificate(site, reconcile):
    with site.serving([server(**DAYS).issued_by()], policy="optional") as address:
        _, out, _ = reconcile(address, "--client-certificate", "my_client", "--format", "json")
    result = document(out)
    assert (result["code"], result["client_certificate"]["presented"]) == ("self-signed", False)
    assert "not-presented" in {one["code"] for one in result["warnings"]}


def test_a_server_that_does_not_ask_gets_none_either(site, reconcile):
    with site.serving() as address:
        code, out, _ = reconcile(address, "--client-certificate", "my_client", "--format", "json")
    assert code == 0
    assert "not-requested" in {one["code"] for one in document(out)["warnings"]}


def test_a_key_that_java_would_not_choose_is_presented_with_a_warning(site, reconcile):
    client = ("optional", site.root)
    with peers.openssl_server(site.directory / "other", site.chain, "TLSv1.3", client) as port:
        code, out, _ = reconcile(f"127.0.0.1:{port}", "--client-certificate", "my_client", "--format", "json")
    result = document(out)
    assert (code, result["client_certificate"]["acceptable_cas"]) == (0, ["CN=Site Root"])
    assert "request-does-not-fit" in {one["code"] for one in result["warnings"]}


def test_the_text_says_whom_the_server_accepts_and_how_it_reacted(site, reconcile):
    client = ("required", site.client_root)
    with peers.openssl_server(site.directory / "telling", site.chain, "TLSv1.3", client) as port:
        code, out, _ = reconcile(f"127.0.0.1:{port}", "--client-certificate", "my_client")
    assert code == 0
    assert "required" in out
    assert "accepts CN=Client Root" in out
    assert "my_client: presented and accepted" in out


def test_java_s_choice_says_why_no_key_pair_fits(site, reconcile):
    client = ("required", site.root)
    with peers.openssl_server(site.directory / "strict", site.chain, "TLSv1.3", client) as port:
        code, out, _ = reconcile(f"127.0.0.1:{port}", "--client-certificate", "--format", "json")
    result = document(out)
    assert (code, result["code"]) == (1, "client-key-not-available")
    assert "my_client: it was issued by none of the CAs" in result["message"]


def test_no_key_and_no_password_is_ever_shown(site, reconcile):
    with site.serving(policy="required") as address:
        for arguments in (["--format", "json"], []):
            _, out, err = reconcile(address, "--client-certificate", "my_client", *arguments)
            assert PASSWORD not in out + err
            assert "PRIVATE KEY" not in out + err
            assert b64encode(site.client.key_der).decode()[:40] not in out + err


# ---------------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["host:port:x"], "not an address"),
        ([], "Missing argument"),
        (["host", "--timeout", "0"], "timeout"),
        (["host", "--starttls", "ftp"], "starttls"),
        (["host", "--proxy", "https://proxy"], "proxy is not written as"),
        (["host", "--client-certificate", "x"], "needs a keystore"),
        (["host", "--password-env", "X"], "without --keystore"),
        (["host", "--keystore", "nowhere.p12"], "no such keystore file"),
    ],
)
def test_wrong_usage_is_explained(arguments, words, reconcile):
    code, out, err = reconcile(*arguments, keystore=False)
    assert code in {1, 3}
    assert out == ""
    assert words in err


# ----------------------------------------------------------------------------------------------------- saving


def test_saving_writes_the_chain_and_prints_the_lines(site, reconcile, tmp_path):
    with site.serving() as address:
        code, out, _ = reconcile(address, "--save", str(tmp_path / "certs"))
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "certs").iterdir()) == [
        "server_example.pem",
        "site_intermediate.pem",
    ]
    lines = yaml.safe_load(out[out.index("trustedRoots:") :])
    pin = lines["trustedRoots"]["site_intermediate"]["sha256"]
    assert pin.replace(":", "").lower() == site.chain[1].certificate.sha256


def test_saving_is_told_in_json_as_well(site, reconcile, tmp_path):
    with site.serving() as address:
        _, out, _ = reconcile(address, "--save", str(tmp_path), "--format", "json")
    assert [one["alias"] for one in document(out)["saved"]] == ["server_example", "site_intermediate"]


def test_the_root_above_a_public_chain_is_found_in_the_bundle():
    from reconciler.commands.connect import _known_root
    from reconciler.desired.mozilla import bundle
    from tests.unit.test_trust_limbo import CASES, chain_of

    public = [chain_of(case) for case in CASES if case["id"].startswith("online::")]
    roots = [_known_root(tuple(chain)) for chain in public]
    assert any(roots)
    assert all(root.sha256 in bundle() for root in roots if root)


# ---------------------------------------------------------------------------------------------------- proxies


@contextlib.contextmanager
def proxy(answer: bytes | None = None):
    """An HTTP proxy; it answers `answer`, or opens the tunnel. Gives its port and the heads that it read."""
    heads: list[bytes] = []

    def handle(peer) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.recv(1)
        heads.append(head)
        if answer is not None:
            peer.sendall(answer)
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        import socket

        with socket.create_connection((host, int(port)), 5) as beyond:
            peer.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: test\r\n\r\n")
            back = threading.Thread(target=pump, args=(beyond, peer), daemon=True)
            back.start()
            pump(peer, beyond)

    def pump(source, sink) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    with peers.raw_server(handle) as port:
        yield port, heads


def test_the_way_may_lead_through_a_proxy(site, reconcile):
    with site.serving() as address, proxy() as (port, heads):
        code, out, _ = reconcile(address, "--proxy", f"http://me:sesame@127.0.0.1:{port}", "--format", "json")
    assert (code, document(out)["proxy"]) == (0, f"127.0.0.1:{port}")
    assert f"CONNECT {address} HTTP/1.1".encode() in heads[0]
    assert b"Proxy-Authorization: Basic " + b64encode(b"me:sesame") in heads[0]
    assert "sesame" not in out


def test_the_environment_may_name_the_proxy(site, reconcile, monkeypatch):
    with site.serving() as address, proxy() as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert reconcile(address)[0] == 0
        assert heads
        heads.clear()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert reconcile(address)[0] == 0
        assert not heads


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "connect-refused", "asks for a user and a password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "connect-refused", "does not allow"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "connect-refused", "could not reach"),
        (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "connect-timeout", "in time"),
        (b"HTTP/1.1 418 Teapot\r\n\r\n", "connect-refused", "418"),
        (b"SSH-2.0-x\r\n\r\n", "connect-refused", "no HTTP answer"),
        (b"", "connect-refused", "no HTTP answer"),
        (b"x" * 40_000, "connect-refused", "no HTTP answer"),
    ],
)
def test_a_proxy_that_gives_no_tunnel_is_told_apart(reconcile, answer, code, words):
    with proxy(answer) as (port, _):
        exit_code, out, _ = reconcile("server.example:443", "--proxy", f"127.0.0.1:{port}", "--format", "json")
    result = document(out)
    assert (exit_code, result["code"]) == (1, code)
    assert words in result["message"]


def test_a_mute_proxy_runs_into_the_time_out(reconcile):
    with peers.raw_server(peers.mute) as port:
        code, out, _ = reconcile("x.example", "--proxy", f"127.0.0.1:{port}", "--timeout", "0.3", "--format", "json")
    assert (code, document(out)["code"]) == (1, "connect-timeout")
