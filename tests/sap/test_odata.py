"""Answers of the service into values: equal from JSON and XML, and never anything but a stated error from rubbish."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import RefusedError
from reconciler.keystores.sap import material, odata
from reconciler.keystores.sap.aliases import AliasError, from_hexalias, hexalias, mass_deletion_of, writable
from reconciler.keystores.sap.entries import tenant_entry
from reconciler.keystores.sap.odata import MalformedAnswerError
from reconciler.model import EntryKind
from tests.sap.emulator import DateLiteral, Switches
from tests.sap.emulator.exchange import Request
from tests.sap.emulator.rendering import KEYSTORE_ENTRIES, Renderer
from tests.sap.emulator.whole_keystore import listed_aliases

ALIASES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=250)
XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"]), max_size=40)
MOMENTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
JSON = "application/json;charset=utf-8"


# ------------------------------------------------------------------------------------------------- aliases


@given(ALIASES)
def test_every_alias_survives_the_hexadecimal_key_in_either_case(alias):
    assert from_hexalias(hexalias(alias)) == alias
    assert from_hexalias(hexalias(alias).lower()) == alias
    assert len(hexalias(alias)) <= 2000


@pytest.mark.parametrize(
    ("alias", "key"),
    [("123", "313233"), ("my alias", "6D7920616C696173"), ("[2]_sap_test", "5B325D5F7361705F74657374")],
)
def test_the_key_is_what_the_documentation_shows(alias, key):
    assert hexalias(alias) == key


@pytest.mark.parametrize("text", ["4", "zz", "ff", "C3", " "])
def test_what_is_no_key_is_no_alias(text):
    assert not from_hexalias(text)


@given(ALIASES)
def test_the_list_of_a_mass_deletion_names_exactly_one_alias(alias):
    assert listed_aliases(mass_deletion_of(alias)) == [alias]


@pytest.mark.parametrize(
    "alias", ["sap_x", "SAP_x", " sap_x ", "hcicertificate", "HCIcertificate1", "\u017fap_x", "\uff53ap_x"]
)
def test_no_request_is_made_for_an_alias_of_saps(alias):
    with pytest.raises(RefusedError, match="belongs to SAP") as caught:
        writable(alias)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("alias", ["", "a" * 251, "a\nb", "a\x7f", "a\ud800"])
def test_an_alias_that_a_tenant_cannot_hold_is_refused_before_it_is_sent(alias):
    with pytest.raises(AliasError) as caught:
        writable(alias)
    assert caught.value.exit_code == 1


# --------------------------------------------------------------------------------------------------- dates


@given(MOMENTS, st.sampled_from(["", "+0000", "-0000", "+0120", "-0330"]))
def test_a_date_is_the_same_in_every_literal(moment, offset):
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert odata.moment(f"/Date({milliseconds}{offset})/") == moment
    assert odata.moment(moment.isoformat().replace("+00:00", "Z")) == moment
    assert odata.moment(
        moment.astimezone(timezone(timedelta(hours=-8))).isoformat() if moment.year > 1900 else None
    ) in {
        moment,
        None,
    }
    assert odata.moment(odata.date_literal(moment)) == moment


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        5,
        True,
        "today",
        "/Date()/",
        "/Date(99999999999999999)/",
        "/Date(1)",
        "2026-13-01T00:00:00Z",
        "9" * 5000,
    ],
)
def test_what_is_no_date_is_none(value):
    assert odata.moment(value) is None


def test_a_date_of_the_specification_and_one_of_a_live_tenant_are_read():
    expected = datetime(2017, 6, 6, 7, 8, 44, tzinfo=UTC)
    assert odata.moment("/Date(1496732924000)/") == expected
    assert odata.moment("/Date(1496732924000+0000)/") == expected
    assert odata.moment("2017-06-06T07:08:44Z") == expected
    assert odata.moment("2017-06-06T07:08:44") == expected
    assert odata.moment("2017-06-06T07:08:44.0000000Z") == expected


# --------------------------------------------------------------------------------- JSON and XML are equal

ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "Alias": XML_TEXT.filter(bool),
            "Type": st.sampled_from(["Certificate", "Key Pair", None]),
            "Owner": st.sampled_from(["SAP", "Tenant Administrator", None]),
            "KeySize": st.none() | st.integers(0, 2**31 - 1),
            "SubjectDN": st.none() | XML_TEXT,
            "SerialNumber": st.none() | st.integers(0, 2**160).map(lambda n: f"0x{n:X}"),
            "FingerprintSha256": st.none() | st.binary(min_size=32, max_size=32).map(lambda b: b.hex(":").upper()),
            "ValidNotAfter": st.none() | MOMENTS.filter(lambda moment: moment.year > 1900),
        }
    ).map(lambda item: item | {"Hexalias": hexalias(item["Alias"])}),
    max_size=4,
)


def _rendered(items, switches, *, json_wanted, query=None):
    headers = {"accept": "application/json"} if json_wanted else {}
    request = Request("GET", "KeystoreEntries", query or {}, headers, base="https://h/api/v1")
    return Renderer(request, switches).collection(KEYSTORE_ENTRIES, items)


@given(ENTRIES, st.sampled_from(DateLiteral), st.booleans(), st.booleans())
def test_atom_and_json_give_the_same_entries(items, literal, extra, metadata):
    switches = Switches(date_literal=literal, extra_fields=extra, metadata=metadata, page_size=3)
    pages = []
    for wanted in (True, False):
        response = _rendered(items, switches, json_wanted=wanted)
        page = odata.page(response.body, response.content_type)
        pages.append((tuple(tenant_entry(item) for item in page.items), page.next))
    assert pages[0] == pages[1]
    assert len(pages[0][0]) == min(3, len(items))
    assert (pages[0][1] is None) == (len(items) <= 3)


def test_an_entry_without_a_single_optional_field_is_an_entry():
    entry = tenant_entry({"Hexalias": "6162"})
    assert (entry.alias, entry.kind, entry.owner, entry.certificate.sha256) == ("ab", EntryKind.OTHER, None, None)


def test_a_field_of_the_wrong_type_is_a_field_that_is_missing():
    item = {"Alias": "a", "KeySize": [1], "SubjectDN": 7, "SerialNumber": "7", "FingerprintSha256": "AB", "Owner": {}}
    entry = tenant_entry(item)
    assert entry.certificate.key_size is entry.certificate.subject is entry.certificate.serial is None
    assert entry.certificate.sha256 is entry.owner is None


@pytest.mark.parametrize("item", [{}, {"Alias": ""}, {"Alias": None, "Hexalias": "F"}, {"Alias": 5}])
def test_an_entry_without_an_alias_is_an_error(item):
    with pytest.raises(MalformedAnswerError):
        tenant_entry(item)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("notImported: An entry with the same alias already exists", "An entry with the same alias already exists"),
        ("notImported :Key Pair entry cannot be overwritten.", "Key Pair entry cannot be overwritten."),
        ("notImported", "notImported"),
        ("unchanged", None),
        (None, None),
    ],
)
def test_an_entry_that_was_left_out_says_why(status, reason):
    assert tenant_entry({"Alias": "a", "Status": status}).not_imported == reason


# ------------------------------------------------------------------------------ never an empty keystore

ATOM = "application/atom+xml;charset=utf-8"
DOCTYPE = b'<!DOCTYPE feed [<!ENTITY a "b">]><feed xmlns="http://www.w3.org/2005/Atom"/>'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", JSON),
        (b"{}", JSON),
        (b"[]", JSON),
        (b"null", JSON),
        (b'{"d": {}}', JSON),
        (b'{"d": null}', JSON),
        (b'{"d": {"results": null}}', JSON),
        (b'{"d": {"results": [1]}}', JSON),
        (b'{"d": {"results": [], "__next": 5}}', JSON),
        (b'{"value": []}', JSON),
        (b'{"d": {"results": [', JSON),
        (b'\xff\xfe{"d"', JSON),
        (b"[" * 200_000, JSON),
        (b'{"d": {"results": []}}', "text/html"),
        (b'{"d": {"results": []}}', "text/plain;charset=utf-8"),
        (b'{"d": {"results": []}}', ATOM),
        (b"<html><body>Sign in</body></html>", "text/html;charset=utf-8"),
        (b"<html/>", "application/xhtml+xml"),
        (b"<feed", ATOM),
        (b'<feed xmlns="http://www.w3.org/2005/Atom"><entry>', ATOM),
        (b'<feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>', ATOM),
        (b'<entry xmlns="http://www.w3.org/2005/Atom"/>', ATOM),
        (b"<feed/>", ATOM),
        (DOCTYPE, ATOM),
        (b'<?xml version="1.0" encoding="klingon"?><feed/>', ATOM),
    ],
)
def test_what_is_no_list_is_never_an_empty_one(body, content_type):
    with pytest.raises(MalformedAnswerError):
        odata.page(body, content_type)
    with pytest.raises(MalformedAnswerError):
        odata.entity(body, content_type)


def test_an_empty_list_and_the_list_of_version_1_are_lists():
    assert odata.page(b'{"d": {"results": []}}', JSON) == odata.Page((), None)
    assert odata.page(b'{"d": [{"Alias": "a"}]}', JSON) == odata.Page(({"Alias": "a"},), None)
    assert odata.page(b'\xef\xbb\xbf{"d": {"results": [], "__next": "x?y=1"}}', "") == odata.Page((), "x?y=1")
    assert odata.page(b' <feed xmlns="http://www.w3.org/2005/Atom"/>', "") == odata.Page((), None)


@given(st.binary(max_size=400), st.sampled_from([JSON, ATOM, "", "text/plain", "text/html"]))
def test_rubbish_is_a_stated_error_and_nothing_else(body, content_type):
    for read in (odata.page, odata.entity):
        with pytest.raises(MalformedAnswerError):
            read(body, content_type)
    assert isinstance(odata.error_text(body, content_type), str)
    assert odata.untrusted_certificate(body, content_type) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["d", "results", "__next", "error", "message", "value", "Alias", "FingerprintSha256"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_a_stated_error(value):
    body = json.dumps(value).encode()
    try:
        for item in odata.page(body, JSON).items:
            tenant_entry(item)
    except MalformedAnswerError:
        pass
    assert isinstance(odata.error_text(body, JSON), str)
    odata.untrusted_certificate(body, JSON)


@given(st.integers(min_value=1, max_value=2000))
def test_a_list_that_is_cut_anywhere_is_an_error(cut):
    items = [{"Alias": f"a{i}", "Hexalias": hexalias(f"a{i}"), "KeySize": i, "Type": "Key Pair"} for i in range(6)]
    for wanted in (True, False):
        response = _rendered(items, Switches(), json_wanted=wanted)
        if cut < len(response.body):
            with pytest.raises(MalformedAnswerError):
                odata.page(response.body[:cut], response.content_type)


# -------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b'{"error": {"code": "x", "message": {"lang": "en", "value": "human text"}}}', JSON, "human text"),
        (b'{"code": "Forbidden", "message": {"lang": "en", "value": null}}', JSON, ""),
        (b'{"error": {"message": "plain"}}', JSON, "plain"),
        (b'{"error": "plain"}', JSON, "plain"),
        (b'{"error": 5}', JSON, ""),
        (b"CSRF token validation failed", "text/plain", "CSRF token validation failed"),
        (b"<html>long page</html>", "text/html", ""),
        (b'{"error": {"message": {"value": "a\\u001b[31m\\nb\\u202e"}}}', JSON, "a [31m b"),
        (
            b'<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><message>gone</message></error>',
            "application/xml",
            "gone",
        ),
        (b"", "", ""),
    ],
)
def test_the_words_of_an_error_are_found_in_every_shape(body, content_type, text):
    assert odata.error_text(body, content_type) == text


@pytest.mark.parametrize(
    "wrap",
    [
        lambda entity: entity,
        lambda entity: {"d": entity},
        lambda entity: {"d": {"results": [entity]}},
        lambda entity: {"error": {"code": "Conflict", "message": {"lang": "en", "value": json.dumps(entity)}}},
        lambda entity: {"error": {"message": {"value": json.dumps({"d": entity})}}},
        lambda entity: [entity],
    ],
)
def test_the_untrusted_certificate_is_found_in_every_envelope(wrap):
    body = json.dumps(wrap({"Alias": "a", "FingerprintSha256": "AB:CD"})).encode()
    found = odata.untrusted_certificate(body, JSON)
    assert found is not None
    assert found["FingerprintSha256"] == "AB:CD"


# ------------------------------------------------------------------------------------------------ material


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\x30\x03\x02\x01\x00", "PKCS#7 file cannot be read"),
        (b"-----BEGIN PKCS7-----\nMAMCAQA=\n-----END PKCS7-----\n", "PKCS#7 file cannot be read"),
        (b"MAMCAQA=", "PKCS#7 file cannot be read"),
        (b"-----BEGIN PKCS7-----\nMAMCAQA=\n", "cut short"),
        (b"-----BEGIN PKCS7-----\n!\n-----END PKCS7-----\n", "not a chain"),
        (b"-----BEGIN CERTIFICATE-----\nMAMC\n-----END CERTIFICATE-----\n", "cut short or broken"),
        (b"-----BEGIN CERTIFICATE-----\nAgEA\n-----END CERTIFICATE-----\n", "not a certificate"),
        (b"", "cut short"),
    ],
)
def test_a_broken_chain_says_what_is_broken(body, words):
    with pytest.raises(MalformedAnswerError, match=words):
        material.read_chain(body)


@given(st.binary(max_size=300))
def test_rubbish_is_neither_certificate_nor_chain_nor_request(body):
    for read in (material.read_certificate, material.read_signing_request, material.read_chain):
        try:
            read(body)
        except MalformedAnswerError:
            continue
        # A complete DER SEQUENCE may pass: whether it is a certificate is asked when facts are wanted.
        assert b"\x30" in body or body.strip()


@pytest.mark.parametrize("alias", ["\\ud800", "a\\uDFFFb", "\\udc00\\ud800"])
def test_half_of_a_character_is_a_broken_answer(alias):
    body = f'{{"d": {{"results": [{{"Alias": "{alias}"}}]}}}}'.encode()
    with pytest.raises(MalformedAnswerError, match="broken"):
        odata.page(body, "application/json")


def test_a_character_in_two_halves_is_one():
    body = b'{"d": {"results": [{"Alias": "\\ud83d\\ude00"}]}}'
    assert odata.page(body, "application/json").items[0]["Alias"] == "\U0001f600"
