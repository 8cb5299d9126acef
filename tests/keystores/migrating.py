"""State files over keystore files, planned and applied as the commands do, for the tests of migrations and history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.applying import apply_target
from reconciler.keystores.file_keystore import FileKeystore
from reconciler.keystores.opening import open_keystore
from reconciler.model import DesiredState, KeystoreTarget, ProtectedPattern, RunFacts, StoreType, TargetPlan
from reconciler.planning import plan_target
from reconciler.secret import Secret
from reconciler.x509 import is_signed_by
from tests.builders import HERE, NOW

if TYPE_CHECKING:
    from pathlib import Path


class Store:
    """A keystore file with what is declared of it."""

    def __init__(
        self, path: Path, store_type: str, password: str | None = "changeit", previous: str | None = None, **more
    ):
        target = KeystoreTarget(
            StoreType(store_type), path.name, HERE, path=str(path), password_declared=password is not None, **more
        )
        self.path = path
        self.desired = DesiredState("keystore.yaml", target)
        self.password = None if password is None else Secret(password)
        self.previous = None if previous is None else (lambda: Secret(previous))

    def declares(self, *wanted, protected=(), **more):
        patterns = tuple(ProtectedPattern(pattern, HERE) for pattern in protected)
        self.desired = replace(self.desired, wanted=wanted, protected=patterns, **more)
        return self

    def reader(self) -> FileKeystore:
        return FileKeystore(self.desired.keystore, self.password, self.previous)

    def read(self):
        return self.reader().read()

    def plan(self, **options) -> TargetPlan:
        reader = self.reader()
        live = reader.read()
        return plan_target(self.desired, live, NOW, reader.preview, is_signed_by, **options)

    def door(self, plan: TargetPlan | None = None, command: str = "apply"):
        patterns = [one.pattern for one in self.desired.protected]
        facts = RunFacts(command, self.desired.name, "sha256:0", plan.changes if plan else ())
        return open_keystore(self.desired.keystore, self.password, patterns, self.previous, facts)

    def apply(self, plan: TargetPlan | None = None):
        plan = plan or self.plan()
        return apply_target(plan, self.door(plan), NOW, lambda *_: None)
