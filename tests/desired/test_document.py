"""YAML with places: what is read as what, where it stands, and what is refused before it can hurt."""

from __future__ import annotations

import contextlib
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.document import MAX_BYTES, Document, Items, Section, quoted, read_document
from reconciler.errors import DesiredStateError, Problem


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers of PyYAML: wheels without libyaml exist."""
    if request.param == "pure Python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("this PyYAML has no libyaml")
    return str(request.param)


def read(text: str | bytes, *typed: str) -> Document:
    return read_document(text if isinstance(text, bytes) else text.encode(), "f.yaml", frozenset(typed))


def refused(text: str | bytes) -> list[Problem]:
    with pytest.raises(DesiredStateError) as caught:
        read(text)
    return list(caught.value.problems)


# ------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    "scalar",
    [
        "NO",
        "yes",
        "on",
        "off",
        "2026-01-01",
        "010",
        "0x1F",
        "12:30:45",
        "1e3",
        "123",
        "1_000",
        ".inf",
        "0755",
        "=",
        "true",
    ],
)
def test_a_plain_scalar_is_the_text_that_stands_there(scalar: str) -> None:
    assert read(f"a: {scalar}\n{scalar}: b\n").root == {"a": scalar, scalar: "b"}


@pytest.mark.parametrize("spelling", ["", "~", "null", "Null", "NULL"])
def test_a_value_that_is_left_out_is_nothing_and_not_an_empty_text(spelling: str) -> None:
    assert read(f"a: {spelling}\n").root == {"a": None}


def test_quotes_make_text_of_everything() -> None:
    root = read("a: 'null'\nb: ''\nc: \"true\"\nsize: '1'", "c", "size").root

    assert root == {"a": "null", "b": "", "c": "true", "size": "1"}


def test_under_a_typed_key_true_and_digits_are_what_they_look_like() -> None:
    root = read("create: true\nrekey: False\nsize: 2048\nother: 2048\nneg: -3", "create", "rekey", "size", "neg").root

    assert root == {"create": True, "rekey": False, "size": 2048, "other": "2048", "neg": -3}


@pytest.mark.parametrize("scalar", ["yes", "on", "0x10", "2_048", "1.5", "010", "9" * 5000])
def test_under_a_typed_key_what_only_old_yaml_understood_stays_text(scalar: str) -> None:
    assert read(f"size: {scalar}", "size").root == {"size": scalar}


def test_a_fingerprint_of_digits_keeps_its_leading_zeros() -> None:
    assert read(f"sha256: {'0' * 60}1234").root == {"sha256": "0" * 60 + "1234"}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(newline: str) -> None:
    document = read(("\ufeff" + "a: 1\nb:\n  c: ä\n".replace("\n", newline)).encode())

    assert document.root == {"a": "1", "b": {"c": "ä"}}
    assert str(document.source(("b", "c"))) == "f.yaml:3:6"


# ------------------------------------------------------------------------------------------------- places

TEXT = """\
# a comment
top:
  "quoted key": [one, {two: zwei}]
  ? long
  : |
    block
  ünï: *x
