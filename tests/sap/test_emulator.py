"""The emulator answers as the public description of the API says: every status by its cause, without our client."""

from __future__ import annotations

import base64
import io
import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import jks
import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_public_key,
    pkcs7,
    pkcs12,
)

from tests.sap.emulator import CsrfRule, Emulator, Recorded, Recording, Switches
from tests.sap.emulator.certificates import distinguished_name, make, shown_name
from tests.sap.emulator.gate import READ_ROLE, Account
from tests.sap.emulator.keys import seeded_ec_key, seeded_key
from tests.sap.emulator.recording import FORBIDDEN_OPTIONS
from tests.sap.emulator.seeds import partner_root, standard
from tests.sap.emulator.server import CLIENT, USER

SAP_KEY = "sap_cloudintegrationcertificate"


class Api:
    """The API as a stranger would call it."""

    def __init__(self, emulator, tenant):
        self.tenant = tenant
        self.emulator = emulator
        self.url = emulator.url(tenant.name)
        context = ssl.create_default_context(cafile=str(emulator.ca_file))
        self.pool = urllib3.PoolManager(ssl_context=context, retries=False)
        self.headers = {"Accept": "application/json"}
        self.headers["Authorization"] = "Bearer " + self.token().json()["access_token"]

    def token(self, secret=None, url=None, **options):
        account = self.tenant.gate.clients[CLIENT]
        headers = urllib3.make_headers(basic_auth=f"{account.name}:{secret or account.secret}")
        address = url or self.emulator.token_url(self.tenant.name) + "?grant_type=client_credentials"
        return self.pool.request("POST", address, headers=headers, **options)

    def __call__(self, method, path, *, headers=None, body=None, **options):
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items())
        address = f"{self.url}/api/v1/{path}" + (f"?{query}" if query else "")
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        return self.pool.request(method, address, headers=self.headers | (headers or {}), body=content or b"")

    def list(self, **options):
        return self("GET", "KeystoreEntries", **options).json()["d"]["results"]

    def error(self, *arguments, **options):
        answer = self(*arguments, **options)
        body = answer.json() if answer.data else {}
        return answer.status, body.get("error", body).get("message", {}).get("value")


@pytest.fixture
def api(place):
    made = Api(place.emulator, place.tenant)
    yield made
    made.pool.clear()
    # Here SAP's entries are addressed on purpose; the fixture of the place looks at the log at the end.
    for request in place.requests:
        request.aliases, request.protected, request.query = (), (), {}
        request.kind = "checked"


def key(alias):
    return f"('{alias.encode().hex()}')"


def pem(*certificates):
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def lonely(name="lonely", number=7):
    return make(distinguished_name(CommonName=name, Country="DE"), seeded_ec_key(number))


def issued(signed_key=None, name="issued"):
    subject = distinguished_name(CommonName=name, Country="DE")
    return make(subject, signed_key or seeded_ec_key(8), issuer=partner_root(), issuer_key=seeded_ec_key(100))


# ------------------------------------------------------------------------------------------------ signing in


def test_a_tenant_starts_in_no_time_and_stops():
    with Emulator() as emulator:
        standard(emulator.tenant())
        api = Api(emulator, emulator.tenant())
        assert api.url == emulator.origin
        assert [entry["Owner"] for entry in api.list()] == ["SAP"] * 3
        api.pool.clear()


def test_a_token_is_that_of_xsuaa(api):
    answer = api.token().json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope", "jti"}
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 43200)
    assert api.token("wrong").status == 401
    address = api.emulator.token_url(api.tenant.name)
    assert api.token(url=address, body=b"grant_type=client_credentials").status == 200
    assert api.token(url=address).status == 400
    assert api.token(url=address + "?grant_type=password").json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic nonsense", "Basic eDp5", "Digest x"])
def test_without_a_good_token_it_is_401(api, header):
    assert api("GET", "KeystoreEntries", headers={"Authorization": header}).status == 401


def test_a_token_ends(api):
    api.tenant.switches.token_lifetime = -1.0
    token = api.token().json()["access_token"]
    assert api("GET", "", headers={"Authorization": f"Bearer {token}"}).status == 401
    api.tenant.gate.expire_tokens()
    assert api("GET", "").status == 401


def test_a_missing_role_is_403_with_an_empty_body(api):
    account = api.tenant.gate.clients[CLIENT]
    api.tenant.gate.clients[CLIENT] = Account(account.name, account.secret, frozenset({READ_ROLE}))
    api.headers["Authorization"] = "Bearer " + api.token().json()["access_token"]
    assert api("GET", "KeystoreEntries").status == 200
    answer = api("DELETE", f"KeystoreEntries{key('partner_root')}")
    assert (answer.status, answer.data) == (403, b"")


def basic(api):
    secret = api.tenant.gate.users[USER].secret
    return urllib3.make_headers(basic_auth=f"{USER}:{secret}")


