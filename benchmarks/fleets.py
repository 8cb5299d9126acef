"""`drift` over a fleet with every report in one run: wall time, processor time, memory, sizes, and how they grow.

    .venv/bin/python -m benchmarks.fleets [--keystores 75,150,300] [--entries 150] [--rounds 3] [--each] [--directory D]

The keystores are a third each PKCS#12, JKS and JCEKS, and hold public roots as large as they are, key pairs of their
own, and some of every kind of drift. Making them takes longer than measuring; with --directory they are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measuring import Measured, run

RECONCILE = str(Path(sys.executable).with_name("reconcile"))
SUFFIXES = {"text": "txt", "json": "json", "markdown": "md", "html": "html", "sarif": "sarif", "junit": "xml",
            "prometheus": "prom", "ics": "ics"}  # fmt: skip
TYPES = {"pkcs12": "p12", "jks": "jks", "jceks": "jceks"}
DIFFERENCES_FOUND = 2
PASSWORD = {"FLEET_PASSWORD": "benchmark"}


def main() -> None:
    """Make the fleet, measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keystores", default="75,150,300")
    parser.add_argument("--entries", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--each", action="store_true", help="each report alone as well")
    given = parser.parse_args()
    counts = sorted(int(one) for one in given.keystores.split(","))
    with tempfile.TemporaryDirectory() as temporary:
        directory = (given.directory or Path(temporary)).resolve()
        make_fleet(directory, counts[-1], given.entries)
        _print_results(directory, counts, given.entries, given.rounds)
        if given.each:
            _print_each(directory, counts[-1])


# ------------------------------------------------------------------------------------------------------- the fleet


def make_fleet(directory: Path, keystores: int, entries: int) -> None:
    """State files and live keystores; those that are there already stay."""
    for name in (".git", "states", "found", "live"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    _write_roots(directory, entries)
    for place in range(keystores):
        _write_states(directory, place, entries)
    missing = [place for place in range(keystores) if not _live(directory, place).exists()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda place: _make_live(directory, place), missing))


def _write_roots(directory: Path, entries: int) -> None:
    """Mozilla's roots as PEM files, and beyond their number the same ones under further aliases."""
    import certifi
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())
    lines = ["trustedRoots:\n"]
    (directory / "roots").mkdir(exist_ok=True)
    for number in range(_root_count(entries)):
        one = found[number % len(found)]
        name = f"root_{number:03}"
        (directory / "roots" / f"{name}.pem").write_bytes(one.public_bytes(Encoding.PEM))
        pin = hashlib.sha256(one.public_bytes(Encoding.DER)).hexdigest()
        lines.append(f"  {name}: {{file: roots/{name}.pem, sha256: {pin!r}}}\n")
    (directory / "roots.yaml").write_text("".join(lines))


def _root_count(entries: int) -> int:
    return entries * 4 // 5


def _write_states(directory: Path, place: int, entries: int) -> None:
    """What git says, and what was found: some roots less, strangers, keys that end soon or lack a name."""
    kind = list(TYPES)[place % len(TYPES)]
    keystore = (
        f"keystore: {{type: {kind}, path: ../live/{_live(directory, place).name}, "
        "password: {env: FLEET_PASSWORD}, create: true}\n"
    )
    head = f"apiVersion: reconciler/v1\n{keystore}"
    roots, rest = _root_count(entries), entries - _root_count(entries)
    strangers, missing = rest // 3, 3
    pairs = rest - strangers + missing
    names = [f"client-{number}.keystore-{place}.example.com" for number in range(pairs)]
    wanted = [_pair(number, name, "365d", alternative=True) for number, name in enumerate(names)]
    live = [
        _pair(number, name, f"{9 + 13 * number}d" if number % 4 == 0 else "365d", alternative=number % 6 != 1)
        for number, name in enumerate(names)
    ]
    trusted = [number for number in range(roots) if (number + place) % roots >= missing]
    found = [f"  root_{number:03}: {{file: ../roots/root_{number:03}.pem}}\n" for number in trusted]
    found += [f"  stranger_{number:02}: {{file: ../roots/root_{number:03}.pem}}\n" for number in range(strangers)]
    state = f"{place:04}.yaml"
    (directory / "states" / state).write_text(f"{head}include: [../roots.yaml]\nkeyPairs:\n{''.join(wanted)}")
    (directory / "found" / state).write_text(f"{head}trustedRoots:\n{''.join(found)}keyPairs:\n{''.join(live)}")


