"""Who gets the credentials, and what the errors say to those who want it otherwise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.sap.second.server import PASSWORD, USER

if TYPE_CHECKING:
    from tests.sap.second.repository import Repository

BASIC = f"username: {USER}, password: {{env: PASSWORD}}"


def single(token_url: str) -> str:
    return f"tokenUrl: {token_url}, clientId: 'sb-second!b1|it!b2', clientSecret: {{env: CLIENT_SECRET}}"


@pytest.fixture(autouse=True)
def _secrets(reconcile: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    monkeypatch.setenv("CLIENT_SECRET", "se+cret/$1%20ä")
    monkeypatch.setenv("TOKEN_URL", f"{reconcile.tenant.url}/oauth/token")
    monkeypatch.delenv("RECONCILE_ALLOWED_HOSTS", raising=False)


def at(reconcile: Repository, host: str) -> None:
    """The state file names the tenant by another name of the same host."""
    file = reconcile.directory / "keystore.yaml"
    file.write_text(file.read_text().replace("127.0.0.1", host))


@pytest.fixture
def port(reconcile: Repository) -> str:
    return reconcile.tenant.url.rpartition(":")[2]


def test_a_service_key_that_names_the_tenant_needs_nothing_else(reconcile: Repository) -> None:
    reconcile.declare()
    assert reconcile("plan").code == 0


def test_the_fields_of_a_service_key_out_of_secrets_need_nothing_else(reconcile: Repository) -> None:
    reconcile.declare(credentials=single("{env: TOKEN_URL}"))
    assert reconcile("plan").code == 0


@pytest.mark.parametrize("way", ["basic", "single", "another host"])
def test_the_error_names_the_variable_and_its_value_and_that_value_helps(
    reconcile: Repository, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    ways = {"basic": BASIC, "single": single(f"'{reconcile.tenant.url}/oauth/token'")}
    reconcile.declare(credentials=ways.get(way, "serviceKey: {env: SAP_KEY}"))
    if way == "another host":
        at(reconcile, "localhost")
    refused = reconcile("plan")
    assert refused.code == 4
    assert reconcile.tenant.asked == []
    [value] = [word for word in refused.err.split() if word.startswith("RECONCILE_ALLOWED_HOSTS=")]
    monkeypatch.setenv(*value.split("=", 1))
    assert reconcile("plan").code == 0


@pytest.mark.parametrize(
    "value", ["localhost", "LOCALHOST:{port}", "a.example.com, https://localhost:{port}/api/v1", "b https://localhost/"]
)
def test_a_host_can_be_listed_as_people_copy_it(
    reconcile: Repository, monkeypatch: pytest.MonkeyPatch, port: str, value: str
) -> None:
    reconcile.declare()
    at(reconcile, "localhost")
    monkeypatch.setenv("RECONCILE_ALLOWED_HOSTS", value.format(port=port))
    assert reconcile("plan").code == 0


@pytest.mark.parametrize(
    "value", ["localhost:1", "host", "ocalhost", "localhost.example.com", "*", "https://a/localhost"]
)
def test_other_hosts_on_the_list_do_not_help(
    reconcile: Repository, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    reconcile.declare()
    at(reconcile, "localhost")
    monkeypatch.setenv("RECONCILE_ALLOWED_HOSTS", value)
    assert reconcile("plan").code == 4
    assert reconcile.tenant.asked == []


def test_the_same_tenant_in_two_spellings_is_noticed(reconcile: Repository) -> None:
    reconcile.declare()
    text = (reconcile.directory / "keystore.yaml").read_text().replace(reconcile.tenant.url, "https://T.example.com{}")
    reconcile.write("one.yaml", text.replace("{}", "/api/v1/"))
    reconcile.write("two.yaml", text.replace("{}", ":443"))
    twice = reconcile("validate", "one.yaml", "two.yaml")
    assert twice.code == 1
    assert "t.example.com" in twice.err


def test_no_secret_goes_over_plain_http(reconcile: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    key = json.loads(reconcile.tenant.service_key)
    key["oauth"]["tokenurl"] = key["oauth"]["tokenurl"].replace("https:", "http:")
    monkeypatch.setenv("SAP_KEY", json.dumps(key))
    reconcile.declare()
    refused = reconcile("plan")
    assert refused.code == 1
    assert "http://127.0.0.1" in refused.err
    assert "https" in refused.err
    assert refused.err.startswith(reconcile.tenant.url)  # of several tenants: which


@pytest.mark.parametrize("variable", ["RECONCILE_CA_FILE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, "", "junk"])
def test_a_file_of_roots_that_is_none_is_named_with_its_variable(
    reconcile: Repository, monkeypatch: pytest.MonkeyPatch, variable: str, content: str | None
) -> None:
    monkeypatch.setenv(variable, "roots.pem")
    if content is not None:
        reconcile.write("roots.pem", content)
    reconcile.declare()
    refused = reconcile("plan")
    assert refused.code == 1
    assert variable in refused.err
    assert "roots.pem" in refused.err


def test_the_roots_may_come_from_either_variable(reconcile: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    reconcile.declare()
    monkeypatch.delenv("RECONCILE_CA_FILE")
    untrusted = reconcile("plan")
    assert untrusted.code == 3
    assert "RECONCILE_CA_FILE" in untrusted.err
    monkeypatch.setenv("SSL_CERT_FILE", str(reconcile.tenant.ca_file))
    assert reconcile("plan").code == 0
