"""Every keystore of the corpus through the command line: listed as its manifest says, and added to without a loss."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from reconciler.keystores.formats import parse_container
from reconciler.secret import Secret
from tests.cli.conftest import blocks, listing, undated
from tests.cli.repository import FROM_VARIABLE, RECONCILE, Repository, Result, roots
from tests.keystores.conftest import Question
from tests.keystores.java_files import corpus_file, manifest

KINDS = {"trustedCertEntry": "trusted-certificate", "PrivateKeyEntry": "key-pair", "SecretKeyEntry": "secret-key"}
FILES = list(manifest())
READ_ONLY = ("BKS", "UBER")
WRITABLE = [
    name for name, record in manifest().items() if record["outcome"] == "entries" and record["format"] not in READ_ONLY
]
# Java 17 and OpenSSL 3.0 do not know PBMAC1 (RFC 9879): they cannot be asked about this one.
UNKNOWN_TO_JAVA = {name for name, record in manifest().items() if record["keytool"]["result"] == "error"}
NEW_ROOT = "a_new_root"
SECONDS, MEGABYTES = 5, 300
# Linux counts the memory of whoever starts a program as the program's own (getrusage(2): the peak outlives exec), and
# the process of the tests is large. So a small process starts it and asks.
ASK = """
import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, file=file)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    result: Result
    seconds: float
    megabytes: float


def measured(repository, *arguments, **environment):
    """Run the program; what it printed, and what it needed: seconds of a processor, for the machine may be busy."""
    out, err, usage = (repository.directory / name for name in ("stdout", "stderr", "usage"))
    with out.open("wb") as stdout, err.open("wb") as stderr:
        code = subprocess.run(
            [sys.executable, "-I", "-S", "-c", ASK, usage, RECONCILE, *arguments], cwd=repository.directory,
            env=repository.environment(**environment), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, check=False,
        ).returncode  # fmt: skip
    seconds, megabytes = map(float, usage.read_text(encoding="utf-8").split())
    return Run(Result(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")), seconds, megabytes)


def in_parallel(work, names):
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(work, names), strict=True))


# ------------------------------------------------------------------------------------------------- reading


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """`list` of every file."""

    def run(name):
        repository = Repository(tmp_path_factory.mktemp("listed"))
        repository.live.write_bytes(corpus_file(name))
        password = manifest()[name]["store_password"]
        options, environment = (
            ([], {}) if password is None else (["--password-env", "PASSWORD"], {"PASSWORD": password})
        )
        return measured(repository, "list", "live/store", "--format", "json", *options, **environment)

    return in_parallel(run, FILES)


def shown(result):
    return sorted(
        (entry["alias"], entry["kind"], [one["sha256"] for one in entry["certificates"]])
        for entry in result.document["entries"]
    )


def expected(record):
    if "entries" not in record:  # Java cannot read it: OpenSSL says which certificates there are
        return [("1", "key-pair", record["openssl"]["cert_sha256"])]
    return sorted((one["alias"], KINDS[one["type"]], one["chain_sha256"]) for one in record["entries"])


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_what_its_manifest_says(name, listed):
    record, result = manifest()[name], listed[name].result

    if record["outcome"] == "error":
        assert (result.code, result.out) == (3, "")
        assert result.err.startswith("live/store: error: ")
        assert "Traceback" not in result.err
        assert len(result.err.splitlines()) == 2
    else:
        assert (result.code, result.err) == (0, "")
        assert shown(result) == expected(record)


@pytest.mark.parametrize("name", FILES)
def test_a_file_needs_little_time_and_memory(name, listed):
    assert listed[name].seconds < SECONDS
    assert listed[name].megabytes < MEGABYTES


def test_a_file_without_integrity_check_is_shown_with_a_warning(listed):
    warned = {name for name in FILES if listed[name].result.code == 0 and listed[name].result.document["warnings"]}

    assert warned == {"own_nopass.pkcs12", "own_openssl_nomac.pkcs12", *UNKNOWN_TO_JAVA} - {"go-pkcs12__rfc9579-a4.p12"}


# ------------------------------------------------------------------------------------------------- writing


