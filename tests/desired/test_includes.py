"""Included files: merged once each, inside the repository, the same alias only with the same meaning."""

from __future__ import annotations

import pytest

from reconciler.desired import mozilla
from reconciler.x509 import to_pem
from tests.desired.conftest import Repository, told

A = next(iter(mozilla.bundle()))
B = list(mozilla.bundle())[1]


def root(pin: str) -> str:
    return f"{{bundle: mozilla, sha256: {pin}}}"


def test_included_files_add_roots_and_key_pairs_with_their_own_lines(repository: Repository) -> None:
    repository.write("roots/common.yaml", f"trustedRoots:\n  a: {root(A)}\n")
    repository.write("pairs.yaml", "keyPairs:\n  c: {subject: {commonName: x}}\n")
    state = repository.state(f"include: [roots/common.yaml, pairs.yaml]\ntrustedRoots:\n  b: {root(B)}\n")

    assert [(one.alias, str(one.source)) for one in state.wanted] == [
        ("b", "keystore.yaml:5:3"),
        ("a", "roots/common.yaml:2:3"),
        ("c", "pairs.yaml:2:3"),
    ]


def test_paths_in_an_included_file_are_relative_to_it(repository: Repository) -> None:
    repository.write("roots/certs/a.pem", to_pem([mozilla.bundle()[A].certificate]))
    repository.write("roots/common.yaml", "trustedRoots: {a: {file: certs/a.pem}}")
    repository.write("shared/more.yaml", "include: [../roots/common.yaml]")
    state = repository.state("include: [../shared/more.yaml]", "states/keystore.yaml")

    assert [(one.alias, one.source.file) for one in state.wanted] == [("a", "roots/common.yaml")]
    assert state.wanted[0].origin == "roots/certs/a.pem"


def test_a_file_that_is_included_twice_counts_once(repository: Repository) -> None:
    repository.write("common.yaml", f"trustedRoots: {{a: {root(A)}}}")
    repository.write("x.yaml", "include: [common.yaml]")
    repository.write("y.yaml", "include: [common.yaml]")

    assert len(repository.state("include: [x.yaml, y.yaml, common.yaml]").wanted) == 1


def test_the_same_alias_with_the_same_meaning_counts_once(repository: Repository) -> None:
    pair = "{subject: {commonName: x}, issuer: {type: self-signed}}"
    repository.write("a.pem", to_pem([mozilla.bundle()[A].certificate]))
    repository.write("x.yaml", f"trustedRoots: {{a: {{file: a.pem}}}}\nkeyPairs: {{p: {pair}}}")
    state = repository.state(f"include: [x.yaml]\nkeyPairs: {{p: {pair}}}\ntrustedRoots: {{a: {root(A)}}}")

    assert [(one.alias, one.source.file) for one in state.wanted] == [("a", "keystore.yaml"), ("p", "keystore.yaml")]


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (f"trustedRoots: {{a: {root(A)}}}", f"trustedRoots: {{a: {root(B)}}}"),
        ("keyPairs: {a: {subject: {commonName: x}}}", "keyPairs: {a: {subject: {commonName: y}}}"),
        ("keyPairs: {a: {subject: {commonName: x}}}", "keyPairs: {a: {subject: {commonName: x}, rekey: false}}"),
    ],
)
def test_the_same_alias_with_another_meaning_is_an_error_with_both_lines(
    repository: Repository, here: str, there: str
) -> None:
    repository.write("x.yaml", "\n" + there)
    [problem] = repository.problems_in(f"include: [x.yaml]\n{here}")

    section = here.index("{a:") + 2
    assert told(problem) == (
        f"x.yaml:2:{section}: [alias-collision] the alias 'a' means something else here than in keystore.yaml, line 4 "
        "(make the two entries equal, or rename one of them)"
    )


def test_another_spelling_in_another_file_is_a_collision(repository: Repository) -> None:
    repository.write("x.yaml", f"trustedRoots: {{A: {root(A)}}}")
    [problem] = repository.problems_in(f"include: [x.yaml]\ntrustedRoots: {{a: {root(A)}}}")

    assert problem.message == "the alias 'A' is the same as 'a' in keystore.yaml:4: case does not count"


