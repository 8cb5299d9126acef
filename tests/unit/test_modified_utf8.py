"""Modified UTF-8, with Java as the judge."""

from __future__ import annotations

import random
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.modified_utf8 import ModifiedUtf8Error, decode, encode

PROGRAM = Path(__file__).parent.parent / "java" / "ModifiedUtf8.java"
# Every code unit there is: NUL, halves of pairs and characters above U+FFFF included.
ANY_TEXT = st.text(st.characters(exclude_categories=()))
SAMPLES = ["", "alias", "a\0b", "é", "鍵", "\U0001f600", "\ud800", "\udc00\ud800", "\ud83dx", "\uffff", "\u07ff\u0800"]
MALFORMED = [b"\x80", b"\xc3", b"\xe1\x80", b"\xf0\x9f\x98\x80", b"\xff", b"a\xc3b", b"\xe1\x80a", b"\xc3\xc3"]
OVERLONG = [(b"\xc1\x81", "A"), (b"\xe0\x80\x80", "\0"), (b"\xc0\xaf", "/"), (b"\xe0\x81\x81", "A")]


@given(ANY_TEXT)
def test_what_was_encoded_is_decoded_to_the_same_text(text):
    # A high and a low half side by side are one character to Java, as they are to UTF-16.
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    assert decode(encode(text)) == expected


@given(ANY_TEXT)
def test_no_nul_and_no_form_of_four_bytes_is_written(text):
    encoded = encode(text)

    assert 0 not in encoded
    assert not any(octet >= 0xF0 for octet in encoded)


@given(st.binary(max_size=40))
def test_bytes_are_text_or_a_clear_error(encoded):
    with suppress(ModifiedUtf8Error):
        assert isinstance(decode(encoded), str)


@pytest.mark.parametrize("encoded", MALFORMED)
def test_what_java_refuses_is_refused(encoded):
    with pytest.raises(ModifiedUtf8Error):
        decode(encoded)


@pytest.mark.parametrize(("encoded", "text"), OVERLONG)
def test_overlong_forms_are_read_as_java_reads_them(encoded, text):
    assert decode(encoded) == text


def test_java_encodes_and_decodes_the_same(java):
    dice = random.Random(1)
    texts = SAMPLES + ["".join(chr(dice.choice(UNITS)) for _ in range(dice.randrange(12))) for _ in range(2000)]
    texts += ["".join(chr(dice.randrange(0x110000)) for _ in range(4)) for _ in range(500)]
    bytes_ = MALFORMED + [encoded for encoded, _ in OVERLONG]
    bytes_ += [bytes(dice.choice(OCTETS) for _ in range(dice.randrange(8))) for _ in range(3000)]
    requests = [f"encode {_utf_16(text)}" for text in texts] + [f"decode {encoded.hex()}" for encoded in bytes_]

    answers = subprocess.run([java, PROGRAM], input="\n".join(requests), capture_output=True, text=True, check=True)

    assert answers.stdout.splitlines() == [encode(text).hex() for text in texts] + [_decoded(one) for one in bytes_]


UNITS = (0, 1, 0x41, 0x7F, 0x80, 0xE9, 0x7FF, 0x800, 0x9375, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF)
OCTETS = (0x00, 0x41, 0x7F, 0x80, 0xA9, 0xBF, 0xC0, 0xC3, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xFF)


def _utf_16(text):
    return text.encode("utf-16-be", "surrogatepass").hex()


def _decoded(encoded):
    try:
        return _utf_16(decode(encoded))
    except ModifiedUtf8Error:
        return "error"
