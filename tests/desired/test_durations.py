"""Durations, shares and pins."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.durations import MAXIMUM, duration, renew_before
from reconciler.desired.pins import normalised_pin, with_colons
from reconciler.errors import ReconcileError
from reconciler.model import RenewBefore


@given(st.integers(1, MAXIMUM.days))
def test_days_hours_and_minutes_are_what_they_say(days: int) -> None:
    assert duration(f"{days}d") == duration(f"{days * 24}h") == timedelta(days=days)
    assert duration(f"{days}m") == timedelta(minutes=days)


@pytest.mark.parametrize(
    "text", ["", "d", "365", "1y", "1.5d", "-1d", "+1d", "0d", "1 d", "1D", "36526d", "9" * 20 + "d", "٣d", "1d\n"]
)
def test_other_spellings_are_no_duration(text: str) -> None:
    with pytest.raises(ReconcileError):
        duration(text)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    with contextlib.suppress(ReconcileError):
        assert timedelta(0) < duration(text) <= MAXIMUM


@given(st.integers(1, 99))
def test_a_percentage_is_a_share_of_the_lifetime(percent: int) -> None:
    assert renew_before(f"{percent}%") == RenewBefore(share=percent / 100)


def test_a_renewal_before_a_duration_is_a_duration() -> None:
    assert renew_before("30d") == RenewBefore(duration=timedelta(days=30))
    assert renew_before("12.5%") == RenewBefore(share=0.125)


@pytest.mark.parametrize("text", ["%", "0%", "100%", "33 %", "-5%", "1e1%", ".5%", "٣%", "33%%", "nan%"])
def test_other_spellings_are_no_share(text: str) -> None:
    with pytest.raises(ReconcileError):
        renew_before(text)


@given(st.text(max_size=12))
def test_any_text_is_a_share_a_duration_or_an_error(text: str) -> None:
    try:
        due = renew_before(text)
    except ReconcileError:
        return
    assert (due.share is None) != (due.duration is None)


@given(st.binary(min_size=32, max_size=32), st.sampled_from([":", " ", ""]), st.booleans())
def test_a_pin_is_the_same_in_every_usual_spelling(digest: bytes, between: str, capitals: bool) -> None:  # noqa: FBT001
    text = between.join(f"{byte:02x}" for byte in digest)

    assert normalised_pin(text.upper() if capitals else text) == digest.hex()
    assert normalised_pin(with_colons(digest.hex())) == digest.hex()
