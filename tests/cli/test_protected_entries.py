"""Entries of SAP, entries with secrets of their own, and state files that reach for them: nothing is written."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.keystores.formats import parse_container
from reconciler.ownership import SAP_PATTERNS
from reconciler.secret import Secret
from tests.cli.conftest import CERTIFICATES, KEYS
from tests.cli.pki import authority, pair
from tests.cli.repository import PASSWORD, Repository, key, pairs, roots
from tests.keystores.conftest import Question

GENERATED = "{subject: {commonName: x}, key: {algorithm: EC, curve: secp256r1}}"
IMPORTED = "{file: mine.pem}"
SAPS = ("sap_cloudintegrationcertificate", "SAP_Root", "hcicertificate")


@pytest.fixture
def occupied(typed_repository, protected_stores):
    """A repository whose live keystore holds entries of SAP among others."""
    return occupy(typed_repository, protected_stores)


def occupy(repository, stores):
    repository.live.write_bytes((stores / repository.type).read_bytes())
    repository.write("root.pem", authority("Hostile root").pem)
    repository.write("mine.pem", pair("mine").key_pem + pair("mine").pem)
    return repository


def refused(repository, alias, *, validate=True):
    """`validate`, `plan` and `apply` refuse with the file and the line of `alias`, and nothing is written."""
    before = repository.files()
    place = f"keystore.yaml:{repository.line_of(key(alias))}:"
    commands = [("validate", "keystore.yaml")] if validate else []
    commands += [
        ("plan", "keystore.yaml"),
        ("apply", "keystore.yaml", "--yes"),
        ("apply", "keystore.yaml", "--allow-mass-change", "--yes"),
    ]
    for command in commands:
        result = repository.run(*command)
        assert result.code == 4, (command, result)
        assert any(line.startswith(place) and "refused: " in line for line in result.err.splitlines()), result.err
        assert "Traceback" not in result.err
    assert repository.files() == before
    return result.err


def declared(alias, how):
    return roots(**{alias: "root.pem"}) if how == "root" else pairs(**{alias: how})


# ------------------------------------------------------------------------------------------------ spellings


@pytest.mark.parametrize("how", ["root", GENERATED, IMPORTED], ids=["root", "generated", "imported"])
@pytest.mark.parametrize(
    "alias", ["sap_cloudintegrationcertificate", "SAP_Root", "hcicertificate", "hcimsgcertificate"]
)
def test_an_entry_of_sap_is_not_declared(occupied, alias, how):
    occupied.declare(declared(alias, how))

    assert "SAP" in refused(occupied, alias)


@pytest.mark.parametrize(
    "alias",
    [
        "sap_root", "Sap_rOOT", "SAP_CLOUDINTEGRATIONCERTIFICATE", "HCICertificate", "hcicertificate1", "sap_",
        " sap_root", "sap_root ", "\tsap_root", "sap_root\u00a0", "\u3000hcicertificate", "\u200bsap_root",
        # A long s, full width, mathematical letters, modifier letters.
        "\u017fap_root", "\uff33\uff21\uff30\uff3fRoot", "\U0001d42c\U0001d41a\U0001d429_root",
        "\u02b0\u1d9c\u2071certificate",
        # Nothing to be seen in between.
        "s\u00adap_root", "sap\ufe0f_root", "s\u034fap_root", "h\u2060cicertificate", "hci\u3164certificate",
        "sap_root.next", "sap_root.previous", "SAP_Root.NEXT",
    ],
    ids=ascii,
)  # fmt: skip
def test_no_spelling_reaches_an_entry_of_sap(occupied, alias):
    occupied.declare(roots(**{alias: "root.pem"}))

    refused(occupied, alias)


def spelled(name):
    """`name` in any case, with look-alikes, invisible characters and blanks."""
    letters = [st.sampled_from(sorted(LOOKALIKES[letter])) for letter in name]
    invisible = st.sampled_from(["", "", "", "\u200b", "\u2060", "\u00ad", "\ufe0f", "\u034f"])
    inside = st.tuples(*(st.tuples(invisible, letter).map("".join) for letter in letters)).map("".join)
    blanks = st.text(" \t\u00a0\u2003", max_size=2)
    return st.tuples(blanks, inside, blanks).map("".join)


def _lookalikes():
    """For each letter the characters that are the same to NFKC and case folding."""
    found = {letter: {letter} for letter in "abcdefghijklmnopqrstuvwxyz_1"}
    for code in range(0x20, 0x1F000):
        folded = unicodedata.normalize("NFKC", chr(code)).casefold()
        if folded in found:
            found[folded].add(chr(code))
    return found


LOOKALIKES = _lookalikes()


@pytest.fixture(scope="module")
def shared(protected_stores, tmp_path_factory):
    return occupy(Repository(tmp_path_factory.mktemp("shared"), "jks"), protected_stores)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    alias=st.sampled_from(["sap_root", "sap_cloudintegrationcertificate", "hcicertificate1"]).flatmap(spelled),
    how=st.sampled_from(["root", GENERATED, IMPORTED]),
)
def test_whatever_a_reader_takes_for_saps_is_refused(shared, alias, how):
    shared.declare(declared(alias, how))

    refused(shared, alias)


# ------------------------------------------------------------------------------------------ other ways in


def test_protected_patterns_protect(occupied):
    occupied.declare('aliases: {protected: ["Vendor_*"]}\n' + roots(vendor_root="root.pem"))

    assert "'Vendor_*'" in refused(occupied, "vendor_root")


@pytest.mark.parametrize("pattern", ["!sap_*", "-sap_*", "", "*", "^sap_*", "sap_cloud*", "[!s]ap_*", "~SAP"])
def test_no_pattern_opens_what_sap_owns(occupied, pattern):
    occupied.declare(f"aliases: {{protected: [{json.dumps(pattern)}]}}\n" + roots(SAP_Root="root.pem"))

    refused(occupied, "SAP_Root")


def test_no_other_key_opens_what_sap_owns(occupied):
    lines = ("unprotected: [sap_root]", "absent: [sap_root]", "renamed: {sap_root: mine}", "owner: SAP", "force: true")
    for line in lines:
        occupied.declare(f"aliases: {{{line}}}\n")
        before = occupied.files()

        results = [occupied.run("validate", "keystore.yaml"), occupied.apply()]

        assert {result.code for result in results} <= {1, 4}, line
        assert f"keystore.yaml:{occupied.line_of(line)}:" in results[1].err
        assert occupied.files() == before


@pytest.mark.parametrize(
    ("alias", "how"),
    [("partner", "root"), ("own", "root"), ("plain_root", GENERATED), ("plain_root", IMPORTED), ("Partner", "root")],
)
def test_another_kind_under_a_live_alias_is_refused(occupied, alias, how):
    """Only the keystore tells, so `validate` cannot know."""
    occupied.declare(declared(alias, how))

    assert "kinds are not swapped" in refused(occupied, alias, validate=False)


@pytest.mark.parametrize("store_type", ["jceks", "pkcs12"])
@pytest.mark.parametrize("how", ["root", GENERATED, IMPORTED], ids=["root", "generated", "imported"])
def test_a_secret_key_is_not_written_over(tmp_path, protected_stores, store_type, how):
    repository = occupy(Repository(tmp_path, store_type), protected_stores)
    repository.declare(declared("secret", how))

    assert "secret-key" in refused(repository, "secret", validate=False)


def test_two_spellings_in_the_file_are_refused(occupied):
    occupied.declare(roots(mine="root.pem", MINE="root.pem"))
    before = occupied.files()

    results = [occupied.run("validate", "keystore.yaml"), occupied.plan(), occupied.apply()]

    for result in results:
        assert result.code == 1
        assert f"keystore.yaml:{occupied.line_of('MINE')}:" in result.err
        assert "case does not count" in result.err
    assert occupied.files() == before


def test_the_staging_alias_is_reserved(occupied):
    occupied.declare(roots(**{"partner.next": "root.pem"}))
    before = occupied.files()

    for result in (occupied.run("validate", "keystore.yaml"), occupied.plan(), occupied.apply()):
        assert result.code == 1
        assert f"keystore.yaml:{occupied.line_of('partner.next')}:" in result.err
    assert occupied.files() == before


def test_a_refusal_comes_before_ordinary_mistakes(occupied):
    occupied.declare(roots(sap_x="root.pem", other="missing.pem"))

    result = occupied.run("validate", "keystore.yaml")

    assert result.code == 4
    assert "missing.pem" in result.err
    assert "2 problems" in result.err


def test_an_included_file_is_named(occupied):
    occupied.write("roots/more.yaml", roots(sap_x="../root.pem"))
    occupied.declare("include: [roots/more.yaml]\n")
    before = occupied.files()

    for result in (occupied.run("validate", "keystore.yaml"), occupied.apply()):
        assert result.code == 4
        assert "roots/more.yaml:2:3: refused: " in result.err
    assert occupied.files() == before


def test_no_environment_variable_opens_anything(occupied):
    occupied.declare(roots(SAP_Root="root.pem"))
    before = occupied.files()
    variables = {
        f"RECONCILE_{name}": "1"
        for name in ("FORCE", "APPLY_FORCE", "ALLOW_MASS_CHANGE", "APPLY_ALLOW_MASS_CHANGE", "YES", "UNPROTECTED")
    }

    assert occupied.apply(**variables).code == 4
    assert occupied.files() == before


# ----------------------------------------------------------------------- beside them, ordinary work goes on


def test_ordinary_work_leaves_every_byte_of_theirs(occupied, java_sees):
    occupied.declare(
        'aliases: {protected: ["vendor_*"]}\n' + roots(plain_root="root.pem") + pairs(fresh=GENERATED, mine=IMPORTED)
    )
    before = parts(occupied)

    applied = occupied.apply("--format", "json")

    assert applied.code == 0, applied.err
    assert applied.changes == [("replace", "plain_root"), ("import", "mine"), ("create", "fresh")]
    after = parts(occupied)
    gone = [part for part in before if part not in after]
    assert {part.alias_key for part in gone} == {"plain_root"}
    assert {part.alias_key for part in after if part not in before} == {"plain_root", "mine", "fresh"}
    passwords = {alias: "its own password" if alias == "own" else PASSWORD for alias in (*KEYS, "mine", "fresh")}
    [view] = java_sees([Question(occupied.live, occupied.type, PASSWORD, passwords)])
    assert view.error is None
    assert set(view.opened.values()) == {"EC"}
    leaves = {alias.lower(): entry.chain[:1] for alias, entry in view.entries.items() if entry.chain}
    for alias in KEYS:
        assert leaves[alias] == (pair(alias).sha256,)
    for alias in {*CERTIFICATES} - {"plain_root"}:
        if occupied.type == "pkcs12" or alias != "SAP_Root":  # Java lists what has capitals, and cannot reach it
            assert leaves[alias.lower()] == (authority(alias).sha256,)


def parts(repository):
    container = parse_container(repository.live.read_bytes(), Secret(PASSWORD), origin="live")
    return container.snapshot().parts


def test_every_entry_is_listed_as_what_it_is(occupied):
    occupied.declare('aliases: {protected: ["vendor_*"]}\n')

    entries = {alias.lower(): entry for alias, entry in occupied.entries().items()}

    kinds = dict.fromkeys(KEYS, "key-pair") | {alias.lower(): "trusted-certificate" for alias in CERTIFICATES}
    if occupied.type != "jks":
        kinds["secret"] = "secret-key"
    assert {alias: entry["kind"] for alias, entry in entries.items()} == kinds
    protected = {alias: entry["protected_by"] for alias, entry in entries.items() if entry["protected"]}
    assert protected == {
        "sap_cloudintegrationcertificate": "sap_*", "sap_root": "sap_*", "hcicertificate": "hcicertificate*",
        "vendor_root": "vendor_*",
    }  # fmt: skip
    assert {pattern for pattern in protected.values() if pattern != "vendor_*"} < set(SAP_PATTERNS)


def test_drift_shows_them_as_protected_and_calls_them_no_difference(occupied):
    occupied.declare('aliases: {protected: ["*"]}\n')

    drift = occupied.run("drift", "keystore.yaml", "--format", "json")

    assert drift.code == 0
    [target] = drift.document["targets"]
    assert {finding["status"] for finding in target["findings"]} == {"protected"}
