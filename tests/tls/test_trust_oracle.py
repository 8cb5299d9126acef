"""Our verdicts beside those of a real JDK, in one start each: the limbo corpus and chains out of the ordinary."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.host_names import host_name_verdict
from reconciler.trust import evaluate
from reconciler.x509 import certificate, is_signed_by
from tests.conftest import NEWER_JAVA
from tests.tls import jdk
from tests.tls.catalogue import DOCUMENT
from tests.tls.odd_cases import Case, all_cases
from tests.unit.test_trust_limbo import CASES, chain_of, moment_of, parsed

# What later releases decide otherwise than JDK 17.0.15, the release of the record. docs/connect.md explains each.
SINCE_17_0_15 = {
    "cve::cve-2025-61727": "a wildcard that covers an excluded name is refused by the security updates of 2026",
    "rfc5280::nc::nc-forbids-dnsname-wildcard-san": "as above",
    "name constraints: wildcard that covers an excluded host": "as above",
}
SINCE_25 = {
    "malformed: purposes": "JDK 25 refuses a purpose extension that it cannot parse; JDK 17 ignores it",
    "host 10: server.a.example and DNS:server.*.example": "JDK 25 allows wildcards in the first label only (RFC 9525)",
    "host 11: server.a.example and DNS:*.*.example": "as above",
}
WORDS_DIFFER = {
    "malformed: critical alternative names": "the words of the JDK's own parser: not enough content",
    "malformed: critical key usage": "as above",
}


def _limbo() -> list[tuple[str, jdk.Question]]:
    return [
        (
            case["id"],
            jdk.Question(
                tuple(one.der for one in chain_of(case)),
                tuple(parsed(pem).der for pem in case["trusted_certs"]),
                moment_of(case),
                case["expected_peer_name"]["value"] if case["expected_peer_name"] else None,
            ),
        )
        for case in CASES
    ]


def _odd(case: Case) -> tuple[str, jdk.Question]:
    chain, anchors = tuple(one.der for one in case.chain), tuple(one.der for one in case.anchors)
    return case.name, jdk.Question(chain, anchors, case.now, case.host)


def _ours(question: jdk.Question) -> jdk.Answer:
    chain = [certificate(der) for der in question.chain]
    anchors = [(f"entry{number}", certificate(der)) for number, der in enumerate(question.anchors)]
    verdict = evaluate(chain, anchors, question.now, verify=is_signed_by)
    if not verdict.is_trusted:
        return jdk.Answer("reject", verdict.java_message or "")
    name = host_name_verdict(chain[0], question.host) if question.host else None
    if name is not None and name.code != "ok":
        return jdk.Answer("name", name.java_message or "")
    return jdk.Answer("accept", "")


@pytest.fixture(scope="module")
def questions() -> list[tuple[str, jdk.Question]]:
    return [*_limbo(), *map(_odd, all_cases())]


@pytest.fixture(scope="module")
def ours(questions) -> dict[str, jdk.Answer]:
    return {name: _ours(question) for name, question in questions}


def _compare(java, questions, ours, explained, capsys) -> dict[str, jdk.Answer]:
    names = [name for name, _ in questions]
    theirs = dict(zip(names, jdk.ask(java, [question for _, question in questions]), strict=True))
    differing = {name for name in names if theirs[name].verdict != ours[name].verdict}
    with capsys.disabled():
        count = f"{len(names) - len(differing)} of {len(names)} verdicts agree, {len(differing)} explained"
        print(f"\n{java}: {count}")  # the count is what the test is to show
    assert set() == differing - set(explained)
    return theirs


def test_the_documentation_counts_the_cases(questions):
    text = DOCUMENT.read_text("utf-8")
    assert f"of {len(questions)} |" in text
    assert f"{len(all_cases())} own chains" in text


def test_every_case_has_its_own_name(questions):
    assert len(questions) == len({name for name, _ in questions})


def test_verdicts_and_words_are_those_of_the_installed_jdk_17(java, questions, ours, capsys):
    theirs = _compare(java, questions, ours, SINCE_17_0_15, capsys)
    odd_words = {
        name
        for name, answer in theirs.items()
        if answer.verdict == ours[name].verdict != "accept" and ours[name].words not in answer.words
    }
    assert set() == odd_words - set(WORDS_DIFFER)


def test_verdicts_are_those_of_a_newer_jdk_where_one_is_installed(questions, ours, capsys):
    newer = NEWER_JAVA / "java"
    explained = SINCE_17_0_15 | SINCE_25
    if Path(newer).exists():
        _compare(str(newer), questions, ours, explained, capsys)
    assert len(explained) == 6
