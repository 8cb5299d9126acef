"""The scripts of the action by themselves: escaping, whom they trust, and what they do when something is wrong."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from hypothesis import given
from hypothesis import strategies as st

from tests.ci.forge import REPOSITORY
from tests.ci.runner import ROOT, outputs_of
from tests.cli.pki import pair


@pytest.fixture
def commands(scripts):
    return importlib.import_module("workflow_commands")


@pytest.fixture
def requests(scripts):
    return importlib.import_module("signing_requests")


def unescaped(text: str) -> str:
    """What the runner makes of a value: https://github.com/actions/runner, ActionCommand.cs."""
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


class TestEscaping:
    @given(st.text())
    def test_a_message_is_one_line_and_comes_out_as_it_went_in(self, text):
        sys.path.insert(0, str(ROOT / "ci"))
        try:
            module = importlib.import_module("workflow_commands")
        finally:
            sys.path.remove(str(ROOT / "ci"))
        line = module.escaped_data(text)
        assert "\n" not in line
        assert "\r" not in line
        assert unescaped(line) == text
        value = module.escaped_property(text)
        assert not {"\n", "\r", ":", ","} & set(value)
        assert unescaped(value) == text

    def test_a_hostile_place_and_message_stay_one_annotation(self, commands, capsys):
        place = commands.Place("a,line=1::b\n.yaml", 7, 0)
        commands.annotate("error", "100%\n::set-output name=x::y", place, title="t:i,t")
        assert capsys.readouterr().out == (
            "::error file=a%2Cline=1%3A%3Ab%0A.yaml,line=7,title=t%3Ai%2Ct::100%25%0A::set-output name=x::y\n"
        )

    def test_an_output_cannot_end_its_own_delimiter(self, commands, tmp_path, monkeypatch):
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
        hostile = "x\nEOF\nother<<EOF\nstolen\nEOF"
        commands.set_output("reports", hostile)
        commands.set_output("digest", "d")
        assert outputs_of((tmp_path / "output").read_text()) == {"reports": hostile, "digest": "d"}

    def test_the_output_of_the_program_is_no_command_to_the_runner(self, commands, monkeypatch, capsys):
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        with commands.plain_output():
            commands.write("::add-mask::x\n")
        first, middle, last = capsys.readouterr().out.splitlines()
        assert first.startswith("::stop-commands::")
        assert middle == "::add-mask::x"
        assert last == f"::{first.rpartition('::')[2]}::"

    def test_a_summary_stays_under_the_limit(self, commands, tmp_path, monkeypatch):
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
        commands.add_summary("é" * 1024 * 1024)
        assert (tmp_path / "summary").stat().st_size < 1024 * 1024


class TestAnnotations:
    @pytest.fixture
    def module(self, scripts):
        return importlib.import_module("annotations")

    def test_mistakes_and_the_policy_stand_at_their_lines_the_gravest_first(self, module, tmp_path, capsys):
        place = {"file": "a b.yaml", "line": 3, "column": 5}
        document = {
            "problems": [{"code": "unknown-key", "message": "no 'x'", "hint": "`y`?", "source": place}],
            "policy": [
                {"check": "late", "severity": "note", "alias": "a", "message": "m", "hint": "", "source": None},
                {"check": "weak", "severity": "warning", "alias": "b", "message": "m", "hint": "h", "source": place},
            ],
        }
        (tmp_path / "report.json").write_text(json.dumps(document))
        module.annotate_validation(tmp_path / "report.json")
        assert capsys.readouterr().out.splitlines() == [
            "::error file=a b.yaml,line=3,col=5,title=reconcile%3A unknown-key::no 'x'%0A`y`?",
            "::warning file=a b.yaml,line=3,col=5,title=reconcile%3A weak::b%0Am%0Ah",
            "::notice title=reconcile%3A late::a%0Am",
        ]

    def test_a_level_is_written_ten_times_at_most(self, module, tmp_path, capsys):
        location = {"physicalLocation": {"artifactLocation": {"uri": "a%20b.yaml"}, "region": {"startLine": 2}}}
        results = [
            {"ruleId": "x", "level": level, "message": {"text": "t"}, "locations": [location]}
            for level in ["note"] * 30 + ["error"] * 3
        ]
        (tmp_path / "report.sarif").write_text(json.dumps({"runs": [{"results": results}]}))
        module.annotate_results(tmp_path / "report.sarif")
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["::error"] * 3 + ["::notice"] * 10
        assert lines[0] == "::error file=a b.yaml,line=2,title=reconcile%3A x::t"

    @pytest.mark.parametrize("content", ["", "[]", "{", '{"runs": []}'])
    def test_a_file_that_is_no_report_gives_none(self, module, tmp_path, capsys, content):
        (tmp_path / "report").write_text(content)
        module.annotate_results(tmp_path / "report")
        module.annotate_validation(tmp_path / "missing")
        assert capsys.readouterr().out == ""


