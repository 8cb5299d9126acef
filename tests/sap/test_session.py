"""A session with a tenant: signing in, CSRF, waiting, and that nothing secret gets out."""

from __future__ import annotations

import gc
import io
import logging
import socket
import ssl
import threading
import time
import traceback

import pytest

from reconciler.errors import ReconcileError, RefusedError
from reconciler.keystores.sap.credentials import credentials
from reconciler.keystores.sap.csrf import CsrfSession
from reconciler.keystores.sap.exchange import Write
from reconciler.keystores.sap.failures import (
    KeystoreLockedError,
    SignInError,
    TenantUnreadableError,
    UnknownOutcomeError,
    WriteFailedError,
)
from reconciler.keystores.sap.pace import Pace
from reconciler.keystores.sap.patience import Patience
from reconciler.keystores.sap.reading import TenantReader
from reconciler.keystores.sap.session import Session
from reconciler.keystores.sap.writing import TenantWriter
from reconciler.secret import Secret
from tests.sap.emulator import CLIENT, CsrfRule, Effect
from tests.sap.emulator.authority import Authority
from tests.sap.emulator.gate import Account

LIST = "GET KeystoreEntries"
TOKEN = "POST oauth/token"


# ----------------------------------------------------------------------------------------------- signing in


def test_a_list_costs_one_token_and_one_request(place):
    reader = place.reader()
    assert len(reader.entries()) == 5
    assert place.lines == [TOKEN, LIST]
    reader.entries()
    assert place.lines == [TOKEN, LIST, LIST]


def test_a_token_is_renewed_before_it_ends(place, monkeypatch):
    place.tenant.switches.token_lifetime = 4.0
    reader = place.reader()
    reader.entries()
    moment = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: moment + 1.9)
    reader.entries()
    assert place.lines.count(TOKEN) == 1
    monkeypatch.setattr(time, "monotonic", lambda: moment + 2.1)
    reader.entries()
    assert place.lines == [TOKEN, LIST, LIST, TOKEN, LIST]


@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_token_that_ends_in_the_middle_is_renewed_once(place, kind):
    session = place.session()
    TenantReader(session).entries()
    place.tenant.faults.add(Effect.EXPIRE_TOKENS, method="READ" if kind == "read" else "DELETE")
    if kind == "read":
        TenantReader(session).entries()
    else:
        TenantWriter(session).delete("partner_root")
    assert place.lines.count(TOKEN) == 2


def test_a_tenant_that_never_accepts_the_token_is_asked_twice(place):
    place.tenant.faults.add(Effect.STATUS, status=401, contains="KeystoreEntries", times=9)
    with pytest.raises(SignInError, match="does not accept the credentials") as caught:
        place.reader().entries()
    assert caught.value.exit_code == 3
    assert place.lines == [TOKEN, LIST, TOKEN, LIST]
    place.tenant.faults.clear()
    place.tenant.faults.add(Effect.STATUS, status=401, method="DELETE", times=9)
    with pytest.raises(WriteFailedError, match="401"):
        place.writer().delete("partner_root")


def test_a_wrong_secret_is_said_and_not_tried_again(place):
    account = place.tenant.gate.clients[CLIENT]
    place.tenant.gate.clients[CLIENT] = Account(account.name, "changed")
    key = place.emulator.service_key(place.name).replace("changed", account.secret)
    with pytest.raises(SignInError, match="Bad credentials") as caught:
        TenantReader(place.session({"serviceKey": Secret(key)})).entries()
    assert "plan api" in str(caught.value.hint)
    assert place.lines == [TOKEN]


