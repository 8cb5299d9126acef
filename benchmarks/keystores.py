"""The files that are measured on: keystores that Java writes, and state files that declare some or all of an entry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PASSWORD_VARIABLE = "BENCHMARK_PASSWORD"
PASSWORD = "benchmark-only"
TYPES = {"jks": "JKS", "pkcs12": "PKCS12"}
DECLARED = 10
KEY_PAIRS = 2
_MAKER = Path(__file__).parent / "MakeKeystore.java"


@dataclass(frozen=True)
class Subject:
    """One keystore with the state files that are planned against it."""

    type: str
    entries: int
    keystore: Path
    some_declared: Path
    all_declared: Path


def make(directory: Path, entries: int) -> list[Subject]:
    """A JKS and a PKCS#12 keystore of `entries` entries, two of them key pairs, and their state files."""
    directory.mkdir(parents=True)
    (directory / ".git").mkdir()  # the border that certificates must not lie beyond
    names = _certificates(directory / "certs", entries)
    stores = {name: directory / f"keystore.{name}" for name in TYPES}
    arguments = [part for name, java in TYPES.items() for part in (java, str(stores[name]))]
    subprocess.run(["java", str(_MAKER), str(directory / "certs"), *arguments], check=True, env=environment())
    return [_subject(directory, name, store, names) for name, store in stores.items()]


def _certificates(directory: Path, entries: int) -> dict[str, str]:
    """The alias of each certificate with its SHA-256. Made by another process: see `measuring.Measured.memory`."""
    command = [sys.executable, "-m", "benchmarks.certificates", str(directory), str(entries), str(KEY_PAIRS)]
    made: dict[str, str] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return made


def environment() -> dict[str, str]:
    """The environment of every measured program. Python may keep its byte code, as an installed program does."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {PASSWORD_VARIABLE: PASSWORD}


def _subject(directory: Path, name: str, store: Path, names: dict[str, str]) -> Subject:
    some = directory / f"{name}-some.yaml"
    every = directory / f"{name}-all.yaml"
    roots = [alias for alias in names if alias.startswith("root")]
    some.write_text(_state(name, store, {alias: names[alias] for alias in roots[:DECLARED]}, keys=0), encoding="utf-8")
    every.write_text(_state(name, store, {alias: names[alias] for alias in roots}, keys=KEY_PAIRS), encoding="utf-8")
    return Subject(name, len(names), store, some, every)


def _state(store_type: str, store: Path, roots: dict[str, str], keys: int) -> str:
    lines = [
        "apiVersion: reconciler/v1",
        f"keystore: {{type: {store_type}, path: {store.name}, password: {{env: {PASSWORD_VARIABLE}}}}}",
        "aliases: {unmanaged: ignore}",
        "trustedRoots:",
    ]
    for alias, sha256 in roots.items():
        lines += [f"  {alias}:", f"    file: certs/{alias}.der", f'    sha256: "{sha256}"']
    if keys:
        lines.append("keyPairs:")
    for number in range(keys):
        lines += [
            f"  client{number}:",
            "    key: {algorithm: RSA, size: 2048}",
            f"    subject: {{commonName: client{number}.example.com}}",
        ]
    return "\n".join(lines) + "\n"
