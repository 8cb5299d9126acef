"""Entries that must go or get another name: what contradicts that is said with both lines."""

from __future__ import annotations

import pytest

from reconciler.desired import load
from reconciler.errors import DesiredStateError
from reconciler.model import Unmanaged
from tests.desired.conftest import HEAD, Repository, told

PAIR = "{subject: {commonName: x}}"


def test_absent_and_renamed_are_kept_with_their_lines(repository: Repository) -> None:
    state = repository.state("""\
        aliases:
          absent: [Old Root, 123]
          renamed:
            c4c: c4c_client
            "a ": b
          unmanaged: prune
        """)

    assert [(one.alias, str(one.source)) for one in state.absent] == [
        ("Old Root", "keystore.yaml:4:12"),
        ("123", "keystore.yaml:4:22"),
    ]
    assert [(one.old, one.new, str(one.source)) for one in state.renamed] == [
        ("c4c", "c4c_client", "keystore.yaml:6:5"),
        ("a ", "b", "keystore.yaml:7:5"),
    ]
    assert state.unmanaged is Unmanaged.PRUNE


def test_an_entry_that_is_only_removed_may_be_called_anything(repository: Repository) -> None:
    state = repository.state(r'aliases: {absent: [" a", "b\tc", "d\u202Ee", ' + "x" * 300 + "]}")

    assert [one.alias for one in state.absent] == [" a", "b\tc", "d\u202ee", "x" * 300]


def test_included_files_may_say_what_is_absent_and_the_same_counts_once(repository: Repository) -> None:
    repository.write("x.yaml", "aliases: {absent: [a, b]}")
    state = repository.state("include: [x.yaml]\naliases: {absent: [b, c, c]}")

    assert [(one.alias, str(one.source)) for one in state.absent] == [
        ("b", "keystore.yaml:4:20"),
        ("c", "keystore.yaml:4:23"),
        ("a", "x.yaml:1:20"),
    ]


def test_a_renamed_entry_may_be_declared_under_its_new_name(repository: Repository) -> None:
    state = repository.state(f"aliases: {{renamed: {{old: new}}}}\nkeyPairs: {{New: {PAIR}}}")

    assert [one.new for one in state.renamed] == ["new"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        # contradictions with what is declared
        ("absent: [A]", ["3:20: [alias-collision] the alias 'A' stands under `aliases.absent` here and under `keyPairs` in line 4 (an alias is one entry: take one of the two out)"]),
        ("renamed: {a: b}", ["3:21: [alias-collision] the alias 'a' stands under `aliases.renamed` here and under `keyPairs` in line 4 (an alias is one entry: take one of the two out)"]),
        # among each other
        ("absent: [b, B]", ["3:23: [alias-collision] the alias 'B' is the same as 'b' in line 3: case does not count (an alias is one entry: take one of the two out)"]),
        ("absent: [b], renamed: {B: c}", ["3:34: [alias-collision] the alias 'B' stands under `aliases.renamed` here and under `aliases.absent` in line 3 (an alias is one entry: take one of the two out)"]),
        ("absent: [b], renamed: {c: B}", ["3:34: [rename] 'c' is to become 'B', which must not exist (keystore.yaml, line 3) (take one of the two out)"]),
        ("renamed: {b: c, c: d}", ["3:21: [rename] 'b' is to become 'c', which keystore.yaml, line 3 renames as well (rename in one step to the last name; for a swap, rename through a third name, in two runs)"]),
        ("renamed: {c: d, b: C}", ["3:27: [rename] 'b' is to become 'C', which keystore.yaml, line 3 renames as well (rename in one step to the last name; for a swap, rename through a third name, in two runs)"]),
        ("renamed: {b: c, C: B}", [
            "3:21: [rename] 'b' is to become 'c', which keystore.yaml, line 3 renames as well (rename in one step to the last name; for a swap, rename through a third name, in two runs)",
            "3:27: [rename] 'C' is to become 'B', which keystore.yaml, line 3 renames as well (rename in one step to the last name; for a swap, rename through a third name, in two runs)",
        ]),
        ("renamed: {b: x, c: X}", ["3:27: [rename] 'c' is to become 'X', as does 'b' in keystore.yaml, line 3 (take one of the two out)"]),
        ("renamed: {b: x, B: y}", ["3:27: [alias-collision] the alias 'B' is the same as 'b' in line 3: case does not count (an alias is one entry: take one of the two out)"]),
        ("renamed: {b: B}", ["3:21: [rename] 'b' is to become 'B', which is the same alias: case does not count (take the line out)"]),
        # names
        ("absent: ['']", ["3:20: [wrong-value] `aliases.absent[0]` is '': must not be empty (None)"]),
        ("absent: [' ']", ["3:20: [alias-unfit] the alias ' ' is empty (give the entry a name)"]),
        ("absent: [b.next]", ["3:20: [alias-reserved] the alias 'b.next' ends in `.next`, where renewed key pairs wait (it comes and goes with its key pair: take the line out)"]),
        ("renamed: {b.NEXT: c}", ["3:21: [alias-reserved] the alias 'b.NEXT' ends in `.next`, where renewed key pairs wait (it comes and goes with its key pair: take the line out)"]),
        ("renamed: {b: c.next}", ["3:24: [alias-reserved] the alias 'c.next' ends in `.next`, where renewed key pairs wait (choose another ending)"]),
        ("renamed: {b: ' c'}", ["3:24: [alias-unfit] the alias ' c' begins or ends with a blank (take the blanks out)"]),
        (r'renamed: {b: "c\u202e"}', [r"3:24: [alias-unfit] the alias 'c\u202e' contains the character U+202E, which cannot be seen (take it out)"]),
    ],
)  # fmt: skip
def test_a_rule_that_contradicts_another_is_an_error_with_both_lines(
    repository: Repository, rules: str, expected: list[str]
) -> None:
    problems = repository.problems_in(f"aliases: {{{rules}}}\nkeyPairs: {{a: {PAIR}}}\n")

    assert [told(problem) for problem in problems] == [f"keystore.yaml:{one}" for one in expected]


