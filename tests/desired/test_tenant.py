"""A tenant in the state file: how to sign in, where keys are born, and what the API cannot do with its way out."""

from __future__ import annotations

from textwrap import dedent

import pytest

from reconciler.desired import load
from reconciler.desired.pins import with_colons
from reconciler.desired.tenant import location
from reconciler.model import SecretRef, WantedKeyPair
from reconciler.x509 import to_pem
from tests.desired.conftest import Repository, told
from tests.desired.test_trusted_roots import ROOT

HEAD = """\
apiVersion: reconciler/v1
keystore:
  type: sap-cloud-integration
  url: https://example.it-cpi018.cfapps.eu10-003.hana.ondemand.com
  credentials: {serviceKey: {env: KEY}}
"""
SUBJECT = "subject: {commonName: x, country: DE}"


def state(repository: Repository, body: str, head: str = HEAD):
    repository.write("keystore.yaml", head + dedent(body))
    return load("keystore.yaml")


def problems(repository: Repository, body: str, head: str = HEAD) -> list[str]:
    return [told(one) for one in repository.problems(head + dedent(body))]


def pair(repository: Repository, body: str) -> WantedKeyPair:
    [wanted] = state(repository, f"keyPairs:\n  a: {{{body}}}\n").wanted
    assert isinstance(wanted, WantedKeyPair)
    return wanted


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("{serviceKey: {env: A}}", ["serviceKey"]),
        ("{serviceKey: {env: A}, certificate: {file: c.pem}, key: {file: k.pem}}", ["serviceKey", "certificate", "key"]),
        ("{tokenUrl: https://t.example/oauth/token, clientId: c, clientSecret: {env: A}}",
         ["tokenUrl", "clientId", "clientSecret"]),
        ("{tokenUrl: {env: T}, clientId: {env: C}, certificate: {env: A}, key: {env: B}}",
         ["tokenUrl", "clientId", "certificate", "key"]),
        ("{username: S0001, password: {env: A}}", ["username", "password"]),
        ("{certificate: {file: c.pem}, key: {file: k.pem}}", ["certificate", "key"]),
    ],
)  # fmt: skip
def test_every_way_to_sign_in_is_read_and_no_secret_of_it_is(repository: Repository, written: str, names) -> None:
    keystore = state(repository, "", HEAD.replace("{serviceKey: {env: KEY}}", written)).keystore

    assert [name for name, _ in keystore.credentials] == names
    assert all(isinstance(value, SecretRef | str) for _, value in keystore.credentials)
    assert keystore.read_credentials == ()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{serviceKey: {env: A}, username: x}", "serviceKey, username do not go together"),
        ("{username: x}", "username do not go together"),
        ("{tokenUrl: https://t.example, clientId: c}", "names no way to sign in"),
        ("{serviceKey: abc}", "must say where the secret comes from"),
        ("{password: hunter2, username: x}", "must say where the secret comes from"),
        ("{}", "must say where the secret comes from"),
        ("{servicekey: {env: A}}", "must say where the secret comes from"),
    ],
)
def test_credentials_that_sign_nobody_in(repository: Repository, written: str, said: str) -> None:
    found = problems(repository, "", HEAD.replace("{serviceKey: {env: KEY}}", written))

    assert any(said in one for one in found), found
    assert "hunter2" not in str(found)


def test_what_belongs_to_a_file_does_not_go_with_a_tenant_and_the_other_way_round(repository: Repository) -> None:
    assert "belongs to a keystore file" in problems(repository, "", HEAD + "  create: true\n")[0]
    file = "apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, url: https://a.example}\n"
    assert "belongs to a tenant" in problems(repository, "", file)[0]
    missing = problems(repository, "", "apiVersion: reconciler/v1\nkeystore: {type: sap-cloud-integration}\n")
    assert [one.partition("] ")[2].partition(" (")[0] for one in missing] == [
        "`keystore` needs `url`", "`keystore` needs `credentials`",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["http://a.example", "a.example", "https://a b"])
def test_an_address_is_https(repository: Repository, url: str) -> None:
    assert "must be the https address" in problems(repository, "", HEAD.replace("https://example.it", url + "/#"))[0]


@pytest.mark.parametrize("url", ["https://A.example/", "https://a.example/api/v1", "https://a.example/api/v1/"])
def test_a_tenant_has_one_spelling(url: str) -> None:
    assert location(url) == "https://a.example"


