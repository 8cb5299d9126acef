"""Credentials in all their forms, whom they may be sent to, and what is trusted on the way."""

from __future__ import annotations

import json
import os
import ssl
import stat
from pathlib import Path

import pytest

from reconciler.errors import ReconcileError, RefusedError
from reconciler.keystores.sap import tls
from reconciler.keystores.sap.credentials import (
    BasicUser,
    CertificateOnly,
    CertificateToken,
    ClientCertificate,
    ClientSecret,
    CredentialsError,
    credentials,
)
from reconciler.keystores.sap.hosts import AddressError, api_url, check_allowed, origin
from reconciler.keystores.sap.tls import tls_context
from reconciler.secret import Secret
from tests.sap.emulator.authority import Authority, authority

URL = "https://tenant.it-cpi.example.com"
TOKEN = "https://sub.authentication.eu10.example.com/oauth/token"
CANARY = "s3cret-canary-$=7f"
KEY = {"clientid": "sb-x!b1|it-rt!b2", "clientsecret": CANARY, "tokenurl": TOKEN, "url": URL}


# --------------------------------------------------------------------------------------------- service keys


@pytest.mark.parametrize(
    "document",
    [
        {"oauth": KEY},
        KEY,
        {"credentials": {"oauth": KEY}},
        {"oauth": {**KEY, "tokenurl": TOKEN.removesuffix("/oauth/token")}},
        {"oauth": KEY, "roles": ["x"], "nested": {"a": 1}},
    ],
)
def test_a_service_key_is_understood_in_every_nesting(document):
    read = credentials({"serviceKey": Secret(json.dumps(document))})
    assert isinstance(read.sign_in, ClientSecret)
    assert read.sign_in.token_url == TOKEN
    assert read.sign_in.client_id == KEY["clientid"]
    assert read.sign_in.client_secret == Secret(CANARY)
    assert read.api_url == URL


@pytest.mark.parametrize("escape", ["\n", "\\n", "\\r\\n"])
def test_a_service_key_with_a_certificate_has_its_line_breaks_back(escape):
    credential = authority().client("x")
    fields = {name: text.decode().replace("\n", escape) for name, text in vars(credential).items()}
    document = {"oauth": {**KEY, **fields}}
    del document["oauth"]["clientsecret"]
    read = credentials({"serviceKey": Secret(json.dumps(document))})
    assert isinstance(read.sign_in, CertificateToken)
    assert read.sign_in.client.certificate.reveal() == credential.certificate
    assert read.sign_in.client.key.reveal() == credential.key


def test_an_external_certificate_key_takes_certificate_and_key_from_beside_it():
    credential = authority().client("x")
    document = {"oauth": {n: v for n, v in KEY.items() if n != "clientsecret"} | {"certificate": "public part"}}
    fields = {"certificate": Secret(credential.certificate), "key": Secret(credential.key)}
    read = credentials({"serviceKey": Secret(json.dumps(document)), **fields})
    assert isinstance(read.sign_in, CertificateToken)
    with pytest.raises(CredentialsError, match="neither") as caught:
        credentials({"serviceKey": Secret(json.dumps(document))})
    assert "External Certificate" in str(caught.value.hint)