def test_a_line_in_an_included_file_is_named_with_its_file(repository: Repository) -> None:
    repository.write("x.yaml", "\naliases: {absent: [b, a]}")
    problems = repository.problems_in(f"include: [x.yaml]\naliases: {{renamed: {{c: b}}}}\nkeyPairs: {{a: {PAIR}}}")

    assert [told(problem) for problem in problems] == [
        "keystore.yaml:4:21: [rename] 'c' is to become 'b', which must not exist (x.yaml, line 2) (take one of the two out)",
        (
            "x.yaml:2:23: [alias-collision] the alias 'a' stands under `aliases.absent` here and under `keyPairs` in "
            "keystore.yaml:5 (an alias is one entry: take one of the two out)"
        ),
    ]


LOOK_ALIKES = ["ſap_x", "ｓａｐ_x"]  # to Java they are other aliases


@pytest.mark.parametrize(
    "alias", ["sap_root", "SAP_x", "hcicertificate1", '" sap_x"', "vendor_x", "VENDOR_1", *LOOK_ALIKES]
)
@pytest.mark.parametrize("rule", ["absent: [%s]", "renamed: {%s: b}", "renamed: {b: %s}"])
def test_protected_entries_are_neither_removed_nor_renamed_nor_replaced(
    repository: Repository, rule: str, alias: str
) -> None:
    repository.write("keystore.yaml", HEAD + f"aliases:\n  protected: ['vendor_*']\n  {rule % alias}\n")
    with pytest.raises(DesiredStateError) as caught:
        load("keystore.yaml")

    [problem] = caught.value.problems
    assert (problem.code, problem.refusal, caught.value.exit_code) == ("protected", True, 4)
    assert str(problem.source).startswith("keystore.yaml:5:")
    assert ("vendor_*" if "vendor" in alias.lower() else "of SAP's own entries") in problem.message


def test_the_way_out_of_a_protected_alias_fits_the_rule(repository: Repository) -> None:
    problems = repository.problems_in("aliases: {absent: [sap_a], renamed: {sap_b: x, y: sap_c}}")

    assert [(problem.hint or "").rpartition("; ")[2] for problem in problems] == [
        "take the line out",
        "take the line out",
        "choose another alias",
    ]


def test_many_rules_are_judged_quickly(repository: Repository) -> None:
    absent = ", ".join(f"a{n}" for n in range(5000))
    renamed = ", ".join(f"r{n}: n{n}" for n in range(5000))
    state = repository.state(f"aliases: {{absent: [{absent}], renamed: {{{renamed}}}}}")

    assert (len(state.absent), len(state.renamed)) == (5000, 5000)
