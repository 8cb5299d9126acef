"""How long a plan of many tenants takes and what it needs: `python -m benchmarks.tenants`, in a checkout.

Starts the emulator in a process of its own, so that the numbers are those of `reconcile` alone: 200 tenants that answer
after 150 ms each, one `reconcile plan` over all of them with 16 jobs.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STATE = """\
apiVersion: reconciler/v1
keystore:
  type: sap-cloud-integration
  url: {url}
  credentials: {{serviceKey: {{file: {key}}}}}
aliases: {{unmanaged: ignore}}
"""


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as directory:
        emulator = _emulator(Path(directory), options)
        try:
            environ = os.environ | {"RECONCILE_CA_FILE": str(Path(directory, "ca.pem"))}
            for jobs in options.jobs:
                seconds, megabytes = _plan(Path(directory, "states"), jobs, environ)
                ideal = 2 * options.latency * options.tenants / jobs
                print(
                    f"{options.tenants} tenants, {options.entries} entries more each, {options.latency * 1000:.0f} ms, "
                    f"{jobs} jobs: {seconds:.1f} s (waiting alone: {ideal:.1f} s), peak {megabytes:.0f} MB"
                )
        finally:
            emulator.terminate()
            emulator.wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--entries", type=int, default=20, help="trusted certificates of each, beside the standard")
    parser.add_argument("--latency", type=float, default=0.15, metavar="SECONDS")
    parser.add_argument("--jobs", type=int, nargs="+", default=[16])
    return parser.parse_args()


def _emulator(directory: Path, options: argparse.Namespace) -> subprocess.Popen[str]:
    names = [f"t{number:03}" for number in range(options.tenants)]
    command = [sys.executable, "-m", "tests.sap.emulator", "--port", "0", "--directory", str(directory)]
    command += ["--entries", str(options.entries), "--switch", f"latency={options.latency}"]
    for name in names:
        command += ["--tenant", name]
    emulator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert emulator.stdout is not None
    states = directory / "states"
    states.mkdir()
    for line in emulator.stdout:
        if line.startswith("# ready"):
            break
        if line.startswith("# t"):
            name, url = line[2:].split(": ")[0], line.split(": ")[1].split(" ")[0]
            key = directory / f"{name}-service-key.json"
            (states / f"{name}.yaml").write_text(STATE.format(url=url, key=key))
    return emulator


def _plan(states: Path, jobs: int, environ: dict[str, str]) -> tuple[float, float]:
    command = [sys.executable, "-m", "reconciler", "plan", str(states), "--jobs", str(jobs), "--format", "json"]
    before = time.monotonic()
    done = subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - before
    assert done.returncode == 0, done.returncode
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
