"""Which aliases may be declared, and how the others are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.aliases import is_plain
from reconciler.ownership import alias_key
from tests.desired.conftest import HEAD, Repository, told

CERTIFICATE = "{subject: {commonName: x}}"


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        ("''", "the alias '' is empty"),
        ("'  '", "the alias '  ' is empty"),
        ("' a'", "the alias ' a' begins or ends with a blank"),
        ("'a '", "the alias 'a ' begins or ends with a blank"),
        (r'"a\tb"', r"the alias 'a\tb' contains the character U+0009, which cannot be seen"),
        (r'"a\u202Eb"', r"the alias 'a\u202eb' contains the character U+202E, which cannot be seen"),
        (r'"a\u2028b"', r"the alias 'a\u2028b' contains the character U+2028, which cannot be seen"),
        ("a" * 251, f"the alias '{'a' * 63}…' has 251 characters; at most 250 are allowed"),
        ("a.next", "the alias 'a.next' ends in `.next`, where renewed key pairs wait"),
        ("a.NEXT", "the alias 'a.NEXT' ends in `.next`, where renewed key pairs wait"),
    ],
)
def test_an_alias_that_surprises_is_refused_with_the_reason(repository: Repository, alias: str, reason: str) -> None:
    problems = repository.problems_in(f"keyPairs:\n  ? {alias}\n  : {CERTIFICATE}\n")

    assert [(p.message, str(p.source), p.refusal) for p in problems] == [(reason, "keystore.yaml:4:5", False)]


@pytest.mark.parametrize(
    "alias", ["123", "true", "[1]_name", "ключ", "a b", "a/b;c\\d", "x" * 250, "sap", "my_sap_root", "=", "👩‍💻"]
)
def test_an_alias_that_is_merely_unusual_is_kept_as_it_is(repository: Repository, alias: str) -> None:
    [wanted] = repository.state(f"keyPairs:\n  '{alias}': {CERTIFICATE}\n").wanted

    assert wanted.alias == alias
    assert wanted.source.line == 4


@given(st.text(max_size=260))
def test_a_plain_alias_has_no_blank_at_its_ends_and_nothing_that_moves_the_cursor(alias: str) -> None:
    if is_plain(alias):
        assert alias.strip() == alias != ""
        assert len(alias) <= 250
        assert not any(character in "\0\t\n\r\x1b\u202e\u2028" for character in alias)


# ----------------------------------------------------------------------------------------------- protected


@pytest.mark.parametrize("section", ["trustedRoots", "keyPairs"])
@pytest.mark.parametrize(
    ("alias", "pattern"),
    [
        ("sap_cloudintegrationcertificate", "sap_*"),
        ("SAP_Root", "sap_*"),
        ("hcicertificate", "hcicertificate*"),
        ("HciCertificate1", "hcicertificate*"),
        ("hcimsgcertificate", "hcimsgcertificate*"),
    ],
)
def test_saps_aliases_are_refused_in_any_case_with_the_pattern_and_the_line(
    repository: Repository, section: str, alias: str, pattern: str
) -> None:
    problems = repository.problems_in(f"{section}:\n  {alias}: {{file: missing}}\n")
    [refusal] = [problem for problem in problems if problem.refusal]

    assert refusal.message == f"the alias '{alias}' is protected by the pattern '{pattern}' of SAP's own entries"
    assert str(refusal.source) == "keystore.yaml:4:3"


@pytest.mark.parametrize(
    "alias",
    ["ſap_x", "ｓａｐ_x", "s\u200bap_x", "𝐬𝐚𝐩_x", "ＨＣＩcertificate"],  # look-alikes
)
def test_an_alias_that_looks_like_saps_is_refused(repository: Repository, alias: str) -> None:
    [problem] = repository.problems_in(f"keyPairs:\n  {alias}: {CERTIFICATE}\n")

    assert problem.refusal
    assert "imitates the protected pattern" in problem.message


def test_the_files_own_patterns_are_refused_with_the_line_that_protects(repository: Repository) -> None:
    [problem] = repository.problems_in("""\
        aliases:
          protected: ["other", "Vendor_?[1]*"]
        keyPairs:
          VENDOR_x[1]y: {subject: {commonName: x}}
          vendor_xx1y: {subject: {commonName: x}}
        """)

    assert told(problem) == (
        "keystore.yaml:6:3: [protected] the alias 'VENDOR_x[1]y' is protected by the pattern 'Vendor_?[1]*' of "
        "`aliases.protected` (keystore.yaml, line 4) (take the entry out of the file, or the pattern out of "
        "`aliases.protected`)"
    )


def test_a_pattern_with_many_stars_is_judged_quickly(repository: Repository) -> None:
    pattern = "*a" * 120
    state = repository.state(f"aliases: {{protected: ['{pattern}']}}\nkeyPairs: {{{'a' * 100}: {CERTIFICATE}}}\n")

    assert len(state.wanted) == 1


def test_a_refusal_wins_over_mistakes_for_the_exit_code(repository: Repository) -> None:
    from reconciler.desired import load
    from reconciler.errors import DesiredStateError

    repository.write("keystore.yaml", HEAD + "foo: 1\ntrustedRoots: {sap_x: 5}\n")
    with pytest.raises(DesiredStateError) as caught:
        load("keystore.yaml")

    assert [problem.code for problem in caught.value.problems] == ["unknown-key", "protected", "wrong-type"]
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (f"keyPairs: {{a: {CERTIFICATE}, A: {CERTIFICATE}}}", 1),
        (f"keyPairs: {{a.next: {CERTIFICATE}}}", 1),
        (f"keyPairs: {{SAP_a: {CERTIFICATE}, sap_a: {CERTIFICATE}}}", 4),
        (f"keyPairs: {{sap_a.next: {CERTIFICATE}}}", 4),
    ],
    ids=["two spellings", "reserved", "two spellings of a protected one", "reserved and protected"],
)
def test_a_mistake_is_one_and_a_protected_alias_is_four(repository: Repository, body: str, code: int) -> None:
    from reconciler.desired import load
    from reconciler.errors import DesiredStateError

    repository.write("keystore.yaml", HEAD + body + "\n")
    with pytest.raises(DesiredStateError) as caught:
        load("keystore.yaml")

    assert caught.value.exit_code == code


# ---------------------------------------------------------------------------------------------- collisions


def test_two_spellings_of_one_alias_are_an_error_with_both_lines(repository: Repository) -> None:
    [problem] = repository.problems_in(f"keyPairs:\n  Straße: {CERTIFICATE}\n  STRAßE: {CERTIFICATE}\n")

    assert told(problem) == (
        "keystore.yaml:5:3: [alias-collision] the alias 'STRAßE' is the same as 'Straße' in line 4: case does not count "
        "(an alias is one entry: rename one of the two)"
    )


def test_an_alias_in_two_sections_is_an_error_with_both_lines(repository: Repository) -> None:
    problems = repository.problems_in(f"trustedRoots:\n  a: {{file: x}}\nkeyPairs:\n  A: {CERTIFICATE}\n")

    assert [(p.message, str(p.source)) for p in problems if p.code == "alias-collision"] == [
        ("the alias 'A' stands under `keyPairs` here and under `trustedRoots` in line 4", "keystore.yaml:6:3")
    ]


def test_aliases_that_only_look_alike_are_two(repository: Repository) -> None:
    state = repository.state(
        f"keyPairs: {{straße: {CERTIFICATE}, strasse: {CERTIFICATE}, e\u0301: {CERTIFICATE}, é: {CERTIFICATE}}}"
    )

    assert len({alias_key(one.alias) for one in state.wanted}) == 4
