"""How this tenant writes down entries, errors and files."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from cryptography import x509

    from tests.sap.second.content import Item
    from tests.sap.second.manner import Manner

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORT = {
    NameOID.COMMON_NAME: "CN", NameOID.ORGANIZATIONAL_UNIT_NAME: "OU", NameOID.ORGANIZATION_NAME: "O",
    NameOID.LOCALITY_NAME: "L", NameOID.STATE_OR_PROVINCE_NAME: "ST", NameOID.COUNTRY_NAME: "C",
    NameOID.EMAIL_ADDRESS: "EMAILADDRESS",
}  # fmt: skip
CURVES = {
    "secp256r1": "secp256r1 [NIST P-256, X9.62 prime256v1] (1.2.840.10045.3.1.7)",
    "secp384r1": "secp384r1 [NIST P-384] (1.3.132.0.34)",
    "secp521r1": "secp521r1 [NIST P-521] (1.3.132.0.35)",
}
TYPES = {
    "title": ("Certificate", "Key Pair"),
    "upper": ("CERTIFICATE", "KEY PAIR"),
    "joined": ("certificate", "KeyPair"),
}
OWNERS = {"title": {}, "odd": {"SAP": " sap ", "Tenant Administrator": "tenant administrator"}}  # fmt: skip


def moment(value: object) -> datetime | None:
    match = re.fullmatch(r"/Date\((\d+)\)/", str(value or ""))
    return EPOCH + timedelta(milliseconds=int(match[1])) if match else None


def named(name: x509.Name) -> str:
    """Java's text: the encoded order reversed."""

    def one(part: x509.NameAttribute) -> str:
        value = str(part.value)
        return f'{SHORT[part.oid]}="{value}"' if re.search(r'[,+="<>#;]', value) else f"{SHORT[part.oid]}={value}"

    return ", ".join(one(part) for part in reversed(list(name)))


def colons(content: bytes) -> str:
    return content.hex(":").upper()


