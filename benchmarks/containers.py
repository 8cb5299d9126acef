"""What libraries keep of a keystore file, and how fast they split it, beside our own reading and writing.

The evidence of docs/decisions/0003-own-containers.md:
`uv run --with asn1crypto --with pyasn1-modules python -m benchmarks.containers`.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from reconciler import der, x509
from reconciler.keystores import jks, pkcs12
from reconciler.keystores.pkcs12_bags import BagKind, certificate_bag, read_bags
from reconciler.model import PutCertificate
from reconciler.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CORPUS = Path(__file__).parent.parent / "tests" / "corpus"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 7


def main() -> None:
    """Measure and print Markdown."""
    warnings.simplefilter("ignore")
    root = x509.certificate((CORPUS / "chains" / "TrustAnchorRootCertificate.der").read_bytes())
    print("PKCS#12: bags that are the same bytes afterwards\n")
    print("| file | private keys | bags | read and written by cryptography | one root added by us |")
    print("|---|---|---|---|---|")
    for name, data, password in _files("PKCS12"):
        print(_pkcs12_row(name, data, password, root))
    print("\nJKS and JCEKS: entries that are the same bytes afterwards\n")
    print("| file | entries | read and written by pyjks | one root added by us |")
    print("|---|---|---|---|")
    for format_name in ("JKS", "JCEKS"):
        for name, data, password in _files(format_name):
            print(_jks_row(name, data, password, root))
    print(f"\nBags that cryptography's hazmat.asn1 refuses as DER: {_refused_by_strict_der()}\n")
    print("Splitting SafeContents into certificates and attributes, milliseconds of processor time\n")
    print("| certificates | ours | asn1crypto | pyasn1 |")
    print("|---|---|---|---|")
    for count in (150, 1_000, 10_000):
        print(_speed_row(count, root))


def _files(format_name: str) -> Iterator[tuple[str, bytes, Secret | None]]:
    for record in json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))["files"]:
        if record["format"] == format_name and record["outcome"] == "entries":
            password = record["store_password"]
            data = (CORPUS / record["file"]).read_bytes()
            yield Path(record["file"]).name, data, None if password is None else Secret(password)


# ---------------------------------------------------------------------------------------------- losslessness


def _pkcs12_row(name: str, data: bytes, password: Secret | None, root: Any) -> str:
    before = pkcs12.parse(data, password, origin=name)
    bags = [bag.raw for bag in before.bags]
    keys = sum(bag.kind in (BagKind.KEY, BagKind.PLAIN_KEY) for bag in before.bags)
    changed = before.with_writes([PutCertificate("new root", root)], password=password, now=NOW).to_bytes(password)
    theirs, ours = _by_cryptography(data, password, bags), _kept(changed, password, bags)
    return f"| {name} | {keys} | {len(bags)} | {theirs} | {ours} |"


def _kept(data: bytes, password: Secret | None, bags: list[bytes]) -> int:
    after = Counter(bag.raw for bag in pkcs12.parse(data, password, origin="written").bags)
    return (after & Counter(bags)).total()


def _by_cryptography(data: bytes, password: Secret | None, bags: list[bytes]) -> str:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption
    from cryptography.hazmat.primitives.serialization import pkcs12 as library

    secret = None if password is None else password.reveal()
    try:
        found: Any = library.load_pkcs12(data, secret)
        name = found.cert.friendly_name if found.cert else None
        encryption = BestAvailableEncryption(secret) if secret else NoEncryption()
        certificate = found.cert.certificate if found.cert else None
        written = library.serialize_key_and_certificates(
            name, found.key, certificate, found.additional_certs or None, encryption
        )
        return f"{_kept(written, password if secret else None, bags)}, keys {1 if found.key else 0}"
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the result
        return f"refused: {error}"


def _jks_row(name: str, data: bytes, password: Secret | None, root: Any) -> str:
    before = jks.parse(data, password, origin=name)
    parts = Counter(part.digest for part in before.snapshot().parts)
    changed = before.with_writes([PutCertificate("new root", root)], password=password, now=NOW).to_bytes(password)
    return (
        f"| {name} | {parts.total()} | {_by_pyjks(data, password, parts)} | {_kept_in_jks(changed, password, parts)} |"
    )


def _kept_in_jks(data: bytes, password: Secret | None, parts: Counter[str]) -> int:
    after = Counter(part.digest for part in jks.parse(data, password, origin="written").snapshot().parts)
    return (after & parts).total()


def _by_pyjks(data: bytes, password: Secret | None, parts: Counter[str]) -> str:
    import jks as library

    text = "" if password is None else password.text()
    try:
        written = library.KeyStore.loads(data, text).saves(text)
        return str(_kept_in_jks(written, password, parts))
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the result
        return f"refused: {type(error).__name__}: {error}"


def _refused_by_strict_der() -> str:
    from cryptography.hazmat import asn1
    from cryptography.x509 import ObjectIdentifier

    # The library evaluates annotations in the module, where these are not imported for everybody.
    globals().update(ObjectIdentifier=ObjectIdentifier, asn1=asn1)

    @asn1.sequence
    class Attribute:
        type: ObjectIdentifier
        values: asn1.SetOf[asn1.TLV]

    globals().update(Attribute=Attribute)

    @asn1.sequence
    class SafeBag:
        bag_id: ObjectIdentifier
        value: Annotated[asn1.TLV, asn1.Explicit(0)]
        attributes: asn1.SetOf[Attribute] | None

    refused = total = 0
    for name, data, password in _files("PKCS12"):
        for bag in pkcs12.parse(data, password, origin=name).bags:
            total += 1
            try:
                asn1.decode_der(SafeBag, bag.raw)
            except ValueError:
                refused += 1
    return f"{refused} of {total}"


# ---------------------------------------------------------------------------------------------------- speed


def _speed_row(count: int, root: Any) -> str:
    bags = [certificate_bag(root, name=f"some root {index}", trusted=True).raw for index in range(count)]
    contents = der.sequence(*bags)
    ours = _milliseconds(lambda: read_bags(contents))
    others = (_milliseconds(lambda: _asn1crypto(contents)), _milliseconds(lambda: _pyasn1(contents)))
    return f"| {count:,} | {ours:.1f} | {' | '.join(f'{one:.1f} ({one / ours:.0f} times)' for one in others)} |"


def _milliseconds(work: Callable[[], object]) -> float:
    work()  # what is imported or cached on first use is not counted
    taken = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return statistics.median(taken) * 1000


def _asn1crypto(contents: bytes) -> list[Any]:
    from asn1crypto.pkcs12 import SafeContents

    return [
        (bag["bag_id"].dotted, bag["bag_value"]["cert_value"].contents, _attributes(bag["bag_attributes"]))
        for bag in SafeContents.load(contents)
    ]


def _attributes(found: Any) -> list[Any]:
    return [(one["type"].dotted, [value.dump() for value in one["values"]]) for one in found]


def _pyasn1(contents: bytes) -> list[Any]:
    from pyasn1.codec.ber import decoder
    from pyasn1_modules import rfc7292

    found, _ = decoder.decode(contents, asn1Spec=rfc7292.SafeContents())
    return [
        (
            str(bag["bagId"]),
            bytes(decoder.decode(bag["bagValue"], asn1Spec=rfc7292.CertBag())[0]["certValue"]),
            [(str(one["attrType"]), [bytes(value) for value in one["attrValues"]]) for one in bag["bagAttributes"]],
        )
        for bag in found
    ]


if __name__ == "__main__":
    main()
