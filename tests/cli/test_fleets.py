"""Fleets: the state files that a git change touches, shares for machines side by side, and when to stop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.commands.fleet import worked_on
from reconciler.commands.stopping import Failures
from reconciler.desired.shards import Shard, share_of
from reconciler.model import KeystoreTarget, Source, StoreType
from tests.cli.pki import authority
from tests.cli.repository import PASSWORD_VARIABLE, Repository

COMMANDS = {"validate": (), "plan": (), "drift": (), "apply": ("--yes",)}
AUTHOR = {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
}  # fmt: skip


def state(name, root="root", *, more="", include=""):
    return (
        f"apiVersion: reconciler/v1\n{include}"
        f"keystore: {{type: pkcs12, path: ../live/{name}.p12, password: {{env: {PASSWORD_VARIABLE}}}, create: true}}\n"
        f"trustedRoots:\n  {root}: {{file: ../certs/{root}.pem}}\n{more}"
    )


class Fleet(Repository):
    """Four state files under `fleet/`: a and b share an include, c names a certificate of its own, d nothing."""

    def __init__(self, directory):
        super().__init__(directory)
        self.write("certs/root.pem", authority("root").pem)
        self.write("certs/own.pem", authority("own").pem)
        self.write("certs/shared.pem", authority("shared").pem)
        self.write("roots/common.yaml", "trustedRoots:\n  shared: {file: ../certs/shared.pem}\n")
        for name in "ab":
            self.write(f"fleet/{name}.yaml", state(name, include="include: [../roots/common.yaml]\n"))
        self.write("fleet/c.yaml", state("c", "own"))
        self.write("fleet/deep/d.yaml", state("d").replace("../", "../../"))
        self.write(".gitignore", "live/\n")
        self.git("init", "-q", "-b", "main")
        self.commit()

    def git(self, *arguments, cwd=None):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), **AUTHOR}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.directory, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def chosen(self, *arguments, **environment):
        """The names of the state files that a run of `validate` chose, and what it said."""
        result = self.run("validate", "fleet", "--format", "json", *arguments, **environment)
        assert result.code == 0, result.err
        return [Path(name).stem for name in result.document["states"]], result.err

    def since(self, revision="HEAD", **environment):
        return self.chosen("--changed-since", revision, **environment)[0]


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path)


# ------------------------------------------------------------------------------------------------------ changed since


def test_nothing_is_touched_where_nothing_has_changed(fleet):
    for command, more in COMMANDS.items():
        result = fleet.run(command, "fleet", "--changed-since", "HEAD", *more)
        assert (result.code, result.err) == (
            0, "note: none of 4 state files: changed since HEAD; nothing to do\n",
        ), command  # fmt: skip


def edit(fleet, name, text="\n# more\n"):
    path = fleet.directory / name
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("name", "touched"),
    [
        ("fleet/a.yaml", ["a"]),
        ("fleet/deep/d.yaml", ["d"]),
        ("roots/common.yaml", ["a", "b"]),
        ("certs/shared.pem", ["a", "b"]),
        ("certs/own.pem", ["c"]),
        ("certs/root.pem", ["a", "b", "d"]),
        (".gitignore", []),
    ],
)
@pytest.mark.parametrize("way", ["working tree", "staged", "committed"])
def test_a_change_touches_the_state_files_that_name_the_file(fleet, name, touched, way):
    edit(fleet, name)
    if way == "staged":
        fleet.git("add", "-A")
    if way == "committed":
        fleet.commit()

    assert fleet.since("HEAD~1" if way == "committed" else "HEAD") == touched


def test_a_new_state_file_that_git_does_not_know_yet_is_touched(fleet):
    fleet.write("fleet/e.yaml", state("e"))

    assert fleet.since() == ["e"]


def test_a_signing_response_that_arrives_touches_its_state_file(fleet):
    pair = (
        "keyPairs:\n  p: {subject: {commonName: p}, key: {algorithm: EC, curve: secp256r1}, issuer: {type: external}}\n"
    )
    fleet.write("fleet/a.yaml", state("a", more=pair))
    fleet.commit()
    assert fleet.since() == []

    fleet.write("fleet/responses/a/p.cer", authority("answer").pem)

    assert fleet.since() == ["a"]


def test_a_file_that_is_gone_touches_whoever_names_it_and_the_mistake_is_told(fleet):
    (fleet.directory / "certs/own.pem").unlink()

    result = fleet.run("validate", "fleet", "--changed-since", "HEAD")

    assert result.code == 1
    assert "fleet/c.yaml:4:" in result.err
    assert "own.pem cannot be read" in result.err


def test_an_include_that_is_gone_touches_whoever_includes_it(fleet):
    (fleet.directory / "roots/common.yaml").unlink()

    result = fleet.run("validate", "fleet", "--format", "json", "--changed-since", "HEAD")

    assert {problem["source"]["file"] for problem in result.document["problems"]} == {"fleet/a.yaml", "fleet/b.yaml"}


def test_both_names_of_a_renamed_file_count(fleet):
    fleet.git("mv", "certs/own.pem", "certs/renamed.pem")
    path = fleet.directory / "fleet/deep/d.yaml"
    path.write_text(path.read_text().replace("root.pem", "renamed.pem"))
    fleet.commit()

    result = fleet.run("validate", "fleet", "--format", "json", "--changed-since", "HEAD~1")

    assert {problem["source"]["file"] for problem in result.document["problems"]} == {"fleet/c.yaml"}


def test_a_deleted_state_file_is_not_there_and_no_other_is_touched(fleet):
    (fleet.directory / "fleet/a.yaml").unlink()

    assert fleet.chosen("--changed-since", "HEAD") == (
        [], "note: none of 3 state files: changed since HEAD; nothing to do\n",
    )  # fmt: skip


def test_a_mistake_in_a_file_that_is_not_touched_is_not_told(fleet):
    fleet.write("fleet/c.yaml", "apiVersion: reconciler/v1\nkeystore: 3\n")
    fleet.commit()
    edit(fleet, "fleet/a.yaml")

    assert fleet.since() == ["a"]


def test_a_keystore_that_a_file_which_is_not_touched_has_already_is_an_error(fleet):
    fleet.write("fleet/e.yaml", state("a"))

    result = fleet.run("validate", "fleet", "--changed-since", "HEAD")

    assert result.code == 1
    assert "is the keystore of fleet/a.yaml as well" in result.err


def test_what_the_revision_got_since_the_branch_left_it_does_not_count(fleet):
    fleet.git("checkout", "-q", "-b", "topic")
    edit(fleet, "fleet/a.yaml")
    fleet.commit()
    fleet.git("checkout", "-q", "main")
    edit(fleet, "fleet/c.yaml")
    fleet.commit()
    fleet.git("checkout", "-q", "topic")

    assert fleet.since("main") == ["a"]


@pytest.mark.parametrize("name", ["gr\u00f6\u00dfe 'x'.pem", "-rf.pem", 'q"uo\\te.pem', "emoji\U0001f511.pem"])
def test_a_certificate_may_have_any_name(fleet, name):
    fleet.write(f"certs/{name}", authority("odd").pem)
    root = f"trustedRoots:\n  odd: {{file: {json.dumps('../certs/' + name, ensure_ascii=False)}}}\n"
    fleet.write("fleet/a.yaml", state("a").split("trustedRoots")[0] + root)
    fleet.commit()
    assert fleet.since() == []

    edit(fleet, f"certs/{name}")

    assert fleet.since() == ["a"]


@pytest.mark.parametrize("name", ["line\nbreak.yaml", "-x.yaml", "a b.yaml", "größe.yaml", os.fsdecode(b"\xff.yaml")])
def test_a_state_file_may_have_any_name(fleet, name):
    fleet.write(f"fleet/{name}", state("odd"))
    assert len(fleet.since()) == 1
    fleet.commit()
    assert fleet.since() == []
    edit(fleet, f"fleet/{name}")
    assert len(fleet.since()) == 1


@pytest.mark.parametrize("changed", ["certs/own.pem", "links/one.pem", "elsewhere"])
def test_every_link_on_the_way_to_a_file_counts(fleet, changed):
    """fleet/c.yaml names elsewhere/one.pem: elsewhere -> links, links/one.pem -> ../certs/own.pem."""
    fleet.write("links/other", "x")
    (fleet.directory / "links/one.pem").symlink_to("../certs/own.pem")
    (fleet.directory / "elsewhere").symlink_to("links")
    path = fleet.directory / "fleet/c.yaml"
    path.write_text(path.read_text().replace("../certs/own.pem", "../elsewhere/one.pem"))
    fleet.commit()
    assert fleet.since() == []

    if changed == "elsewhere":
        (fleet.directory / "elsewhere").unlink()
        (fleet.directory / "elsewhere").symlink_to("./links")
    elif changed == "links/one.pem":
        (fleet.directory / changed).unlink()
        (fleet.directory / changed).symlink_to("../certs/../certs/own.pem")
    else:
        edit(fleet, changed)

    assert fleet.since() == ["c"]


def test_the_paths_may_be_written_from_anywhere(fleet, tmp_path):
    edit(fleet, "certs/own.pem")
    inside = fleet.process(
        "validate", ".", "--changed-since", "HEAD", "--format", "json", cwd=fleet.directory / "fleet"
    )
    outside = fleet.process(
        "validate", str(fleet.directory / "fleet"), "--changed-since", "HEAD", "--format", "json", cwd="/"
    )

    assert [Path(name).name for name in inside.document["states"]] == ["c.yaml"]
    assert [Path(name).name for name in outside.document["states"]] == ["c.yaml"]


def test_git_that_runs_a_hook_does_not_mislead(fleet, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    edit(fleet, "certs/own.pem")

    assert fleet.since(GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other), GIT_INDEX_FILE=str(other / "i")) == ["c"]


def test_the_index_of_git_is_not_written(fleet):
    os.utime(fleet.directory / "certs/own.pem")
    before = (fleet.directory / ".git/index").read_bytes()

    assert fleet.since() == []
    assert (fleet.directory / ".git/index").read_bytes() == before


# what git cannot tell


def wrong(fleet, revision, *messages, cwd=None, **environment):
    arguments = ("plan", "fleet", "--changed-since", revision)
    result = fleet.run(*arguments, **environment) if cwd is None else fleet.process(*arguments, cwd=cwd)
    assert (result.code, result.out) == (1, "")
    for message in messages:
        assert message in result.err
    return result


@pytest.mark.parametrize(
    "revision", ["nowhere", "0" * 40, "HEAD:fleet", "HEAD..HEAD", "a b", "$(touch x)", "main;touch x", "@{", "ö"]
)
def test_an_unknown_revision_is_an_error(fleet, revision):
    before = fleet.files()
    wrong(fleet, revision, f"--changed-since: error: git knows no revision '{revision}'", "check the name, or fetch it")
    assert fleet.files() == before


@pytest.mark.parametrize("revision", ["--output=x", "-p", "--help", "--upload-pack=touch x"])
def test_a_revision_cannot_be_an_option(fleet, revision):
    before = fleet.files()
    wrong(fleet, revision, f"'{revision}' cannot be a revision")
    assert fleet.files() == before


def test_a_shallow_clone_is_told_how_to_get_its_history(fleet, tmp_path_factory):
    edit(fleet, "fleet/a.yaml")
    fleet.commit()
    clone = tmp_path_factory.mktemp("clone") / "c"
    fleet.git("clone", "-q", "--depth", "1", f"file://{fleet.directory}", str(clone))

    wrong(fleet, "HEAD~1", "git knows no revision 'HEAD~1'", "`fetch-depth: 0`", "`GIT_DEPTH: 0`", cwd=clone)


def test_a_branch_without_a_common_commit_is_an_error(fleet):
    fleet.git("checkout", "-q", "--orphan", "other")
    edit(fleet, "fleet/a.yaml")
    fleet.commit()

    wrong(fleet, "main", "'main' and HEAD have no commit in common")


def test_state_files_outside_of_a_repository_are_an_error(repository):
    repository.declare(create=True)
    result = repository.run("plan", "keystore.yaml", "--changed-since", "HEAD")

    assert result.code == 1
    assert "git cannot tell what has changed: fatal: not a git repository" in result.err


def test_a_machine_without_git_is_told_so(fleet, tmp_path_factory):
    wrong(fleet, "HEAD", "git cannot be started: no such file or directory", PATH=str(tmp_path_factory.mktemp("empty")))


# ------------------------------------------------------------------------------------------------------------ shards


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_state_file_is_in_exactly_one_share(fleet, count):
    shares = [fleet.chosen("--shard", f"{index}/{count}")[0] for index in range(1, count + 1)]

    assert sorted(name for share in shares for name in share) == ["a", "b", "c", "d"]


@given(st.lists(st.text(), unique=True), st.integers(1, 50))
def test_shares_divide_any_set_of_files(files, count):
    shares = [[file for file in files if share_of(file, count) == index] for index in range(1, count + 1)]

    assert sorted(file for share in shares for file in share) == sorted(files)


@given(st.text(), st.integers(1, 50))
def test_the_share_of_a_file_is_its_own_affair(file, count):
    assert share_of(file, count) == share_of(file, count)
    assert 1 <= share_of(file, count) <= count


def test_shares_are_about_as_large_as_each_other():
    sizes = [sum(share_of(f"fleet/tenant-{n:03}.yaml", 8) == index for n in range(800)) for index in range(1, 9)]

    assert min(sizes) > 70
    assert max(sizes) < 130


def test_the_share_of_a_path_does_not_change_between_versions():
    """What an older version put into a share, a reviewed plan of it still finds there."""
    assert [share_of(f"fleet/{name}.yaml", 4) for name in ("a", "b", "c", "größe")] == FIXED


FIXED = [1, 3, 3, 2]


def test_neither_the_directory_nor_the_spelling_nor_the_checkout_changes_the_share(fleet, tmp_path_factory):
    copy = tmp_path_factory.mktemp("other") / "checkout"
    shutil.copytree(fleet.directory, copy)
    words = ["--shard", "1/2", "--format", "json"]
    runs = [
        fleet.process("validate", "fleet", *words, cwd=copy),
        fleet.process("validate", "./fleet/../fleet", *words),
        fleet.process("validate", str(fleet.directory / "fleet"), *words, cwd="/"),
        fleet.process("validate", ".", *words, cwd=fleet.directory / "fleet"),
        fleet.process("validate", "fleet/deep/d.yaml", "fleet/c.yaml", "fleet/b.yaml", "fleet/a.yaml", *words),
    ]

    assert {tuple(sorted(Path(name).stem for name in run.document["states"])) for run in runs} == {
        tuple(sorted(fleet.chosen("--shard", "1/2")[0]))
    }


@pytest.mark.parametrize("value", ["0/4", "5/4", "1/0", "1", "1/2/3", "a/b", "-1/4", "1/10001", "\u0661/4", "", "1/-4"])
def test_what_is_no_share_is_an_error(fleet, value):
    result = fleet.run("plan", "fleet", "--shard", value)

    assert (result.code, result.out) == (1, "")
    assert "'--shard'" in result.err


def test_both_choices_go_together_and_the_variables_do_the_same(fleet):
    edit(fleet, "certs/root.pem")
    [expected] = [[name for name in names if name in {"a", "b", "d"}] for names, _ in [fleet.chosen("--shard", "2/2")]]

    names, said = fleet.chosen(RECONCILE_SHARD="2/2", RECONCILE_CHANGED_SINCE="HEAD")

    assert names == expected
    assert "of 4 state files: changed since HEAD and in shard 2/2" in said


def test_a_shard_object_says_what_it_is():
    assert str(Shard(2, 5)) == "2/5"


# ----------------------------------------------------------------------------------------- a plan over some of a fleet


def test_a_plan_of_some_is_applied_over_the_same_and_refused_over_others(fleet):
    edit(fleet, "fleet/c.yaml")
    assert fleet.run("plan", "fleet", "--changed-since", "HEAD", "--out", "plan.json").code == 0

    everywhere = fleet.run("apply", "fleet", "--plan", "plan.json", "--yes")

    assert everywhere.code == 4
    assert "not in the reviewed plan: " in everywhere.err
    assert "give the same STATE, --shard and --changed-since" in everywhere.err
    assert not list((fleet.directory / "live").iterdir())
    assert fleet.run("apply", "fleet", "--changed-since", "HEAD", "--plan", "plan.json", "--yes").code == 0
    assert [path.name for path in (fleet.directory / "live").glob("*.p12")] == ["c.p12"]


def test_the_plan_of_a_share_is_refused_over_another_share(fleet):
    shares = {index: fleet.chosen("--shard", f"{index}/2")[0] for index in (1, 2)}
    assert all(shares.values()), shares
    digests = {}
    for index in (1, 2):
        result = fleet.run("plan", "fleet", "--shard", f"{index}/2", "--format", "json")
        digests[index] = result.document["digest"]

    assert fleet.run("apply", "fleet", "--shard", "2/2", "--plan", digests[1], "--yes").code == 4
    assert fleet.run("apply", "fleet", "--shard", "1/2", "--plan", digests[1], "--yes").code == 0
    assert sorted(path.stem for path in (fleet.directory / "live").glob("*.p12")) == sorted(shares[1])


def test_a_plan_of_nothing_is_applied_as_nothing(fleet):
    chosen = ("fleet", "--changed-since", "HEAD")
    assert (
        fleet.run("plan", *chosen, "--out", "plan.json", "--report", "html=a.html", "--report", "markdown=a.md").code
        == 0
    )
    assert fleet.run("apply", *chosen, "--plan", "plan.json", "--yes").code == 0
    assert fleet.run("apply", "fleet", "--plan", "plan.json", "--yes").code == 4
    assert not list((fleet.directory / "live").iterdir())


# --------------------------------------------------------------------------------------------------------- stop after


def broken(fleet, *names):
    for name in names:
        fleet.write(f"live/{name}.p12", b"no keystore")


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_after_so_many_failures_nothing_more_is_read(fleet, command):
    broken(fleet, "a", "c")

    result = fleet.run(command, "fleet", "--stop-after", "2", "--format", "json")

    targets = result.document["targets"]
    assert result.code == 3
    assert [Path(target["state"]).stem for target in targets] == ["a", "b", "c", "d"]
    assert ["error" in target for target in targets] == [True, False, True, True]
    assert targets[3]["error"]["message"] == "not tried: 2 keystores had failed before (--stop-after 2)"
    assert targets[3]["error"]["tried"] is False
    assert result.err.count("error:") == 2


def test_fewer_failures_stop_nothing(fleet):
    broken(fleet, "a")

    result = fleet.run("drift", "fleet", "--stop-after", "2")

    assert result.code == 3
    assert "not tried" not in result.out


def test_what_was_not_tried_is_told_in_every_form(fleet):
    broken(fleet, "a")
    reports = [
        word for name in ("text", "markdown", "html", "junit", "sarif") for word in ("--report", f"{name}=r.{name}")
    ]

    fleet.run("drift", "fleet", *reports, RECONCILE_STOP_AFTER="1")

    for name in ("text", "markdown", "html", "junit", "sarif"):
        assert "not tried" in (fleet.directory / f"r.{name}").read_text(), name
    text = (fleet.directory / "r.text").read_text()
    assert "3 of 4  not tried" in text
    assert "Fleet: 4 keystores: 1 failed, 3 not tried" in text
    assert 'skipped="3"' in (fleet.directory / "r.junit").read_text()


def test_an_apply_whose_planning_failed_too_often_writes_nothing(fleet):
    broken(fleet, "c")
    before = fleet.files()

    result = fleet.run("apply", "fleet", "--yes", "--stop-after", "1", "--report", "json=r.json")

    assert result.code == 3
    files = fleet.files()
    report = json.loads(files.pop("r.json").content)
    assert files == before
    assert [target["error"]["message"].split(":")[0] for target in report["targets"]] == [
        "not tried", "not tried", "this is not a keystore but text", "not tried",
    ]  # fmt: skip


def test_an_apply_stops_at_the_keystore_that_cannot_be_written_and_the_rest_stays(fleet):
    assert fleet.run("apply", "fleet/a.yaml", "--yes").code == 0
    fleet.write("live/b.p12.lock", "")
    fleet.directory.joinpath("live/b.p12.lock").unlink()
    fleet.directory.joinpath("live/b.p12.lock").mkdir()

    result = fleet.run("apply", "fleet", "--yes", "--stop-after", "1", "--format", "json")

    errors = [target.get("error", {}).get("message", "")[:9] for target in result.document["targets"]]
    assert result.code == 1
    assert errors == ["", "the keyst", "not tried", "not tried"]
    assert sorted(path.name for path in (fleet.directory / "live").glob("*.p12")) == ["a.p12"]


def test_tenants_side_by_side_stop_as_well():
    tenant = KeystoreTarget(StoreType.SAP_CLOUD_INTEGRATION, "https://example.com", Source("a.yaml", 1))
    failures, tried = Failures(3), []

    def work(number):
        if failures.are_too_many:
            return failures.not_tried("x")
        tried.append(number)
        time.sleep(0.01)
        failures.count([str(number)])
        return None

    results = worked_on(range(40), lambda _: tenant, work, 4)

    assert 3 <= len(tried) <= 6  # three that failed, and what had begun beside them
    assert [result is None for result in results] == [number in tried for number in range(40)]


@pytest.mark.parametrize("value", ["0", "-1", "x"])
def test_stop_after_takes_a_number_from_one(fleet, value):
    assert fleet.run("plan", "fleet", "--stop-after", value).code == 1


def test_a_mistake_in_a_file_that_many_include_is_told_once(fleet):
    fleet.write("roots/common.yaml", "trustedRoots:\n  shared: {file: nowhere.pem}\n")

    result = fleet.run("plan", "fleet")

    assert result.code == 1
    assert result.err.count("nowhere.pem") == 1