def test_a_user_needs_a_csrf_token_of_his_own_session(api):
    path, user = f"KeystoreEntries{key('partner_root')}", {"authorization": "", **basic(api)}
    headers = {"Authorization": user["authorization"]}
    refused = api("DELETE", path, headers=headers)
    assert (refused.status, refused.headers["x-csrf-token"]) == (403, "Required")
    fetched = api("GET", "", headers=headers | {"X-CSRF-Token": "Fetch"})
    token, cookie = fetched.headers["x-csrf-token"], fetched.headers["set-cookie"].partition(";")[0]
    assert cookie.startswith("JSESSIONID=")
    without_cookie = api("DELETE", path, headers=headers | {"X-CSRF-Token": token})
    assert without_cookie.status == 403
    assert api("DELETE", path, headers=headers | {"X-CSRF-Token": token, "Cookie": cookie}).status == 204


def test_whether_a_bearer_token_needs_a_csrf_token_is_a_switch(api):
    path = f"KeystoreEntries{key('partner_root')}"
    api.tenant.switches.csrf = CsrfRule.ALWAYS
    assert api("DELETE", path).status == 403
    api.tenant.switches.csrf = CsrfRule.NEVER
    assert "x-csrf-token" not in api("GET", "", headers={"X-CSRF-Token": "Fetch"}).headers
    assert api("DELETE", path).status == 204


