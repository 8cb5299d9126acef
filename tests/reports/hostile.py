"""What an attacker, a careless tool or another alphabet can put into an alias, a subject, a path or a message."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from reconciler.model import (
    Acceptance,
    Accepted,
    Action,
    Affect,
    Change,
    DesiredState,
    Difference,
    Expiry,
    Failure,
    Finding,
    KeystoreTarget,
    Outcome,
    OutcomeStatus,
    PolicyFinding,
    PolicyLevel,
    Receiver,
    ReceiverNote,
    ReceiverStatus,
    ReceiverVerdict,
    Report,
    Snapshot,
    Source,
    Status,
    StoreType,
    TargetPlan,
    TargetReport,
)
from tests.builders import NOW, certificate, entry, key_pair, wanted_certificate

TEXTS = {
    "script": "<script>alert(1)</script>",
    "script end": "</script><script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'y',
    "comment": "--> <!-- --> <b>",
    "cdata": "]]> <![CDATA[ x",
    "entity": "&lt;b&gt; &amp; &#60;",
    "template": "{{ 7*7 }} {% raw %} ${7*7} #{7*7}",
    "pipe": "a|b\\|c\\\\|d",
    "back-ticks": "`code` ``` ~~~ \\`",
    "markdown": "# *bold* _it_ [link](http://evil.example) ![i](http://evil.example/i.png) ~~s~~ $a$ :smile:",
    "mention": "@octocat cc @org/team #123 GH-7 user@evil.example",
    "address": "http://evil.example/x https://evil.example www.evil.example",
    "list": "- item",
    "number": "1. item",
    "quote": "> quote",
    "line break": "one\ntwo\r\nthree\rfour\u2028five\u2029six\x0bseven\x0ceight\x85nine",
    "escape sequence": "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x9b2J",
    "carriage return": "safe\rEVIL",
    "backspace": "abc\b\b\bxyz",
    "right to left": "abc\u202egnp.exe\u2066x\u2069 \u200f\u061c",
    "invisible": "ad\u200bmin\u00ad\u2060\ufeff\u3164\U000e0041",
    "emoji": "\U0001f512 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f",
    "accents": "Zürich Łódź 株式会社 Ελλάδα a\u0301\u0302\u0303",
    "quotes": "'single' \"double\" “typographic” \\ backslash",
    "nothing": "\x00a\x00",
    "lone surrogates": "\ud800 \udfff \udc80",
    "noncharacters": "\ufffe \uffff \ufdd0 \U0001ffff",
    "long": "x" * 250,
    "long and wide": "長" * 250,
    "braces": "{0} {1} {{x}} [text](1)",
    "calendar": "a;b,c:d\\n\\;e\nEND:VEVENT\nBEGIN:VEVENT",
    "metrics": 'x"} 1\nevil_metric{a="b',
    "blanks": "  leading and trailing  ",
    "empty": "",
}


def target(name: str, text: str) -> TargetReport:
    """A keystore in which everything that comes from outside is `text`."""
    one = certificate(text, issuer=f"{text} issuer", subject_attributes=(("CN", text),), subject_alt_names=(text,),
                      serial=255, problem=None)  # fmt: skip
    other = certificate(f"{text} other", subject_attributes=(("CN", text),), key="key-2",
                        not_after=NOW + timedelta(days=12))  # fmt: skip
    source = Source(text or "x", 3, 5)
    wanted = replace(wanted_certificate(text, one), source=source, origin=text)
    live = entry(text, other, note=text)
    pair = key_pair(text + "2", other, one)
    differs = Finding(text, Status.DIFFERS, "certificate", text, Expiry.EXPIRING,
                      (Difference("certificate", text, text + "!"),), wanted, live, source)  # fmt: skip
    findings = (
        differs,
        Finding(text + "2", Status.UNMANAGED, "unmanaged", text, Expiry.EXPIRED, (), None, pair),
        Finding(text + "3", Status.PROTECTED, "protected", text, Expiry.OK, (), None, entry(text + "3", owner=text)),
        Finding(
            text + "4", Status.MISSING, "missing", text, Expiry.OK, (), replace(wanted, alias=text + "4"), None, source
        ),
        accepted(text, entry(text + "5", one), source),
        Finding(
            text + "6", Status.READY_TO_ACTIVATE, "awaiting-approval", text, Expiry.OK, (), wanted, live, source,
            receivers=(text, text),
        ),
    )  # fmt: skip
    told = tuple(PolicyFinding(check, level, text, text, text, source if level != "note" else None)
                 for level, check in ((PolicyLevel.ERROR, "weak-rsa"), (PolicyLevel.NOTE, "same-certificate")))  # fmt: skip
    there = Receiver(text, text, source, text, text)
    note = ReceiverNote("expired", text, text, text)
    verdict = ReceiverVerdict(there, ReceiverStatus.UNTRUSTED, text, text, differences=(note,), warnings=(note,))
    affect = Affect(text, (one.sha256,), (one.sha256, other.sha256))
    change = Change(
        Action.REPLACE,
        text,
        "certificate",
        text,
        source,
        wanted,
        live,
        (affect,),
        certificate_change=text or None,
        warnings=(text,),
        receivers=(text,),
        new_alias=None,
    )
    desired = DesiredState(text, KeystoreTarget(StoreType.JKS, text, source), (wanted,))
    plan = TargetPlan(desired, Snapshot(StoreType.JKS, entries=(live, pair), warnings=(text,)), findings, (change,),
                      (verdict,), (text,), told)  # fmt: skip
    return TargetReport(f"{name} {text}", text, StoreType.JKS, plan, notes=(text,))


def accepted(text: str, live: Any, source: Source) -> Finding:
    """An accepted finding whose owner and reason are somebody's text."""
    by = Accepted(text, "0" * 64, text, text, date(2026, 9, 30), source)
    acceptance = Acceptance(by, Status.UNMANAGED, "unmanaged", text)
    return Finding(live.alias, Status.ACCEPTED, "accepted", text, Expiry.OK, (), None, live, None,
                   acceptance=acceptance)  # fmt: skip


def failed(name: str, text: str) -> TargetReport:
    failure = Failure(text, text, text, 4, ((text, text, text), (text, None, None)))
    return TargetReport(f"{name} failed {text}", text, StoreType.JKS, failure=failure)


def applied(one: TargetReport, text: str) -> TargetReport:
    plan: Any = one.plan
    change = plan.changes[0]
    outcomes = (
        Outcome(change, OutcomeStatus.APPLIED, text, entry(text, certificate(text))),
        Outcome(replace(change, alias=text + "4"), OutcomeStatus.FAILED, text),
    )
    return replace(one, outcomes=outcomes)


def report(command: str, texts: dict[str, str] | None = None) -> Report:
    """All of it in one report."""
    chosen = TEXTS if texts is None else texts
    targets: list[TargetReport] = []
    for name, text in chosen.items():
        one = target(name, text)
        targets += [applied(one, text) if command == "apply" else one, failed(name, text)]
    return Report(command, NOW, "1.2.3", "sha256:" + "0" * 64, tuple(targets))
