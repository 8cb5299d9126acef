"""An emulator of SAP Cloud Integration tenants: real HTTPS on loopback, real X.509 behind it.

It follows the public description of the Security Content API, not the client under test, and it never hides a point
at which sources disagree: each of them is a switch.
"""

from __future__ import annotations

from tests.sap.emulator.faults import Effect, Fault, Faults
from tests.sap.emulator.recording import Recorded, Recording
from tests.sap.emulator.server import CLIENT, USER, Emulator
from tests.sap.emulator.switches import CsrfRule, DateLiteral, Switches, TrustEnvelope
from tests.sap.emulator.tenant import Tenant

__all__ = [
    "CLIENT",
    "USER",
    "CsrfRule",
    "DateLiteral",
    "Effect",
    "Emulator",
    "Fault",
    "Faults",
    "Recorded",
    "Recording",
    "Switches",
    "Tenant",
    "TrustEnvelope",
]
