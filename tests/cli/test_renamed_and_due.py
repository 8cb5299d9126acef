"""A rename of an entry for which something else is due as well: two runs, and neither fails."""

from __future__ import annotations

from tests.cli.repository import pairs

SPEC = (
    "{{key: {{algorithm: EC, curve: secp256r1}}, subject: {{commonName: a.example.com}}, issuer: {{type: self-signed}}, "
    "validity: {validity}, renewBefore: {before}}}"
)


def test_a_rename_does_not_fail_over_a_renewal_that_is_due_under_the_new_name(repository):
    repository.declare(pairs(old=SPEC.format(validity="365d", before="30d")), create=True)
    assert repository.apply().code == 0
    due = pairs(new=SPEC.format(validity="400d", before="399d"))
    repository.declare(due + "aliases: {renamed: {old: new}}\n", create=True)

    renamed = repository.apply()

    assert renamed.code == 0, renamed.err
    assert repository.plan().changes == [("renew", "new")]
    assert repository.apply().code == 0
    assert repository.plan().changes == []