def with_new_root(name, directory, new_root):
    """A repository that adds one root to a file of the corpus."""
    record = manifest()[name]
    repository = Repository(directory, record["format"].lower())
    repository.live.write_bytes(corpus_file(name))
    repository.write("new_root.pem", new_root.pem)
    # Neither no password nor an empty one is declared.
    repository.declare(
        roots(**{NEW_ROOT: "new_root.pem"}),
        password=FROM_VARIABLE if record["store_password"] else None,
        **({"integrity": "none"} if "no-mac" in record["tags"] else {}),
    )
    return repository


@pytest.fixture(scope="module")
def applied(tmp_path_factory, new_root):
    """Every file that can be written after `apply` has added one root: the repository, and the run."""

    def run(name):
        repository = with_new_root(name, tmp_path_factory.mktemp("applied"), new_root)
        return repository, measured(
            repository, "apply", "keystore.yaml", "--yes", "--format", "json", STORE_PASSWORD=password_of(name) or ""
        )

    return in_parallel(run, WRITABLE)


def password_of(name):
    return manifest()[name]["store_password"]


@pytest.mark.parametrize("name", WRITABLE)
def test_apply_adds_one_root(name, applied):
    _, run = applied[name]

    assert run.result.code == 0, run.result.err
    assert run.result.changes == [("import", NEW_ROOT)]
    assert run.seconds < SECONDS
    assert run.megabytes < MEGABYTES


@pytest.mark.parametrize("name", WRITABLE)
def test_all_other_parts_keep_their_bytes(name, applied, new_root):
    repository, _ = applied[name]
    password = None if password_of(name) is None else Secret(password_of(name))

    before = parse_container(corpus_file(name), password, origin="before").snapshot()
    after = parse_container(repository.live.read_bytes(), password, origin="after").snapshot()

    [new] = Counter(after.parts) - Counter(before.parts)
    assert Counter(before.parts) - Counter(after.parts) == Counter()
    assert new.alias_key == NEW_ROOT
    assert [part for part in after.parts if part != new] == list(before.parts)
    assert [entry for entry in after.entries if entry.alias != NEW_ROOT] == list(before.entries)
    assert after.hidden == before.hidden


@pytest.fixture(scope="module")
def java_views(applied, java_sees, corpus):
    """What Java sees before and after, keys opened: by name."""
    names = [name for name in WRITABLE if name not in UNKNOWN_TO_JAVA]
    places = [(corpus / "files" / name, applied[name][0].live) for name in names]
    questions = [
        Question(path, manifest()[name]["format"], password_of(name), manifest()[name]["key_passwords"])
        for name, pair in zip(names, places, strict=True)
        for path in pair
    ]
    views = java_sees(questions)
    return {name: (views[2 * place], views[2 * place + 1]) for place, name in enumerate(names)}


def without_made_up_dates(view, name):
    """Where PKCS#12 has no date (trusted certificates, keys of other programs) Java shows the time of reading."""
    dated = {one["alias"] for one in manifest()[name]["entries"] if "created_ms" in one}
    return {
        alias: (entry.kind, entry.chain, entry.created_ms if alias in dated else None)
        for alias, entry in view.entries.items()
    }


@pytest.mark.parametrize("name", [name for name in WRITABLE if name not in UNKNOWN_TO_JAVA])
def test_java_sees_the_other_entries_as_before_and_opens_their_keys(name, java_views, new_root):
    before, after = java_views[name]

    assert after.error is None
    entries = without_made_up_dates(after, name)
    assert entries.pop(NEW_ROOT) == ("trustedCertEntry", (new_root.sha256,), None)
    assert entries == without_made_up_dates(before, name)
    assert after.opened == before.opened
    assert not any(opened.startswith("error") for opened in after.opened.values())


def in_reach(name):
    """keytool cannot print an entry that has capitals in JKS and JCEKS, nor open an empty or no password."""
    record = manifest()[name]
    capitals = record["format"] != "PKCS12" and any(one["alias"] != one["alias"].lower() for one in record["entries"])
    return name not in UNKNOWN_TO_JAVA and bool(record["store_password"]) and not capitals