def test_requests_beyond_the_rate_are_429(api):
    api.tenant.switches.rate_limit = True
    statuses = [api("GET", "Keystores('system')").status for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    api.tenant.switches.retry_after = "2"
    assert api("GET", "Keystores('system')").headers["retry-after"] == "2"


def test_a_post_without_a_length_is_411(api):
    import socket

    address = ("127.0.0.1", api.emulator.port)
    context = ssl.create_default_context(cafile=str(api.emulator.ca_file))
    with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        tls.sendall(f"POST /tenants/{api.tenant.name}/oauth/token HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert tls.recv(100).startswith(b"HTTP/1.1 411 ")


# --------------------------------------------------------------------------------------------------- reading


def test_an_entry_has_the_properties_and_formats_of_the_specification(api):
    entry = next(entry for entry in api.list() if entry["Alias"] == "partner_client")
    patterns = {
        "Hexalias": "706172746E65725F636C69656E74",
        "KeyType": "RSA",
        "SerialNumber": r"0x[1-9A-F][0-9A-F]*",
        "SignatureAlgorithm": "SHA256withECDSA",
        "FingerprintSha1": r"([0-9A-F]{2}:){19}[0-9A-F]{2}",
        "FingerprintSha256": r"([0-9A-F]{2}:){31}[0-9A-F]{2}",
        "FingerprintSha512": r"([0-9A-F]{2}:){63}[0-9A-F]{2}",
        "ValidNotAfter": r"/Date\(\d+000\+0000\)/",
        "CreatedTime": r"/Date\(\d+\+0000\)/",
        "Type": "Key Pair",
        "Owner": "Tenant Administrator",
        "Status": "unchanged",
        "IssuerDN": 'CN=Partner Root CA, O="Partner, Inc.", C=DE',
    }
    for name, pattern in patterns.items():
        assert re.fullmatch(pattern, entry[name]), name
    assert (entry["KeySize"], entry["Version"], entry["Validity"], entry["EllipticCurve"]) == (2048, 3, None, None)
    assert entry["__metadata"]["type"] == "com.sap.hci.api.KeystoreEntry"
    assert entry["Certificate"]["__deferred"]["uri"].endswith("('706172746E65725F636C69656E74')/Certificate")


def test_entries_of_saps_name_nobody(api):
    owners = {(entry["Owner"], entry["CreatedBy"]) for entry in api.list() if entry["Owner"] == "SAP"}
    assert owners == {("SAP", "SAP")}


def test_without_a_keystore_name_it_is_system_and_unknown_names_are_400(api):
    assert len(api.list()) == len(api.list(keystoreName="system")) == 5
    assert len(api.list(keystoreName="KeyRenewal")) == 1
    assert len(api.list(keystoreName="KeyHistory")) == 1
    assert api.list(keystoreName="backup_admin_system") == []
    assert api.error("GET", "KeystoreEntries", keystoreName="x") == (400, "Keystore name 'x' is invalid.")


def test_a_key_is_taken_in_either_case_and_must_be_whole(api):
    digits = b"partner_root".hex()
    for text in (digits, digits.upper()):
        assert api("GET", f"KeystoreEntries('{text}')").json()["d"]["Hexalias"] == digits.upper()
    assert api.error("GET", "KeystoreEntries('abc')") == (500, "hexBinary needs to be even-length: abc")
    assert api.error("GET", "KeystoreEntries('zz')")[0] == 400
    assert api.error("GET", "KeystoreEntries('FF')")[0] == 400
    assert api.error("GET", f"KeystoreEntries{key('no')}") == (404, "Alias 'no' not found in the keystore")


def test_select_top_and_skip_and_the_links_between_pages(api):
    entries = api.list(**{"$select": "Alias,KeySize"})
    assert {frozenset(entry) - {"__metadata"} for entry in entries} == {frozenset({"Alias", "KeySize"})}
    assert api.error("GET", "KeystoreEntries", **{"$select": "Nonsense"})[0] == 400
    assert [entry["Alias"] for entry in api.list(**{"$skip": 3, "$top": 1})] == ["partner_root"]
    assert api.error("GET", "KeystoreEntries", **{"$top": "x"})[0] == 400
    api.tenant.switches.page_size = 2
    answer = api("GET", "KeystoreEntries", keystoreName="system", **{"$inlinecount": "allpages"}).json()["d"]
    assert (len(answer["results"]), answer["__count"]) == (2, "5")
    assert answer["__next"].endswith("keystoreName=system&$inlinecount=allpages&$skiptoken=2")
    last = api.pool.request("GET", answer["__next"].replace("=2", "=4"), headers=api.headers).json()["d"]
    assert (len(last["results"]), "__next" in last) == (1, False)


def test_atom_is_what_comes_when_nobody_asks_for_json(api):
    answer = api("GET", "KeystoreEntries", headers={"Accept": "*/*"})
    assert answer.headers["content-type"].startswith("application/atom+xml")
    assert b"<d:Alias>partner_root</d:Alias>" in answer.data
    assert re.search(rb"<d:ValidNotAfter m:type=\"Edm.DateTimeOffset\">\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<", answer.data)
    assert api("GET", "KeystoreEntries", headers={"Accept": "*/*"}, **{"$format": "json"}).json()
    error = api("GET", f"KeystoreEntries{key('no')}", headers={"Accept": "*/*"})
    assert b"<m:message>Alias 'no' not found in the keystore</m:message>" in error.data
    one = api("GET", f"KeystoreEntries{key('partner_root')}", headers={"Accept": "*/*"})
    assert one.data.count(b"<d:Alias>") == 1


def test_certificate_root_chain_request_and_openssh_key_are_real(api):
    path = f"KeystoreEntries{key('partner_client')}"
    leaf = api("GET", f"{path}/Certificate/$value")
    assert leaf.headers["content-type"] == "application/pkix-cert"
    stored = api.tenant.find("partner_client")
    assert x509.load_pem_x509_certificate(leaf.data) == stored.leaf
    root = api("GET", f"{path}/Certificate/$value", rootCA="true")
    assert x509.load_pem_x509_certificate(root.data) == partner_root()
    chain = api("GET", f"{path}/ChainResource/$value")
    assert chain.headers["content-type"] == "application/pkcs7-mime"
    assert set(pkcs7.load_pem_pkcs7_certificates(chain.data)) == set(stored.chain)
    request = x509.load_pem_x509_csr(api("GET", f"{path}/SigningRequest/$value").data)
    assert request.is_signature_valid
    assert request.public_key() == seeded_key(3).public_key()
    line = api("GET", f"{path}/Sshkey/$value").data
    assert line.endswith(b" public key for alias partner_client")
    assert load_ssh_public_key(line.split(b" public")[0]) == seeded_key(3).public_key()
    listed = api("GET", f"{path}/ChainCertificates").json()["d"]["results"]
    assert [item["Index"] for item in listed] == [0, 1]
    assert listed[0]["SubjectDN"].startswith("CN=Partner Root CA")
    assert "Owner" not in listed[0]


def test_a_certificate_has_no_request_and_an_ec_key_no_openssh_form(api):
    path = f"KeystoreEntries{key('partner_root')}"
    assert api.error("GET", f"{path}/SigningRequest/$value") == (
        400,
        'Alias "partner_root" does not represent a Key Pair',
    )
    assert api.error("GET", f"{path}/Sshkey/$value")[0] == 400


def test_keystores_and_their_size(api):
    answer = api("GET", "Keystores('system')", **{"$expand": "Entries"}).json()["d"]
    assert (answer["Name"], answer["Size"], len(answer["Entries"]["results"])) == ("system", 5, 5)
    assert len(api("GET", "Keystores('system')/Entries").json()["d"]["results"]) == 5
    assert api("GET", "Keystores('KeyRenewal')/Size/$value").data == b"1"
    assert api.error("GET", "Keystores('backup_admin_system')/Size/$value")[0] == 400
    assert api.error("GET", "Keystores('x')") == (400, "Keystore name 'x' is invalid.")


def test_the_public_keystore_is_a_jceks_with_flattened_chains(api):
    answer = api("GET", "KeystoreResources('system')").json()["d"]
    assert (answer["Password"], answer["Aliases"]) == (None, None)
    store = jks.KeyStore.loads(base64.b64decode(answer["Resource"]), "")
    assert store.store_type == "jceks"
    assert {"partner_client", "partner_client_1", "partner_root", SAP_KEY, f"{SAP_KEY}_1"} <= set(store.certs)
    assert api.error("GET", "KeystoreResources('x')")[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 200),
        ("GET", "$metadata", 200),
        ("GET", "Nonsense", 404),
        ("GET", "CertificateSigningRequests", 404),
        ("GET", "KeyPairResources", 405),
        ("DELETE", "Keystores('system')", 405),
        ("GET", "CertificateResources('61')/$value", 405),
    ],
)
def test_what_is_there_and_what_is_not(api, method, path, status):
    assert api(method, path).status == status


def test_what_is_beside_the_service_is_not_found(api):
    assert api.pool.request("GET", f"{api.url}/elsewhere").status == 404
    assert api.pool.request("GET", f"{api.emulator.origin}/tenants/none/api/v1/").status == 404


# ------------------------------------------------------------------------------------------ one certificate


