"""`history` and `rollback`: what a run did is undone, nothing else is, and Java finds the old keys again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler import cli
from reconciler.applying import apply_target
from reconciler.errors import PlanRefusedError, RefusedError
from reconciler.keystores.opening import open_keystore
from reconciler.model import Absent, EntryKind, KeySpec, Renamed, RunFacts
from reconciler.planning import check_mass_change
from reconciler.undoing import plan_rollback
from tests.builders import HERE, NOW, wanted_certificate, wanted_key_pair
from tests.keystores import java_files, pkcs12_files
from tests.keystores.conftest import Question, java_sees, oracle_classes  # noqa: F401  # fixtures
from tests.keystores.migrating import Store
from tests.tls.pki import pem
from tests.tls.receiver_site import leaf
from tests.tls.receiver_site import root as root_of_receivers

TYPES = ("jks", "jceks", "pkcs12")
PAIR = wanted_key_pair("pair", key=KeySpec("EC", curve="secp256r1"), validity=timedelta(days=3650))


def root(name="root", of=None):
    return wanted_certificate(name, pkcs12_files.certificate(of or name))


def rollback_plan(store: Store, run=None):
    reader = store.reader()
    live = reader.read()
    run = run or reader.runs()[0]
    needed = run.migrated or any(before is not None for _, before, _ in run.entries)
    return plan_rollback(store.desired, live, run, reader.backup(run.id) if needed else None, reader.preview)


def roll_back(store: Store, run=None):
    run = run or store.reader().runs()[0]
    plan = rollback_plan(store, run)
    patterns = [one.pattern for one in store.desired.protected]
    facts = RunFacts("rollback", "keystore.yaml", "sha256:0", plan.changes, run.id)
    door = open_keystore(store.desired.keystore, store.password, patterns, store.previous, facts)
    return apply_target(plan, door, NOW, lambda *_: None)


@pytest.fixture(params=TYPES)
def store(request, tmp_path) -> Store:
    """A keystore with a key pair and two roots."""
    store = Store(tmp_path / f"live.{request.param}", request.param, create=True)
    store.declares(PAIR, root("one"), root("two")).apply()
    return store


def content(store: Store):
    """What Java shows, with the bytes behind it."""
    return {entry.alias: (entry.kind, entry.digest, entry.created) for entry in store.read().entries}


def hidden(store: Store):
    return store.read().hidden


RUNS = {
    "an added root": lambda s: s.declares(PAIR, root("one"), root("two"), root("three")),
    "a replaced root": lambda s: s.declares(PAIR, root("one", of="another"), root("two")),
    "an added key pair": lambda s: s.declares(PAIR, root("one"), root("two"), replace(PAIR, alias="second")),
    "a renewed key pair": lambda s: s.declares(replace(PAIR, subject=(("CN", "other"),)), root("one"), root("two")),
    "a certificate over the same key": lambda s: s.declares(
        replace(PAIR, subject=(("CN", "other"),), rekey=False), root("one"), root("two")
    ),
    "a removed root": lambda s: s.declares(PAIR, root("two"), absent=(Absent("one", HERE),)),
    "a removed key pair": lambda s: s.declares(root("one"), root("two"), absent=(Absent("pair", HERE),)),
    "a renamed key pair": lambda s: s.declares(
        replace(PAIR, alias="renamed"), root("one"), root("two"), renamed=(Renamed("pair", "renamed", HERE),)
    ),
    "a renamed root": lambda s: s.declares(
        PAIR, root("eins", of="one"), root("two"), renamed=(Renamed("one", "eins", HERE),)
    ),
    "several at once": lambda s: s.declares(
        replace(PAIR, subject=(("CN", "other"),)), root("three"), absent=(Absent("one", HERE),)
    ),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_rollback_brings_back_every_byte_of_every_entry_and_can_be_undone(store, run):
    before = content(store)
    run(store).apply()
    after = content(store)
    assert after != before
    outcomes = roll_back(store)
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert content(store) == before
    assert hidden(store) == ()
    roll_back(store)
    assert content(store) == after
    assert hidden(store) == ()
    newest = store.reader().runs()[0]
    assert newest.command == "rollback"
    assert newest.undoes == store.reader().runs()[1].id


def test_java_opens_the_keys_that_came_back(tmp_path, java_sees):  # noqa: F811
    stores = []
    for store_type in TYPES:
        store = Store(tmp_path / store_type, store_type, create=True)
        store.declares(PAIR, root("one")).apply()
        first = store.path.with_suffix(".first")
        first.write_bytes(store.path.read_bytes())
        store.declares(replace(PAIR, subject=(("CN", "other"),)), root("one")).apply()
        roll_back(store)
        stores += [Question(path, store_type, keys={"pair": "changeit"}) for path in (first, store.path)]
    views = java_sees(stores)
    for before, after in zip(views[::2], views[1::2], strict=True):
        assert before.keys == after.keys
        assert len(after.keys) == 1
        assert before.entries["pair"] == after.entries["pair"]


def test_an_entry_that_was_changed_since_is_named_and_nothing_is_undone(store):
    store.declares(PAIR, root("one", of="another"), root("two", of="yet another")).apply()
    run = store.reader().runs()[0]
    store.declares(PAIR, root("one", of="a third"), root("two", of="yet another")).apply()
    live = store.path.read_bytes()
    with pytest.raises(PlanRefusedError, match="one: changed since the run") as caught:
        roll_back(store, run)
    assert caught.value.exit_code == 4
    assert len(caught.value.problems) == 1
    assert store.path.read_bytes() == live


def test_an_entry_that_vanished_since_is_named(store):
    store.declares(PAIR, root("one", of="another"), root("two")).apply()
    run = store.reader().runs()[0]
    store.declares(PAIR, root("two"), absent=(Absent("one", HERE),)).apply()
    with pytest.raises(PlanRefusedError, match="no such entry any more"):
        roll_back(store, run)


def test_what_is_as_it_was_already_needs_no_undoing(store):
    store.declares(PAIR, root("one", of="another"), root("two")).apply()
    run = store.reader().runs()[0]
    store.declares(PAIR, root("one"), root("two")).apply()
    assert rollback_plan(store, run).changes == ()


def test_changes_to_other_entries_since_then_stay(store):
    store.declares(PAIR, root("one", of="another"), root("two")).apply()
    run = store.reader().runs()[0]
    store.declares(PAIR, root("one", of="another"), root("two"), root("three")).apply()
    roll_back(store, run)
    shown = {entry.alias: entry.leaf for entry in store.read().entries}
    assert shown["one"].der == pkcs12_files.certificate("one").der
    assert "three" in shown


def test_what_became_protected_since_is_not_touched(store):
    store.declares(PAIR, root("one", of="another"), root("two")).apply()
    store.declares(protected=("on*",))
    with pytest.raises(PlanRefusedError, match="protected"):
        rollback_plan(store)


def test_a_forged_record_does_not_open_the_door_to_entries_of_sap(tmp_path):
    path = tmp_path / "live.jks"
    path.write_bytes(java_files.corpus_file("own_chain.jks"))
    store = Store(path, "jks").declares(root("new"))
    store.apply()
    (record,) = [p for p in path.with_name("live.jks.backups").iterdir() if p.name.endswith(".json")]
    document = json.loads(record.read_bytes())
    facts = document["entries"]["new"]["after"]
    live = {entry.alias: entry for entry in store.read().entries}["sap_cloudintegration"]
    forged = {**facts, "kind": "key-pair", "digest": live.digest, "sha256": [c.sha256 for c in live.chain]}
    document["entries"]["sap_cloudintegration"] = {"before": None, "after": forged}
    record.write_text(json.dumps(document))
    with pytest.raises(PlanRefusedError, match="protected"):
        rollback_plan(store)


def test_the_rule_on_mass_changes_holds(tmp_path):
    store = Store(tmp_path / "live.jks", "jks", create=True)
    store.declares(*[root(f"r{number}") for number in range(8)]).apply()
    with pytest.raises(RefusedError, match="empty the keystore"):
        check_mass_change(rollback_plan(store))


def test_a_secret_key_comes_back_byte_for_byte(tmp_path):
    for name, store_type in (("own_secret.jceks", "jceks"), ("own_secret.pkcs12", "pkcs12")):
        path = tmp_path / name
        path.write_bytes(java_files.corpus_file(name))
        store = Store(path, store_type)
        before = content(store)
        secret = next(alias for alias, entry in before.items() if entry[0] is EntryKind.SECRET_KEY)
        store.declares(absent=(Absent(secret, HERE),)).apply()
        assert secret not in content(store)
        roll_back(store)
        assert content(store) == before


def test_after_a_change_of_password_keys_come_back_under_the_new_one(store, java_sees):  # noqa: F811
    store_type = store.desired.keystore.type
    first = store.path.with_suffix(".first")
    first.write_bytes(store.path.read_bytes())
    store.declares(root("one"), root("two"), absent=(Absent("pair", HERE),)).apply()
    removal = store.reader().runs()[0]
    changed = Store(store.path, store_type, "another password", "changeit").declares(root("one"), root("two"))
    changed.apply()
    roll_back(changed, removal)
    views = java_sees(
        [
            Question(first, store_type, keys={"pair": "changeit"}),
            Question(store.path, store_type, "another password", {"pair": "another password"}),
        ]
    )
    assert views[0].keys == views[1].keys
    assert len(views[1].keys) == 1
    assert views[0].entries["pair"].created_ms == views[1].entries["pair"].created_ms


@pytest.mark.parametrize("other", TYPES)
def test_after_a_change_of_format_entries_come_back_in_the_new_one(tmp_path, other, java_sees):  # noqa: F811
    first_type = "jks" if other == "pkcs12" else "pkcs12"
    store = Store(tmp_path / "live", first_type, create=True).declares(PAIR, root("one"), root("two"))
    store.apply()
    first = tmp_path / "first"
    first.write_bytes(store.path.read_bytes())
    store.declares(root("two"), absent=(Absent("pair", HERE), Absent("one", HERE))).apply()
    removal = store.reader().runs()[0]
    moved = Store(store.path, other).declares(root("two"))
    moved.apply()
    roll_back(moved, removal)
    views = java_sees([
        Question(first, first_type, keys={"pair": "changeit"}), Question(store.path, other, keys={"pair": "changeit"})
    ])  # fmt: skip
    assert views[0].keys == views[1].keys
    assert views[0].entries.keys() == views[1].entries.keys()


def test_a_migration_is_undone_by_the_whole_file(store):
    original = store.path.read_bytes()
    other = "pkcs12" if store.desired.keystore.type != "pkcs12" else "jks"
    moved = Store(store.path, other, "another password", "changeit").declares(PAIR, root("one"), root("two"))
    moved.apply()
    after = store.path.read_bytes()
    roll_back(moved)
    assert store.path.read_bytes() == original
    assert [change.reason for change in moved.plan().changes] == ["type+password"]
    roll_back(moved)
    assert store.path.read_bytes() == after
    assert moved.plan().changes == ()


def test_a_migration_is_not_undone_once_the_keystore_has_changed(store):
    changed = Store(store.path, store.desired.keystore.type, "another password", "changeit")
    changed.declares(PAIR, root("one"), root("two")).apply()
    migration = changed.reader().runs()[0]
    changed.declares(PAIR, root("one"), root("two"), root("three")).apply()
    with pytest.raises(RefusedError, match="undone whole"):
        roll_back(changed, migration)


def test_changes_that_went_along_with_a_migration_go_back_with_it(store):
    original = store.path.read_bytes()
    changed = Store(store.path, store.desired.keystore.type, "another password", "changeit")
    changed.declares(PAIR, root("one", of="another"), root("three"), absent=(Absent("two", HERE),)).apply()
    plan = rollback_plan(changed)
    assert {(change.action, change.alias) for change in plan.changes} == {
        ("migrate", ""), ("replace", "one"), ("import", "two"), ("delete", "three")
    }  # fmt: skip
    roll_back(changed)
    assert store.path.read_bytes() == original


# ------------------------------------------------------------------------------------------- the commands

STATE = """\
apiVersion: reconciler/v1
keystore:
  type: pkcs12
  path: live.p12
  password: {file: password.txt}
  create: true
