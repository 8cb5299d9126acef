"""The lenient reader and the strict writer of ASN.1."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import der
from reconciler.errors import ReconcileError


class TestReading:
    def test_an_element_knows_its_place_tag_and_content(self):
        data = b"\xff" + der.sequence(der.integer(5), der.null())
        element = der.read(data, 1)
        assert (element.tag, element.start, element.raw) == (der.SEQUENCE, 1, data[1:])
        assert [child.raw for child in element.children()] == [b"\x02\x01\x05", b"\x05\x00"]

    def test_long_and_padded_lengths_are_read(self):
        assert der.read(b"\x04\x82\x00\x03abc").octets() == b"abc"
        assert der.read(b"\x04\x81\xc8" + b"x" * 200).octets() == b"x" * 200

    def test_an_indefinite_length_ends_at_its_end_of_contents(self):
        data = b"\x30\x80\x30\x80\x02\x01\x07\x00\x00\x05\x00\x00\x00tail"
        element = der.read(data)
        assert element.raw == data[:-4]
        inner, null = element.children()
        assert inner.children()[0].integer() == 7
        assert null.tag == der.NULL

    def test_a_constructed_string_is_joined(self):
        segments = b"\x24\x80" + der.octet_string(b"ab") + b"\x24\x03\x04\x01c" + b"\x00\x00"
        assert der.read(segments).octets() == b"abc"

    def test_an_implicitly_tagged_string_is_joined_from_octet_strings(self):
        assert der.read(b"\xa0\x06\x04\x01a\x04\x01b").octets(0x80) == b"ab"
        assert der.read(b"\x80\x02ab").octets(0x80) == b"ab"

    def test_high_tag_numbers_are_read_whole(self):
        element = der.read(b"\xbf\x87\x68\x03\x02\x01\x01")
        assert element.tag == 0xBF8768
        assert element.is_constructed
        assert element.children()[0].integer() == 1

    def test_only_shortest_headers_are_der(self):
        assert der.read(b"\x04\x01a").is_der
        assert not der.read(b"\x04\x81\x01a").is_der
        assert not der.read(b"\x24\x80\x00\x00").is_der

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x30",
            b"\x30\x05\x02\x01",
            b"\x30\x81",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x89" + b"\x00" * 9,
            b"\x30\x80\x02\x01\x01",
            b"\x04\x80\x00\x00",
            b"\x1f",
            b"\x1f\x81",
            b"\x1f\x81\x81\x81\x81\x01\x00",
            b"\x30\x80" * 1000,
        ],
    )
    def test_what_is_not_an_element_is_a_der_error(self, data):
        with pytest.raises(der.DerError):
            der.read(data).children()

    def test_nested_constructed_strings_are_bounded(self):
        data = b""
        for _ in range(100):
            data = der.encode(0x24, data)
        with pytest.raises(der.DerError):
            der.read(data).octets()

    def test_the_number_of_parts_is_bounded(self):
        with pytest.raises(der.DerError, match="more than 3 parts"):
            der.read(der.sequence(*[der.null()] * 4)).children(3)

    def test_trailing_bytes_are_an_error_only_where_one_element_was_asked_for(self):
        assert der.read(b"\x05\x00rest").tag == der.NULL
        with pytest.raises(der.DerError, match="4 bytes follow"):
            der.read_all(b"\x05\x00rest")

    def test_the_error_is_one_that_a_user_can_be_shown(self):
        assert issubclass(der.DerError, ReconcileError)

    @pytest.mark.parametrize(
        ("read", "data"),
        [
            (der.Element.integer, b"\x02\x00"),
            (der.Element.integer, der.encode(der.INTEGER, b"\x01" * 5000)),
            (der.Element.integer, b"\x04\x01a"),
            (der.Element.oid, b"\x06\x00"),
            (der.Element.oid, b"\x06\x02\x2a\x86"),
            (der.Element.oid, b"\x06\x03\x2a\x80\x01"),
            (der.Element.oid, der.encode(6, b"\x81" * 2000 + b"\x01")),
            (der.Element.octets, b"\x0c\x01a"),
            (der.Element.children, b"\x04\x01a"),
            (lambda element: element.inner("x"), b"\xa0\x00"),
            (lambda element: element.expect(der.SET, "a set"), b"\x30\x00"),
        ],
    )
    def test_a_value_of_another_kind_is_a_der_error(self, read, data):
        with pytest.raises(der.DerError):
            read(der.read(data))

    @given(st.binary(max_size=300))
    def test_any_bytes_give_an_element_or_a_der_error(self, data):
        def walk(element, depth):
            if depth and element.is_constructed:
                for child in element.iterate():
                    walk(child, depth - 1)
            for read in (element.octets, element.integer, element.oid):
                with suppress(der.DerError):
                    read()

        with suppress(der.DerError):
            walk(der.read(data), 8)

    def test_deep_indefinite_nesting_costs_no_more_than_its_length(self):
        data = b"\x30\x80" * 31 + b"\x05\x00" * 100_000 + b"\x00\x00" * 31
        begin = time.process_time()
        assert der.read(data).after == len(data)
        assert time.process_time() - begin < 2


class TestWriting:
    @given(st.integers(min_value=-(1 << 200), max_value=1 << 200))
    def test_integers_come_back(self, value):
        encoded = der.integer(value)
        assert der.read_all(encoded).integer() == value
        assert encoded == der.encode(2, value.to_bytes(len(encoded) - 2, "big", signed=True))

    def test_integers_are_minimal(self):
        assert [der.integer(n).hex() for n in (0, 127, 128, -128, -129, 255, 256)] == [
            "020100", "02017f", "02020080", "020180", "0202ff7f", "020200ff", "02020100",
        ]  # fmt: skip

    @given(st.binary(max_size=70_000))
    def test_strings_of_any_length_come_back_in_the_shortest_form(self, content):
        element = der.read_all(der.octet_string(content))
        assert element.octets() == content
        assert element.is_der

    @given(
        st.tuples(st.sampled_from([0, 1]), st.integers(0, 39)) | st.tuples(st.just(2), st.integers(0, 1 << 40)),
        st.lists(st.integers(0, 1 << 128), max_size=12),
    )
    def test_object_identifiers_come_back(self, head, rest):
        dotted = ".".join(map(str, (*head, *rest)))
        assert der.read_all(der.object_identifier(dotted)).oid() == dotted

    def test_object_identifiers_are_encoded_as_the_standard_does(self):
        assert der.object_identifier("1.2.840.113549.1.7.1").hex() == "06092a864886f70d010701"
        assert der.object_identifier("2.999.3").hex() == "0603883703"

    @pytest.mark.parametrize("text", ["", "1", "3.1", "1.40", "1.2.-3", "1.2.x", "1..2"])
    def test_what_is_no_object_identifier_is_a_der_error(self, text):
        with pytest.raises(der.DerError):
            der.object_identifier(text)

    def test_a_set_is_sorted_only_when_asked(self):
        one, two = der.integer(1), der.integer(2)
        assert der.set_of(two, one) == der.encode(der.SET, one, two)
        assert der.set_in_order(two, one) == der.encode(der.SET, two, one)

    def test_small_values_have_their_standard_encoding(self):
        assert der.null() == b"\x05\x00"
        assert der.boolean(True) + der.boolean(False) == b"\x01\x01\xff\x01\x01\x00"
        assert der.explicit(0, der.null()) == b"\xa0\x02\x05\x00"
        assert der.implicit(1, b"a") == b"\x81\x01a"
        assert der.bit_string(b"\xf0") == b"\x03\x02\x00\xf0"
        assert der.utf8_string("é") == b"\x0c\x02\xc3\xa9"

    def test_a_bmp_string_is_utf_16_with_surrogates(self):
        assert der.bmp_string("a\U0001f511") == b"\x1e\x06\x00a\xd8\x3d\xdd\x11"