class TestSigningRequests:
    @staticmethod
    def request(key=None) -> bytes:
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = CertificateSigningRequestBuilder().subject_name(Name([]))
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def test_the_same_request_signed_again_asks_for_the_same(self, requests):
        key = ec.generate_private_key(ec.SECP256R1())
        one, other = self.request(key), self.request(key)
        assert one != other
        assert requests.signed_part(one) == requests.signed_part(other) != b""
        assert requests.signed_part(self.request()) != requests.signed_part(one)

    def test_text_around_a_request_is_allowed_and_a_second_object_is_not(self, requests):
        one = self.request()
        assert requests.signed_part(b"Signing request: x\n" + one)
        assert not requests.signed_part(one + pair("k").key_pem)
        assert not requests.signed_part(one + one)
        assert not requests.signed_part(pair("k").key_pem)
        assert not requests.signed_part(pair("k").pem)

    @given(st.binary(max_size=300))
    def test_anything_else_is_no_request(self, content):
        sys.path.insert(0, str(ROOT / "ci"))
        try:
            module = importlib.import_module("signing_requests")
        finally:
            sys.path.remove(str(ROOT / "ci"))
        assert module.signed_part(content) == b""
        wrapped = b"-----BEGIN CERTIFICATE REQUEST-----\n" + content + b"\n-----END CERTIFICATE REQUEST-----"
        module.signed_part(wrapped)

    def test_a_link_is_not_followed(self, requests, tmp_path):
        (tmp_path / "real.csr").write_bytes(self.request())
        (tmp_path / "link.csr").symlink_to(tmp_path / "real.csr")
        assert requests.read(tmp_path / "real.csr")
        assert requests.read(tmp_path / "link.csr") == b""

    @pytest.mark.parametrize("path", [".github/workflows/x.yml", ".git/hooks/x", "a/.git/x", ".gitlab-ci.yml"])
    def test_a_request_that_would_go_to_a_place_of_git_or_ci_is_refused(self, scripts, tmp_path, path):
        module = importlib.import_module("propose_requests")
        from pathlib import PurePosixPath

        with pytest.raises(sys.modules["workflow_commands"].StopError):
            module._inside(tmp_path, PurePosixPath(path))


