"""Runs one command of reconcile in CI: its output to the log, reports to a directory, annotations, outputs, summary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import signing_requests
import workflow_commands as runner
from annotations import annotate_results, annotate_validation

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("validate", "plan", "apply", "drift")
FORMATS = {
    "json": "report.json",
    "markdown": "report.md",
    "html": "report.html",
    "sarif": "report.sarif",
    "junit": "report.junit.xml",
    "prometheus": "report.prom",
    "ics": "report.ics",
}
RESULT = "result.json"
DIFFERENCES = 2
_RENEWALS = "--renewals-only"
FILE_TYPES = {"jks", "jceks", "pkcs12"}
_LOST = "the next checkout removes it. Put it on a volume outside, or fetch and publish it in steps of this job."


@dataclass(frozen=True)
class Job:
    """What to run."""

    command: str
    states: tuple[str, ...]
    arguments: tuple[str, ...]
    plan: str
    reports: Path

    def line(self, *options: str) -> list[str]:
        """The command line; a state file is never taken for an option."""
        program = str(Path(sysconfig.get_path("scripts")) / "reconcile")
        return [program, self.command, *options, *self.arguments, "--", *self.states]

    def options(self) -> list[str]:
        """What CI always asks for."""
        reports = [f"--report={name}={self.reports / file}" for name, file in FORMATS.items()]
        if self.command == "plan":
            return [*reports, "--detailed-exitcode", f"--out={self.reports / 'plan.json'}"]
        if self.command == "apply":
            return [*reports, "--yes", *([f"--plan={self.plan}"] if self.plan else [])]
        return reports


def main() -> int:
    """Run it; the exit code of the step."""
    job = _job()
    job.reports.mkdir(parents=True, exist_ok=True)
    code, log = _validate(job) if job.command == "validate" else _run(job.line(*job.options()))
    # What could not be planned in full cannot be reviewed, although there is a digest of the part that could.
    digest = str(_document(job).get("digest") or "") if code in {0, DIFFERENCES} else ""
    if not (job.reports / FORMATS["markdown"]).exists():
        (job.reports / FORMATS["markdown"]).write_text(_without_report(job, code, log), encoding="utf-8")
    if job.command == "apply":
        signing_requests.collect(Path.cwd(), job.reports)
    result = {"command": job.command, "exit_code": code, "digest": digest}
    (job.reports / RESULT).write_text(json.dumps(result) + "\n", encoding="utf-8")
    _tell(job, code, digest, log)
    strict = os.environ.get("RECONCILE_CI_FAIL_ON_DIFFERENCE", "").lower() == "true"
    return 0 if code == DIFFERENCES and not strict else code


def _job() -> Job:
    command = runner.required("RECONCILE_CI_COMMAND")
    if command not in COMMANDS:
        raise runner.StopError(f"the command must be one of {', '.join(COMMANDS)}")
    plan = os.environ.get("RECONCILE_CI_PLAN", "")
    if plan and command != "apply":
        raise runner.StopError("a reviewed plan is for the command apply")
    arguments = runner.lines_of("RECONCILE_CI_ARGUMENTS")
    # The output of a job arrives empty where the runner takes a piece of it for a secret: nothing was reviewed then.
    if command == "apply" and not plan and not {"--plan", _RENEWALS} & {one.partition("=")[0] for one in arguments}:
        raise runner.StopError(f"apply wants the reviewed plan (its digest or file), or {_RENEWALS}")
    states = runner.lines_of("RECONCILE_CI_STATES")
    if not states:
        raise runner.StopError("no state file is named")
    default = Path(os.environ.get("RUNNER_TEMP", ".")) / "reconcile" / command
    reports = Path(os.environ.get("RECONCILE_CI_REPORTS") or default).absolute()
    return Job(command, tuple(states), tuple(arguments), plan, reports)


def _run(line: Sequence[str]) -> tuple[int, str]:
    """Run a command line, its output to the log; what it wrote to standard error is given back."""
    with runner.plain_output():
        done = subprocess.run(line, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        log = done.stderr.decode(errors="replace")
        runner.write(log)
    return done.returncode, log


def _validate(job: Job) -> tuple[int, str]:
    """Validation has two forms of its own; it is quick, so it runs once for each."""
    code, log = _run(job.line())
    for name in ("json", "markdown"):
        done = subprocess.run(job.line("--format", name), check=False, stdin=subprocess.DEVNULL, capture_output=True)
        if done.stdout:
            (job.reports / FORMATS[name]).write_bytes(done.stdout)
    return code, log


def _document(job: Job) -> dict[str, Any]:
    try:
        document = json.loads((job.reports / FORMATS["json"]).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _in_checkout(document: dict[str, Any]) -> list[str]:
    """Keystore files inside the checkout, which the next job's checkout removes with all that git does not know."""
    root = Path.cwd().resolve()
    files = [
        Path(target["state"]).parent / target["keystore"]
        for target in document.get("targets", [])
        if target.get("type") in FILE_TYPES
    ]
    return [str(file) for file in files if file.resolve().is_relative_to(root)]


def _without_report(job: Job, code: int, log: str) -> str:
    """What people read where the command ended before there was anything to report."""
    text = "".join(char for char in log if char.isprintable() or char == "\n")
    fence = "```"
    while fence in text:
        fence += "`"
    return f"## reconcile {job.command} ended with exit code {code}\n\n{fence}text\n{text[:20_000]}\n{fence}\n"


def _tell(job: Job, code: int, digest: str, log: str) -> None:
    if job.command == "validate":
        annotate_validation(job.reports / FORMATS["json"])
    elif (job.reports / FORMATS["sarif"]).exists():
        annotate_results(job.reports / FORMATS["sarif"])
    if code not in {0, DIFFERENCES} and not (job.reports / FORMATS["json"]).exists():
        runner.annotate("error", log.strip() or f"exit code {code}", title=f"reconcile {job.command}")
    for file in _in_checkout(_document(job)):
        runner.annotate("warning", f"{file} lies inside the checkout: {_LOST}", title=f"reconcile {job.command}")
    runner.add_summary((job.reports / FORMATS["markdown"]).read_text(encoding="utf-8"))
    runner.set_output("exit-code", str(code))
    runner.set_output("digest", digest)
    runner.set_output("reports", str(job.reports))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except runner.StopError as error:
        runner.annotate("error", str(error), title="reconcile")
        sys.exit(1)
