"""The guard and the PKCS#12 container agree: what the container says it does is all that the guard finds changed."""

from __future__ import annotations

import contextlib

import pytest

from reconciler.keystores.guarded import GuardedKeystore, Operation, chain_sha256
from reconciler.keystores.pkcs12 import parse
from reconciler.model import Affect, EntryKind, PutCertificate, PutChain, PutKeyPair, Remove, Rename
from reconciler.ownership import alias_key, protected_by
from tests.builders import NOW
from tests.keystores.pkcs12_files import certificate, corpus_file, corpus_password, pkcs8

NEW = certificate("New")
ISSUING = certificate("Issuing", "Root", ski="Issuing", aki="Root")
PAIR = certificate("pair", "Issuing", aki="Issuing")
FILES = ["own_chain.pkcs12", "own_secret.pkcs12", "spring-boot__chains.p12", "netty__mutual_auth_client.p12"]


class Writer:
    """A keystore in memory."""

    def __init__(self, container, password):
        self.container, self.password = container, password

    @contextlib.contextmanager
    def begin(self):
        yield self.container.snapshot()

    def stage(self, writes):
        built = self.container.with_writes(writes, password=self.password, now=NOW).to_bytes(self.password)
        self.staged = parse(built, self.password, origin="staged")
        return self.staged.snapshot()

    def staged_private_key(self, alias):
        return self.staged.private_key(alias, self.password)

    def commit(self):
        pass


def possible_writes(entry):
    yield Remove(entry.alias)
    yield Rename(entry.alias, "renamed")
    if entry.kind is EntryKind.TRUSTED_CERTIFICATE:
        yield PutCertificate(entry.alias, NEW)
    if entry.kind is EntryKind.KEY_PAIR:
        yield PutKeyPair(entry.alias, (PAIR, ISSUING), pkcs8("pair"))
        yield PutChain(entry.alias, (PAIR, ISSUING))


def announced(container, write):
    """The side effects that a plan would announce."""
    named = {alias_key(write.alias), alias_key(getattr(write, "new_alias", write.alias))}
    before = {one.alias: chain_sha256(one) for one in container.snapshot().entries}
    after = container.with_writes([write], password=None, now=NOW).snapshot().entries
    others = [(one.alias, before[one.alias], chain_sha256(one)) for one in after if one.alias not in named]
    return tuple(Affect(alias, old, new) for alias, old, new in others if old != new)


@pytest.mark.parametrize("name", FILES)
def test_every_write_on_every_entry_passes_the_guard(name):
    password = corpus_password(name)
    container = parse(corpus_file(name), password, origin=name)
    guard = GuardedKeystore(Writer(container, password), (), name)
    additions = [(None, PutCertificate("new", NEW)), (None, PutKeyPair("new", (PAIR, ISSUING), pkcs8("pair")))]
    changes = [(one, write) for one in container.snapshot().entries for write in possible_writes(one)]
    for before, write in [*additions, *changes]:
        if protected_by(write.alias) is None:
            operation = Operation(write, before, announced(container, write))
            staged = guard.execute([operation], planned_version="")
            assert staged.integrity
