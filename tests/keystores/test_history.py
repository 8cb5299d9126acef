"""The record beside each backup: what it says, that it survives crashes, and what hostile ones can do."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import ReconcileError, RefusedError
from reconciler.keystores import file_keystore, history
from reconciler.runs import never_took_place
from tests.builders import wanted_certificate
from tests.keystores import pkcs12_files
from tests.keystores.migrating import Store


def root(name="root"):
    return wanted_certificate(name, pkcs12_files.certificate(name))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "live.p12", "pkcs12", create=True)
    store.declares(root("one")).apply()
    return store


def directory(store):
    return history.directory_of(str(store.path))


def records(store):
    return sorted(path for path in directory(store).iterdir() if path.name.endswith(".json"))


def test_a_run_that_makes_the_keystore_leaves_a_record_without_a_backup(store):
    (run,) = store.reader().runs()
    assert run.backup is None
    assert run.version_before is None
    assert run.version_after == store.read().version
    assert [(change.action, change.alias) for change in run.changes] == [("create-store", ""), ("import", "one")]
    ((alias, before, after),) = run.entries
    assert (alias, before) == ("one", None)
    assert after.is_still(store.read().entries[0])


def test_each_run_leaves_what_it_found_and_says_what_it_did(store):
    found = store.path.read_bytes()
    store.declares(root("one"), root("two")).apply()
    newest, oldest = store.reader().runs()
    assert newest.id > oldest.id
    assert Path(newest.backup).read_bytes() == found
    assert newest.version_before == oldest.version_after
    assert [entry[0] for entry in newest.entries] == ["two"]
    assert newest.state == "keystore.yaml"
    assert not newest.migrated


def test_backups_and_records_are_as_private_as_a_key(store):
    store.declares(root("one"), root("two")).apply()
    assert {oct(path.stat().st_mode & 0o777) for path in directory(store).iterdir()} == {"0o600"}
    assert oct(directory(store).stat().st_mode & 0o777) == "0o700"


def test_a_record_holds_no_password_and_no_key(store):
    text = records(store)[0].read_text()
    assert "changeit" not in text
    assert "PRIVATE" not in text
    assert max(map(len, text.split('"'))) < 100


def test_a_migration_is_marked_and_its_backup_opens_with_the_previous_password(store):
    changed = Store(store.path, "jks", "another password", "changeit").declares(root("one"))
    changed.apply()
    reader = changed.reader()
    newest, _ = reader.runs()
    assert newest.migrated
    assert reader.backup_opens(newest) == "previousPassword"
    assert [(change.action, change.reason) for change in newest.changes] == [("migrate", "type+password")]


def test_only_the_newest_runs_are_kept(tmp_path):
    store = Store(tmp_path / "live.jks", "jks", create=True, keep_backups=3)
    for count in range(1, 7):
        store.declares(*[root(f"r{number}") for number in range(count)]).apply()
    runs = store.reader().runs()
    assert len(runs) == 3
    assert all(run.backup for run in runs)
    assert len(list(directory(store).iterdir())) == 6


def test_foreign_files_among_the_backups_are_left_alone(tmp_path):
    store = Store(tmp_path / "live.jks", "jks", create=True, keep_backups=1)
    store.declares(root("a")).apply()
    mine = [directory(store) / name for name in ("README", "20261301T000000.000000Z.jks", "x.run.json")]
    for path in mine:
        path.write_text("mine")
    store.declares(root("a"), root("b")).apply()
    assert all(path.read_text() == "mine" for path in mine)


def test_a_clock_that_was_put_back_does_not_change_the_order(store):
    future = directory(store) / f"20991231T235959.999998Z{history.RECORD}"
    records(store)[0].rename(future)
    store.declares(root("one"), root("two")).apply()
    assert store.reader().runs()[0].id == "20991231T235959.999999Z"


def test_a_write_that_is_refused_leaves_neither_backup_nor_record(store, monkeypatch):
    def refuse(*args, **kwargs):
        raise RefusedError("changed by somebody else")

    monkeypatch.setattr(file_keystore, "replace_file", refuse)
    before = sorted(directory(store).iterdir())
    with pytest.raises(RefusedError):
        store.declares(root("one"), root("two")).apply()
    assert sorted(directory(store).iterdir()) == before


class Killed(BaseException):
    """As if the process were killed here."""


@pytest.mark.parametrize("step", ["record", "replace"])
def test_a_crash_before_the_replacing_is_told_from_a_run(store, monkeypatch, step):
    def die(*args, **kwargs):
        raise Killed

    if step == "replace":
        monkeypatch.setattr(file_keystore, "replace_file", die)
    else:
        write = history.write_private_file
        monkeypatch.setattr(
            history,
            "write_private_file",
            lambda path, data: die() if path.name.endswith(".json") else write(path, data),
        )
    live = store.path.read_bytes()
    with pytest.raises(Killed):
        store.declares(root("one"), root("two")).apply()
    monkeypatch.undo()
    assert store.path.read_bytes() == live
    runs = store.reader().runs()
    interrupted = runs[0]
    if step == "record":
        assert interrupted.problem == "there is no record of it"
    else:
        assert never_took_place(runs, store.read().version) == {interrupted.id}
    store.apply()
    runs = store.reader().runs()
    assert store.plan().changes == ()
    assert never_took_place(runs, store.read().version) == ({interrupted.id} if step == "replace" else set())


def test_a_crash_right_after_the_replacing_leaves_a_whole_run(store, monkeypatch):
    def die(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(history, "prune", die)
    with pytest.raises(Killed):
        store.declares(root("one"), root("two")).apply()
    newest = store.reader().runs()[0]
    assert newest.version_after == store.read().version
    assert store.plan().changes == ()


def test_a_directory_that_cannot_be_written_stops_the_run(store):
    if os.geteuid() == 0:
        directory(store).rename(directory(store).with_name("away"))
        directory(store).write_text("in the way")
    else:
        directory(store).chmod(0o500)
    live = store.path.read_bytes()
    with pytest.raises(ReconcileError, match="nothing was changed"):
        store.declares(root("one"), root("two")).apply()
    assert store.path.read_bytes() == live


HOSTILE = {
    "empty": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "a number": b"7",
    "deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe",
    "no fields": b"{}",
    "another version": b'{"format_version": "2", "run": "x"}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_record_is_a_run_that_says_nothing(store, content):
    records(store)[0].write_bytes(content)
    (run,) = store.reader().runs()
    assert run.problem is not None
    assert run.entries == ()


FIELDS = ("command", "state", "digest", "undoes", "version_before", "version_after", "changes", "entries", "run")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [7, [7], {"x": 7}, {"one": {"before": 7, "after": None}}])
def test_a_record_with_fields_of_another_kind_is_damaged(store, field, value):
    (path,) = records(store)
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, field: value}))
    (run,) = store.reader().runs()
    assert run.problem is not None


def test_a_backup_that_somebody_changed_is_not_used(store):
    store.declares(root("one"), root("two")).apply()
    newest = store.reader().runs()[0]
    backup = Path(newest.backup)
    backup.write_bytes(backup.read_bytes()[:-1] + b"x")
    assert store.reader().backup_opens(newest) is None
    with pytest.raises(ReconcileError, match="changed since"):
        store.reader().backup(newest.id)
    gone = replace(newest, backup=None)
    assert store.reader().backup_opens(gone) is None


def test_an_entry_that_another_program_wrote_again_is_still_the_same(store):
    ((_, _, facts),) = store.reader().runs()[0].entries
    entry = store.read().entries[0]
    assert facts.is_still(replace(entry, digest="0" * 64))
    assert not facts.is_still(replace(entry, digest="0" * 64, chain=root("another").certificate and ()))
    assert not facts.is_still(None)