trustedRoots:
  one: {file: one.der}
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path("password.txt").write_text("changeit\n")
    for name in ("one", "two"):
        Path(f"{name}.der").write_bytes(pkcs12_files.certificate(name).der)
    Path("keystore.yaml").write_text(STATE)
    assert cli.run(["apply", "keystore.yaml", "--yes"]) == 0
    Path("keystore.yaml").write_text(STATE.replace("one.der", "two.der"))
    assert cli.run(["apply", "keystore.yaml", "--yes"]) == 0
    return tmp_path


def printed(capsys, *arguments) -> str:
    capsys.readouterr()
    assert cli.run(list(arguments)) == 0
    return capsys.readouterr().out


def test_history_tells_what_each_run_did(repository, capsys):
    text = printed(capsys, "history", "keystore.yaml")
    assert text.startswith("live.p12: 2 runs, newest first")
    assert text.index("replace      one") < text.index("create-store")
    assert "the keystore is still what this run left" in text
    assert "opens with `password`" in text
    assert "made the keystore, so there is no backup" in text
    newest, oldest = json.loads(printed(capsys, "history", "keystore.yaml", "--format", "json"))["runs"]
    assert (newest["current"], oldest["current"]) == (True, False)
    assert newest["backup"]["opens_with"] == "password"
    assert newest["changes"][0]["action"] == "replace"
    one = newest["entries"][0]
    assert one["before"]["sha256"] == pkcs12_files.certificate("one").sha256
    assert one["after"]["sha256"] == pkcs12_files.certificate("two").sha256


