"""What writing does to a JKS or JCEKS file: what no write names keeps its bytes."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import x509
from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.keystores.jks import empty, empty_jceks, empty_jks, parse
from reconciler.model import EntryKind, PutCertificate, PutChain, PutKeyPair, Remove, Rename, StoreType
from reconciler.secret import Secret
from tests.builders import NOW
from tests.keystores.java_files import (
    CREATED,
    key_pair,
    new_key,
    protected_key,
    root,
    sealed_object,
    secret,
    secret_key,
    store,
    trusted,
)

OTHER = x509.certificate(new_key()[1].der)
ROOT = x509.certificate(root())
NOW_MS = 1_780_315_200_000


def read(data):
    return parse(data, secret(), origin="live.jks")


def written(data, *writes):
    """The file after `writes`."""
    return read(data).with_writes(writes, password=secret(), now=NOW).to_bytes(secret())


def aliases(data):
    return [entry.alias for entry in read(data).snapshot().entries]


# ------------------------------------------------------------------------------------------ certificates


def test_a_new_certificate_is_appended_and_dated_now():
    before = [trusted("a"), secret_key("b")]

    after = written(store(*before, kind="jceks"), PutCertificate("new", ROOT))

    assert after == store(*before, trusted("new", created=NOW_MS), kind="jceks")


def test_a_replaced_certificate_keeps_its_place():
    after = written(store(trusted("a"), trusted("b"), trusted("c")), PutCertificate("b", OTHER))

    assert after == store(trusted("a"), trusted("b", der=OTHER.der, created=NOW_MS), trusted("c"))


def test_a_new_alias_is_stored_in_lower_case():
    assert written(store(), PutCertificate("Größe İ", ROOT)) == store(trusted("größe i̇", created=NOW_MS))


def test_writing_an_alias_mends_every_spelling_of_it():
    before = store(trusted("x"), trusted("PARTNER"), trusted("y"), trusted("partner"), trusted("Partner"))

    after = written(before, PutCertificate("partner", OTHER))

    assert after == store(trusted("x"), trusted("partner", der=OTHER.der, created=NOW_MS), trusted("y"))


def test_writing_an_alias_takes_hidden_entries_of_it_out():
    after = written(store(trusted("a"), trusted("b"), trusted("a")), PutCertificate("a", OTHER))

    assert after == store(trusted("a", der=OTHER.der, created=NOW_MS), trusted("b"))


def test_a_file_of_version_1_stays_one():
    before = trusted("a", version=1)

    after = written(store(before, version=1), PutCertificate("new", ROOT))

    assert after == store(before, trusted("new", created=NOW_MS, version=1), version=1)


def test_bytes_after_the_keystore_are_carried():
    after = written(store(trusted("a"), trailing=b"more"), PutCertificate("new", ROOT))

    assert after == store(trusted("a"), trusted("new", created=NOW_MS), trailing=b"more")


def test_a_negative_count_becomes_the_real_one():
    assert written(store(count=-1), PutCertificate("new", ROOT)) == store(trusted("new", created=NOW_MS))


# --------------------------------------------------------------------------------------------- key pairs


@pytest.mark.parametrize("make", [empty_jks, empty_jceks])
def test_a_new_key_pair_opens_with_the_password_of_the_keystore(make):
    key, leaf = new_key()

    data = make().with_writes([PutKeyPair("Pair", (leaf,), key)], password=secret(), now=NOW).to_bytes(secret())

    container = read(data)
    assert container.private_key("pair", secret()) == key
    [entry] = container.snapshot().entries
    assert (entry.alias, entry.kind, entry.created) == ("pair", EntryKind.KEY_PAIR, NOW)
    assert [one.der for one in entry.chain] == [leaf.der]


def test_another_password_does_not_open_a_key():
    with pytest.raises(KeystoreUnreadableError, match="does not open") as raised:
        read(store(key_pair())).private_key("pair", secret("other"))

    assert raised.value.where == "live.jks, alias pair"


@pytest.mark.parametrize("alias", ["root", "nobody"])
def test_an_entry_that_is_no_private_key_has_none(alias):
    with pytest.raises(KeystoreUnreadableError, match="no private key"):
        read(store(trusted())).private_key(alias, secret())


def test_a_secret_key_is_no_private_key():
    with pytest.raises(KeystoreUnreadableError, match="no private key"):
        read(store(secret_key(), kind="jceks")).private_key("secret", secret())


def test_another_chain_leaves_key_and_date_as_they_were():
    after = written(store(key_pair()), PutChain("pair", (OTHER, ROOT)))

    assert after == store(key_pair(chain=[OTHER.der, root()], created=CREATED))


def test_another_chain_mends_the_spelling():
    after = written(store(key_pair("PAIR")), PutChain("pair", (OTHER,)))

    assert after == store(key_pair("pair", chain=[OTHER.der]))


def test_a_key_pair_takes_the_place_of_a_key_pair():
    key, leaf = new_key()

    after = written(store(trusted("a"), key_pair(), trusted("b")), PutKeyPair("pair", (leaf,), key))

    assert aliases(after) == ["a", "pair", "b"]
    assert read(after).private_key("pair", secret()) == key


# -------------------------------------------------------------------------------- removing and renaming


@pytest.mark.parametrize("entry", [trusted("gone"), key_pair("gone"), secret_key("gone"), trusted("GONE")])
def test_an_entry_of_any_kind_is_removed(entry):
    after = written(store(trusted("a"), entry, trusted("b"), kind="jceks"), Remove("gone"))

    assert after == store(trusted("a"), trusted("b"), kind="jceks")


@pytest.mark.parametrize("make", [trusted, key_pair, secret_key])
def test_a_renamed_entry_of_any_kind_keeps_everything_else(make):
    after = written(store(trusted("a"), make("old"), trusted("b"), kind="jceks"), Rename("OLD", "New name"))

    assert after == store(trusted("a"), make("new name"), trusted("b"), kind="jceks")


def test_a_negative_chain_survives_a_renaming():
    after = written(store(key_pair("old", chain=[], count=-1)), Rename("old", "new"))

    assert after == store(key_pair("new", chain=[], count=-1))


def test_renaming_to_another_case_mends_the_spelling():
    assert written(store(trusted("OLD")), Rename("old", "old")) == store(trusted("old"))


def test_a_renaming_to_an_alias_that_is_taken_is_refused():
    with pytest.raises(RefusedError, match="is taken"):
        written(store(trusted("a"), trusted("B")), Rename("a", "b"))


def test_a_chain_of_writes_is_carried_out_in_order():
    after = written(
        store(trusted("a"), trusted("b")), Rename("a", "c"), PutCertificate("a", OTHER), Remove("b"), Rename("c", "b")
    )

    assert after == store(trusted("b"), trusted("a", der=OTHER.der, created=NOW_MS))


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("write", [Remove("x"), Rename("x", "y"), PutChain("x", (ROOT,))])
def test_an_entry_that_is_not_there_cannot_be_changed(write):
    with pytest.raises(ReconcileError, match="no such entry") as raised:
        written(store(trusted()), write)

    assert raised.value.where == "live.jks, alias x"


def test_kinds_are_not_swapped():
    key, leaf = new_key()
    data = store(trusted("cert"), key_pair("pair"), secret_key("secret"), kind="jceks")

    for write in (
        PutCertificate("pair", ROOT),
        PutCertificate("SECRET", ROOT),
        PutKeyPair("cert", (leaf,), key),
        PutKeyPair("secret", (leaf,), key),
        PutChain("cert", (leaf,)),
        PutChain("secret", (leaf,)),
    ):
        with pytest.raises(RefusedError, match="another kind"):
            written(data, write)


def test_a_certificate_does_not_replace_the_key_pair_of_another_spelling():
    with pytest.raises(RefusedError, match="another kind"):
        written(store(trusted("a"), key_pair("A")), PutCertificate("a", ROOT))


def test_two_spellings_that_java_does_not_reach_are_ambiguous():
    with pytest.raises(ReconcileError, match="ambiguous: PAIR, Pair"):
        written(store(key_pair("PAIR"), key_pair("Pair")), PutChain("pair", (ROOT,)))


def test_the_spelling_that_java_reaches_is_the_one_that_is_meant():
    after = written(store(key_pair("PAIR", created=1), key_pair("pair")), PutChain("Pair", (OTHER,)))

    assert after == store(key_pair("pair", chain=[OTHER.der]))


def test_an_alias_that_does_not_fit_is_refused():
    longest = "ä" * 32767

    assert aliases(written(store(), PutCertificate(longest, ROOT))) == [longest]
    for write in (PutCertificate(longest + "ä", ROOT), Rename("root", longest + "ä")):
        with pytest.raises(ReconcileError, match="does not fit"):
            written(store(trusted()), write)


def test_an_alias_with_half_of_a_surrogate_pair_is_refused():
    with pytest.raises(ReconcileError, match="surrogate"):
        written(store(), PutCertificate("x\ud800", ROOT))


def test_a_key_pair_needs_a_chain_and_a_key():
    key, leaf = new_key()

    for write in (PutKeyPair("a", (), key), PutKeyPair("a", (leaf,), None)):
        with pytest.raises(ReconcileError, match=r"is not written without|without certificates"):
            written(store(), write)


def test_a_keystore_that_was_not_checked_is_not_written():
    unchecked = parse(store(trusted()), None, origin="live.jks")

    for password in (None, secret()):
        with pytest.raises(RefusedError, match="not written without its password"):
            unchecked.to_bytes(password)


def test_a_password_outside_ascii_protects_no_key_in_jceks():
    key, leaf = new_key()
    password = Secret("grün")
    write = [PutKeyPair("a", (leaf,), key)]

    with pytest.raises(ReconcileError, match="printable ASCII"):
        empty_jceks().with_writes(write, password=password, now=NOW)

    data = empty_jks().with_writes(write, password=password, now=NOW).to_bytes(password)
    assert parse(data, password, origin="x").private_key("a", password) == key


def test_a_certificate_can_be_added_with_any_password_in_jceks():
    data = store(trusted("a"), kind="jceks", password="grün")

    after = parse(data, Secret("grün"), origin="x").with_writes(
        [PutCertificate("b", ROOT)], password=Secret("grün"), now=NOW
    )

    assert after.to_bytes(Secret("grün")) == store(
        trusted("a"), trusted("b", created=NOW_MS), kind="jceks", password="grün"
    )


# --------------------------------------------------------------------------------------------- previews


def test_a_preview_shows_what_a_write_will_show_without_a_key():
    key, leaf = new_key()
    container = read(store(trusted("a"), key_pair("old")))

    preview = container.with_writes(
        [PutKeyPair("Pair", (leaf,)), Remove("old"), PutCertificate("root", ROOT)], password=None, now=NOW
    )
    real = container.with_writes(
        [PutKeyPair("Pair", (leaf,), key), Remove("old"), PutCertificate("root", ROOT)], password=secret(), now=NOW
    )

    assert [_without_digest(entry) for entry in preview.snapshot().entries] == [
        _without_digest(entry) for entry in real.snapshot().entries
    ]
    assert [part.alias_key for part in preview.snapshot().parts] == ["a", "pair", "root"]


def _without_digest(entry):
    return (entry.alias, entry.kind, [one.der for one in entry.chain], entry.reachable, entry.created, entry.note)


def test_a_preview_is_never_written():
    preview = read(store()).with_writes([PutCertificate("a", ROOT)], password=None, now=NOW)

    with pytest.raises(RefusedError):
        preview.to_bytes(secret())
    with pytest.raises(RefusedError):
        preview.with_writes([Remove("a")], password=secret(), now=NOW).to_bytes(secret())


def test_a_container_is_not_changed_by_its_writes():
    container = read(store(trusted("a")))

    container.with_writes([Remove("a")], password=secret(), now=NOW)

    assert container.to_bytes(secret()) == store(trusted("a"))
    assert container.with_writes([], password=None, now=NOW) is container


def test_new_keystores_are_of_version_2():
    assert empty(StoreType.JKS).to_bytes(secret()) == store()
    assert empty(StoreType.JCEKS).to_bytes(secret()) == store(kind="jceks")


def test_a_change_of_the_password_changes_only_the_digest():
    data = store(trusted(), key_pair())

    assert read(data).to_bytes(Secret("new")) == store(trusted(), key_pair(), password="new")


# ------------------------------------------------------------------------- any writes on any keystore


ALIASES = st.sampled_from(["a", "b", "c", "ä", "\U0001f600", "long name", "x\0y"])
CONTENTS = st.binary(max_size=30)
ENTRIES = st.lists(
    st.one_of(
        st.tuples(ALIASES, st.just("cert"), CONTENTS),
        st.tuples(ALIASES, st.just("pair"), CONTENTS),
        st.tuples(ALIASES, st.just("secret"), st.just(b"")),
    ),
    max_size=6,
    unique_by=lambda entry: entry[0],
)


def raw(alias, kind, content, created=CREATED):
    encoded = (
        alias.encode("utf-8").replace(b"\0", b"\xc0\x80").replace(b"\xf0\x9f\x98\x80", b"\xed\xa0\xbd\xed\xb8\x80")
    )
    match kind:
        case "cert":
            return trusted(encoded, der=content, created=created)
        case "pair":
            return key_pair(encoded, chain=[content], protected=protected_key(), created=created)
        case _:
            return secret_key(encoded, sealed=sealed_object(), created=created)


def file_of(entries):
    return store(*(raw(*entry) for entry in entries), kind="jceks")


@given(ENTRIES)
def test_any_keystore_comes_back_byte_for_byte(entries):
    data = file_of(entries)

    container = read(data)

    assert container.to_bytes(secret()) == data
    assert [entry.alias for entry in container.snapshot().entries] == [alias for alias, _, _ in entries]


@settings(max_examples=150)
@given(ENTRIES, st.data())
def test_any_writes_leave_every_other_entry_as_it_was(entries, data):
    model = list(entries)
    writes = [_draw_write(data, model) for _ in range(data.draw(st.integers(1, 5)))]

    after = read(file_of(entries)).with_writes(writes, password=secret(), now=NOW).to_bytes(secret())

    assert after == store(*(raw(*entry) for entry in model), kind="jceks")


def _draw_write(data, model):
    """One write that can be carried out, which it does to `model` as well."""
    names = [entry[0] for entry in model]
    choices = ["cert"]
    if names:
        choices += ["remove", "rename"]
    if any(entry[1] == "pair" for entry in model):
        choices.append("chain")
    match data.draw(st.sampled_from(choices)):
        case "cert":
            free = [name for name in ("a", "b", "c", "new") if name not in names]
            free += [entry[0] for entry in model if entry[1] == "cert"]
            alias, content = data.draw(st.sampled_from(free or ["brand new"])), data.draw(CONTENTS)
            _put(model, (alias, "cert", content, NOW_MS))
            return PutCertificate(alias.upper() if alias.isascii() else alias, x509.certificate(content))
        case "chain":
            alias = data.draw(st.sampled_from([entry[0] for entry in model if entry[1] == "pair"]))
            old, content = next(entry for entry in model if entry[0] == alias), data.draw(CONTENTS)
            _put(model, (alias, "pair", content, *old[3:]))
            return PutChain(alias, (x509.certificate(content),))
        case "remove":
            alias = data.draw(st.sampled_from(names))
            model[:] = [entry for entry in model if entry[0] != alias]
            return Remove(alias)
        case _:
            alias = data.draw(st.sampled_from(names))
            new = next(name for name in map("renamed {}".format, range(99)) if name not in names)
            place = names.index(alias)
            model[place] = (new, *model[place][1:])
            return Rename(alias, new)


def _put(model, entry):
    for place, old in enumerate(model):
        if old[0] == entry[0]:
            model[place] = entry
            return
    model.append(entry)


def test_ten_thousand_certificates_are_read_in_a_blink():
    data = store(*(trusted(f"alias {number}", der=b"\x30\x82\x03\x00" + bytes(768)) for number in range(10_000)))

    start = perf_counter()
    snapshot = read(data).snapshot()
    elapsed = perf_counter() - start

    assert len(snapshot.entries) == 10_000
    assert elapsed < 1.5, "ten times what it takes on an idle machine"