def _pair(number: int, name: str, validity: str, *, alternative: bool) -> str:
    names = f", subjectAltNames: {{dns: [{name}]}}" if alternative else ""
    return (
        f"  client_{number:02}: {{key: {{algorithm: EC, curve: secp256r1}}, subject: {{commonName: {name}}}{names}, "
        f"validity: {validity}, renewBefore: {'30d' if validity == '365d' else '1d'}}}\n"
    )


def _live(directory: Path, place: int) -> Path:
    return directory / "live" / f"{place:04}.{list(TYPES.values())[place % len(TYPES)]}"


def _make_live(directory: Path, place: int) -> None:
    command = [RECONCILE, "apply", f"found/{place:04}.yaml", "--yes"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True, env=_environment())


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | PASSWORD


# ------------------------------------------------------------------------------------------------------- measuring


def _print_results(directory: Path, counts: list[int], entries: int, rounds: int) -> None:
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores, load {load:.1f} at the")
    print(f"beginning; medians of {rounds} runs; {entries} entries a keystore.\n")
    print("| keystores | wall time | processor time | a keystore | peak memory | all reports |")
    print("|---:|---:|---:|---:|---:|---:|")
    sizes: dict[int, dict[str, int]] = {}
    for count in counts:
        measured = _measured(directory, count, list(SUFFIXES), rounds)
        sizes[count] = {name: _report(directory, name).stat().st_size for name in SUFFIXES}
        print(
            f"| {count} | {measured.seconds:.1f} s | {measured.processor_seconds:.1f} s "
            f"| {measured.processor_seconds / count * 1000:.0f} ms | {measured.megabytes:.0f} MB "
            f"| {sum(sizes[count].values()) / 1e6:.1f} MB |"
        )
    print("\nSizes of the reports:\n")
    print(f"| format | {' | '.join(f'{count} keystores' for count in counts)} |")
    print(f"|---|{'---:|' * len(counts)}")
    for name in SUFFIXES:
        print(f"| {name} | {' | '.join(f'{sizes[count][name] / 1e3:,.0f} kB' for count in counts)} |")


def _print_each(directory: Path, count: int) -> None:
    print("\nWith one report instead of all, over the largest fleet:\n")
    print("| report | processor time | peak memory |\n|---|---:|---:|")
    for name in ("none", *SUFFIXES):
        one = _measured(directory, count, [] if name == "none" else [name], 1)
        print(f"| {name} | {one.processor_seconds:.1f} s | {one.megabytes:.0f} MB |")


def _measured(directory: Path, count: int, formats: list[str], rounds: int) -> Measured:
    """The first `count` keystores; the text on standard output is always there."""
    files = [str(directory / "states" / f"{place:04}.yaml") for place in range(count)]
    reports = [word for name in formats for word in ("--report", f"{name}={_report(directory, name)}")]
    result = Measured()
    for _ in range(rounds):
        wall, processor, memory = run(
            [RECONCILE, "drift", *files, *reports], _environment(), expected=DIFFERENCES_FOUND
        )
        result.wall.append(wall)
        result.processor.append(processor)
        result.memory.append(memory)
    return result


def _report(directory: Path, name: str) -> Path:
    return directory / "reports" / f"drift.{SUFFIXES[name]}"


if __name__ == "__main__":
    main()