def test_a_rollback_says_what_git_still_asks_for(repository, capsys):
    text = printed(capsys, "rollback", "keystore.yaml", "--yes")
    assert "put back what was replaced" in text
    assert "git still asks for:\n  replace      one" in text
    assert cli.run(["plan", "keystore.yaml", "--detailed-exitcode"]) == 2
    text = printed(capsys, "rollback", "keystore.yaml", "--yes")
    assert "git asks for nothing else" in text
    assert "rollback of" in printed(capsys, "history", "keystore.yaml")


@pytest.mark.parametrize("migrates", [False, True])
def test_a_rollback_that_would_break_a_connection_is_refused(repository, capsys, migrates):
    old, new = root_of_receivers("Old"), root_of_receivers("New")
    Path("one.der").write_bytes(old.der)
    Path("two.der").write_bytes(new.der)
    Path("keystore.yaml").write_text(STATE)
    assert cli.run(["apply", "keystore.yaml", "--yes"]) == 0
    state = STATE.replace("one.der", "two.der").replace("type: pkcs12", "type: jks" if migrates else "type: pkcs12")
    Path("keystore.yaml").write_text(state)
    assert cli.run(["apply", "keystore.yaml", "--yes"]) == 0
    server = leaf(new)
    Path("chain.pem").write_bytes(pem(server, new))
    Path("keystore.yaml").write_text(f"{state}receivers:\n  partner: {{address: 'localhost:443', chain: chain.pem}}\n")
    live = Path("live.p12").read_bytes()
    capsys.readouterr()
    for more in (["--plan-only"], ["--yes"]):
        assert cli.run(["rollback", "keystore.yaml", *more]) == 4
        assert "the receiver partner would break" in capsys.readouterr().err
    assert Path("live.p12").read_bytes() == live