def put_certificate(api, alias, body, **options):
    headers = {"Content-Type": "application/pkix-cert"}
    return api("PUT", f"CertificateResources{key(alias)}/$value", headers=headers, body=body, **options)


@pytest.mark.parametrize("form", ["der", "pem", "base64"])
def test_a_certificate_is_taken_in_three_forms(api, form):
    one = issued()
    der = one.public_bytes(Encoding.DER)
    body = {"der": der, "pem": pem(one), "base64": base64.encodebytes(der)}[form]
    assert put_certificate(api, "n", body).status == 204
    assert api.tenant.find("n").leaf == one


@pytest.mark.parametrize(
    ("alias", "options", "status"),
    [
        ("partner_root", {}, 400),
        ("n", {"update": "true"}, 400),
        ("n", {"update": "yes"}, 400),
        ("partner_client", {"update": "true"}, 400),
        (SAP_KEY, {"update": "true"}, 403),
        ("sap_new", {}, 403),
        ("HCICertificate", {}, 403),
        ("emulated cybertrust root", {"update": "true"}, 403),
        ("x" * 251, {}, 400),
        ("a\tb", {}, 400),
        ("n", {"fingerprintVerified": "false"}, 409),
    ],
)
def test_a_certificate_is_refused_for_its_reason(api, alias, options, status):
    assert put_certificate(api, alias, pem(lonely()), **{"fingerprintVerified": "true"} | options).status == status
    assert api.tenant.find("n") is None


@pytest.mark.parametrize(
    "body", [b"nothing", b"\x30\x03abc", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_415(api, body):
    assert put_certificate(api, "n", body).status == 415


def test_a_certificate_may_have_ten_kilobytes(api):
    assert put_certificate(api, "n", b"\x30" * 10241).status == 413
    api.tenant.switches.keystore_bytes = 100
    assert put_certificate(api, "n", pem(issued())).status == 413


def test_the_untrusted_certificate_is_in_the_409(api):
    answer = put_certificate(api, "n", pem(lonely()))
    entity = answer.json()["d"]
    assert (entity["Validity"], entity["Alias"]) == ("notTrusted", "n")
    assert entity["Status"].startswith("notImported")
    assert put_certificate(api, "n", pem(issued())).status == 204


def test_a_write_lists_all_entries_when_asked(api):
    listed = put_certificate(api, "n", pem(issued()), returnKeystoreEntries="true").json()["d"]["results"]
    assert {entry["Alias"]: entry["Status"] for entry in listed}["n"] == "new"
    options = {"update": "true", "fingerprintVerified": "true", "returnKeystoreEntries": "true"}
    listed = put_certificate(api, "n", pem(lonely()), **options).json()["d"]["results"]
    statuses = {entry["Alias"]: entry["Status"] for entry in listed}
    assert (statuses["n"], statuses["partner_root"]) == ("changed", "unchanged")
    answer = api("DELETE", f"KeystoreEntries{key('n')}", returnKeystoreEntries="true")
    assert {entry["Alias"]: entry["Status"] for entry in answer.json()["d"]["results"]}["n"] == "removed"


@pytest.mark.parametrize("status", [503, 423])
def test_a_locked_keystore_refuses_writes_and_nothing_else(api, status):
    api.tenant.switches.locked = status
    assert put_certificate(api, "n", pem(issued())).status == status
    assert len(api.list()) == 5


# ------------------------------------------------------------------------------------------------- key pairs


def order(**changes):
    fields = {"Hexalias": "00", "Alias": "kp", "KeyType": "EC", "KeyAlgorithmParameter": "secp256r1",
              "SignatureAlgorithm": "SHA-256/ECDSA", "CommonName": "x", "Country": "DE"}  # fmt: skip
    return {name: value for name, value in (fields | changes).items() if value != "-"}


@pytest.mark.parametrize(
    ("changes", "kind", "size"),
    [
        ({}, ec.EllipticCurvePublicKey, 256),
        ({"KeyAlgorithmParameter": None, "KeySize": 300}, ec.EllipticCurvePublicKey, 384),
        ({"KeyAlgorithmParameter": "NIST P-521"}, ec.EllipticCurvePublicKey, 521),
        (
            {"KeyType": "-", "SignatureAlgorithm": "SHA256/RSA", "KeySize": 2048, "KeyAlgorithmParameter": "-"},
            rsa.RSAPublicKey,
            2048,
        ),
        ({"KeyType": "DSA", "SignatureAlgorithm": None, "KeySize": 2048}, dsa.DSAPublicKey, 2048),
    ],
)
def test_a_tenant_makes_key_pairs_of_every_type(api, changes, kind, size):
    assert api("POST", "KeyPairGenerationRequests", body=order(**changes)).status == 204
    leaf = api.tenant.find("kp").leaf
    assert isinstance(leaf.public_key(), kind)
    assert leaf.public_key().key_size == size
    assert leaf.issuer == leaf.subject
    assert abs(leaf.not_valid_after_utc - datetime.now(UTC) - timedelta(days=1095)) < timedelta(minutes=1)


def test_the_fields_of_an_order_are_one_subject_and_a_validity(api):
    fields = {"OrganizationUnit": "U", "Organization": "A, B", "Locality": "L", "State": "S", "Email": "a@b"}
    body = order(**fields, ValidNotBefore="/Date(1800000000000)/", ValidNotAfter="/Date(1800086400000+0000)/")
    assert api("POST", "KeyPairGenerationRequests", body=body).status == 204
    entry = api("GET", f"KeystoreEntries{key('kp')}").json()["d"]
    assert entry["SubjectDN"] == 'EMAILADDRESS=a@b, CN=x, OU=U, O="A, B", L=L, ST=S, C=DE'
    assert (entry["ValidNotBefore"], entry["KeySize"]) == ("/Date(1800000000000+0000)/", 256)
    assert "KeyAlgorithmParameter" not in entry


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Alias": "-"}, 400),
        ({"Hexalias": "-"}, 400),
        ({"CommonName": "-"}, 400),
        ({"Country": "DEU"}, 400),
        ({"Country": "-"}, 400),
        ({"Alias": "partner_root"}, 400),
        ({"Alias": "sap_x"}, 403),
        ({"KeyType": "Ed25519"}, 400),
        ({"KeyAlgorithmParameter": "nonsense"}, 400),
        ({"KeyAlgorithmParameter": "-"}, 400),
        ({"SignatureAlgorithm": "SHA-512/RSA"}, 400),
        ({"KeyType": "RSA", "KeySize": 100, "SignatureAlgorithm": None}, 400),
        ({"KeyType": "RSA", "KeySize": "2048", "SignatureAlgorithm": None}, 400),
        ({"CommonName": "x" * 501}, 400),
        ({"ValidNotBefore": "today"}, 400),
        ({"ValidNotBefore": "/Date(2000)/", "ValidNotAfter": "/Date(1000)/"}, 400),
        ({"CommonName": 7}, 400),
    ],
)
def test_an_order_is_refused_for_its_reason(api, changes, status):
    assert api("POST", "KeyPairGenerationRequests", body=order(**changes)).status == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_400(api, body):
    assert api("POST", "KeyPairGenerationRequests", body=body).status == 400


