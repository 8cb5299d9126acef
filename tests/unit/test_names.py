"""Names in the canonical form of Java, with Java as the judge."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from reconciler import der
from reconciler.names import canonical_name

PROGRAM = Path(__file__).parent.parent / "java" / "CanonicalNames.java"
TYPES = {
    "CN": "2.5.4.3",
    "C": "2.5.4.6",
    "ST": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "T": "2.5.4.12",
    "SERIALNUMBER": "2.5.4.5",
    "EMAIL": "1.2.840.113549.1.9.1",
    "OTHER": "1.3.6.1.4.1.99999.1",
}
VALUES = [
    "", " ", "   ", "Example", "EXAMPLE", "eXaMpLe", "  two   words  ", "\ttab\t", "a\tb", "a \t b", "Straße",
    "STRASSE", "ﬁne", "Ａ１", "é", "e\u0301", "İstanbul", "ısı", "ΟΔΟΣ", "οδος", "ΑΣ.Β", "Σ", "#hash", "a#b", "##",
    "a,b", "a+b", 'say "x"', "back\\slash", "<a>;b", "a=b", " \x01edge\x01 ", "nul\x00nul", "\U0001d400bold", "Å",
    "\u00a0nbsp\u00a0", "trailing,  ", "  ,  x", "ǅ", "ŉ", "ſ", "K", "½", "한국", "中文", "\u2003em space",
]  # fmt: skip


def attribute(kind, value, tag=der.UTF8_STRING):
    content = value.encode("utf-16-be" if tag == der.BMP_STRING else "utf-8") if isinstance(value, str) else value
    return der.sequence(der.object_identifier(TYPES[kind]), der.encode(tag, content))


def name(*rdns):
    """A name of one or more attributes for each part."""
    return der.sequence(*[der.set_of(*(rdn if isinstance(rdn, list) else [rdn])) for rdn in rdns])


def name_in_order(*attributes):
    return der.sequence(der.set_in_order(*attributes))


def single_values():
    for value in VALUES:
        for kind in ("CN", "DC", "EMAIL", "OTHER"):
            yield name(attribute(kind, value))
        if value.isascii():
            yield name(attribute("O", value, der.PRINTABLE_STRING))
            yield name(attribute("DC", value, der.IA5_STRING))
        yield name(attribute("CN", value, der.BMP_STRING)) if max(value, default="a") <= "\uffff" else name()


def composed():
    one, two = attribute("CN", "Zoë"), attribute("OU", "Ops")
    yield name()
    yield name(attribute("C", "DE", der.PRINTABLE_STRING), attribute("O", "Example"), attribute("CN", "x"))
    yield name_in_order(one, two)
    yield name_in_order(two, one)
    yield name_in_order(attribute("OTHER", "b"), attribute("EMAIL", "a"), attribute("UID", "c"), attribute("CN", "d"))
    yield name_in_order(attribute("CN", "\U0001d400"), attribute("CN", "\uffdc"), attribute("CN", "#a"))
    yield name(attribute("CN", b"\xff\xfe", der.UTF8_STRING))
    yield name(attribute("T", "Title"), attribute("SERIALNUMBER", "7", der.PRINTABLE_STRING), attribute("STREET", "s"))


def random_names():
    chance = random.Random(12)
    for _ in range(300):
        rdns = [
            [
                attribute(chance.choice(list(TYPES)), chance.choice(VALUES))
                for _ in range(chance.choice((1, 1, 1, 2, 3)))
            ]
            for _ in range(chance.randrange(5))
        ]
        yield name(*rdns)


def test_every_name_has_the_canonical_form_that_java_gives_it(java):
    names = [*single_values(), *composed(), *random_names()]
    answer = subprocess.run(
        [java, str(PROGRAM)], input="\n".join(n.hex() for n in names), capture_output=True, text=True, check=True
    )
    expected = [bytes.fromhex(line[1:]).decode() for line in answer.stdout.split()]
    assert [canonical_name(n) for n in names] == expected


def test_case_white_space_and_composition_do_not_matter():
    assert canonical_name(name(attribute("CN", " Straße  Ω "))) == canonical_name(name(attribute("CN", "STRASSE ω")))
    assert canonical_name(name(attribute("CN", "é"))) == canonical_name(name(attribute("CN", "e\u0301")))


def test_the_string_type_of_printable_and_utf8_does_not_matter():
    assert canonical_name(name(attribute("O", "Acme", der.PRINTABLE_STRING))) == "o=acme"
    assert canonical_name(name(attribute("O", "ACME", der.UTF8_STRING))) == "o=acme"


def test_other_string_types_are_compared_by_their_bytes():
    assert canonical_name(name(attribute("DC", "Org", der.IA5_STRING))) == "dc=#16034f7267"


def test_separators_inside_values_cannot_be_mistaken():
    assert canonical_name(name(attribute("CN", "a,o=b"))) != canonical_name(
        name(attribute("O", "b"), attribute("CN", "a"))
    )
    assert canonical_name(name_in_order(attribute("CN", "a+o=b"))) != canonical_name(
        name_in_order(attribute("CN", "a"), attribute("O", "b"))
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04\x00",
        der.sequence(der.sequence()),
        der.sequence(der.set_of(der.sequence(der.null(), der.null()))),
        der.sequence(der.set_of(der.sequence(der.object_identifier("2.5.4.3")))),
        name(attribute("CN", "x")) + b"\x00",
    ],
)
def test_what_is_no_name_has_no_canonical_form(data):
    assert canonical_name(data) is None