class Shapes:
    """The words of one tenant."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner

    def hexalias(self, alias: str) -> str:
        return alias.encode().hex() if self.manner.lower_hex else alias.encode().hex().upper()

    def date(self, value: datetime) -> str:
        """As JSON has it; Atom gets ISO 8601."""
        if self.manner.atom:
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        milliseconds = (value - EPOCH) // timedelta(milliseconds=1)
        return f"/Date({milliseconds}{'+0000' if self.manner.offset else ''})/"

    # ------------------------------------------------------------------------------------------ entities

    def entry(self, one: Item, status: str = "unchanged", *, alone: bool = False) -> dict[str, Any]:
        """What is said of an entry in a list, or when it is asked for alone."""
        return self._without_nulls(self._entry(one, status, alone=alone))

    def _without_nulls(self, item: dict[str, Any]) -> dict[str, Any]:
        match self.manner.absent:
            case "omitted":
                return {name: value for name, value in item.items() if value is not None}
            case "empty":
                return {name: "" if value is None else value for name, value in item.items()}
        return item

    def _entry(self, one: Item, status: str, *, alone: bool) -> dict[str, Any]:
        kinds = TYPES[self.manner.type_case]
        who = {
            "Type": kinds[one.key is not None or one.by == "SAP-KEY"],
            "Owner": OWNERS[self.manner.owner_case].get(one.owner, one.owner) if self.manner.owner else None,
        }
        precise = alone and self.manner.entity == "precise"
        times = {"LastModifiedTime": self._time(one.modified, precise), "CreatedTime": self._time(one.created, precise)}
        made = {"LastModifiedBy": one.by, "CreatedBy": one.by, "Status": status, **times}
        base = {"Hexalias": self.hexalias(one.alias), "Alias": one.alias}
        if not one.chain:
            return base | who
        facts = self.facts(one.leaf)
        if not self.manner.facts:
            facts = dict.fromkeys(facts)
        if alone and self.manner.entity == "bare":
            facts = {name: facts[name] for name in ("FingerprintSha256", "ValidNotAfter")}
            made = {"LastModifiedBy": one.by, "Status": status}
        surplus = {"Colour": "green", "Usage": [{"x": 1}], "KeySizeExact": None} if self.manner.surplus else {}
        return base | facts | who | made | surplus

    def _time(self, value: datetime, precise: bool) -> str | None:
        if self.manner.times == "none":
            return None
        return self.date(value.replace(microsecond=0) if self.manner.times == "seconds" and not precise else value)

    def facts(self, one: x509.Certificate) -> dict[str, Any]:
        public = one.public_key()
        elliptic = isinstance(public, ec.EllipticCurvePublicKey)
        curve = (
            {"java": CURVES.get(public.curve.name), "sec": public.curve.name, "none": None}[self.manner.curve]
            if elliptic
            else None
        )
        hexadecimal = f"{one.serial_number:X}"
        padded = (
            hexadecimal.zfill(len(hexadecimal) + len(hexadecimal) % 2) if self.manner.serial_padded else hexadecimal
        )
        return {
            "KeyType": "EC" if elliptic else "RSA" if isinstance(public, rsa.RSAPublicKey) else "DSA",
            "KeySize": public.key_size, "ValidNotBefore": self.date(one.not_valid_before_utc),
            "ValidNotAfter": self.date(one.not_valid_after_utc), "SerialNumber": f"0x{padded}",
            "SignatureAlgorithm": f"{one.signature_hash_algorithm.name.upper()}with{'ECDSA' if elliptic else 'RSA'}",
            "EllipticCurve": curve, "Validity": None, "SubjectDN": named(one.subject), "IssuerDN": named(one.issuer),
            "Version": 3, "FingerprintSha1": colons(one.fingerprint(hashes.SHA1())),
            "FingerprintSha256": colons(one.fingerprint(hashes.SHA256())),
            "FingerprintSha512": colons(one.fingerprint(hashes.SHA512())),
        }  # fmt: skip

    def entity(self, item: dict[str, Any], root: str) -> tuple[bytes, str]:
        if self.manner.atom:
            return (
                f"<?xml version='1.0' encoding='utf-8'?>{self._atom(item, root, top=True)}".encode(),
                "application/atom+xml;type=entry",
            )
        return json.dumps({"d": self._linked(item, root)}).encode(), self.manner.json_type

    def listed(self, items: list[dict[str, Any]], root: str, following: str | None = None) -> tuple[bytes, str]:
        if self.manner.atom:
            link = f"<link rel='next' href='{escape(following)}'/>" if following else ""
            inner = "".join(self._atom(item, root) for item in items)
            text = (
                f"<feed xmlns='http://www.w3.org/2005/Atom' xmlns:m='{_M}' xmlns:d='{_D}'><title/>{inner}{link}</feed>"
            )
            return text.encode(), "application/atom+xml;charset=utf-8;type=feed"
        linked = [self._linked(item, root) for item in items]
        if not self.manner.results:
            return json.dumps({"d": linked}).encode(), self.manner.json_type
        content = {"results": linked} | ({"__next": following} if following else {})
        return json.dumps({"d": content}).encode(), self.manner.json_type

    def _linked(self, item: dict[str, Any], root: str) -> dict[str, Any]:
        if not self.manner.metadata:
            return item
        uri = f"{root}/KeystoreEntries('{item.get('Hexalias', '')}')"
        links = {
            name: {"__deferred": {"uri": f"{uri}/{name}"}} for name in ("ChainCertificates", "Certificate", "Keystore")
        }
        return {"__metadata": {"id": uri, "uri": uri, "type": "com.sap.hci.api.KeystoreEntry"}} | item | links

    def _atom(self, item: dict[str, Any], root: str, *, top: bool = False) -> str:
        spaces = f" xmlns='http://www.w3.org/2005/Atom' xmlns:m='{_M}' xmlns:d='{_D}'" if top else ""
        properties = "".join(
            f"<d:{name} m:null='true'/>" if value is None else f"<d:{name}>{escape(str(value))}</d:{name}>"
            for name, value in item.items() if not isinstance(value, list | dict)
        )  # fmt: skip
        return (f"<entry{spaces}><id>{root}/KeystoreEntries</id><title type='text'>KeystoreEntries</title>"
                f"<content type='application/xml'><m:properties>{properties}</m:properties></content></entry>")  # fmt: skip

    # -------------------------------------------------------------------------------------------- errors

    def refused(self, reason: str, text: str) -> tuple[bytes, str]:
        match self.manner.error:
            case "empty":
                return b"", ""
            case "html":
                return f"<html><title>{reason}</title>{escape(text)}</html>".encode(), "text/html;charset=utf-8"
            case "xml":
                return (f"<error xmlns='{_M}'><code>{reason}</code><message xml:lang='en'>{escape(text)}</message></error>"
                        ).encode(), "application/xml"  # fmt: skip
        inner = {"code": reason, "message": {"lang": "en", "value": None if self.manner.error == "null" else text}}
        outer = inner if self.manner.error == "bare" else {"error": inner}
        return json.dumps(outer).encode(), "application/json"

    def untrusted(self, item: dict[str, Any], root: str) -> tuple[bytes, str]:
        item = item | {"Validity": "notTrusted", "Status": "notImported: not trusted"}
        shape = {
            "d": {"d": item}, "results": {"d": {"results": [item]}}, "top": item,
            "error": {"error": {"code": "Conflict", "message": {"lang": "en", "value": json.dumps(item)}}},
            "error-results": {"error": {"code": "Conflict", "message": {
                "lang": "en", "value": json.dumps({"d": {"results": [item]}})}}},
            "text": {"code": "Conflict", "message": {"lang": "en", "value": json.dumps({"d": item})}},
        }  # fmt: skip
        if self.manner.envelope == "atom":
            return self.entity(item, root)
        return json.dumps(shape[self.manner.envelope]).encode(), "application/json"

    # --------------------------------------------------------------------------------------------- files

    def certificate(self, one: x509.Certificate) -> bytes:
        der, pem = one.public_bytes(Encoding.DER), one.public_bytes(Encoding.PEM)
        return {"pem": pem, "der": der, "base64": base64.b64encode(der), "crlf": pem.replace(b"\n", b"\r\n")}[
            self.manner.certificate_as
        ]

    def chain(self, chain: tuple[x509.Certificate, ...]) -> bytes:
        ordered = list(reversed(chain)) if self.manner.root_first else list(chain)
        match self.manner.chain_as:
            case "pkcs7-pem":
                return pkcs7.serialize_certificates(ordered, Encoding.PEM)
            case "pkcs7-der":
                return pkcs7.serialize_certificates(ordered, Encoding.DER)
            case "pkcs7-base64":
                return base64.encodebytes(pkcs7.serialize_certificates(ordered, Encoding.DER))
        return b"".join(one.public_bytes(Encoding.PEM) for one in ordered)

    def request(self, csr: x509.CertificateSigningRequest) -> bytes:
        return csr.public_bytes(Encoding.PEM).replace(b"CERTIFICATE REQUEST", self.manner.request_as.encode())


_M = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
_D = "http://schemas.microsoft.com/ado/2007/08/dataservices"