def pkcs12_of(signed_key, leaf, *others, password=b"secret"):
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    content = pkcs12.serialize_key_and_certificates(b"a", signed_key, leaf, others, BestAvailableEncryption(password))
    return {"Hexalias": "00", "Alias": "p12", "Resource": base64.b64encode(content).decode(), "Password": "secret"}


def test_a_pkcs12_file_becomes_a_key_pair_with_its_chain(api):
    body = pkcs12_of(seeded_key(4), issued(seeded_key(4)), partner_root())
    assert api("POST", "KeyPairResources", body=body).status == 204
    assert len(api.tenant.find("p12").chain) == 2
    assert api("POST", "KeyPairResources", body=body).status == 400
    assert api("POST", "KeyPairResources", body=body, update="true").status == 204


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Password": "wrong"}, 400),
        ({"Resource": "!"}, 400),
        ({"Resource": base64.b64encode(b"no").decode()}, 415),
        ({"Resource": base64.b64encode(b"\x30" * 30073).decode()}, 413),
        ({"Alias": "sap_x"}, 403),
        ({"Alias": SAP_KEY}, 403),
    ],
)
def test_a_pkcs12_file_is_refused_for_its_reason(api, changes, status):
    body = pkcs12_of(seeded_key(4), issued(seeded_key(4))) | changes
    assert api("POST", "KeyPairResources", body=body).status == status


def test_a_pkcs12_file_of_nobody_is_409_until_its_fingerprint_is_verified(api):
    body = pkcs12_of(seeded_ec_key(7), lonely())
    assert api("POST", "KeyPairResources", body=body).status == 409
    assert api("POST", "KeyPairResources", body=body, fingerprintVerified="true").status == 204


def test_rsa_and_ssh_keys_are_taken(api):
    plain = seeded_key(5).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    body = {
        "Hexalias": "00",
        "Alias": "rsa",
        "RSAFile": base64.b64encode(plain).decode(),
        "CommonName": "x",
        "Country": "DE",
    }
    assert api("POST", "RSAKeyGenerationRequests", body=body).status == 204
    assert api.tenant.find("rsa").leaf.public_key() == seeded_key(5).public_key()
    pkcs8 = seeded_key(5).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    refused = body | {"Alias": "r2", "RSAFile": base64.b64encode(pkcs8).decode()}
    assert api("POST", "RSAKeyGenerationRequests", body=refused).status == 400
    openssh = seeded_key(6).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    body = body | {"Alias": "id_rsa", "SSHFile": base64.b64encode(openssh).decode()}
    answer = api("POST", "SSHKeyGenerationRequests", body=body)
    assert (answer.status, answer.json()) == (200, {"d": {"Alias": "id_rsa"}})
    assert api("POST", "SSHKeyGenerationRequests", body=body | {"SSHFile": "AAAA"}).status == 400


# ---------------------------------------------------------------------------------------------------- chains


def put_chain(api, alias, body, **options):
    return api("PUT", f"CertificateChainResources{key(alias)}/$value", body=body, **options)


def pki_path(*certificates):
    content = b"".join(one.public_bytes(Encoding.DER) for one in certificates)
    return b"\x30\x82" + len(content).to_bytes(2) + content


