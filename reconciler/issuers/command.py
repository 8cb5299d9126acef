"""A program signs: the request goes to its standard input, the certificates come from its standard output.

The door to ADCS scripts, cloud CAs and SAP's own signing. It runs only where `RECONCILE_ALLOW_COMMANDS=1` is set
outside the repository, without a shell, and with nothing secret in its arguments.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from reconciler.errors import IssuerError, MaterialError
from reconciler.responses import MAX_RESPONSE, read_response
from reconciler.x509 import request_to_pem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.issuers.protocol import Order
    from reconciler.model import Certificate, IssuerSpec

ALLOW_COMMANDS = "RECONCILE_ALLOW_COMMANDS"
SECONDS = 300.0


class Command:
    """See `reconciler.issuers.protocol.Issuer`. `options`: command (arguments), directory, timeout (seconds)."""

    def __init__(self, spec: IssuerSpec) -> None:
        self.spec = spec

    def issue(self, order: Order, now: datetime) -> tuple[Certificate, ...]:
        """What the program answered, with `RECONCILE_ALIAS` and `RECONCILE_VALIDITY_DAYS` in its environment.

        Raises:
            IssuerError: it must not run, fails, takes too long, or answers with something else than certificates.
        """
        del now
        if os.environ.get(ALLOW_COMMANDS) != "1":
            raise IssuerError(
                "the issuer runs a program, and that is not allowed here",
                where=str(self.spec.source or ""),
                hint=f"set {ALLOW_COMMANDS}=1 where the state file cannot set it: in the environment of the run",
            )
        answer = self._run(order)
        if len(answer) > MAX_RESPONSE:
            raise self._failed(f"answers with {len(answer):,} bytes, which are no certificates")
        try:
            return read_response(answer)
        except MaterialError as error:
            raise self._failed(f"does not answer with certificates: {error.message}") from None

    def _run(self, order: Order) -> bytes:
        arguments: Sequence[str] = self.spec.options["command"]  # type: ignore[assignment]  # the schema says so
        days = max(1, order.wanted.validity.days)
        environment = os.environ | {"RECONCILE_ALIAS": order.wanted.alias, "RECONCILE_VALIDITY_DAYS": str(days)}
        try:
            done = subprocess.run(
                list(arguments),
                input=request_to_pem(order.signing_request),
                capture_output=True,
                cwd=str(self.spec.options.get("directory") or "."),
                env=environment,
                timeout=float(str(self.spec.options.get("timeout") or SECONDS)),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failed("takes too long") from None
        except (OSError, ValueError) as error:
            raise self._failed(f"cannot be started: {getattr(error, 'strerror', None) or 'error'}") from None
        if done.returncode != 0:
            # What it wrote to its standard error may hold anything, a token as well: it is not repeated.
            raise self._failed(f"ended with exit code {done.returncode}")
        return done.stdout

    def _failed(self, what: str) -> IssuerError:
        arguments = self.spec.options.get("command") or ("?",)
        name = next(iter(arguments)) if isinstance(arguments, (tuple, list)) else "?"
        return IssuerError(
            f"the issuing program {name} {what}",
            where=str(self.spec.source or ""),
            hint="run it by hand with a signing request on its standard input",
        )
