"""The section `policy`: one policy for one keystore, whichever files its lines stand in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model import Policy, PolicyLevel
from tests.desired.conftest import told

if TYPE_CHECKING:
    from tests.desired.conftest import Repository


def test_a_policy_is_read(repository: Repository) -> None:
    state = repository.state("policy: {checks: {weak-rsa: error, same-certificate: off}, maximumValidity: 398d}\n")
    levels = {"weak-rsa": PolicyLevel.ERROR, "same-certificate": PolicyLevel.OFF}
    assert state.policy == Policy(levels, timedelta(days=398))
    assert repository.state().policy == Policy()


def test_a_shared_policy_is_included_and_added_to(repository: Repository) -> None:
    repository.write("policy.yaml", "policy: {checks: {weak-rsa: error}, maximumValidity: 90d}\n")
    state = repository.state("include: [policy.yaml]\npolicy: {checks: {weak-rsa: error, chain-order: note}}\n")
    assert state.policy.levels == {"weak-rsa": PolicyLevel.ERROR, "chain-order": PolicyLevel.NOTE}
    assert state.policy.maximum_validity == timedelta(days=90)


def test_two_files_that_contradict_each_other_name_both_lines(repository: Repository) -> None:
    repository.write("policy.yaml", "policy:\n  checks:\n    weak-rsa: note\n  maximumValidity: 90d\n")
    body = "include: [policy.yaml]\npolicy: {checks: {weak-rsa: error}, maximumValidity: 91d}\n"
    assert [told(one) for one in repository.problems_in(body)] == [
        ("policy.yaml:3:15: [policy-twice] `policy.checks.weak-rsa` is 'note' here and something else in keystore.yaml, "
        "line 4 (one policy for one keystore: keep one of the two lines)"),
        ("policy.yaml:4:20: [policy-twice] `policy.maximumValidity` is '90d' here and something else in keystore.yaml, "
        "line 4 (one policy for one keystore: keep one of the two lines)"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "policy: {checks: {weak-rsaa: error}}",
            "3:19: [unknown-key] unknown key 'weak-rsaa' in `policy.checks` (did you mean `weak-rsa`?)",
        ),
        (
            "policy: {weak-rsa: error}",
            "3:10: [unknown-key] unknown key 'weak-rsa' in `policy` (it belongs below `policy.checks`)",
        ),
        (
            "policy: {checks: {weak-rsa: eror}}",
            ("3:29: [wrong-value] `policy.checks.weak-rsa` is 'eror': must be one of error, warning, note, off "
            "(did you mean `error`?)"),
        ),
        (
            "policy: {maximumvalidity: 1d}",
            "3:10: [unknown-key] unknown key 'maximumvalidity' in `policy` (did you mean `maximumValidity`?)",
        ),
        (
            "policy: {maximumValidity: 1y}",
            ("3:27: [wrong-value] `policy.maximumValidity` is '1y': must be a duration: a whole number with d, h or m, "
            "such as 398d (None)"),
        ),
        (
            "policy: {maximumValidity: 99999999d}",
            "3:27: [wrong-value] `policy.maximumValidity` must lie between 1m and 36525d (None)",
        ),
        (
            "policy: []",
            "3:9: [wrong-type] `policy` is a list: must be a mapping (`key: value` lines) (None)",
        ),
        (
            "policy: {checks: }",
            ("3:18: [wrong-type] `policy.checks` is empty: must be a mapping (`key: value` lines) "
            "(write {} or take the key out)"),
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_line(repository: Repository, body: str, expected: str) -> None:
    assert [told(one) for one in repository.problems_in(body)] == [f"keystore.yaml:{expected}"]