def step(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    given = {"PATH": os.environ["PATH"], "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": REPOSITORY, **environment}
    return subprocess.run(
        [sys.executable, ROOT / "ci" / f"{script}.py"], env=given, capture_output=True, check=False, timeout=60
    )


class TestTalkingToTheForge:
    @pytest.fixture
    def reports(self, tmp_path):
        (tmp_path / "report.md").write_text("## A plan\n")
        (tmp_path / "result.json").write_text(
            json.dumps({"command": "plan", "exit_code": 2, "digest": "sha256:" + "a" * 64})
        )
        return tmp_path

    @pytest.fixture
    def comment(self, server, reports):
        server.forge.tokens["t0ken"] = {"pull-requests": "write"}
        given = {
            "GITHUB_API_URL": server.address, "RECONCILE_CI_TOKEN": "t0ken", "RECONCILE_CI_NUMBER": "5",
            "RECONCILE_CI_HEAD": "b" * 40, "RECONCILE_CI_REPORTS": str(reports),
        }  # fmt: skip
        return lambda **more: step("comment", **{**given, **more})

    def test_a_busy_server_is_asked_again_when_only_reading(self, server, comment):
        server.forge.failures[:] = [502]
        assert comment().returncode == 0
        assert len(server.forge.comments[5]) == 1

    @pytest.mark.parametrize("result", ['{"command": "plan", "exit_code": 1e999}', "[" * 100_000, "[]", "\ud800"])
    def test_a_result_that_is_no_result_is_told_as_a_run_without_an_end(self, server, comment, reports, result):
        (reports / "result.json").write_bytes(result.encode(errors="surrogatepass"))
        assert comment().returncode == 0
        assert "did not get to its end" in server.forge.comments[5][0]["body"]

    def test_a_redirect_is_not_followed_since_it_would_carry_the_token(self, server, comment):
        server.forge.failures[:] = [302]
        done = comment()
        assert done.returncode == 1
        assert b"302" in done.stdout
        assert b"t0ken" not in done.stdout + done.stderr

    def test_a_token_that_may_not_write_is_told_as_that(self, server, comment):
        server.forge.tokens["t0ken"] = {"pull-requests": "read"}
        done = comment()
        assert done.returncode == 1
        assert done.stdout.startswith(b"::error title=reconcile comment::POST /repos/")
        assert b"403 Resource not accessible by integration" in done.stdout
        assert done.stderr == b""

    def test_a_token_is_not_sent_in_the_clear_to_another_machine(self, comment):
        done = comment(GITHUB_API_URL="http://ghe.example.com/api/v3")
        assert done.returncode == 1
        assert b"https://" in done.stdout

    def test_comments_with_another_key_are_another_comment(self, server, comment):
        comment()
        comment(RECONCILE_CI_KEY="plan-production")
        comment(RECONCILE_CI_KEY="plan-production")
        assert len(server.forge.comments[5]) == 2

    def test_a_key_that_would_end_the_mark_is_made_harmless(self, server, comment):
        comment(RECONCILE_CI_KEY="x --> y")
        comment(RECONCILE_CI_KEY="x --> y")
        assert len(server.forge.comments[5]) == 1
        assert server.forge.comments[5][0]["body"].count("-->") == 1

    def test_a_digest_that_is_none_is_not_passed_on(self, server, comment, reports):
        (reports / "result.json").write_text(json.dumps({"command": "plan", "exit_code": 2, "digest": "x --> y"}))
        comment()
        assert server.forge.comments[5][0]["body"].startswith("<!-- reconcile-ci: plan digest=none ")

    def test_without_reports_the_comment_says_that_there_is_no_plan(self, server, comment, tmp_path):
        assert comment(RECONCILE_CI_REPORTS=str(tmp_path / "nothing")).returncode == 0
        assert "did not get to its end" in server.forge.comments[5][0]["body"]


class TestTheIssue:
    def test_a_long_report_is_cut_and_leaves_room_for_the_others(self, server, tmp_path):
        server.forge.tokens["t0ken"] = {"issues": "write"}
        for name, code, line in (("renewals", 0, "all renewed\n"), ("drift", 2, "x" * 99 + "\n")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "report.md").write_text(line * (1 if code == 0 else 1000))
            result = {"command": name, "exit_code": code, "digest": ""}
            (tmp_path / name / "result.json").write_text(json.dumps(result))
        done = step(
            "issue", GITHUB_API_URL=server.address, RECONCILE_CI_TOKEN="t0ken", RECONCILE_CI_KEY="nightly",
            RECONCILE_CI_REPORTS=f"{tmp_path}/renewals\n{tmp_path}/drift\n",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        [issue] = server.forge.issues
        assert 60_000 < len(issue["body"]) < 65_536
        assert issue["title"] == "The keystore and git differ"
        drift, cut, rest = issue["body"].partition("(cut: see the run)")
        assert drift.rstrip().endswith("\n" + "x" * 99)
        assert cut
        assert rest.strip() == "all renewed"


class TestRunning:
    def run(self, tmp_path, **environment: str):
        (tmp_path / "keystore.yaml").write_text(
            "apiVersion: reconciler/v1\nkeystore: {type: pkcs12, path: live/x.p12}\n"
        )
        given = {
            "PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_ACTIONS": "true",
            "RECONCILE_CI_COMMAND": "plan", "RECONCILE_CI_STATES": "keystore.yaml", **environment,
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, ROOT / "ci" / "run_reconcile.py"],
            env=given,
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )

    def test_a_command_that_is_none_of_the_four_is_refused(self, tmp_path):
        done = self.run(tmp_path, RECONCILE_CI_COMMAND="export")
        assert done.returncode == 1
        assert b"must be one of" in done.stdout

    def test_an_apply_whose_reviewed_plan_did_not_arrive_writes_nothing(self, tmp_path):
        state = "keystore: {type: pkcs12, path: x.p12, password: {env: P}, create: true}\n"
        (tmp_path / "other.yaml").write_text(f"apiVersion: reconciler/v1\n{state}")
        given = {"RECONCILE_CI_COMMAND": "apply", "RECONCILE_CI_STATES": "other.yaml", "P": "changeit"}
        done = self.run(tmp_path, **given, RECONCILE_CI_PLAN="")
        assert done.returncode == 1
        assert b"apply wants the reviewed plan" in done.stdout
        assert not (tmp_path / "x.p12").exists()
        assert self.run(tmp_path, **given, RECONCILE_CI_ARGUMENTS="--renewals-only").returncode == 0

    def test_a_state_file_that_looks_like_an_option_is_a_file(self, tmp_path):
        done = self.run(tmp_path, RECONCILE_CI_STATES="--help")
        assert done.returncode == 1
        assert b"Usage" not in done.stdout

    def test_a_hostile_input_is_an_argument_and_never_shell(self, tmp_path):
        self.run(tmp_path, RECONCILE_CI_STATES="$(touch pwned); `touch pwned`", RECONCILE_CI_ARGUMENTS="; touch pwned")
        assert not (tmp_path / "pwned").exists()

    def test_differences_fail_only_where_that_is_asked_for(self, tmp_path):
        (tmp_path / "live").mkdir()
        state = "keystore: {type: pkcs12, path: live/x.p12, password: {env: P}, create: true}\n"
        (tmp_path / "other.yaml").write_text(f"apiVersion: reconciler/v1\n{state}")
        given = {"RECONCILE_CI_STATES": "other.yaml", "P": "changeit"}
        assert self.run(tmp_path, **given).returncode == 0
        assert self.run(tmp_path, **given, RECONCILE_CI_FAIL_ON_DIFFERENCE="true").returncode == 2

    def test_a_keystore_inside_the_checkout_is_warned_about(self, tmp_path):
        (tmp_path / "live").mkdir()
        outside = tmp_path / "outside"
        outside.mkdir()
        state = "apiVersion: reconciler/v1\nkeystore: {{type: pkcs12, path: {}, password: {{env: P}}, create: true}}\n"
        work = tmp_path / "work"
        (work / "live").mkdir(parents=True)
        for path, warned in (("live/x.p12", True), (outside / "x.p12", False)):
            (work / "state.yaml").write_text(state.format(path))
            done = self.run(work, RECONCILE_CI_STATES="state.yaml", P="changeit")
            assert done.returncode == 0
            assert (b"::warning title=reconcile plan::live/x.p12 lies inside the checkout" in done.stdout) is warned

    def test_what_ended_without_a_report_is_in_the_markdown_inside_a_fence(self, tmp_path):
        assert self.run(tmp_path, RECONCILE_CI_STATES="```\u202e.yaml").returncode == 1
        text = (tmp_path / "temp/reconcile/plan/report.md").read_text()
        assert "````text" in text
        assert "\u202e" not in text


class TestInstallation:
    """`ci/install` runs in the checkout of whoever is served, in a step that sees the password."""

    @pytest.mark.parametrize("module", ["venv", "pip"])
    def test_nothing_of_the_checkout_runs_while_the_program_is_installed(self, tmp_path, module):
        (tmp_path / f"{module}.py").write_text("import pathlib\npathlib.Path('ran').touch()\nraise SystemExit(9)\n")
        line = ["bash", str(ROOT / "ci" / "install")]
        # No network: pip is asked, and says that it knows no package.
        closed = {"PIP_NO_INDEX": "1", "RECONCILE_CI_PYTHON": sys.executable, "RECONCILE_CI_VENV": str(tmp_path / "v")}
        done = subprocess.run(
            line, cwd=tmp_path, env={**os.environ, **closed}, capture_output=True, text=True, check=False
        )
        assert not (tmp_path / "ran").exists()
        assert done.returncode == 1
        assert "No matching distribution" in done.stderr

    def test_what_builds_the_program_is_held_to_its_hash_as_well(self):
        lines = [line for line in (ROOT / "ci" / "install").read_text().splitlines() if "pip install" in line]
        assert all("--require-hashes" in line or "--no-build-isolation" in line for line in lines)
        assert any("requirements/build.txt" in line for line in lines)