FORMS = {
    "PEM": lambda leaf: pem(leaf, partner_root()),
    "PEM reversed": lambda leaf: pem(partner_root(), leaf),
    "PEM without root": pem,
    "DER leaf": lambda leaf: leaf.public_bytes(Encoding.DER),
    "PKCS#7 DER": lambda leaf: pkcs7.serialize_certificates([leaf, partner_root()], Encoding.DER),
    "PKCS#7 PEM": lambda leaf: pkcs7.serialize_certificates([leaf, partner_root()], Encoding.PEM),
    "PKCS#7 base64": lambda leaf: base64.b64encode(pkcs7.serialize_certificates([leaf], Encoding.DER)),
    "PkiPath": lambda leaf: pki_path(partner_root(), leaf),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_answer_of_an_authority_is_taken_in_every_form(api, form):
    leaf = issued(seeded_key(3), "new")
    assert put_chain(api, "partner_client", form(leaf)).status == 204
    assert api.tenant.find("partner_client").chain == (leaf, partner_root())
    entry = api("GET", f"KeystoreEntries{key('partner_client')}").json()["d"]
    assert (entry["SerialNumber"], entry["SubjectDN"]) == (f"0x{leaf.serial_number:X}", "CN=new, C=DE")


def test_a_chain_is_refused_for_its_reason(api):
    leaf = issued(seeded_key(3))
    wrong = "The public key of the CA Reply is different from the public key of the keystore entry"
    assert api.error("PUT", f"CertificateChainResources{key('partner_client')}/$value", body=pem(lonely())) == (
        400,
        wrong,
    )
    assert put_chain(api, "partner_client", pem(leaf, lonely())).status == 400
    assert put_chain(api, "partner_root", pem(leaf)).status == 400
    assert put_chain(api, "nobody", pem(leaf)).status == 404
    assert put_chain(api, SAP_KEY, pem(leaf)).status == 403
    assert put_chain(api, "partner_client", b"nothing!").status == 415
    assert put_chain(api, "partner_client", b"\x30\x00").status == 415
    assert put_chain(api, "partner_client", b"x" * 30073).status == 413
    own = make(distinguished_name(CommonName="own"), seeded_key(3))
    assert put_chain(api, "partner_client", pem(own)).status == 409
    assert put_chain(api, "partner_client", pem(own), fingerprintVerified="true").status == 204


def test_whether_a_chain_is_completed_is_a_switch(api):
    api.tenant.switches.complete_chains = False
    leaf = issued(seeded_key(3))
    assert put_chain(api, "partner_client", pem(leaf)).status == 204
    assert api.tenant.find("partner_client").chain == (leaf,)


# ----------------------------------------------------------------------------------------- rename and delete


def rename(api, alias, body=b'{"Status": null}', **options):
    return api("PUT", f"KeystoreEntries{key(alias)}", body=body, **options)


def test_a_rename_answers_as_it_is_asked(api):
    assert rename(api, "partner_root", renameAlias="a b").status == 204
    answer = rename(api, "a b", renameAlias="c", returnHexAlias="true")
    assert (answer.status, answer.data) == (200, b"[63]")
    listed = rename(api, "c", renameAlias="d", returnKeystoreEntries="true").json()["d"]["results"]
    assert {"c": "removed", "d": "new"}.items() <= {entry["Alias"]: entry["Status"] for entry in listed}.items()


def test_a_rename_is_refused_for_its_reason(api):
    assert rename(api, "partner_root").status == 400
    assert rename(api, "partner_root", b"", renameAlias="x").status == 400
    assert rename(api, "partner_root", b'{"Status": "x"}', renameAlias="x").status == 400
    assert rename(api, "partner_root", renameAlias="partner_client").status == 400
    assert rename(api, "partner_root", renameAlias="sap_x").status == 403
    assert rename(api, SAP_KEY, renameAlias="x").status == 403
    assert rename(api, "emulated cybertrust root", renameAlias="x").status == 403
    assert rename(api, "nobody", renameAlias="x").status == 404


def test_one_entry_is_deleted_unless_it_is_saps(api):
    assert api("DELETE", f"KeystoreEntries{key('partner_root')}").status == 204
    assert api("DELETE", f"KeystoreEntries{key('partner_root')}").status == 404
    assert api("DELETE", f"KeystoreEntries{key('emulated cybertrust root')}").status == 403
    assert api("DELETE", f"KeystoreEntries{key('partner_client')}", keystoreName="x").status == 400
    api.tenant.switches.single_delete = False
    assert api("DELETE", f"KeystoreEntries{key('partner_client')}").status == 405


def test_a_mass_deletion_ignores_who_is_not_there_and_refuses_saps(api):
    path = "KeystoreResources('system')"
    api.tenant.put("a;b", partner_root())
    assert api("PUT", path, body={"Aliases": "nobody"}, deleteEntries="true").status == 200
    assert api("PUT", path, body={"Aliases": f"partner_root;{SAP_KEY}"}, deleteEntries="true").status == 403
    assert api("PUT", path, body={"Aliases": "partner_root;a\\;b"}, deleteEntries="true").status == 200
    assert "partner_root" not in api.tenant.aliases()
    assert "a;b" not in api.tenant.aliases()
    assert api("PUT", path, body={"Aliases": "x"}).status == 400
    assert api("PUT", "KeystoreResources('x')", body={"Aliases": "x"}, deleteEntries="true").status == 400


def test_aliases_may_fold_their_case(api):
    api.tenant.switches.fold_alias_case = True
    assert put_certificate(api, "Partner_Root", pem(issued())).status == 400
    assert api("GET", f"KeystoreEntries{key('PARTNER_ROOT')}").json()["d"]["Alias"] == "partner_root"


# ------------------------------------------------------------------------------ import, backup and SAP's keys


def test_a_backup_holds_the_tenants_entries_and_comes_back(api):
    path = "KeystoreResources('system')"
    restore = {"retrieveBackup": "backup_admin_system"}
    assert api("PUT", path, body={"Resource": None}, **restore).status == 404
    assert api("POST", "KeystoreResources", body={"Name": "backup_admin_system"}).status == 200
    assert len(api.list(keystoreName="backup_admin_system")) == 2
    api.tenant.remove("partner_client")
    api.tenant.put("later", partner_root())
    assert api("PUT", path, body={"Resource": None}, **restore).status == 200
    assert {"partner_client", "later"} <= set(api.tenant.aliases())
    assert api("PUT", path, body={"Resource": None}, importOption="replace", **restore).status == 200
    assert "later" not in api.tenant.aliases()
    assert SAP_KEY in api.tenant.aliases()
    assert api("PUT", path, body={"Resource": None}, importOption="merge", **restore).status == 400
    assert api("POST", "KeystoreResources", body={"Name": "x"}).status == 400


def store(*aliases, password="secret"):
    der = lonely().public_bytes(Encoding.DER)
    content = jks.KeyStore.new("jks", [jks.TrustedCertEntry.new(alias, der) for alias in aliases]).saves(password)
    return {"Name": "system", "Resource": base64.b64encode(content).decode(), "Password": "secret"}


def test_an_imported_keystore_says_of_each_entry_what_became_of_it(api):
    body = store("partner_root", "partner_client", "new", "sap_x", "hcicertificate")
    answer = api("POST", "KeystoreResources", body=body, importOption="overwrite")
    statuses = {(entry["Alias"], entry["Status"]) for entry in answer.json()["d"]["results"]}
    refused = "notImported :Key Pair entry cannot be overwritten by a certificate entry."
    assert ("partner_root", "changed") in statuses
    assert ("new", "new") in statuses
    assert ("partner_client", refused) in statuses
    assert any(alias == "sap_x" and "reserved for SAP" in status for alias, status in statuses)
    assert any(alias == "hcicertificate" and "'hcicertificate'" in status for alias, status in statuses)


def test_an_import_without_a_list_is_all_or_nothing(api):
    body, silent = store("new", "sap_x"), {"returnKeystoreEntries": "false"}
    assert api("POST", "KeystoreResources", body=body, **silent).status == 400
    assert "new" not in api.tenant.aliases()
    assert api("POST", "KeystoreResources", body=store("new"), **silent).status == 204
    answer = api("POST", "KeystoreResources", body=store("new"), importOption="merge").json()["d"]["results"]
    assert any(entry["Status"].startswith("notImported: An entry with the same alias") for entry in answer)
    assert api("POST", "KeystoreResources", body=store("z"), importOption="replace", **silent).status == 204
    assert "partner_root" not in api.tenant.aliases()
    assert SAP_KEY in api.tenant.aliases()


def test_an_import_is_refused_for_its_reason(api):
    assert api("POST", "KeystoreResources", body=store("x", password="other")).status == 400
    assert api("POST", "KeystoreResources", body=store("x") | {"Resource": "AAAA"}).status == 415
    assert api("POST", "KeystoreResources", body=store("x"), importOption="x").status == 400
    api.tenant.switches.upload_bytes = 10
    assert api("POST", "KeystoreResources", body=store("x")).status == 413


def test_a_jks_with_a_key_becomes_a_key_pair(api):
    der = seeded_key(4).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    chain = [one.public_bytes(Encoding.DER) for one in (issued(seeded_key(4)), partner_root())]
    entry = jks.PrivateKeyEntry.new("pair", chain, der, "pkcs8")
    content = io.BytesIO(jks.KeyStore.new("jks", [entry]).saves("secret")).getvalue()
    body = {"Name": "system", "Resource": base64.b64encode(content).decode(), "Password": "secret"}
    assert api("POST", "KeystoreResources", body=body).status == 200
    assert api.tenant.find("pair").type == "Key Pair"


def test_a_new_sap_key_is_activated_with_delete(api):
    path, renewal = f"KeystoreEntries{key(SAP_KEY)}", {"keystoreName": "KeyRenewal"}
    successor = api.tenant.find(SAP_KEY, "KeyRenewal").leaf
    assert api("DELETE", path, **renewal).status == 400
    assert api("DELETE", path, activate="true", **renewal).status == 204
    assert api.tenant.find(SAP_KEY).leaf == successor
    assert api.list(**renewal) == []
    assert api("DELETE", path, activate="true", **renewal).status == 404
    history = api("GET", "HistoryKeystoreEntries").json()["d"]["results"]
    assert [entry["Alias"] for entry in history] == [f"[1]_{SAP_KEY}", f"[2]_{SAP_KEY}"]
    assert history[1]["OriginalAlias"] == SAP_KEY
    assert history[1]["ActivationSequenceNumber"] == 2
    one = api("GET", f"HistoryKeystoreEntries{key(f'[1]_{SAP_KEY}')}").json()["d"]
    assert one["__metadata"]["type"] == "com.sap.hci.api.HistoryKeystoreEntry"
    assert api("GET", f"HistoryKeystoreEntries{key('x')}").status == 404


def test_an_old_sap_key_goes_back_among_the_new_ones(api):
    path, null = f"HistoryKeystoreEntries{key(f'[1]_{SAP_KEY}')}", b'{"Status": null}'
    copy = {"copy": "true", "destinationAlias": "sap_old"}
    assert api("PUT", path, body=null).status == 400
    assert api("PUT", path, body=null, copy="true").status == 400  # the default destination is taken
    assert api("PUT", path, body=null, copy="true", destinationAlias="mine").status == 400
    assert api("PUT", path, body=null, **copy).status == 204
    assert "sap_old" in api.tenant.aliases("KeyRenewal")
    assert api("PUT", f"HistoryKeystoreEntries{key('no')}", body=null, **copy).status == 404


# ------------------------------------------------------------------------------------- errors and the record


def test_the_shape_of_errors_is_a_switch(api):
    path = f"KeystoreEntries{key('no')}"
    assert api("GET", path).json() == {
        "error": {"code": "Not Found", "message": {"lang": "en", "value": "Alias 'no' not found in the keystore"}}
    }
    api.tenant.switches.bare_errors = True
    assert set(api("GET", path).json()) == {"code", "message"}
    api.tenant.switches.empty_errors = True
    assert api("GET", path).data == b""
    api.tenant.switches.empty_errors = False
    reserved = api("DELETE", f"KeystoreEntries{key('sap_x')}")
    assert reserved.json() == {"code": "Forbidden", "message": {"lang": "en", "value": None}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (distinguished_name(CommonName="x", Country="DE"), "CN=x, C=DE"),
        (distinguished_name(CommonName='a"b', Organization="x; y"), 'CN="a\\"b", O="x; y"'),
    ],
)
def test_names_are_shown_as_java_shows_them(name, text):
    assert shown_name(name) == text


