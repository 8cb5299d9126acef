"""Rendering a fleet in every format: time, memory and size, and whether they grow linearly.

    .venv/bin/python benchmarks/reports.py [KEYSTORES] [ENTRIES]

Every keystore holds its own objects: trusted roots that all keystores share, key pairs that only it has (each with a
chain of three), entries of SAP, and some of every kind of difference.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reconciler.model import (
    DesiredState,
    KeystoreTarget,
    RenewBefore,
    Report,
    Snapshot,
    Source,
    StoreType,
    TargetReport,
    WantedCertificate,
    WantedImport,
)
from reconciler.planning import digest, plan_target
from reconciler.reports.table import FORMATS, render
from reconciler.x509 import X509Certificate, is_signed_by
from tests.builders import NOW, entry, key_pair
from tests.reports.certificates import authority, certificate


def fresh(one: X509Certificate) -> X509Certificate:
    """Not parsed yet, as when it comes out of a keystore."""
    return X509Certificate(one.der)


def target(place: int, entries: int) -> TargetReport:
    state = f"fleet/team-{place % 12:02}/keystore-{place:03}.yaml"
    pairs, sap, unmanaged = entries // 5, entries // 15, entries // 10
    root, issuing = authority("Fleet Root"), authority("Fleet Issuing CA", issued_by="Fleet Root")
    wanted, live = [], []
    for number in range(entries - pairs - sap - unmanaged):
        one = authority(f"Trusted Root {number}", days=40 + 37 * number)
        wanted.append(WantedCertificate(f"trusted_root_{number}", Source(state, 10 + 3 * number), fresh(one)))
        if number % 25 != place % 25:
            live.append(entry(f"trusted_root_{number}", fresh(one)))
    for number in range(pairs):
        name = f"client-{number}.keystore-{place}.example.com"
        leaf = certificate(name, issued_by="Fleet Issuing CA", key="EC", days=20 + 11 * number)
        newer = certificate(name, issued_by="Fleet Issuing CA", key="EC", days=500) if number % 10 == 0 else leaf
        chain = (fresh(newer), fresh(issuing))
        wanted.append(
            WantedImport(
                f"client_{number}",
                Source(state, 500 + 4 * number),
                chain,
                f"secrets/client_{number}.p12",
                RenewBefore(duration=timedelta(days=30)),
            )
        )
        live.append(key_pair(f"client_{number}", fresh(leaf), fresh(issuing), fresh(root)))
    live += [entry(f"sap_root_{n}", fresh(authority(f"SAP Root {n}")), owner="SAP") for n in range(sap)]
    live += [entry(f"someone_{n}", fresh(authority(f"Someone {n}", days=n * 50 - 60))) for n in range(unmanaged)]
    keystore = KeystoreTarget(StoreType.PKCS12, f"../live/keystore-{place:03}.p12", Source(state, 4))
    snapshot = Snapshot(StoreType.PKCS12, entries=tuple(live), version="1")
    plan = plan_target(DesiredState(state, keystore, tuple(wanted)), snapshot, NOW, lambda _: snapshot, is_signed_by)
    return TargetReport(state, keystore.location, keystore.type, plan)


def fleet(keystores: int, entries: int, command: str = "drift") -> Report:
    targets = tuple(target(place, entries) for place in range(keystores))
    return Report(command, NOW, "1.2.3", digest([one.plan for one in targets if one.plan]), targets)


def measure(name: str, report: Report) -> tuple[float, int]:
    """The best of three: other work on the machine only ever adds to it."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        size = len(render(name, report).encode())
        times.append(time.perf_counter() - start)
    return min(times), size


def peak(name: str, report: Report) -> int:
    tracemalloc.start()
    render(name, report)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def main() -> None:
    keystores, entries = (int(one) for one in (*sys.argv[1:], "300", "150")[:2])
    reports = {count: fleet(count, entries) for count in (keystores // 2, keystores)}
    start = time.perf_counter()
    render("json", reports[keystores])
    print(f"first rendering, parsing {keystores * entries} entries: {time.perf_counter() - start:.1f} s")
    for report in reports.values():
        for name in FORMATS:
            render(name, report)  # imports, and every fact of a certificate that is asked for, once
    head = (f"{keystores // 2} keystores", f"{keystores} keystores", "ratio", "size", "memory")
    print(f"{'format':<12}{head[0]:>16}{head[1]:>18}{head[2]:>8}{head[3]:>12}{head[4]:>12}")
    for name in FORMATS:
        half, _ = measure(name, reports[keystores // 2])
        whole, size = measure(name, reports[keystores])
        memory = peak(name, reports[keystores])
        print(
            f"{name:<12}{half:>14.2f} s{whole:>16.2f} s{whole / half:>8.2f}{size / 1e6:>9.1f} MB{memory / 1e6:>9.0f} MB"
        )


if __name__ == "__main__":
    main()
