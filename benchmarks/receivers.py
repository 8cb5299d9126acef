"""200 receivers on loopback, 20 of them dead: how long does `plan --check-receivers` take beside a plan without it?

    python -m benchmarks.receivers [--receivers 200] [--dead 20] [--timeout 5]

Half of the dead ones accept the connection and say nothing, half drop the packets. All of them one after the other
would take dead x timeout. The servers run in this process and share its processor with the program.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tls import peers
from tests.tls.pki import pem
from tests.tls.receiver_site import Site, leaf, root


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        site = Site(Path(directory))
        site.certificates(root=(authority := root("Root")))
        chain = [leaf(authority)]
        alive = stack.enter_context(site.receiver(*chain)).port
        mute, deaf = stack.enter_context(peers.raw_server(peers.mute)), stack.enter_context(peers.deaf_port())
        receivers = {}
        for number in range(options.receivers):
            port = alive if number >= options.dead else (mute, deaf)[number % 2]
            name = f"r{number}"
            receivers[name] = {
                "address": f"localhost:{port}",
                "serverName": f"{name}.example",
                "chain": f"chains/{name}.pem",
            }
            site.write(f"chains/{name}.pem", pem(*chain))
        site.state({"root": {"file": "root.pem"}}, receivers)
        print(f"{os.cpu_count()} processors, {options.receivers} receivers, {options.dead} of them dead")
        print(f"time-out {options.timeout} s")
        asking = ["--check-receivers", "--receiver-timeout", str(options.timeout), "--jobs", str(options.jobs)]
        for what, arguments in (("recorded chains only", []), (f"--check-receivers --jobs {options.jobs}", asking)):
            _report(what, [_seconds(site, arguments) for _ in range(options.rounds)])
        print(f"one dead receiver after the other: {options.dead * options.timeout:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receivers", type=int, default=200)
    parser.add_argument("--dead", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=5.0)
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _seconds(site: Site, arguments: list[str]) -> float:
    begin = time.perf_counter()
    command = [sys.executable, "-m", "reconciler", "plan", "keystore.yaml", "--format", "json", *arguments]
    environment = site.environment(PYTHONPATH=str(Path(__file__).parents[1]))
    done = subprocess.run(command, cwd=site.directory, env=environment, capture_output=True, check=False)
    took = time.perf_counter() - begin
    assert done.returncode == 0, done.stderr.decode()[:1000]
    return took


def _report(what: str, seconds: list[float]) -> None:
    print(f"{what:<32} {statistics.median(seconds):6.2f} s (of {', '.join(f'{one:.2f}' for one in seconds)})")


if __name__ == "__main__":
    main()
