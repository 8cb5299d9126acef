"""A keystore file that changes its format, password or encryption: all of the corpus, judged by Java and OpenSSL."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache

import pytest

from reconciler.errors import KeystoreUnreadableError, PlanRefusedError, ReconcileError
from reconciler.keystores.formats import parse_container
from reconciler.model import Action, EntryKind, Snapshot, StoreType
from reconciler.secret import Secret
from tests.builders import wanted_certificate, wanted_key_pair
from tests.conftest import CORPUS
from tests.keystores import java_files, pkcs12_files
from tests.keystores.conftest import JavaView, Question
from tests.keystores.migrating import Store

NEW_PASSWORD = "another password"
FILES = {
    name: record for name, record in java_files.manifest().items() if record["format"] in ("JKS", "JCEKS", "PKCS12")
}
UNREADABLE = {"go-pkcs12__rfc9579-a4.p12"}  # its integrity check is wrong on purpose
NOT_FOR_JAVA = {"go-pkcs12__rfc9579-a1.p12"}  # PBMAC1, which Java before 26 does not know
HIDDEN = "hidden from Java"
PROTECTED = "it is protected"
OWN_PASSWORD = "password does not open its key"
# What cannot migrate, and why; everything else does.
REFUSED = {
    ("pyjks__RSA2048_3certs.jks", "pkcs12"): "another chain",  # its chain is no chain
    ("pyjks__custom_entry_passwords.jks", "pkcs12"): OWN_PASSWORD,
    ("pyjks__duplicate_aliases.jks", "pkcs12"): HIDDEN,
    ("pyjks__non_ascii_password.jks", "jceks"): "printable ASCII",
    ("pyjks__non_ascii_password.jks", "pkcs12"): "printable ASCII",
    ("pyjks__AES128.jceks", "jks"): "no secret keys",
    ("pyjks__AES128.jceks", "pkcs12"): "secret key",
    ("pyjks__custom_entry_passwords.jceks", "jks"): "no secret keys",
    ("pyjks__custom_entry_passwords.jceks", "pkcs12"): "secret key",
    ("keystore-go__keystore.jks", "pkcs12"): "without certificates",
    ("keystore-go__keystore.jks", "jceks"): "without certificates",
    ("keystore-go__keystore_keypass.jks", "pkcs12"): OWN_PASSWORD,
    ("dropwizard__acme-weak.truststore.p12", "jks"): HIDDEN,
    ("dropwizard__acme-weak.truststore.p12", "jceks"): HIDDEN,
    ("spring-boot__test.jks", "pkcs12"): OWN_PASSWORD,
    ("spring-boot__chains.p12", "jks"): OWN_PASSWORD,
    ("spring-boot__chains.p12", "jceks"): OWN_PASSWORD,
    ("pyca__name-unicode-pwd.p12", "jks"): HIDDEN,
    ("pyca__name-unicode-pwd.p12", "jceks"): HIDDEN,
    ("pyca__cert-none-key-none.p12", "jks"): HIDDEN,
    ("pyca__cert-none-key-none.p12", "jceks"): HIDDEN,
    ("pyca__no-cert-name-2-pwd.p12", "jks"): HIDDEN,
    ("pyca__no-cert-name-2-pwd.p12", "jceks"): HIDDEN,
    ("pyca__name-2-3-no-pwd.p12", "jks"): HIDDEN,
    ("pyca__name-2-3-no-pwd.p12", "jceks"): HIDDEN,
    ("own_chain.jks", "pkcs12"): PROTECTED,
    ("own_chain.jceks", "jks"): PROTECTED,
    ("own_chain.jceks", "pkcs12"): PROTECTED,
    ("own_chain.pkcs12", "jks"): PROTECTED,
    ("own_chain.pkcs12", "jceks"): PROTECTED,
    ("own_keypass.jks", "pkcs12"): OWN_PASSWORD,
    ("own_secret.jceks", "jks"): "no secret keys",
    ("own_secret.jceks", "pkcs12"): "secret key",
    ("own_secret.pkcs12", "jks"): "secret key",
    ("own_secret.pkcs12", "jceks"): "secret key",
    ("own_nopass.pkcs12", "jks"): "none is declared",
    ("own_nopass.pkcs12", "jceks"): "none is declared",
    ("own_nopass.pkcs12", "modern"): "none is declared",
    ("own_nopass.pkcs12", "legacy"): "none is declared",
    ("own_openssl_default.pkcs12", "jks"): HIDDEN,
    ("own_openssl_default.pkcs12", "jceks"): HIDDEN,
}


@dataclass
class Migration:
    """One file of the corpus and what it was to become."""

    name: str
    to: str
    store: Store
    old_password: str | None
    before: Snapshot
    original: object
    refusal: str | None = None
    own_passwords: tuple[str, ...] = ()
    opened: dict[str, str] = field(default_factory=dict)

    @property
    def case(self) -> tuple[str, str]:
        return self.name, self.to

    @property
    def password(self) -> str | None:
        return None if self.store.password is None else self.store.password.text()


def _goals(record) -> list[str]:
    own = record["format"].lower()
    types = [one for one in ("jks", "jceks", "pkcs12") if one != own]
    return [*types, *(["modern", "legacy"] if own == "pkcs12" else []), "password"]


def _store(path, record, goal: str) -> Store:
    password, own = record["store_password"], record["format"].lower()
    more = {"allow_no_integrity": True}
    match goal:
        case "modern" | "legacy":
            return Store(path, own, password, encryption=goal, **more)
        case "password":
            return Store(path, own, NEW_PASSWORD, password, **more)
        case _:
            return Store(path, goal, password, **more)


def _migrated(name: str, record, goal: str, directory) -> Migration | None:
    path = directory / f"{name}-{goal}"
    shutil.copy(CORPUS / "files" / name, path)
    original = path.read_bytes()
    store = _store(path, record, goal)
    before = store.read()
    done = Migration(name, goal, store, record["store_password"], before, original)
    try:
        plan = store.plan()
        if not plan.changes:  # it is as declared, or opens with every password, as one without integrity check does
            return None
        assert [change.action for change in plan.changes] == [Action.MIGRATE]
        store.apply(plan)
    except PlanRefusedError as error:
        done.refusal = "; ".join(problem.message for problem in error.problems)
    except ReconcileError as error:
        done.refusal = error.message
    return done


@pytest.fixture(scope="module")
def migrations(tmp_path_factory) -> list[Migration]:
    directory = tmp_path_factory.mktemp("migrations")
    found = [
        _migrated(name, record, goal, directory)
        for name, record in FILES.items()
        if name not in UNREADABLE
        for goal in _goals(record)
        if not (goal == "password" and record["store_password"] is None)
    ]
    return [one for one in found if one is not None]


def test_what_cannot_be_carried_is_refused_with_its_reason_and_everything_else_migrates(migrations):
    assert len(migrations) > 120
    refused = {one.case: one.refusal for one in migrations if one.refusal is not None}
    assert refused.keys() == REFUSED.keys()
    assert {case: reason for case, reason in refused.items() if REFUSED[case] not in reason} == {}


def test_a_refused_keystore_is_not_touched(migrations):
    for one in migrations:
        if one.refusal is not None:
            assert one.store.path.read_bytes() == one.original, one.case
            assert not one.store.path.with_name(f"{one.store.path.name}.backups").exists(), one.case


def test_a_second_run_is_empty(migrations):
    assert [one.case for one in migrations if one.refusal is None and one.store.plan().changes] == []


def test_entries_and_their_certificates_are_the_same_in_the_same_order(migrations):
    for one in migrations:
        if one.refusal is None:
            kinds = {"pkcs12": "pkcs12"}
            alike = kinds.get(one.before.type, "java") == kinds.get(one.store.desired.keystore.type, "java")
            assert _line(one.before, sort=not alike) == _line(one.store.read(), sort=not alike), one.case


def _line(snapshot: Snapshot, *, sort: bool):
    line = [(entry.kind, entry.alias.lower(), [c.sha256 for c in entry.chain]) for entry in snapshot.entries]
    return sorted(line, key=lambda entry: entry[0]) if sort else line


def test_java_opens_each_migrated_keystore_and_finds_the_same_keys(migrations, java_sees, tmp_path):
    moved = [one for one in migrations if one.refusal is None and one.name not in NOT_FOR_JAVA]
    questions = []
    for place, one in enumerate(moved):
        original = tmp_path / str(place)
        original.write_bytes(one.original)
        pairs = [entry.alias for entry in one.before.entries if entry.kind is EntryKind.KEY_PAIR and entry.reachable]
        questions.append(Question(original, one.before.type, one.old_password, _keys(pairs, one.old_password)))
        questions.append(
            Question(one.store.path, one.store.desired.keystore.type, one.password, _keys(pairs, one.password))
        )
    views = java_sees(questions)
    compared = sum(_same_in_java(*both) for both in zip(moved, views[::2], views[1::2], strict=True))
    assert compared > 80


def _keys(aliases: list[str], password: str | None) -> dict[str, str]:
    return dict.fromkeys(aliases, password or "")


def _same_in_java(one: Migration, before: JavaView, after: JavaView) -> int:
    """How many private keys are the same."""
    assert after.error is None, (one.case, after.error)
    if before.error is not None:  # RC2-128 and the like, which this Java does not read
        return 0
    assert pkcs12_files.shape_in_java(before).keys() == pkcs12_files.shape_in_java(after).keys(), one.case
    for alias, entry in before.entries.items():
        assert (entry.kind, entry.chain) == (after.entries[alias].kind, after.entries[alias].chain), (one.case, alias)
        both_dated = entry.kind == "PrivateKeyEntry" and None not in (entry.created_ms, after.entries[alias].created_ms)
        if both_dated and {one.before.type, one.store.desired.keystore.type} <= {"jks", "jceks"}:
            assert entry.created_ms == after.entries[alias].created_ms, (one.case, alias)
    protected = {alias for alias in before.keys if alias.startswith("sap_")} if one.to == "password" else set()
    same = {alias: key for alias, key in before.keys.items() if alias not in protected}
    assert {alias: after.keys.get(alias) for alias in same} == same, one.case
    return len(same)


def test_keytool_lists_a_keystore_after_each_kind_of_migration(migrations, keytool_blocks):
    for case in (("own_legacy.pkcs12", "jks"), ("own_legacy.pkcs12", "modern"), ("spring-boot__test.p12", "jceks"),
                 ("pyjks__RSA1024.jceks", "pkcs12"), ("kafka_client.keystore.jks", "password")):  # fmt: skip
        one = next(one for one in migrations if one.case == case)
        assert keytool_blocks(one.store.path, one.password).keys() == {entry.alias for entry in one.before.entries}


def test_openssl_opens_the_migrated_pkcs12_files(migrations, openssl):
    for one in migrations:
        is_pkcs12 = one.store.desired.keystore.type is StoreType.PKCS12
        opens = not any(entry.kind is EntryKind.SECRET_KEY for entry in one.before.entries)
        own = one.name == "spring-boot__chains.p12" or (one.to == "password" and one.name == "own_chain.pkcs12")
        if one.refusal is None and is_pkcs12 and opens and not own and one.name not in NOT_FOR_JAVA:
            counts = pkcs12_files.openssl_counts(openssl, one.store.path, one.store.password)
            pairs = sum(entry.kind is EntryKind.KEY_PAIR for entry in one.before.entries)
            assert counts is not None, one.case
            assert counts[1] >= pairs, one.case


def test_the_old_password_opens_nothing_but_the_backup(migrations):
    for one in migrations:
        if one.to == "password" and one.refusal is None and one.before.integrity:
            with pytest.raises(KeystoreUnreadableError):
                parse_container(one.store.path.read_bytes(), Secret(one.old_password), origin="x")
            (backup,) = [p for p in one.store.path.with_name(f"{one.store.path.name}.backups").iterdir()
                         if not p.name.endswith(".json")]  # fmt: skip
            assert backup.read_bytes() == one.original


# --------------------------------------------------------------------------------------------- single cases


@pytest.fixture
def put(tmp_path):
    def write(data: bytes, name: str = "store"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@cache
def jks_with_a_chain() -> bytes:
    """A key pair whose chain ends below its root, and the root as a trusted certificate."""
    root = pkcs12_files.certificate("root")
    middle = pkcs12_files.certificate("middle", "root")
    leaf = pkcs12_files.certificate("pair", "middle")
    from reconciler.keystores.sun_keys import protect_jks

    protected = protect_jks(pkcs12_files.pkcs8("pair"), java_files.secret())
    pair = java_files.key_pair("pair", [leaf.der, middle.der], protected=protected)
    return java_files.store(java_files.trusted("root", root.der), pair)


def test_a_chain_that_goes_on_in_pkcs12_is_announced_and_allowed(put, java_sees):
    store = Store(put(jks_with_a_chain()), "pkcs12")
    plan = store.plan()
    (change,) = plan.changes
    (affect,) = change.affects
    assert (affect.alias, len(affect.chain_before), len(affect.chain_after)) == ("pair", 2, 3)
    store.apply(plan)
    assert store.plan().changes == ()
    (view,) = java_sees([Question(store.path, "pkcs12", keys={"pair": "changeit"})])
    assert view.opened == {"pair": "EC"}
    assert view.entries["pair"].chain == affect.chain_after
    assert view.entries["pair"].created_ms == java_files.CREATED


def test_a_migration_that_shows_a_longer_chain_than_was_announced_is_refused(put):
    store = Store(put(jks_with_a_chain()), "pkcs12")
    plan = store.plan()
    silent = replace(plan, changes=(replace(plan.changes[0], affects=()),))
    with pytest.raises(ReconcileError, match="another chain"):
        store.apply(silent)
    assert store.path.read_bytes() == jks_with_a_chain()


def test_other_changes_go_along_in_the_same_write(put, java_sees):
    root = wanted_certificate("new_root", pkcs12_files.certificate("another root"))
    pair = wanted_key_pair("made", validity=timedelta(days=3650))
    store = Store(put(jks_with_a_chain()), "pkcs12", NEW_PASSWORD, "changeit").declares(root, pair)
    plan = store.plan()
    assert [change.action for change in plan.changes] == ["migrate", "import", "create"]
    assert plan.changes[0].reason == "type+password"
    store.apply(plan)
    assert store.plan().changes == ()
    backups = [p.suffix for p in store.path.with_name("store.backups").iterdir()]
    assert sorted(backups) == ["", ".json"] or len(backups) == 2  # one write
    (view,) = java_sees([Question(store.path, "pkcs12", NEW_PASSWORD, {"pair": NEW_PASSWORD, "made": NEW_PASSWORD})])
    assert view.opened == {"pair": "EC", "made": "RSA"}


def test_a_keystore_goes_to_pkcs12_and_back_without_losing_anything(put):
    store = Store(put(java_files.corpus_file("pyjks__RSA1024.jceks")), "pkcs12", "12345678")
    before = store.read()
    store.apply()
    again = Store(store.path, "jceks", "12345678")
    again.apply()
    after = again.read()
    assert [e.created for e in before.entries] == [e.created for e in after.entries]
    assert _line(before, sort=False) == _line(after, sort=False)


def test_a_certificate_of_sap_moves_and_its_key_keeps_its_bytes(put):
    store = Store(put(java_files.corpus_file("own_chain.jks")), "jks", NEW_PASSWORD, "changeit")
    before = {entry.alias: entry for entry in store.read().entries}
    plan = store.plan()
    assert any("sap_cloudintegration" in warning for warning in plan.changes[0].warnings)
    store.apply(plan)
    after = {entry.alias: entry for entry in store.read().entries}
    assert after["sap_cloudintegration"] == before["sap_cloudintegration"]
    changed = {alias for alias in before if before[alias].key_digest != after[alias].key_digest}
    assert changed
    assert "sap_cloudintegration" not in changed


def test_a_file_may_protect_more_aliases_and_then_they_do_not_move(put):
    store = Store(put(jks_with_a_chain()), "pkcs12").declares(protected=("pa*",))
    with pytest.raises(PlanRefusedError, match="protected"):
        store.plan()


def test_keys_with_a_password_of_their_own_are_named(put):
    store = Store(put(java_files.corpus_file("own_keypass.jks")), "jks", NEW_PASSWORD, "changeit")
    (outcome,) = store.apply()
    assert "different" in outcome.message


def test_secret_keys_stay_as_they_are_and_the_plan_says_so(put):
    store = Store(put(java_files.corpus_file("own_secret.jceks")), "jceks", NEW_PASSWORD, "changeit")
    before = {e.alias: e.digest for e in store.read().entries if e.kind is EntryKind.SECRET_KEY}
    plan = store.plan()
    assert any("secret keys keep the password" in warning for warning in plan.changes[0].warnings)
    store.apply(plan)
    assert before == {e.alias: e.digest for e in store.read().entries if e.kind is EntryKind.SECRET_KEY}


def test_attributes_that_only_pkcs12_can_hold_keep_a_keystore_where_it_is(put):
    one = pkcs12_files.certificate("root")
    bag = pkcs12_files.trusted(one, name="root")
    parts = pkcs12_files.der.read(bag.raw).children()
    more = pkcs12_files.attribute("1.3.6.1.4.1.311.17.1", pkcs12_files.der.bmp_string("CSP"))
    attributes = pkcs12_files.der.set_in_order(*[a.raw for a in parts[2].children()], more)
    marked = pkcs12_files.read_bag(pkcs12_files.der.sequence(parts[0].raw, parts[1].raw, attributes))
    store = Store(put(pkcs12_files.file_of([marked])), "jks")
    with pytest.raises(PlanRefusedError, match="attributes that only PKCS#12"):
        store.plan()


def test_two_spellings_of_an_alias_do_not_become_one(put):
    data = java_files.store(java_files.trusted("Root"), java_files.trusted("root"))
    with pytest.raises(PlanRefusedError, match="two spellings"):
        Store(put(data), "pkcs12").plan()


def test_an_alias_that_java_could_not_reach_can_be_reached_afterwards(put, java_sees):
    store = Store(put(java_files.store(java_files.trusted("Root"))), "pkcs12")
    store.apply()
    (view,) = java_sees([Question(store.path, "pkcs12")])
    assert view.entries["root"].kind == "trustedCertEntry"


def test_a_legacy_keystore_stays_legacy_when_a_key_is_added(put, java_sees):
    path = put(java_files.corpus_file("own_legacy.pkcs12"))
    store = Store(path, "pkcs12", encryption="legacy").declares(wanted_key_pair("made", validity=timedelta(days=3650)))
    store.apply()
    assert store.read().encryption == "legacy"
    assert store.plan().changes == ()
    made = parse_container(path.read_bytes(), Secret("changeit"), origin="x").carried("made")
    assert b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03" in made.own.raw  # pbeWithSHA1And3-KeyTripleDES-CBC


def test_a_new_keystore_is_encrypted_as_declared(tmp_path):
    for encryption, expected in ((None, "modern"), ("modern", "modern"), ("legacy", "legacy")):
        store = Store(tmp_path / f"{encryption}.p12", "pkcs12", create=True, encryption=encryption)
        store.declares(wanted_certificate("root", pkcs12_files.certificate("root"))).apply()
        assert store.read().encryption == expected
        assert store.plan().changes == ()


def test_neither_password_opens_it(put):
    store = Store(put(jks_with_a_chain()), "jks", "wrong", "wrong too")
    with pytest.raises(KeystoreUnreadableError, match="neither `password` nor `previousPassword`"):
        store.read()


def test_a_previous_password_that_is_gone_matters_only_when_it_is_needed(put):
    def gone():
        raise ReconcileError("the environment variable OLD is not set")

    path = put(jks_with_a_chain())
    store = Store(path, "jks")
    store.previous = gone
    assert store.plan().changes == ()
    store.password = Secret("wrong")
    with pytest.raises(KeystoreUnreadableError, match="OLD is not set"):
        store.read()


def test_the_plan_names_the_backups_that_open_with_the_old_password(put):
    store = Store(put(jks_with_a_chain()), "jks").declares(wanted_certificate("x", pkcs12_files.certificate("x")))
    store.apply()
    changed = Store(store.path, "jks", NEW_PASSWORD, "changeit")
    (change,) = changed.plan().changes
    assert "1 backup opens with the previous password" in change.message
    assert change.reason == "password"


def test_the_nightly_run_works_on_the_keystore_as_it_is(put):
    store = Store(put(jks_with_a_chain()), "pkcs12", NEW_PASSWORD, "changeit").declares(wanted_key_pair("made"))
    assert store.plan(renewals_only=True).changes == ()


def test_a_migration_is_what_was_reviewed_or_it_is_refused(put):
    from reconciler.planning import digest

    path = put(jks_with_a_chain())
    plans = [Store(path, "pkcs12", encryption=one).plan() for one in ("modern", "legacy")]
    plans += [Store(path, "jceks").plan(), Store(path, "jks", NEW_PASSWORD, "changeit").plan()]
    assert len({digest([plan]) for plan in plans}) == 4


def test_a_format_that_is_only_read_does_not_migrate(put):
    store = Store(put(java_files.corpus_file("own_chain.bks")), "pkcs12")
    with pytest.raises(ReconcileError, match="source of imports"):
        store.read()