def test_single_fields_a_user_and_a_certificate_are_credentials_too():
    single = credentials({"tokenUrl": TOKEN, "clientId": "id", "clientSecret": Secret("s")})
    assert single.sign_in == ClientSecret(TOKEN, "id", Secret("s"))
    user = credentials({"username": Secret("u "), "password": Secret("p")})
    assert user.sign_in == BasicUser("u", Secret("p"))
    only = credentials({"certificate": Secret("c"), "key": Secret("k")})
    assert only.sign_in == CertificateOnly(ClientCertificate(Secret("c\n"), Secret("k\n")))
    token = credentials({"tokenUrl": TOKEN, "clientId": "i", "certificate": Secret("c"), "key": Secret("k")})
    assert isinstance(token.sign_in, CertificateToken)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "no credentials"),
        ({"serviceKey": Secret(CANARY)}, "not JSON"),
        ({"serviceKey": Secret(f'["{CANARY}"]')}, "not a JSON object"),
        ({"serviceKey": Secret(f'{{"x": "{CANARY}"}}')}, "neither a client secret"),
        ({"serviceKey": Secret(f'{{"clientsecret": "{CANARY}"}}')}, "no tokenurl"),
        ({"serviceKey": Secret(b"\xff")}, "not JSON"),
        ({"serviceKey": Secret("[" * 100_000)}, "not JSON"),
        ({"serviceKey": Secret(json.dumps(KEY)), "username": "u"}, "two ways"),
        ({"tokenUrl": TOKEN, "clientId": "i"}, "lack certificate and key"),
        ({"clientId": "i", "clientSecret": Secret(CANARY)}, "lack tokenUrl"),
        ({"username": "u"}, "lack password"),
        ({"username": Secret(b"\xff"), "password": Secret("p")}, "not text"),
        ({"certificate": Secret("c")}, "lack key"),
        ({"username": "u", "password": Secret("p"), "key": Secret("k")}, "too much"),
    ],
)
def test_incomplete_credentials_are_a_sentence_without_their_content(fields, message):
    with pytest.raises(CredentialsError, match=message) as caught:
        credentials(fields)
    everything = f"{caught.value!r} {caught.value.hint} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert CANARY not in str(caught.value)
    assert CANARY not in everything
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_credentials_never_print():
    for fields in (
        {"serviceKey": Secret(json.dumps(KEY))},
        {"username": "u", "password": Secret(CANARY)},
        {"certificate": Secret(CANARY), "key": Secret(CANARY)},
    ):
        assert CANARY not in repr(credentials(fields))


# --------------------------------------------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    ("url", "api"),
    [
        (URL, f"{URL}/api/v1"),
        (f"{URL}/", f"{URL}/api/v1"),
        (f"{URL}/api/v1", f"{URL}/api/v1"),
        (f"{URL}/api/v1/", f"{URL}/api/v1"),
        ("https://h:8443/location/x", "https://h:8443/location/x/api/v1"),
        (" https://H/ ", "https://H/api/v1"),
    ],
)
def test_the_service_root_is_below_the_address(url, api):
    assert api_url(url) == api


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "h",
        "",
        "ftp://h",
        "https://",
        "https://u@h",
        "https://u:p@h",
        "https://h:0",
        "https://[h",
        "https://h:x",
        "https://h\u00fcst",
        "https://h t",
    ],
)
def test_what_is_no_https_address_is_refused(url):
    with pytest.raises(AddressError) as caught:
        api_url(url)
    assert ":p@" not in str(caught.value)


def test_credentials_go_to_the_hosts_that_they_name_and_to_no_other():
    named = (URL, TOKEN)
    check_allowed([f"{URL}:443/api/v1", TOKEN], named, {})
    check_allowed([URL.upper().replace("HTTPS", "https")], named, {})
    for other in ("https://evil.example.com", f"{URL}.evil.example.com", f"{URL}:8443"):
        with pytest.raises(RefusedError, match="not sent") as caught:
            check_allowed([URL, other], named, {})
        assert caught.value.exit_code == 4
        assert "RECONCILE_ALLOWED_HOSTS=" in str(caught.value.hint)


@pytest.mark.parametrize(
    "value", ["127.0.0.1", "https://127.0.0.1:8443/", "a, 127.0.0.1:8443", "127.0.0.1.", "b 127.0.0.1:8443"]
)
def test_an_operator_can_allow_further_hosts(value):
    check_allowed(["https://127.0.0.1:8443"], (), {"RECONCILE_ALLOWED_HOSTS": value})


@pytest.mark.parametrize("value", ["", "127.0.0.1:1", "27.0.0.1", "127.0.0.10", "*"])
def test_an_operator_allows_what_is_written_and_nothing_like_it(value):
    with pytest.raises(RefusedError):
        check_allowed(["https://127.0.0.1:8443"], (), {"RECONCILE_ALLOWED_HOSTS": value})