def test_a_rollback_as_json(repository, capsys):
    document = json.loads(printed(capsys, "rollback", "keystore.yaml", "--yes", "--format", "json"))
    assert document["command"] == "rollback"
    assert [one["status"] for one in document["targets"][0]["outcomes"]] == ["applied"]
    assert [one["action"] for one in document["git_still_asks_for"]] == ["replace"]


def test_a_rollback_can_be_looked_at_first(repository, capsys):
    live = Path("live.p12").read_bytes()
    assert "put back what was replaced" in printed(capsys, "rollback", "keystore.yaml", "--plan-only")
    assert Path("live.p12").read_bytes() == live
    assert cli.run(["rollback", "keystore.yaml"]) == 1  # nobody to ask
    assert "give --yes" in capsys.readouterr().err
    assert Path("live.p12").read_bytes() == live


def test_a_run_is_named_by_its_beginning(repository, capsys):
    newest, oldest = json.loads(printed(capsys, "history", "keystore.yaml", "--format", "json"))["runs"]
    assert cli.run(["rollback", "keystore.yaml", "2", "--yes"]) == 1
    assert "2 runs begin with '2'" in capsys.readouterr().err
    assert cli.run(["rollback", "keystore.yaml", "19990101", "--yes"]) == 1
    assert "no run to undo" in capsys.readouterr().err
    assert cli.run(["rollback", "keystore.yaml", oldest["run"], "--yes"]) == 4
    assert "one: changed since the run" in capsys.readouterr().err
    assert cli.run(["rollback", "keystore.yaml", newest["run"], "--yes"]) == 0
    assert "nothing to undo" in printed(capsys, "rollback", "keystore.yaml", newest["run"], "--yes")