def test_a_token_endpoint_that_reads_only_the_form_gets_a_form(place):
    place.tenant.switches.token_from_body_only = True
    assert place.reader().entries()
    assert place.lines == [TOKEN, TOKEN, LIST]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>", "text/html"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (b'{"access_token": 5}', "application/json"),
        (b'{"access_token": ""}', "application/json"),
        (b'{"access_token": "a\\nb"}', "application/json"),
        (b'{"access_token": "x", "expires_in": {}}', "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_an_answer_that_is_no_token_is_a_stated_error(place, body, content_type):
    options = {"body": body, "content_type": content_type}
    place.tenant.faults.add(Effect.STATUS, contains="oauth", status=200, times=2, **options)
    with pytest.raises(SignInError, match=r"no token from 127\.0\.0\.1"):
        place.reader().entries()


def test_the_token_endpoint_is_waited_for_as_well(place):
    place.tenant.faults.add(Effect.STATUS, contains="oauth", status=503, times=2)
    place.tenant.faults.add(Effect.DROP_BEFORE, contains="oauth", times=2)
    assert place.reader().entries()
    assert len(place.slept) == 4
    place.tenant.faults.add(Effect.DROP_BEFORE, contains="oauth", times=99)
    with pytest.raises(SignInError, match="closed without an answer"):
        place.reader().entries()


def test_many_threads_share_one_token(place):
    reader = place.reader()
    threads = [threading.Thread(target=reader.entries) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.lines.count(TOKEN) == 1
    assert place.lines.count(LIST) == 6


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_a_certificate_takes_the_place_of_the_secret(place, external, nested):
    key, credential = place.emulator.certificate_key(place.name, nested=nested, external=external)
    fields = {"serviceKey": Secret(key)}
    if external:
        fields |= {"certificate": Secret(credential.certificate), "key": Secret(credential.key)}
    assert TenantReader(place.session(fields)).entries()
    assert place.lines == [TOKEN, LIST]
    assert place.requests[0].query == {"grant_type": "client_credentials", "client_id": place.requests[1].user}


def test_a_certificate_alone_signs_in_at_the_api_itself(place):
    _, credential = place.emulator.certificate_key(place.name)
    fields = {"certificate": Secret(credential.certificate), "key": Secret(credential.key)}
    assert TenantReader(place.session(fields)).entries()
    assert place.lines == [LIST]


def test_a_user_with_a_password_signs_in(place):
    assert TenantReader(place.basic()).entries()
    assert place.lines == [LIST]


# ----------------------------------------------------------------------------------------------------- hosts


def test_a_user_is_not_sent_to_a_host_that_nobody_allowed(place):
    with pytest.raises(RefusedError, match=r"not sent to 127\.0\.0\.1"):
        place.session({"username": "u", "password": Secret("p")})
    assert place.lines == []


def test_a_service_key_is_not_sent_to_another_tenant(place):
    fields = {"serviceKey": Secret(place.emulator.service_key(place.name))}
    with pytest.raises(RefusedError, match="do not name it"):
        Session("https://localhost:1", credentials(fields), place.environ)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["https://evil.example.com/api/v1/KeystoreEntries", "/elsewhere"])
def test_a_redirect_is_not_followed(place, status, where):
    place.tenant.faults.add(Effect.REDIRECT, contains="Keystore", status=status, headers={"Location": where})
    with pytest.raises(TenantUnreadableError, match="sends us to another address") as caught:
        place.reader().entries()
    assert caught.value.exit_code == 3
    assert place.lines == [TOKEN, LIST]


def test_a_redirect_of_the_token_request_is_not_followed(place):
    headers = {"Location": "https://evil.example.com/oauth/token"}
    place.tenant.faults.add(Effect.REDIRECT, contains="oauth", status=307, headers=headers)
    with pytest.raises(SignInError, match="HTTP 307"):
        place.reader().entries()


def test_a_write_does_not_follow_a_redirect_either(place):
    headers = {"Location": "https://evil.example.com/"}
    place.tenant.faults.add(Effect.REDIRECT, method="DELETE", status=307, headers=headers)
    with pytest.raises(WriteFailedError, match="HTTP 307"):
        place.writer().delete("partner_root")


def test_the_next_page_is_asked_for_at_our_own_host(place):
    place.tenant.switches.page_size = 2
    place.tenant.switches.foreign_next = "evil.example.com"
    assert len(place.reader().entries()) == 5
    assert place.lines == [TOKEN, LIST, LIST, LIST]


# ------------------------------------------------------------------------------------------------------- TLS


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(place):
    fields = credentials({"serviceKey": Secret(place.emulator.service_key(place.name))})
    slept: list[float] = []
    with pytest.raises(SignInError, match="certificate is not trusted") as caught:
        TenantReader(Session(place.url, fields, {}, sleep=slept.append)).entries()
    assert "RECONCILE_CA_FILE" in str(caught.value.hint)
    assert "cannot be turned off" in str(caught.value.hint)
    assert slept == []
    assert place.lines == []


def test_a_server_with_the_certificate_of_another_host_is_not_spoken_to(place, monkeypatch):
    from urllib3.util import connection

    connect = connection.create_connection
    monkeypatch.setattr(
        connection, "create_connection", lambda address, *a, **k: connect(("127.0.0.1", address[1]), *a, **k)
    )
    key = place.emulator.service_key(place.name).replace("127.0.0.1", "tenant.example.com")
    url = place.url.replace("127.0.0.1", "tenant.example.com")
    session = Session(url, credentials({"serviceKey": Secret(key)}), place.environ, sleep=place.slept.append)
    with pytest.raises(SignInError, match="certificate is for another host"):
        TenantReader(session).entries()
    assert place.lines == []
    assert place.slept == []


def test_a_private_root_may_also_come_from_the_variable_of_openssl(place, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(place.emulator.ca_file))
    fields = credentials({"serviceKey": Secret(place.emulator.service_key(place.name))})
    environ = {"SSL_CERT_FILE": str(place.emulator.ca_file)}
    assert TenantReader(Session(place.url, fields, environ)).entries()


def test_a_client_certificate_of_nobody_is_not_accepted(place):
    stranger = Authority().client("stranger")
    fields = {"certificate": Secret(stranger.certificate), "key": Secret(stranger.key)}
    with pytest.raises(TenantUnreadableError, match=r"client certificate|connection") as caught:
        TenantReader(place.session(fields)).entries()
    assert caught.value.exit_code == 3


def test_a_host_that_is_not_there_is_unreadable(place):
    key = place.emulator.service_key(place.name).replace("127.0.0.1", "no-such-host.invalid")
    url = place.url.replace("127.0.0.1", "no-such-host.invalid")
    session = Session(url, credentials({"serviceKey": Secret(key)}), {}, sleep=place.slept.append)
    with pytest.raises(SignInError, match="name cannot be resolved"):
        TenantReader(session).entries()


def test_a_closed_port_is_tried_for_a_while(place):
    fields = credentials({"username": "u", "password": Secret("p")})
    environ = {"RECONCILE_ALLOWED_HOSTS": "127.0.0.1"}
    session = Session("https://127.0.0.1:1", fields, environ, sleep=place.slept.append)
    with pytest.raises(TenantUnreadableError, match="refused") as caught:
        TenantReader(session).entries()
    assert caught.value.exit_code == 3
    assert len(place.slept) == 6


def test_an_answer_that_is_too_large_or_cannot_be_unpacked_is_unreadable(place, monkeypatch):
    _, credential = place.emulator.certificate_key(place.name)
    headers = {"Content-Encoding": "gzip"}
    place.tenant.faults.add(Effect.STATUS, contains="Keystores", status=200, headers=headers, body=b"xx", times=99)
    with pytest.raises(TenantUnreadableError, match="cannot be decompressed"):
        place.reader().state()
    monkeypatch.setattr("reconciler.keystores.sap.wire.MAX_BODY", 100)
    place.slept.clear()
    session = place.session({"certificate": Secret(credential.certificate), "key": Secret(credential.key)})
    with pytest.raises(TenantUnreadableError, match="larger than"):
        TenantReader(session).entries()
    place.tenant.switches.csrf = CsrfRule.NEVER
    options = {"status": 200, "body": b"x" * 101}
    place.tenant.faults.add(Effect.STATUS_AFTER, method="DELETE", **options)
    session._csrf = CsrfSession()
    session._csrf._known = True
    assert TenantWriter(session).delete("partner_root").entries is None
    assert place.slept == []


def test_a_proxy_is_taken_from_the_environment_and_its_password_is_not_shown(place):
    environ = {"HTTPS_PROXY": "http://me:pr0xy-canary@127.0.0.1:1"}
    session = place.session(**environ)
    with pytest.raises(SignInError, match="proxy") as caught:
        TenantReader(session).entries()
    assert "pr0xy-canary" not in _everything(caught.value)
    assert TenantReader(place.session(**environ, NO_PROXY="127.0.0.1")).entries()


class Proxy(threading.Thread):
    """A proxy that tunnels one connection and remembers what it was told."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.head = b""

    def run(self):
        client, _ = self.socket.accept()
        while b"\r\n\r\n" not in self.head:
            self.head += client.recv(1000)
        host, _, port = self.head.split()[1].decode().partition(":")
        with client, socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
            back.start()
            self._copy(client, server)
            back.join()
        self.socket.close()

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_a_proxy_sees_a_tunnel_and_its_own_password_and_nothing_else(place):
    proxy = Proxy()
    proxy.start()
    port = proxy.socket.getsockname()[1]
    reader = TenantReader(place.session(https_proxy=f"me:s3cret@127.0.0.1:{port}"))
    assert len(reader.entries()) == 5
    reader.close()
    proxy.join(5)
    text = proxy.head.decode()
    assert text.startswith(f"CONNECT 127.0.0.1:{place.emulator.port} ")
    assert "proxy-authorization: basic bWU6czNjcmV0".lower() in text.lower()
    assert "\r\nauthorization" not in text.lower()


# ------------------------------------------------------------------------------------------------------ CSRF


def test_a_read_asks_for_no_csrf_token_and_writes_share_one(place):
    session = place.basic()
    TenantReader(session).entries()
    assert place.of("csrf") == ()
    writer = TenantWriter(session)
    writer.delete("partner_root")
    writer.delete("partner_client")
    assert [line for line in place.lines if line != LIST] == [
        "GET ",
        "DELETE KeystoreEntries('706172746E65725F726F6F74')",
        "DELETE KeystoreEntries('706172746E65725F636C69656E74')",
    ]


@pytest.mark.parametrize("rule", CsrfRule)
@pytest.mark.parametrize("basic", [True, False])
def test_writing_works_whoever_has_to_show_a_csrf_token(place, rule, basic):
    place.tenant.switches.csrf = rule
    session = place.basic() if basic else place.session()
    TenantWriter(session).delete("partner_root")
    TenantWriter(session).delete("partner_client")
    assert len(place.of("csrf")) == 1


def test_a_csrf_token_that_went_stale_is_fetched_again_once(place):
    session = place.basic()
    writer = TenantWriter(session)
    writer.delete("partner_root")
    place.tenant.faults.add(Effect.FORGET_CSRF, method="DELETE")
    writer.delete("partner_client")
    assert len(place.of("csrf")) == 2


def test_a_tenant_that_never_accepts_the_csrf_token_is_asked_twice(place):
    refusal = {"status": 403, "headers": {"X-CSRF-Token": "Required"}, "body": b"CSRF token validation failed"}
    place.tenant.faults.add(Effect.STATUS, method="DELETE", times=9, **refusal)
    with pytest.raises(ReconcileError, match="CSRF token validation failed"):
        TenantWriter(place.basic()).delete("partner_root")
    assert len(place.of("csrf")) == 2
    assert "partner_root" in place.tenant.aliases()


def test_a_fetch_that_is_refused_leaves_the_write_to_decide(place):
    place.tenant.faults.add(Effect.STATUS, status=404, skip=0, method="GET")
    TenantWriter(place.session()).delete("partner_root")
    assert "partner_root" not in place.tenant.aliases()


# --------------------------------------------------------------------------------------------------- waiting


@pytest.mark.parametrize("status", [423, 429, 500, 502, 503, 504])
def test_a_read_waits_for_better_times(place, status):
    place.tenant.faults.add(Effect.STATUS, contains="KeystoreEntries", status=status, times=4)
    assert len(place.reader().entries()) == 5
    assert len(place.slept) == 4
    assert place.slept == sorted(place.slept)
    assert place.slept[0] >= 0.5


@pytest.mark.parametrize("status", [423, 429, 500, 503])
def test_a_read_gives_up_in_the_end(place, status):
    place.tenant.faults.add(Effect.STATUS, contains="KeystoreEntries", status=status, times=99)
    with pytest.raises(TenantUnreadableError, match=str(status)) as caught:
        place.reader().entries()
    assert caught.value.exit_code == 3
    assert len(place.slept) == 6
    assert 30 < sum(place.slept) < 40


@pytest.mark.parametrize("status", [423, 429, 503])
def test_a_write_waits_for_the_lock_of_another(place, status):
    place.tenant.faults.add(Effect.STATUS, method="DELETE", status=status, times=3)
    place.writer().delete("partner_root")
    assert len(place.slept) == 3
    assert "partner_root" not in place.tenant.aliases()


def test_a_write_gives_up_when_the_lock_stays(place):
    place.tenant.switches.locked = 503
    with pytest.raises(KeystoreLockedError, match="somebody else is changing the keystore") as caught:
        place.writer().delete("partner_root")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("asked", "seconds"), [("3", 3.0), ("0", 0.0), ("7200", 60.0), ("soon", None), ("", None)])
def test_the_wait_that_the_server_asks_for_is_honoured_within_a_bound(place, asked, seconds):
    place.tenant.faults.add(Effect.STATUS, contains="Entries", status=429, headers={"Retry-After": asked})
    place.reader().entries()
    if seconds is None:
        assert 0.5 <= place.slept[0] <= 1.0
    else:
        assert place.slept == [seconds]


def test_the_waits_grow_have_jitter_and_end():
    first, second = ([p.wait() for _ in range(8)] for p in (Patience(), Patience()))
    assert first[6:] == [None, None]
    assert first != second
    for index, seconds in enumerate(first[:6]):
        assert 0.5 * 2**index <= seconds <= 0.5 * 2**index + 0.5


@pytest.mark.parametrize("effect", [Effect.DROP_BEFORE, Effect.DROP_AFTER, Effect.TRUNCATE])
def test_a_read_whose_connection_breaks_is_sent_again(place, effect):
    place.tenant.faults.add(effect, contains="KeystoreEntries", times=2)
    assert len(place.reader().entries()) == 5
    assert len(place.slept) == 2


def test_the_check_before_a_write_runs_before_every_attempt(place):
    place.tenant.faults.add(Effect.STATUS, method="DELETE", status=503, times=2)
    place.tenant.faults.add(Effect.EXPIRE_TOKENS, method="DELETE")
    calls: list[int] = []
    place.writer().delete("partner_root", lambda: calls.append(len(place.writes)))
    assert calls == [0, 1, 2, 3]


def test_what_the_check_raises_ends_the_matter(place):
    def changed():
        raise RefusedError("changed under us")

    with pytest.raises(RefusedError, match="changed under us"):
        place.writer().delete("partner_root", changed)
    assert place.writes == []


def test_the_rate_limit_of_a_user_is_kept(place, paced):
    place.tenant.switches.rate_limit = True
    reader = place.reader()
    start = time.monotonic()
    for _ in range(25):
        reader.state()
    assert place.slept == []  # no 429 was met
    assert 2.0 < time.monotonic() - start < 6.0


def test_turns_are_given_out_evenly_and_without_loss():
    pace = Pace(10, 1.0)
    turns = [pace.turn(100.0) for _ in range(35)]
    assert turns == [100.0] * 10 + [101.0] * 10 + [102.0] * 10 + [103.0] * 5
    assert pace.turn(200.0) == 200.0


# --------------------------------------------------------------------------------------------------- secrets


def _everything(error: BaseException) -> str:
    """All that a careless handler could print."""
    chain = "".join(traceback.format_exception(error))
    hint = getattr(error, "hint", "")
    return f"{chain} {error!r} {hint} {vars(error)}"


@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("way", ["service key", "basic", "wrong secret", "void token", "dropped", "key pair"])
def test_no_secret_gets_into_an_error_a_log_or_a_printed_object(place, caplog, capfd, way, echo):
    place.tenant.switches.echo_credentials = echo
    caplog.set_level(logging.DEBUG)
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(handler)
    canary = "pkcs12-canary-5f1d"
    session = place.basic() if way == "basic" else place.session()
    secrets = {place.tenant.gate.clients[CLIENT].secret, "password-of-" + place.name, canary}
    errors: list[BaseException] = []
    for attempt in (_failing(place, session, way, canary), lambda: TenantReader(session).entries()):
        try:
            attempt()
        except ReconcileError as error:
            errors.append(error)
    logging.getLogger().removeHandler(handler)
    secrets |= set(place.tenant.gate._tokens)
    seen = "".join(map(_everything, errors)) + caplog.text + handler.stream.getvalue() + "".join(capfd.readouterr())
    seen += repr(session) + repr(session._credentials) + repr(session._redaction) + repr(vars(session))
    assert len(caplog.records) > 0
    assert [secret for secret in secrets if secret in seen] == []


def _failing(place, session, way, canary):
    def run():
        match way:
            case "wrong secret":
                account = place.tenant.gate.clients[CLIENT]
                place.tenant.gate.clients[CLIENT] = Account(account.name, "other")
                TenantReader(session).entries()
            case "void token":
                body = ("no: " + "x" * 590 + "".join(place.tenant.gate._tokens)).encode()
                TenantReader(session).entries()
                body = f"no {next(iter(place.tenant.gate._tokens))}".encode()
                place.tenant.faults.add(Effect.STATUS, status=400, method="DELETE", body=body)
                TenantWriter(session).delete("partner_root")
            case "dropped":
                place.tenant.faults.add(Effect.DROP_AFTER, method="DELETE")
                TenantWriter(session).delete("partner_root")
            case "key pair":
                from reconciler.keystores.sap.writing import KeyPairFile

                file = KeyPairFile(Secret(b"\x30" + canary.encode()), Secret(canary))
                body = f"wrong password {canary}".encode()
                place.tenant.faults.add(Effect.STATUS, status=400, method="POST", contains="KeyPair", body=body)
                TenantWriter(session).import_key_pair("kp", file, update=False, fingerprint_verified=False)
            case _:
                place.tenant.faults.add(Effect.STATUS, contains="KeystoreEntries", status=500, times=99)
                TenantReader(session).entries()

    return run


def test_a_token_that_the_tenant_repeats_at_the_cutting_edge_is_masked_whole(place):
    session = place.session()
    TenantReader(session).entries()
    token = next(iter(place.tenant.gate._tokens))
    for padding in (500, 550, 590, 599):
        words = "x " * (padding // 2)
        body = (words + token).encode()
        place.tenant.faults.add(Effect.STATUS, status=400, method="DELETE", body=body)
        with pytest.raises(WriteFailedError) as caught:
            TenantWriter(session).delete("partner_root")
        assert words.strip() in str(caught.value)
        assert "eyJ" not in str(caught.value)
        assert token[:3] not in caught.value.text


def test_a_request_does_not_print_what_it_carries():
    write = Write("POST", "KeyPairResources", "import", {}, b"canary")
    assert "canary" not in repr(write)


# ------------------------------------------------------------------------------------------------- resources


def test_a_closed_session_leaves_no_socket_open(place):
    reader = place.reader()
    reader.entries()
    reader.close()
    del reader
    gc.collect()  # a socket left open would be a ResourceWarning, and with it a failure
    assert issubclass(ssl.SSLError, OSError)


def test_a_write_that_breaks_in_the_middle_is_not_repeated(place):
    for effect, done in ((Effect.DROP_BEFORE, False), (Effect.DROP_AFTER, True)):
        place.tenant.put("victim", place.tenant.find("partner_root").leaf)
        place.tenant.faults.add(effect, method="DELETE")
        before = len(place.writes)
        with pytest.raises(UnknownOutcomeError, match="whether it was done is not known"):
            place.writer().delete("victim")
        assert len(place.writes) == before + 1
        assert ("victim" in place.tenant.aliases()) is not done
    assert place.slept == []
