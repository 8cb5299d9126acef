"""Where a serialized secret key ends, without deserializing it."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import KeystoreUnreadableError
from reconciler.keystores.java_data import JavaData
from reconciler.keystores.java_serialization import skip_sealed_object
from tests.keystores.java_files import sealed_object, text

HEADER = b"\xac\xed\x00\x05"
OBJECT, CLASS, NULL, REFERENCE, STRING, ARRAY, END = b"s", b"r", b"p", b"q", b"t", b"u", b"x"
SEALED = "javax.crypto.SealedObject"


def class_of(name, fields=b"", *, count=0, flags=b"\x02", superclass=NULL, annotations=END):
    return CLASS + text(name) + bytes(8) + flags + pack(">H", count) + fields + annotations + superclass


def handle(number):
    return REFERENCE + pack(">i", 0x7E0000 + number)


def end_of(stream, start=0):
    data = JavaData(stream, origin="live.jceks")
    data.position = start
    skip_sealed_object(data)
    return data.position


def refusal(stream):
    with pytest.raises(KeystoreUnreadableError) as raised:
        end_of(stream)
    return raised.value.message


def test_the_end_of_a_sealed_object_is_found_wherever_it_begins():
    sealed = sealed_object()

    assert end_of(sealed) == len(sealed)
    assert end_of(b"before" + sealed + b"after", start=6) == 6 + len(sealed)


def test_a_sealed_object_cut_off_anywhere_is_an_error():
    for length in range(len(sealed_object())):
        assert "cut off or damaged" in refusal(sealed_object()[:length])


def test_every_kind_of_field_is_stepped_over():
    values = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}
    fields = b"".join(code.encode() + text("f") for code in values) + b"L" + text("f") + STRING + text("LX;")
    stream = HEADER + OBJECT + class_of(SEALED, fields, count=9) + bytes(sum(values.values())) + STRING + text("value")

    assert end_of(stream + b"rest") == len(stream)


def test_strings_arrays_and_references_are_stepped_over():
    fields = b"".join(b"[" + text(name) + STRING + text("[B") for name in "abcd")
    # Handles: 0 the class, 1 to 4 the names of field classes, 5 the object, 6 the array's class, 7 the array.
    values = ARRAY + class_of("[B") + pack(">i", 3) + b"xyz" + ARRAY + handle(6) + pack(">i", 0) + handle(7) + NULL
    stream = HEADER + OBJECT + class_of(SEALED, fields, count=4) + values

    assert end_of(stream + b"rest") == len(stream)


def test_a_long_string_is_stepped_over():
    stream = HEADER + OBJECT + class_of(SEALED, b"L" + text("f") + NULL, count=1) + b"|" + pack(">q", 5) + b"12345"

    assert end_of(stream) == len(stream)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\xac\xed\x00\x06" + bytes(40), "does not begin as a serialized object"),
        (HEADER + STRING + text("x"), "not an object"),
        (HEADER + OBJECT + class_of("java.util.HashMap"), "java.util.HashMap"),
        (HEADER + OBJECT + NULL, "None"),
        (HEADER + OBJECT + b"}" + bytes(20), "class description"),
        (HEADER + OBJECT + class_of(SEALED, flags=b"\x03"), "writes itself"),
        (HEADER + OBJECT + class_of(SEALED, flags=b"\x0c"), "writes itself"),
        (HEADER + OBJECT + class_of(SEALED, annotations=b"w"), "annotations"),
        (HEADER + OBJECT + class_of(SEALED, count=17), "17 fields"),
        (HEADER + OBJECT + class_of(SEALED, b"V" + text("f"), count=1), "type code"),
        (HEADER + OBJECT + class_of(SEALED, b"L" + text("f") + NULL, count=1) + OBJECT, "code 0x73"),
        (HEADER + OBJECT + class_of(SEALED, b"L" + text("f") + NULL, count=1) + handle(9), "leads nowhere"),
        (HEADER + OBJECT + class_of(SEALED, b"L" + text("f") + NULL, count=1) + handle(-1), "leads nowhere"),
        (
            HEADER + OBJECT + class_of(SEALED, b"[" + text("f") + NULL, count=1) + ARRAY + class_of("[C"),
            "not one of bytes",
        ),
        (HEADER + OBJECT + class_of(SEALED, b"[" + text("f") + NULL, count=1) + ARRAY + handle(1), "does not"),
    ],
)
def test_anything_but_a_sealed_object_is_refused(stream, reason):
    assert reason in refusal(stream + bytes(8))


def test_a_class_that_is_its_own_superclass_does_not_hang():
    stream = HEADER + OBJECT + class_of(SEALED, superclass=handle(0))

    assert end_of(stream) == len(stream)


def test_deep_superclasses_are_refused_rather_than_followed():
    superclass = NULL
    for _ in range(20_000):
        superclass = class_of("A", superclass=superclass)

    assert "class description" in refusal(HEADER + OBJECT + superclass)


@given(st.integers(0, len(sealed_object()) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_object_ends_somewhere_or_is_refused(position, noise):
    damaged = bytearray(sealed_object())
    damaged[position : position + len(noise)] = noise

    try:
        assert 0 < end_of(bytes(damaged)) <= len(damaged)
    except KeystoreUnreadableError as error:
        assert error.where == "live.jceks"  # either way will do