def test_the_same_tenant_twice_is_an_error(repository: Repository) -> None:
    repository.write("a.yaml", HEAD)
    repository.write("b.yaml", HEAD.replace("ondemand.com\n", "ondemand.com/api/v1\n"))

    [problem] = repository.problems_of("a.yaml", "b.yaml")
    assert problem.code == "same-keystore"


@pytest.mark.parametrize(
    ("body", "born_in_tenant", "rekey"),
    [
        (SUBJECT + ", issuer: {type: external}", True, False),
        (SUBJECT + ", issuer: {type: self-signed}", True, True),
        (SUBJECT + ", issuer: {type: external}, activation: approved", True, True),
        (SUBJECT + ", issuer: {type: external}, key: {algorithm: EC, generateIn: here}", False, False),
        (SUBJECT + ", issuer: {type: external}, key: {generateIn: here}, subjectAltNames: {dns: [a.example]}", False,
         True),
        (SUBJECT + ", issuer: {type: external}, rekey: true", True, True),
    ],
)  # fmt: skip
def test_a_key_is_born_in_the_tenant_and_kept_unless_that_cannot_be(
    repository: Repository,
    body: str,
    born_in_tenant: bool,  # a column of the table
    rekey: bool,  # the same
) -> None:
    wanted = pair(repository, body)

    assert (wanted.born_in_tenant, wanted.rekey) == (born_in_tenant, rekey)


@pytest.mark.parametrize(
    ("body", "said", "hint"),
    [
        (SUBJECT + ", subjectAltNames: {dns: [a.example]}", "subject alternative names", "generateIn: here"),
        (SUBJECT + ", extendedKeyUsage: [serverAuth]", "extended key usage", "generateIn: here"),
        (SUBJECT + ", rekey: false", "cannot be renewed over the same key", "rekey: true"),
        (SUBJECT + ", key: {algorithm: Ed25519}", "no keys of the algorithm Ed25519", "RSA"),
        ("subject: {commonName: x}", "needs `subject.country`", "generateIn: here"),
        ("subject: {organization: x, country: DE}", "needs `subject.commonName`", "generateIn: here"),
        ("subject: {commonName: x, country: DE, organizationalUnit: [a, b]}", "one organizational unit", "generateIn"),
        (SUBJECT + ", issuer: {type: external}, activation: approved, rekey: false", "waits beside", "rekey: true"),
        (SUBJECT + ", issuer: {type: external}, key: {generateIn: here}, subjectAltNames: {dns: [a.example]}, "
         "rekey: false", "asks with the tenant's request", "rekey: true"),
    ],
)  # fmt: skip
def test_what_the_api_cannot_do_has_a_way_out(repository: Repository, body: str, said: str, hint: str) -> None:
    if "issuer" not in body:
        body += ", issuer: {type: self-signed}"
    found = problems(repository, f"keyPairs:\n  a: {{{body}}}\n")

    assert any(said in one and hint in one for one in found), found


def test_aliases_leave_room_for_what_a_renewal_adds(repository: Repository) -> None:
    long = "a" * 242
    body = f"keyPairs:\n  {long}: {{{SUBJECT}, issuer: {{type: self-signed}}}}\n  b.previous: {{existing: true}}\n"

    found = problems(repository, body)

    assert "at most 241 characters" in found[0]
    assert "`.previous`" in found[1]


def test_a_self_signed_root_without_a_pin_gets_the_line_to_paste(repository: Repository) -> None:
    repository.write("root.pem", to_pem([ROOT]))

    [found] = problems(repository, "trustedRoots:\n  a: {file: root.pem}\n")

    line = f'sha256: "{with_colons(ROOT.sha256)}"'
    assert line in found
    assert state(repository, f"trustedRoots:\n  a: {{file: root.pem, {line}}}\n").wanted[0].pinned


def test_where_a_key_is_born_is_not_asked_in_a_file(repository: Repository) -> None:
    body = f"keyPairs:\n  a: {{{SUBJECT}, key: {{generateIn: here}}, issuer: {{type: self-signed}}}}\n"
    file = "apiVersion: reconciler/v1\nkeystore: {type: pkcs12, path: x, password: {env: PW}}\n"

    assert "goes with a tenant" in problems(repository, body, file)[0]


def test_a_receiver_may_expect_saps_key_pair_in_a_tenant(repository: Repository) -> None:
    body = 'receivers: {s4: {address: "s4.example:443", keyPair: sap_cloudintegrationcertificate}}\n'
    assert state(repository, body).receivers[0].key_pair == "sap_cloudintegrationcertificate"
    file = "apiVersion: reconciler/v1\nkeystore: {type: jks, path: x}\n"
    assert "no key pair here" in problems(repository, body, file)[0]
