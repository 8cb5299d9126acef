"""Every case of the x509-limbo corpus gets the verdict that JDK 17 gave."""

from __future__ import annotations

import json
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.host_names import host_name_verdict
from reconciler.trust import evaluate
from reconciler.x509 import certificate, is_signed_by

CASES = json.loads((Path(__file__).parents[1] / "corpus/limbo/cases.json").read_text("utf-8"))["testcases"]


def parsed(pem: str):
    return certificate(ssl.PEM_cert_to_DER_cert(pem))


def chain_of(case):
    return [parsed(pem) for pem in (case["peer_certificate"], *case["untrusted_intermediates"])]


def moment_of(case) -> datetime:
    text = case["validation_time"]
    return datetime.fromisoformat(text) if text else datetime.now(UTC)


def verdict_of(case) -> str:
    chain = chain_of(case)
    anchors = [(f"anchor{number}", parsed(pem)) for number, pem in enumerate(case["trusted_certs"])]
    if not evaluate(chain, anchors, moment_of(case), verify=is_signed_by).is_trusted:
        return "reject"
    host = case["expected_peer_name"]
    fits = host is None or host_name_verdict(chain[0], host["value"]).code == "ok"
    return "accept" if fits else "name"


def test_there_are_149_cases():
    assert len(CASES) == 149


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_verdict_is_that_of_jdk_17(case):
    assert case["jdk17"]["verdict"] == verdict_of(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_java_says_what_was_recorded(case):
    expected = case["jdk17"]["message"]
    chain = chain_of(case)
    anchors = [("anchor", parsed(pem)) for pem in case["trusted_certs"]]
    verdict = evaluate(chain, anchors, moment_of(case), verify=is_signed_by)
    words = verdict.java_message or ""
    if case["jdk17"]["verdict"] == "name":
        words = host_name_verdict(chain[0], case["expected_peer_name"]["value"]).java_message
    # The record has the innermost exception, cut after 100 characters, and the dates of the one about dates.
    text = expected.partition(": ")[2].removeprefix("NAME ") or expected.removeprefix("NAME ")
    if "NotAfter" in text or "NotBefore" in text:
        text = "validity check failed"
    assert text == "Too short" or text in words


def test_no_case_takes_longer_than_a_second():
    slowest = 0.0
    for case in CASES:
        begin = time.perf_counter()
        verdict_of(case)
        slowest = max(slowest, time.perf_counter() - begin)
    assert slowest < 1