""".replace("*x", "plain")


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), (2, 1), (2, 1)),
        (("top",), (2, 1), (3, 3)),
        (("top", "quoted key"), (3, 3), (3, 17)),
        (("top", "quoted key", 0), (3, 18), (3, 18)),
        (("top", "quoted key", 1), (3, 23), (3, 23)),
        (("top", "quoted key", 1, "two"), (3, 24), (3, 29)),
        (("top", "long"), (4, 5), (5, 5)),
        (("top", "ünï"), (7, 3), (7, 8)),
        (("top", "missing"), (2, 1), (3, 3)),
        (("top", "quoted key", 9), (3, 3), (3, 17)),
    ],
)
def test_every_key_and_value_knows_its_line_and_column(path, key, value) -> None:
    document = read(TEXT)

    assert (document.source(path, key=True).line, document.source(path, key=True).column) == key
    assert (document.source(path).line, document.source(path).column) == value


_KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
_VALUES = st.recursive(
    _KEYS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=4), st.booleans())
def test_each_place_is_where_the_text_begins_and_values_survive(value: dict[str, object], flow: bool) -> None:
    # Quoted, so that the text itself is what is compared.
    text = yaml.safe_dump(value, default_style="'", allow_unicode=True, default_flow_style=flow, width=10_000)
    document = read(text)
    lines = text.split("\n")

    def check(node: object, path: tuple[str | int, ...]) -> None:
        if isinstance(node, Section):
            for key, inner in node.items():
                source = document.source((*path, key), key=True)
                assert lines[source.line - 1][source.column - 1 :].startswith("'" + key.replace("'", "''")[:1])
                check(inner, (*path, key))
        elif isinstance(node, Items):
            for at, inner in enumerate(node):
                check(inner, (*path, at))
        else:
            source = document.source(path)
            assert lines[source.line - 1][source.column - 1 :].startswith("'" + str(node).replace("'", "''")[:1])

    assert document.root == value
    check(document.root, ())


# -------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("", (1, 1), "the file is empty", "reconcile init"),
        ("# only a comment\n", (1, 1), "the file is empty", "reconcile init"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a second YAML document", "include"),
        ("a: !ruby/object x\n", (1, 4), "YAML tags", "quotes"),
        ("a: !!str x\n", (1, 4), "YAML tags", "quotes"),
        ("a: !!python/object/apply:os.system [ls]\n", (1, 4), "YAML tags", "quotes"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", (3, 3), "merge keys", "write the keys out"),
        ("[a]: b\n", (1, 1), "a key must be text", "quotes"),
        ("? {a: 1}\n: b\n", (1, 3), "a key must be text", "quotes"),
        ("a: *nothing\n", (1, 4), "an anchor that does not exist", "quotes"),
        ("a: &x {b: 1}\nc: {*x : 1}\n", (2, 5), "a key must be text", None),
        ("a: &x [*x]\n", (1, 8), "an anchor that contains this place itself", "quotes"),
        ('a: "\\0"\n', (1, 4), "a control character", None),
        ("a: \x07\n", (1, 4), "a control character (U+0007)", None),
        ("a: [1, 2\nb: c\n", (2, 2), "not valid YAML", "not closed"),
        ("a:\n\tb: c\n", (2, 1), "a tab where YAML wants blanks", "indent with blanks"),
        ("a: b: c\n", (1, 5), "mapping values are not allowed", "`: ` needs quotes"),
        ("a: @home\n", (1, 4), "cannot start any token", "needs quotes"),
        ("a: 'open\n", (2, 1), "end of stream", "not closed"),
        ("a: 1\n b: 2\n", (2, 3), "not valid YAML", "indentation"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_where_it_stands(
    text: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    [problem] = refused(text)

    assert problem.source is not None
    assert (problem.source.line, problem.source.column) == place
    assert message in problem.message
    assert (hint is None and problem.hint is None) or hint in (problem.hint or "")


def test_a_key_that_stands_twice_is_reported_with_both_lines_and_the_first_one_counts() -> None:
    document = read("a: 1\nb: {c: 1, c: {d: 2}}\na: [3]\n")

    assert document.root == {"a": "1", "b": {"c": "1"}}
    assert [(p.message, p.source.line, p.source.column) for p in document.problems if p.source] == [
        ("the key 'c' stands twice: here and in line 2", 2, 11),
        ("the key 'a' stands twice: here and in line 1", 3, 1),
    ]


def test_a_key_that_comes_through_an_anchor_counts_as_the_same_key() -> None:
    document = read("a: &k b\nc: {b: 1, *k : 2}\n")

    assert [problem.message for problem in document.problems] == ["the key 'b' stands twice: here and in line 2"]


def test_an_anchor_may_be_used_again() -> None:
    document = read("a: &x {b: [1]}\nc: *x\n")

    assert document.root == {"a": {"b": ["1"]}, "c": {"b": ["1"]}}
    assert str(document.source(("c",))) == "f.yaml:2:4"
    assert str(document.source(("c", "b", 0))) == "f.yaml:1:12"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("ä: 1".encode("utf-16"), "UTF-16"),
        ("a: 1".encode("utf-16-le"), "UTF-16"),
        ("a: 1".encode("utf-32"), "UTF-16 or UTF-32"),
        (b"a: 1\nb: \xe4\n", "not UTF-8"),
        (b"a: \xed\xa0\x80\n", "not UTF-8"),
    ],
)
def test_another_encoding_is_named(data: bytes, message: str) -> None:
    [problem] = refused(data)

    assert message in problem.message
    assert problem.hint == "save it as UTF-8"


def test_a_byte_that_is_not_utf8_is_pointed_at() -> None:
    [problem] = refused(b"a: 1\nb: xy\xe4\n")

    assert str(problem.source) == "f.yaml:2:6"


# -------------------------------------------------------------------------------------------------- hostile

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "".join(" " * n + "a:\n" for n in range(1000)),
        "? " * 50_000,
        "a: " + "x" * 4_000_000,
        'a: "' + "\\x41" * 1_000_000,
        "&a " * 100_000,
        "!" * 100_000,
        "%YAML " + "9" * 5000 + ".1\n---\na: 1\n",
        "%TAG ! tag:x,2000:\n---\na: !x y\n",
        'a: "\\U0011FFFF"\n',
        'a: "\\ud800"\n',
        "a: |9999999999999999999999\n b\n",
        "a" * 2000 + ": 1",
        "\ufeff\ufeffa: 1",
        "\u2028a: 1\u2029b: 2",
        "a: 1\x85b: 2",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_hostile_yaml_ends_soon_in_a_value_or_in_problems(text: str) -> None:
    begun = time.monotonic()
    try:
        read(text)
    except DesiredStateError as error:
        assert error.problems
    assert time.monotonic() - begun < 20


def test_anchors_that_explode_are_refused() -> None:
    [problem] = refused(LAUGHS)

    assert problem.message == "anchors that expand to far more than was written"


def test_depth_is_bounded() -> None:
    [problem] = refused("[" * 40 + "]" * 40)

    assert "nested deeper than 32 levels" in problem.message


def test_depth_is_bounded_through_anchors_too() -> None:
    text = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 50))
    [problem] = refused(text)

    assert "nested deeper than 32 levels" in problem.message
    assert problem.source is not None
    assert problem.source.line == 33


def test_a_long_text_that_is_used_again_and_again_counts_as_an_explosion() -> None:
    [problem] = refused(f"a: &a {'x' * 10_000}\nb: [{'*a, ' * 200}]\n")

    assert problem.message == "anchors that expand to far more than was written"


def test_size_is_bounded_before_anything_is_read() -> None:
    [problem] = refused(b"a" * (MAX_BYTES + 1))

    assert problem.message == "the file has more than 5 MB"


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_problems(data: bytes) -> None:
    with contextlib.suppress(DesiredStateError):
        read(data)


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#?,\n\t 01~<"), max_size=60))
def test_any_mixture_of_yaml_signs_gives_a_document_or_problems(text: str) -> None:
    with contextlib.suppress(DesiredStateError):
        read(text)


def test_a_piece_of_text_in_a_message_cannot_move_the_cursor_and_is_cut() -> None:
    assert quoted("a\x1b[31m\u202eb") == "'a\\x1b[31m\\u202eb'"
    assert len(quoted("x" * 1000)) == 66
