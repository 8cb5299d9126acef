"""Whatever the bytes are: read or refused, quickly, and with no other kind of error."""

from __future__ import annotations

from contextlib import suppress
from struct import pack
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import KeystoreUnreadableError, ReconcileError
from reconciler.keystores import sun_keys
from reconciler.keystores.jks import parse
from reconciler.model import EntryKind, Remove
from reconciler.secret import Secret
from tests.builders import NOW
from tests.keystores.java_files import MAGIC, corpus_file, key_pair, manifest, sealed_object, store, text, trusted

FILES = [name for name, record in manifest().items() if record["format"] in ("JKS", "JCEKS")]


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    """A damaged file may ask for as many iterations as are allowed; a thousand files that do take too long here."""
    monkeypatch.setattr(sun_keys, "MAX_ITERATIONS", 100)


def use(data, password):
    """Everything that is done with a file from outside."""
    container = parse(data, password, origin="x")
    for entry in container.snapshot().entries:
        if entry.kind is not EntryKind.TRUSTED_CERTIFICATE:
            with suppress(KeystoreUnreadableError):
                container.private_key(entry.alias, Secret("changeit"))
        with suppress(ReconcileError):
            container.with_writes([Remove(entry.alias)], password=None, now=NOW).snapshot()


@settings(max_examples=400)
@given(
    st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=8)), max_size=4)
)
def test_damaged_files_are_read_or_refused(name, damages):
    data = bytearray(corpus_file(name))
    for position, noise in damages:
        data[position % len(data) : position % len(data) + len(noise)] = noise

    with suppress(KeystoreUnreadableError):
        use(bytes(data), None)
    with suppress(KeystoreUnreadableError):
        use(bytes(data), Secret(manifest()[name]["store_password"]))


@given(st.sampled_from(list(MAGIC)), st.integers(1, 2), st.integers(-1, 5), st.binary(max_size=200))
def test_any_bytes_behind_a_beginning_are_read_or_refused(kind, version, count, content):
    with suppress(KeystoreUnreadableError):
        use(MAGIC[kind] + pack(">ii", version, count) + content, None)


@pytest.mark.parametrize(
    "data",
    [
        store(*[trusted("", der=b"")] * 99_999),
        store(*[trusted("", der=b"")] * 120_000),
        store(key_pair(chain=[b""] * 190_000)),
        store(key_pair(chain=[b""] * 300_000)),
        store(*[pack(">i", 3) + text("") + bytes(8) + sealed_object()] * 60_000, kind="jceks"),
        MAGIC["jks"] + pack(">ii", 2, 2**31 - 1) + bytes(20_000_000),
        store(trusted(b"\xc0\x80" * 32_767)),
    ],
    ids=lambda data: f"{len(data):,} bytes",
)
def test_the_largest_files_end_quickly(data):
    start = perf_counter()

    with suppress(KeystoreUnreadableError):
        parse(data, Secret("changeit"), origin="x").snapshot()

    assert perf_counter() - start < 20, "two seconds on an idle machine"
