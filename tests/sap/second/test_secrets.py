"""A server that repeats everything we sent: nothing of it that is secret reaches a terminal, a log or a report."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from tests.sap.second.repository import Result, pair
from tests.sap.second.server import PASSWORD, USER

if TYPE_CHECKING:
    from tests.sap.second.repository import Repository

STATUSES = [400, 401, 403, 409, 500]
CLIENT_SECRET = "se+cret/$1%20ä"


def forms(secret: str) -> set[str]:
    found = {secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(secret.encode()).decode()}
    return found | {json.dumps(secret)[1:-1], secret.encode("ascii", "backslashreplace").decode()}


def sent(reconcile: Repository) -> set[str]:
    """Every secret that the tenant has seen, in the forms in which it can repeat it."""
    found = forms(CLIENT_SECRET) | forms(PASSWORD)
    for asked in reconcile.tenant.asked:
        found |= {asked.headers.get(name, "") for name in ("x-csrf-token", "cookie")} - {"Fetch"}
        found.add(asked.headers.get("authorization", "").partition(" ")[2])
        found |= {part.partition("=")[2] for part in asked.headers.get("cookie", "").split(";")}
        if asked.path == "KeyPairResources":
            order = json.loads(asked.body)
            found |= {order["Password"], order["Resource"], order["Resource"][:200]}
    return found - {""}


def check_innocent(reconcile: Repository, *results: Result) -> None:
    for result in results:
        said = result.out + result.err
        assert [one[:20] for one in sent(reconcile) if one in said] == []
        assert [one[:20] for one in sent(reconcile) if one in json.dumps(said)] == []


@pytest.mark.parametrize("manner_name", ["echoing"], indirect=True)
@pytest.mark.parametrize("status", STATUSES)
def test_a_write_that_is_refused_with_all_that_was_sent(reconcile: Repository, status: int) -> None:
    body = (
        "keyPairs:\n"
        + reconcile.brought_along("brought", 71)
        + pair("here", more="").replace("secp256r1}", "secp256r1, generateIn: here}")
    )
    reconcile.declare("trustedRoots:\n" + reconcile.root("our_root", "Our Root") + body)
    for place in range(18):
        reconcile.tenant.fault_at(place, "echo", status)
    failed = reconcile("--verbose", "apply", "keystore.yaml")
    assert failed.code != 0
    logged = reconcile("--log-format", "json", "--verbose", "apply", "keystore.yaml", "--format", "text")
    check_innocent(reconcile, failed, logged)
    assert "repeated" in failed.out + failed.err  # the tenant's words are shown, without what is secret


@pytest.mark.parametrize("status", STATUSES)
def test_a_read_that_is_refused_with_all_that_was_sent(reconcile: Repository, status: int) -> None:
    reconcile.tenant.echo_reads = status
    reconcile.declare()
    results = [reconcile("plan"), reconcile("drift"), reconcile("list"), reconcile("show", "legacy")]
    assert {result.code for result in results} <= {1, 3}
    check_innocent(reconcile, *results)


def test_a_token_endpoint_that_repeats_the_secret(reconcile: Repository) -> None:
    reconcile.tenant.echo_tokens = True
    reconcile.declare()
    result = reconcile("plan")
    assert result.code == 3
    check_innocent(reconcile, result)


@pytest.mark.parametrize("status", [400, 403, 500])
def test_basic_authentication_that_is_repeated(
    reconcile: Repository, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    monkeypatch.setenv("RECONCILE_ALLOWED_HOSTS", "127.0.0.1")
    reconcile.declare(credentials=f"username: {USER}, password: {{env: PASSWORD}}")
    assert reconcile("plan").code == 0
    reconcile.tenant.echo_reads = status
    result = reconcile("plan")
    assert result.code == 3
    check_innocent(reconcile, result)