def test_keytool_prints_the_other_entries_as_before(applied, keytools, corpus):
    names = [name for name in WRITABLE if in_reach(name)]
    assert len(names) > 30
    places = [path for name in names for path in (corpus / "files" / name, applied[name][0].live)]
    passwords = [password_of(name) for name in names for _ in range(2)]

    printed = keytools([listing(path, word, "-rfc") for path, word in zip(places, passwords, strict=True)])

    for place, name in enumerate(names):
        before, after = blocks(printed[2 * place]), blocks(printed[2 * place + 1])
        dated = undated if manifest()[name]["format"] == "PKCS12" else str
        assert after.keys() - before.keys() == {NEW_ROOT}, name
        assert {alias: dated(after[alias]) for alias in before} == {a: dated(b) for a, b in before.items()}, name


@pytest.mark.parametrize("name", [name for name in WRITABLE if manifest()[name]["format"] == "PKCS12"])
def test_openssl_prints_the_other_bags_as_before(name, applied, openssl, corpus, new_root):
    before = openssl_bags(openssl, name, corpus / "files" / name)
    after = openssl_bags(openssl, name, applied[name][0].live)

    assert before - after == Counter()
    [new] = after - before
    assert new_root.pem.decode().strip() in new


def openssl_bags(openssl, name, path):
    """Every bag that OpenSSL prints, attributes included; keys where the password of the keystore opens them."""
    record = manifest()[name]
    words = set(record.get("key_passwords", {}).values())
    keys = ["-nodes"] if words <= {record["store_password"]} else ["-nokeys"]
    checked = [] if name not in UNKNOWN_TO_JAVA else ["-nomacver"]
    done = subprocess.run(
        [openssl, "pkcs12", "-in", path, "-passin", "env:PASSWORD", "-legacy", *keys, *checked],
        capture_output=True, encoding="latin-1", check=False,
        env={**os.environ, "PASSWORD": record["store_password"] or ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Counter(part.strip() for part in done.stdout.replace("Bag Attributes", "\0Bag Attributes").split("\0"))


@pytest.mark.parametrize("name", ["own_chain.jks", "own_secret.jceks", "own_nopass.pkcs12", "own_openssl_nomac.pkcs12"])
def test_a_second_apply_writes_nothing(name, applied):
    repository, _ = applied[name]
    before = repository.files()

    again = repository.apply("--format", "json", STORE_PASSWORD=password_of(name) or "")

    assert (again.code, again.changes) == (0, [])
    assert repository.files() == before


def test_both_counts(listed, applied, capsys):
    read = sum(run.result.code == 0 for run in listed.values())
    refused = [name for name, run in listed.items() if run.result.code == 3]
    written = sum(run.result.code == 0 for _, run in applied.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\nThe corpus: {read} of {len(FILES)} files read as their manifest says, {len(refused)} refused "
            f"({', '.join(refused)}); {written} of {len(WRITABLE)} that can be written given one root more\n"
        )

    assert (read, refused, written) == (43, ["go-pkcs12__rfc9579-a4.p12"], 41)


# ------------------------------------------------------------------------- keystores without integrity check


def test_a_password_without_integrity_check_is_refused_until_the_file_says_none(tmp_path, new_root):
    repository = with_new_root("own_openssl_nomac.pkcs12", tmp_path, new_root)
    repository.declare(roots(**{NEW_ROOT: "new_root.pem"}))
    before = repository.files()

    for result in (repository.plan(), repository.apply()):
        assert result.code == 4
        assert "the keystore has no integrity check, so the declared password proves nothing" in result.err
        assert "integrity: none" in result.err
    assert repository.files() == before


@pytest.mark.parametrize("command", [["list"], ["show", "nomac"]], ids=["list", "show"])
def test_a_password_without_integrity_check_is_a_warning_to_commands_that_show(command, tmp_path, new_root):
    repository = with_new_root("own_openssl_nomac.pkcs12", tmp_path, new_root)
    repository.declare()

    result = repository.run(command[0], "keystore.yaml", *command[1:])

    assert (result.code, result.err) == (0, "")
    assert "warning: the file has no integrity check" in result.out


def test_a_truststore_without_password_stays_one(applied, java_views):
    repository, _ = applied["own_nopass.pkcs12"]

    assert "integrity" in repository.run("list", "live/store", "--format", "json").document["warnings"][0]
    assert len(java_views["own_nopass.pkcs12"][1].entries) == 2