def test_the_last_run_is_one_that_took_place(repository, capsys):
    backups = Path("live.p12.backups")
    record = max(path for path in backups.iterdir() if path.name.endswith(".json"))
    document = json.loads(record.read_bytes())
    later = "20991231T000000.000000Z"
    interrupted = {**document, "run": later, "version_before": document["version_after"], "version_after": "0" * 64}
    (backups / f"{later}.run.json").write_text(json.dumps(interrupted))
    assert "interrupted before it changed the keystore" in printed(capsys, "history", "keystore.yaml")
    assert cli.run(["rollback", "keystore.yaml", later, "--yes"]) == 1
    assert "git still asks for" in printed(capsys, "rollback", "keystore.yaml", "--yes")


def test_undoing_the_run_that_made_everything_needs_the_permission_for_mass_changes(repository, capsys):
    assert cli.run(["rollback", "keystore.yaml", "--yes"]) == 0
    oldest = json.loads(printed(capsys, "history", "keystore.yaml", "--format", "json"))["runs"][-1]["run"]
    assert cli.run(["rollback", "keystore.yaml", oldest, "--yes"]) == 4
    assert "empty the keystore" in capsys.readouterr().err
    assert cli.run(["rollback", "keystore.yaml", oldest, "--yes", "--allow-mass-change"]) == 0


def test_a_keystore_without_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("password.txt").write_text("changeit\n")
    Path("one.der").write_bytes(pkcs12_files.certificate("one").der)
    Path("keystore.yaml").write_text(STATE)
    assert "nothing was applied yet" in printed(capsys, "history", "keystore.yaml")
    assert cli.run(["rollback", "keystore.yaml", "--yes"]) == 1


def test_the_password_changes_by_the_command_line(repository, capsys):
    Path("new.txt").write_text("another password\n")
    state = STATE.replace("one.der", "two.der").replace(
        "{file: password.txt}", "{file: new.txt}\n  previousPassword: {file: password.txt}"
    )
    Path("keystore.yaml").write_text(state)
    assert cli.run(["drift", "keystore.yaml"]) == 2
    assert cli.run(["list", "keystore.yaml"]) == 0
    assert "1 backup opens with the previous password" in printed(capsys, "plan", "keystore.yaml")
    assert cli.run(["apply", "keystore.yaml", "--yes"]) == 0
    Path("password.txt").unlink()
    assert cli.run(["plan", "keystore.yaml", "--detailed-exitcode"]) == 0
    assert "opens with no declared password" in printed(capsys, "history", "keystore.yaml")