def test_the_state_files_protection_covers_included_files(repository: Repository) -> None:
    repository.write("x.yaml", f"trustedRoots: {{vendor_root: {root(A)}, sap_x: {root(B)}}}")
    problems = repository.problems_in("include: [x.yaml]\naliases: {protected: [vendor_*]}")

    assert [(problem.refusal, problem.source.file) for problem in problems if problem.source] == [(True, "x.yaml")] * 2
    assert "`aliases.protected` (keystore.yaml, line 4)" in problems[0].message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("keystore: {}", "x.yaml:1:1: [unknown-key] unknown key 'keystore' at the top of the included file (it belongs into the state file itself, not into an included one)"),
        ("aliases: {protected: [x]}", "x.yaml:1:11: [unknown-key] unknown key 'protected' in `aliases` (it belongs into the state file itself, not into an included one)"),
        ("aliases: {renamed: {x: y}}", "x.yaml:1:11: [unknown-key] unknown key 'renamed' in `aliases` (it belongs into the state file itself, not into an included one)"),
        ("trustedroots: {}", "x.yaml:1:1: [unknown-key] unknown key 'trustedroots' at the top of the included file (did you mean `trustedRoots`?)"),
        ("a: [", "x.yaml:2:1: [yaml] not valid YAML: did not find expected node content (None)"),
        ("", "x.yaml:1:1: [empty] the file is empty (`reconcile init` writes one)"),
    ],
)  # fmt: skip
def test_an_included_file_holds_only_what_several_keystores_can_share(
    repository: Repository, content: str, expected: str
) -> None:
    repository.write("x.yaml", content)

    assert [told(problem) for problem in repository.problems_in("include: [x.yaml]")] == [expected]


def test_the_version_may_stand_in_an_included_file(repository: Repository) -> None:
    repository.write("x.yaml", "apiVersion: reconciler/v1")

    assert repository.state("include: [x.yaml]").wanted == ()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("missing.yaml", "missing.yaml cannot be read: there is no such file"),
        ("../outside.yaml", "../outside.yaml lies outside the repository"),
        ("/etc/passwd", "/etc/passwd lies outside the repository"),
    ],
)
def test_a_file_that_cannot_be_included_is_said_at_its_line(repository: Repository, written: str, message: str) -> None:
    (repository.root.parent / "outside.yaml").write_text("trustedRoots: {}")
    [problem] = repository.problems_in(f"include:\n  - {written}\n")

    assert problem.message.startswith(message)
    assert str(problem.source) == "keystore.yaml:4:5"


def test_files_that_include_each_other_are_an_error_with_both_lines(repository: Repository) -> None:
    repository.write("x.yaml", "\ninclude: [y.yaml]")
    repository.write("y.yaml", "\n\ninclude: [x.yaml]")
    [problem] = repository.problems_in("include: [x.yaml]")

    assert told(problem) == (
        "y.yaml:3:11: [include] x.yaml includes itself, by way of keystore.yaml, line 3 "
        "(take one of the two `include` lines out)"
    )


def test_a_file_that_includes_itself_through_a_link_is_noticed(repository: Repository) -> None:
    (repository.root / "again.yaml").symlink_to("keystore.yaml")
    [problem] = repository.problems_in("include: [again.yaml]")

    assert "includes itself" in problem.message


def test_includes_are_not_nested_without_end(repository: Repository) -> None:
    for n in range(100):
        repository.write(f"i{n}.yaml", f"include: [i{n + 1}.yaml]")
    [problem] = repository.problems_in("include: [i0.yaml]")

    assert problem.message == "includes nested deeper than 16 files"


def test_problems_come_in_the_order_in_which_the_files_are_named(repository: Repository) -> None:
    repository.write("b.yaml", "x: 1\ninclude: [c.yaml]\ny: 1")
    repository.write("c.yaml", "x: 1")
    repository.write("a.yaml", "x: 1")
    problems = repository.problems_in("include: [b.yaml, a.yaml]\nx: 1\n")

    assert [str(problem.source) for problem in problems] == [
        "keystore.yaml:4:1",
        "b.yaml:1:1",
        "b.yaml:3:1",
        "c.yaml:1:1",
        "a.yaml:1:1",
    ]