WRITE = {"tenant": "t", "kind": "api", "method": "PUT", "path": "KeystoreEntries('61')"}


@pytest.mark.parametrize(
    ("request_", "innocent"),
    [
        (Recorded(**WRITE, aliases=("a",)), True),
        (Recorded(**WRITE, aliases=("a", "b"), query={"renameAlias": "b"}), True),
        (Recorded(**WRITE, aliases=("a", "b")), False),
        (Recorded(**WRITE, aliases=("sap_x",), protected=("sap_x",)), False),
        *((Recorded(**WRITE, query={name: value}), False) for name, value in FORBIDDEN_OPTIONS.items()),
        (Recorded(**WRITE | {"path": "KeystoreResources"}), False),
        (Recorded(**WRITE | {"path": "KeystoreResources('system')"}, query={"deleteEntries": "true"}), True),
        (Recorded(**WRITE | {"method": "GET"}, protected=("sap_x",)), True),
        (Recorded(**WRITE | {"kind": "token", "method": "POST"}), True),
    ],
)
def test_the_record_knows_what_no_client_of_ours_may_do(request_, innocent):
    recording = Recording()
    recording.add(request_)
    assert (recording.violations() == ()) is innocent
    if innocent:
        recording.assert_innocent()
    else:
        with pytest.raises(AssertionError):
            recording.assert_innocent()


