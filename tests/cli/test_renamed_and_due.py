"""A rename of an entry for which something else is due as well: one run does both."""

from __future__ import annotations

from tests.cli.repository import pairs

SPEC = (
    "{{key: {{algorithm: EC, curve: secp256r1}}, subject: {{commonName: a.example.com}}, issuer: {{type: self-signed}}, "
    "validity: {validity}, renewBefore: {before}}}"
)


def test_a_rename_and_the_renewal_that_is_due_under_the_new_name_are_one_run(repository):
    repository.declare(pairs(old=SPEC.format(validity="365d", before="30d")), create=True)
    assert repository.apply().code == 0
    due = pairs(new=SPEC.format(validity="400d", before="399d"))
    repository.declare(due + "aliases: {renamed: {old: new}}\n", create=True)

    assert [action for action, _ in repository.plan().changes] == ["rename", "renew"]
    renamed = repository.apply()

    assert renamed.code == 0, renamed.err
    assert list(repository.entries()) == ["new"]
    assert repository.plan().changes == []