def test_the_hint_is_what_makes_it_work():
    urls = ("https://[::1]:8443", "https://h.example.com", "https://h:9", "https://h:9/x")
    environ = {"RECONCILE_ALLOWED_HOSTS": "other, more"}
    with pytest.raises(RefusedError) as caught:
        check_allowed(urls, (), environ)
    variable, _, value = str(caught.value.hint).split("set ")[1].split(" ")[0].partition("=")
    assert value == "other,more,[::1]:8443,h.example.com,h:9"
    check_allowed((*urls, "https://other", "https://more"), (), {variable: value})
    assert [origin(url)[1] for url in urls] == [8443, 443, 9, 9]


def test_a_token_address_in_the_repository_does_not_vouch_for_itself():
    literal = credentials({"tokenUrl": TOKEN, "clientId": "i", "clientSecret": Secret("s")})
    assert literal.trusted_urls == ()
    fetched = credentials({"tokenUrl": Secret(TOKEN), "clientId": "i", "clientSecret": Secret("s")})
    assert fetched.trusted_urls == (TOKEN,)


# ----------------------------------------------------------------------------------------------------- TLS


def test_a_context_always_verifies():
    context = tls_context({})
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_contexts_without_a_client_certificate_are_shared_and_others_are_not():
    assert tls_context({}) is tls_context({})
    assert tls_context({"RECONCILE_CA_FILE": str(authority().ca_file)}) is not tls_context({})


def test_a_root_that_was_replaced_under_the_same_name_is_read_again(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_bytes(authority().ca_file.read_bytes())
    environ = {"RECONCILE_CA_FILE": str(file)}
    first = tls_context(environ)
    assert tls_context(environ) is first
    file.write_bytes(Authority().ca_file.read_bytes() + b"\n")
    assert tls_context(environ) is not first


def test_a_system_without_roots_takes_those_of_mozilla(monkeypatch):
    paths = ssl.DefaultVerifyPaths(None, None, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
    assert len(tls._context("", "").get_ca_certs()) > 50


@pytest.mark.parametrize("variable", ["RECONCILE_CA_FILE", "SSL_CERT_FILE"])
def test_a_file_of_roots_that_is_not_there_is_an_error(variable, tmp_path):
    with pytest.raises(ReconcileError, match="cannot be read") as caught:
        tls_context({variable: str(tmp_path / "no.pem")})
    assert variable in str(caught.value.hint)


def test_a_file_of_roots_without_certificates_is_an_error(tmp_path):
    file = tmp_path / "empty.pem"
    file.write_text("nothing")
    with pytest.raises(ReconcileError, match="holds no certificates"):
        tls_context({"RECONCILE_CA_FILE": str(file)})


def test_a_client_key_is_on_the_disk_encrypted_for_its_owner_and_for_a_moment(monkeypatch):
    credential = authority().client("x")
    seen = []
    load = ssl.SSLContext.load_cert_chain

    def spy(self, certfile, keyfile=None, password=None):
        content = Path(certfile).read_bytes()
        seen.append((certfile, stat.S_IMODE(os.stat(certfile).st_mode), content, password))  # noqa: PTH116
        return load(self, certfile, keyfile, password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    for _ in range(2):
        tls_context({}, ClientCertificate(Secret(credential.certificate), Secret(credential.key)))
    passwords = {password for *_, password in seen}
    assert len(passwords) == 2
    for name, mode, content, password in seen:
        assert mode == 0o600
        assert b"ENCRYPTED PRIVATE KEY" in content
        assert b"BEGIN PRIVATE KEY" not in content
        assert len(password) == 64
        assert not Path(name).exists()


def test_a_client_key_that_does_not_fit_is_an_error_and_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(tls, "mkstemp", _mkstemp_in(tmp_path))
    one, other = authority().client("x"), authority().client("y")
    for key in (other.key, b"rubbish", b""):
        with pytest.raises(CredentialsError):
            tls_context({}, ClientCertificate(Secret(one.certificate), Secret(key)))
    assert list(tmp_path.iterdir()) == []


def _mkstemp_in(directory):
    from tempfile import mkstemp

    return lambda suffix: mkstemp(suffix=suffix, dir=directory)
