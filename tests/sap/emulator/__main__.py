"""Starts the emulator on its own: `python -m tests.sap.emulator --port 8443 --seed demo`."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

from tests.sap.emulator import Emulator, Switches
from tests.sap.emulator.seeds import SEEDS, many
from tests.sap.emulator.server import USER


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Emulator(options.port) as emulator:
        for name in options.tenant or ["default"]:
            tenant = emulator.tenant(name, _switches(options.switch))
            SEEDS[options.seed](tenant)
            many(tenant, options.entries)
        _announce(emulator, options.directory)
        stop.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sap.emulator", description="Emulated tenants on loopback.")
    parser.add_argument("--port", type=int, default=8443, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--seed", choices=sorted(SEEDS), default="demo", help="what is there (default: %(default)s)")
    parser.add_argument("--entries", type=int, default=0, metavar="N", help="so many trusted certificates more")
    parser.add_argument("--tenant", action="append", metavar="NAME", help="repeatable; default: one called default")
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="see README.md; repeatable")
    parser.add_argument(
        "--directory", type=Path, default=Path("emulator"), help="for ca.pem and service keys (default: %(default)s)"
    )
    return parser


def _switches(settings: list[str]) -> Switches:
    switches, kinds = Switches(), get_type_hints(Switches)
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in kinds:
            names = ", ".join(field.name for field in dataclasses.fields(Switches))
            raise SystemExit(f"There is no switch {name!r}. There are: {names}")
        setattr(switches, name, _value(kinds[name], text))
    return switches


def _value(kind: Any, text: str) -> object:
    if kind is bool:
        return text.lower() in {"", "1", "true", "yes", "on"}
    if kind in {int, float, str} or (isinstance(kind, type) and issubclass(kind, StrEnum)):
        return kind(text)
    return tuple(text.split(",")) if text != "" and "tuple" in str(kind) else text


def _announce(emulator: Emulator, directory: Path) -> None:
    """Write what a client needs into files, and say what to type."""
    directory.mkdir(parents=True, exist_ok=True)
    ca_file = directory / "ca.pem"
    shutil.copyfile(emulator.ca_file, ca_file)
    out = sys.stdout
    out.write(f"export RECONCILE_CA_FILE={ca_file.resolve()}\n")
    for tenant in emulator.tenants:
        key = directory / f"{tenant.name}-service-key.json"
        key.touch(mode=0o600)
        key.write_text(emulator.service_key(tenant.name))
        secret = tenant.gate.users[USER].secret
        out.write(f"# {tenant.name}: {emulator.url(tenant.name)} (user {USER}, password {secret})\n")
        out.write(f'export SAP_SERVICE_KEY="$(cat {key.resolve()})"\n')
    out.write("# ready, stop with Ctrl-C\n")
    out.flush()


if __name__ == "__main__":
    raise SystemExit(main())