def test_the_record_names_the_aliases_of_url_options_and_body(api, place):
    rename(api, "partner_root", renameAlias="new")
    api("PUT", "KeystoreResources('system')", body={"Aliases": f"new;{SAP_KEY}"}, deleteEntries="true")
    api("POST", "KeyPairGenerationRequests", body=order(Alias="emulated cybertrust root"))
    seen = [(request.aliases, request.protected, request.took_effect) for request in place.requests[1:]]
    assert seen == [
        (("partner_root", "new"), (), True),
        (("new", SAP_KEY), (SAP_KEY,), False),
        (("emulated cybertrust root",), ("emulated cybertrust root",), False),
    ]
    assert place.requests[1].user == CLIENT


def test_two_hundred_tenants_live_in_one_server():
    with Emulator() as emulator:
        for number in range(200):
            standard(emulator.tenant(f"n{number}", Switches(page_size=2)))
        emulator.tenant("n7").put("only here", partner_root())
        api = Api(emulator, emulator.tenant("n7"))
        other = Api(emulator, emulator.tenant("n8"))
        assert len(api.list(**{"$top": 9, "$skip": 2})) == 2
        assert len(other.list(**{"$top": 9, "$skip": 2})) == 1
        assert other("GET", "", headers={"Authorization": api.headers["Authorization"]}).status == 401
        api.pool.clear()
        other.pool.clear()
