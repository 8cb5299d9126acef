"""A key pair that a tenant is to generate: the fields of SAP's request, and their rules checked before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcileError
from reconciler.keystores.sap.aliases import hexalias
from reconciler.keystores.sap.odata import date_literal

if TYPE_CHECKING:
    from datetime import datetime

_LONGEST_FIELD = 500
# SAP's default is SHA-512/RSA whatever the key, so it is always said.
_SIGNATURES = {"RSA": "SHA-512/RSA", "DSA": "SHA-256/DSA", "EC": "SHA-512/ECDSA"}
_SUBJECT = (
    ("CommonName", "common_name"),
    ("OrganizationUnit", "organization_unit"),
    ("Organization", "organization"),
    ("Locality", "locality"),
    ("State", "state"),
    ("Country", "country"),
    ("Email", "email"),
)


class KeyOrderError(ReconcileError):
    """A key pair that a tenant cannot generate as declared."""


@dataclass(frozen=True, slots=True)
class KeyPairOrder:
    """What `KeyPairGenerationRequests` takes. There is no field for subject alternative names.

    Attributes:
        alias: Must be free.
        key_type: RSA, DSA or EC.
        common_name: Mandatory.
        country: Mandatory, two letters.
        key_size: Mandatory for RSA and DSA.
        curve: For EC, in SAP's names (secp256r1, …).
        signature_algorithm: In SAP's spelling (`SHA-256/RSA`), None for the strongest.
        not_before: None for now.
        not_after: None for three years later.
    """

    alias: str
    key_type: str
    common_name: str
    country: str
    key_size: int | None = None
    curve: str | None = None
    signature_algorithm: str | None = None
    organization_unit: str | None = None
    organization: str | None = None
    locality: str | None = None
    state: str | None = None
    email: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None

    def problem(self) -> str | None:
        """Why a tenant would refuse it, in a few words; None when it would not."""
        if self.key_type not in _SIGNATURES:
            return f"keys of the type {self.key_type} cannot be generated in a tenant"
        if self.key_type != "EC" and self.key_size is None:
            return f"{self.key_type} needs a size"
        if self.key_type == "EC" and (self.key_size is None) == (self.curve is None):
            return "EC needs either a curve or a size"
        if not self.common_name:
            return "a common name is mandatory in a tenant"
        if len(self.country) != 2:
            return "a country of two letters is mandatory in a tenant"
        too_long = [name for name, attribute in _SUBJECT if len(getattr(self, attribute) or "") > _LONGEST_FIELD]
        return f"{too_long[0]} is longer than {_LONGEST_FIELD} characters" if too_long else None

    def properties(self) -> dict[str, Any]:
        """The body of the request.

        Raises:
            KeyOrderError: a rule is broken.
        """
        if problem := self.problem():
            raise KeyOrderError(f"the key pair {self.alias!a}: {problem}", hint="declare key.generateIn: here")
        fields = {
            "Hexalias": hexalias(self.alias),
            "Alias": self.alias,
            "KeyType": self.key_type,
            "SignatureAlgorithm": self.signature_algorithm or _SIGNATURES[self.key_type],
            "KeyAlgorithmParameter": self.curve,
            **{name: getattr(self, attribute) for name, attribute in _SUBJECT},
            "ValidNotBefore": date_literal(self.not_before) if self.not_before else None,
            "ValidNotAfter": date_literal(self.not_after) if self.not_after else None,
        }
        # The default of a size that is not said is 4096, also for EC: there it has to be null.
        return {name: value for name, value in fields.items() if value is not None} | {"KeySize": self.key_size}
