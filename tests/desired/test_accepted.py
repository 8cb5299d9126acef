"""The section `accepted`: read from the state file and from what it includes, and wrong in many ways."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from reconciler.model import Status
from tests.desired.conftest import told

if TYPE_CHECKING:
    from tests.desired.conftest import Repository

PIN = "ab" * 32
COLONS = ":".join(["AB"] * 32)
WHO = "reason: it moves, owner: team, until: 2027-03-31"


def test_an_acceptance_is_read_with_its_line(repository: Repository) -> None:
    state = repository.state(f"""\
        accepted:
          - alias: Legacy
            sha256: "{COLONS}"
            status: differs
            fields: [key-spec]
            reason: it moves
            owner: team
            until: 2027-03-31
        """)
    (one,) = state.accepted
    assert (one.alias, one.sha256, one.status, one.fields) == ("Legacy", PIN, Status.DIFFERS, frozenset({"key-spec"}))
    assert (one.reason, one.owner, one.until) == ("it moves", "team", date(2027, 3, 31))
    assert str(one.source) == "keystore.yaml:4:5"


def test_a_file_may_hold_nothing_but_acceptances_and_be_included(repository: Repository) -> None:
    repository.write("drift/accepted.yaml", f"accepted:\n- {{alias: a, sha256: {PIN}, {WHO}}}\n")
    state = repository.state(f"include: [drift/accepted.yaml]\naccepted: [{{alias: b, sha256: {PIN}, {WHO}}}]\n")
    assert [(one.alias, one.source.file) for one in state.accepted] == [
        ("b", "keystore.yaml"), ("a", "drift/accepted.yaml"),
    ]  # fmt: skip


def test_the_same_in_two_files_counts_once(repository: Repository) -> None:
    line = f"accepted: [{{alias: a, sha256: {PIN}, {WHO}}}]\n"
    repository.write("accepted.yaml", line)
    assert len(repository.state(f"include: [accepted.yaml]\n{line}").accepted) == 1


def test_two_that_contradict_each_other_name_both_lines(repository: Repository) -> None:
    repository.write("accepted.yaml", f"accepted:\n- {{alias: A, sha256: {PIN}, {WHO}}}\n")
    repository.write("keystore.yaml", "")
    body = f"include: [accepted.yaml]\naccepted: [{{alias: a, sha256: {PIN}, {WHO.replace('team', 'others')}}}]\n"
    (problem,) = repository.problems_in(body)
    assert told(problem) == (
        "accepted.yaml:2:3: [accepted-twice] the same finding of 'A' is accepted otherwise in keystore.yaml, line 4 "
        "(keep one of the two)"
    )


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (f"{{alias: a, {WHO}}}", "`accepted[0]` needs `sha256`"),
        (f"{{alias: a, sha256: {PIN}, reason: x, owner: y}}", "`accepted[0]` needs `until`"),
        (f"{{alias: a, sha256: nonsense, {WHO}}}", "must be a SHA-256"),
        (f"{{alias: a, sha256: {PIN}, {WHO.replace('03-31', '02-30')}}}", "there is no such day as '2027-02-30'"),
        (f"{{alias: a, sha256: {PIN}, {WHO.replace('2027-03-31', 'spring')}}}", "must be a day such as 2027-03-31"),
        (f"{{alias: a, sha256: {PIN}, status: protected, {WHO}}}", "must be one of differs, unmanaged"),
        (f"{{alias: a, sha256: {PIN}, status: missing, {WHO}}}", "must be one of differs, unmanaged"),
        (f"{{alias: a, sha256: {PIN}, comment: x, {WHO}}}", "unknown key 'comment' in `accepted[0]`"),
        (f"{{alias: a, sha256: {PIN}, {WHO.replace('team', chr(39) * 2)}}}", "`accepted[0].owner`"),
        ("text", "must be a mapping"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(repository: Repository, item: str, expected: str) -> None:
    (problem,) = repository.problems_in(f"accepted:\n- {item}\n")
    assert expected in problem.message
    assert problem.source is not None
    assert problem.source.line == 4


@pytest.mark.parametrize("word", ["expires", "expiry", "validUntil"])
def test_another_word_for_the_day_gets_the_right_one_as_a_hint(repository: Repository, word: str) -> None:
    item = f"{{alias: a, sha256: {PIN}, {WHO.replace('until', word)}}}"
    hints = {problem.message: problem.hint for problem in repository.problems_in(f"accepted:\n- {item}\n")}
    assert hints[f"unknown key '{word}' in `accepted[0]`"] == "did you mean `until`?"


@pytest.mark.parametrize("value", ["{}", "null", "text", "[[]]"])
def test_a_section_of_another_shape_is_an_error_and_no_crash(repository: Repository, value: str) -> None:
    assert repository.problems_in(f"accepted: {value}\n")
