"""Writes on PKCS#12 files: what they do, what they leave alone, and what Java and OpenSSL make of the result."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler import der, x509
from reconciler.errors import ReconcileError, RefusedError
from reconciler.keystores.pkcs12 import empty, parse
from reconciler.model import EntryKind, PutCertificate, PutChain, PutKeyPair, Remove, Rename
from reconciler.secret import Secret
from tests.builders import NOW
from tests.keystores.conftest import Question
from tests.keystores.pkcs12_files import (
    PASSWORD,
    attribute,
    certificate,
    file_of,
    leaf,
    other_bag,
    pkcs8,
    plain_key,
    protected,
    shape,
    shape_in_java,
    shrouded,
    trusted,
)

ROOT = certificate("Root", ski="Root")
ISSUING = certificate("Issuing", "Root", ski="Issuing", aki="Root")
PAIR = certificate("pair", "Issuing", aki="Issuing")
RENEWED = certificate("pair", "Issuing", aki="Issuing", serial=2)
SELF_SIGNED = certificate("pair", serial=3)
UNRELATED = certificate("Unrelated")
ONE, TWO = b"Time 1700000000001", b"Time 1700000000002"
NOW_MS = round(NOW.timestamp() * 1000)


def opened(data, password=PASSWORD):
    return parse(data, password, origin="test.p12")


def applied(container, *writes, password=PASSWORD, now=NOW):
    """The container after the writes, read again from the bytes that they make."""
    return opened(container.with_writes(writes, password=password, now=now).to_bytes(password), password)


def aliases(container):
    return [entry.alias for entry in container.snapshot().entries]


def entry(container, alias):
    return next(one for one in container.snapshot().entries if one.alias == alias)


def bags(container):
    """The raw bags in file order."""
    return [bag.raw for bag in container.bags]


def ordinary(*more):
    """A store as Java writes it: two key pairs with one chain, and a root of their own."""
    keys = [shrouded("pair", ONE), shrouded("second", TWO)]
    chain = [leaf(PAIR, "pair", ONE), leaf(ISSUING, "CN=Issuing"), leaf(ROOT), leaf(RENEWED, "second", TWO)]
    return opened(file_of(keys, [*chain, trusted(UNRELATED, "Other_Root"), *more]))


class TestANewStore:
    def test_java_opens_what_an_empty_store_becomes(self, tmp_path, java_sees, newer_java_sees):
        path = tmp_path / "new.p12"
        writes = [PutCertificate("A Root", ROOT), PutKeyPair("Pair", (PAIR, ISSUING), pkcs8("pair"))]
        path.write_bytes(empty().with_writes(writes, password=PASSWORD, now=NOW).to_bytes(PASSWORD))
        question = Question(path, "pkcs12", keys={"pair": "changeit"})
        for view in (*java_sees([question]), *newer_java_sees([question])):
            assert shape_in_java(view) == {
                "a root": ("trustedCertEntry", (ROOT.sha256,)),
                "pair": ("PrivateKeyEntry", (PAIR.sha256, ISSUING.sha256, ROOT.sha256)),
            }
            assert view.entries["pair"].created_ms == NOW_MS
            assert view.opened == {"pair": "EC"}

    def test_it_is_protected_as_java_protects_it(self):
        writes = [PutCertificate("root", ROOT), PutKeyPair("pair", (PAIR,), pkcs8("pair"))]
        container = applied(empty(), *writes)
        keys, certificates = container._pfx.safes
        assert keys.envelope is None
        assert certificates.envelope.encryption.iterations == container._pfx.mac.iterations == 10_000
        java_pbes2 = "06092a864886f70d01050d"
        assert bytes.fromhex(java_pbes2) in certificates.raw
        assert bytes.fromhex(java_pbes2) in keys.raw

    def test_an_empty_store_is_a_file_that_java_opens(self, tmp_path, java_sees):
        path = tmp_path / "empty.p12"
        path.write_bytes(empty().to_bytes(PASSWORD))
        assert java_sees([Question(path, "pkcs12")])[0].entries == {}
        assert opened(path.read_bytes()).snapshot().integrity

    def test_openssl_opens_it(self, tmp_path, openssl):
        from tests.keystores.pkcs12_files import openssl_counts

        path = tmp_path / "new.p12"
        container = applied(empty(), PutKeyPair("pair", (PAIR, ISSUING, ROOT), pkcs8("pair")))
        path.write_bytes(container.to_bytes(PASSWORD))
        assert openssl_counts(openssl, path, PASSWORD) == (3, 1)


class TestPutCertificate:
    def test_a_new_one_is_appended_under_its_spelling(self):
        before = ordinary()
        after = applied(before, PutCertificate("New_Root", ROOT))
        assert aliases(after) == [*aliases(before), "new_root"]
        assert entry(after, "new_root").stored_alias == "New_Root"
        assert bags(after)[:-1] == bags(before)

    @pytest.mark.parametrize("alias", ["", "\U0001f511 key", "a\0b", "x" * 5000, "e\u0301"])
    def test_any_other_alias_is_read_back_as_it_was_written(self, alias):
        assert entry(applied(empty(), PutCertificate(alias, ROOT)), alias).chain == (ROOT,)

    def test_one_that_is_there_is_replaced_in_its_place_whatever_the_case(self):
        before = ordinary(trusted(ROOT, "last"))
        after = applied(before, PutCertificate("other_root", SELF_SIGNED))
        assert aliases(after) == aliases(before)
        assert entry(after, "other_root").chain == (SELF_SIGNED,)
        assert [raw for raw in bags(after) if raw not in bags(before)] == [bags(after)[-2]]

    def test_hidden_twins_are_replaced_with_it(self):
        before = opened(file_of([trusted(ROOT, "X"), trusted(ISSUING, "y"), trusted(UNRELATED, "x")]))
        after = applied(before, PutCertificate("x", SELF_SIGNED))
        assert [hidden.what for hidden in before.snapshot().hidden] == [
            "trusted certificate, hidden by a later entry of the same alias"
        ]
        assert after.snapshot().hidden == ()
        assert shape(after.snapshot())["x"] == ("trustedCertEntry", (SELF_SIGNED.sha256,))

    def test_a_key_pair_is_not_replaced_by_it(self):
        with pytest.raises(RefusedError, match="'PAIR' is a key-pair and is not replaced"):
            ordinary().with_writes([PutCertificate("PAIR", ROOT)], password=PASSWORD, now=NOW)

    def test_an_entry_that_java_numbers_stays_without_a_name(self):
        before = opened(file_of([trusted(ROOT), trusted(UNRELATED)]))
        after = applied(before, PutCertificate("1", SELF_SIGNED))
        assert shape(after.snapshot()) == {
            "1": ("trustedCertEntry", (SELF_SIGNED.sha256,)),
            "2": ("trustedCertEntry", (UNRELATED.sha256,)),
        }

    def test_it_can_lengthen_the_chain_of_another_entry(self):
        before = opened(file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), leaf(ISSUING)]))
        writes = [PutCertificate("root", ROOT)]
        assert len(entry(before, "pair").chain) == 2
        assert entry(applied(before, *writes), "pair").chain == (PAIR, ISSUING, ROOT)
        preview = before.with_writes(writes, password=None, now=NOW)
        assert shape(preview.snapshot()) == shape(applied(before, *writes).snapshot())


class TestPutKeyPair:
    def test_a_new_one_is_appended_and_opens(self):
        before = ordinary()
        after = applied(before, PutKeyPair("Third", (PAIR, ISSUING, ROOT), pkcs8("pair")))
        assert shape(after.snapshot())["third"] == ("PrivateKeyEntry", (PAIR.sha256, ISSUING.sha256, ROOT.sha256))
        assert after.private_key("THIRD", PASSWORD) == pkcs8("pair")
        assert entry(after, "third").created == NOW
        assert [raw for raw in bags(after) if raw in bags(before)] == bags(before)
        # The leaf, and nothing of the chain, which is there already.
        assert len(bags(after)) == len(bags(before)) + 2

    def test_every_new_key_has_a_local_key_id_of_its_own(self):
        writes = [PutKeyPair(alias, (PAIR,), pkcs8("pair")) for alias in ("a", "b", "c")]
        created = [one.created for one in applied(empty(), *writes).snapshot().entries]
        assert created == [NOW + timedelta(milliseconds=n) for n in range(3)]

    def test_one_that_is_there_is_replaced_in_its_place(self):
        before = ordinary()
        after = applied(before, PutKeyPair("PAIR", (SELF_SIGNED,), pkcs8("pair")))
        assert aliases(after) == aliases(before)
        assert shape(after.snapshot())["pair"] == ("PrivateKeyEntry", (SELF_SIGNED.sha256,))
        # The old leaf is gone; the certificates that the second key needs stay, byte for byte.
        assert PAIR.sha256 not in {part.certificate_sha256 for part in after.snapshot().parts}
        assert bags(after)[1] == bags(before)[1]
        assert bags(after)[3:] == bags(before)[3:]

    def test_certificates_that_only_its_old_chain_needed_go_with_it(self):
        before = opened(
            file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), leaf(ISSUING), leaf(ROOT), leaf(UNRELATED)])
        )
        after = applied(before, PutKeyPair("pair", (SELF_SIGNED,), pkcs8("pair")))
        assert [hidden.certificates for hidden in after.snapshot().hidden] == [(UNRELATED,)]
        assert len(bags(after)) == 3

    def test_a_root_that_is_an_entry_stays(self):
        before = opened(file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), leaf(ISSUING), trusted(ROOT, "r")]))
        assert aliases(applied(before, PutKeyPair("pair", (SELF_SIGNED,), pkcs8("pair")))) == ["pair", "r"]

    def test_a_leaf_that_is_an_issuer_of_another_key_stays_as_an_ordinary_certificate(self):
        before = opened(
            file_of(
                [shrouded("ca", ONE, "Issuing"), shrouded("pair", TWO)],
                [leaf(ISSUING, "ca", ONE), leaf(PAIR, "pair", TWO), leaf(ROOT)],
            )
        )
        other = certificate("Issuing", serial=7)
        after = applied(before, PutKeyPair("ca", (other,), pkcs8("Issuing")))
        assert entry(after, "ca").chain == (other,)
        assert entry(after, "pair").chain == (PAIR, ISSUING, ROOT)
        # Byte for byte: it belongs to nobody, and nobody asked for it to change.
        assert bags(before)[2] in bags(after)
        again = applied(after, PutChain("ca", (certificate("Issuing", serial=8),)), Rename("ca", "authority"))
        assert entry(again, "authority").chain == (certificate("Issuing", serial=8),)
        assert entry(again, "pair").chain == (PAIR, ISSUING, ROOT)
        assert bags(before)[2] in bags(again)

    def test_a_secret_key_is_not_replaced_by_it(self):
        secret = other_bag("1.2.840.113549.1.12.10.1.5", name="s")
        with pytest.raises(RefusedError, match="'s' is a secret-key"):
            opened(file_of([secret])).with_writes([PutKeyPair("s", (PAIR,), pkcs8("pair"))], password=PASSWORD, now=NOW)

    @pytest.mark.parametrize("write", [PutKeyPair("a", (), pkcs8("pair")), PutKeyPair("a", (PAIR,))])
    def test_it_needs_a_certificate_and_a_key(self, write):
        with pytest.raises(ReconcileError):
            empty().with_writes([write], password=PASSWORD, now=NOW)

    def test_a_preview_needs_no_key_and_cannot_be_written(self):
        preview = empty().with_writes([PutKeyPair("a", (PAIR,))], password=None, now=NOW)
        assert shape(preview.snapshot()) == {"a": ("PrivateKeyEntry", (PAIR.sha256,))}
        with pytest.raises(RefusedError, match="without a password"):
            preview.to_bytes(None)

    def test_a_second_key_does_not_take_the_certificate_of_the_first(self, tmp_path, java_sees):
        # Neither has a localKeyID: with one key in the file, Java takes the first certificate for its own.
        before = opened(file_of([shrouded(None, None)], [leaf(PAIR), leaf(ISSUING)]))
        after = applied(before, PutKeyPair("new", (SELF_SIGNED,), pkcs8("pair")))
        path = tmp_path / "two.p12"
        path.write_bytes(after.to_bytes(PASSWORD))
        expected = {
            "1": ("PrivateKeyEntry", (PAIR.sha256, ISSUING.sha256)),
            "new": ("PrivateKeyEntry", (SELF_SIGNED.sha256,)),
        }
        assert shape(after.snapshot()) == expected == shape_in_java(java_sees([Question(path, "pkcs12")])[0])


class TestPutChain:
    def test_a_leaf_that_is_an_issuer_of_another_key_gives_way_to_its_successor(self):
        before = opened(
            file_of(
                [shrouded("ca", ONE, "Issuing"), shrouded("pair", TWO)],
                [leaf(ISSUING, "ca", ONE), leaf(PAIR, "pair", TWO), leaf(ROOT)],
            )
        )
        without_identifiers = certificate("Issuing", serial=7)
        after = applied(before, PutChain("ca", (without_identifiers,)))
        assert entry(after, "ca").chain == (without_identifiers,)
        assert entry(after, "pair").chain == (PAIR, ISSUING, ROOT)
        renewed = certificate("Issuing", "Root", ski="Issuing", aki="Root", serial=8)
        after = applied(before, PutChain("ca", (renewed,)))
        assert entry(after, "pair").chain == (PAIR, renewed, ROOT)
        assert ISSUING.sha256 not in {part.certificate_sha256 for part in after.snapshot().parts}

    def test_the_key_keeps_its_bag_and_gets_another_leaf(self):
        before = ordinary()
        after = applied(before, PutChain("Pair", (SELF_SIGNED,)))
        assert entry(after, "pair").chain == (SELF_SIGNED,)
        assert bags(after)[:2] == bags(before)[:2]
        assert entry(after, "pair").created == entry(before, "pair").created
        assert aliases(after) == aliases(before)

    def test_a_chain_that_was_missing_is_added_behind_the_same_leaf(self):
        before = opened(file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), trusted(UNRELATED, "u")]))
        after = applied(before, PutChain("pair", (PAIR, ISSUING, ROOT)))
        assert entry(after, "pair").chain == (PAIR, ISSUING, ROOT)
        assert [raw for raw in bags(after) if raw in bags(before)] == bags(before)

    @pytest.mark.parametrize("name", ["pair", None])
    def test_a_key_without_local_key_id_keeps_its_bag_too(self, name, tmp_path, java_sees):
        before = opened(file_of([shrouded(name, None)], [leaf(PAIR), leaf(ISSUING), leaf(ROOT)]))
        after = applied(before, PutChain(name or "1", (RENEWED, ISSUING, ROOT)))
        path = tmp_path / "renewed.p12"
        path.write_bytes(after.to_bytes(PASSWORD))
        assert bags(after)[0] == bags(before)[0]
        expected = {name or "1": ("PrivateKeyEntry", (RENEWED.sha256, ISSUING.sha256, ROOT.sha256))}
        assert shape(after.snapshot()) == expected == shape_in_java(java_sees([Question(path, "pkcs12")])[0])

    def test_a_key_without_any_certificate_gets_one(self):
        before = opened(file_of([shrouded("pair", ONE)]))
        assert entry(before, "pair").note == "Java finds no certificate for this private key"
        assert entry(applied(before, PutChain("pair", (PAIR,))), "pair").chain == (PAIR,)

    def test_a_leaf_that_two_keys_share_cannot_be_replaced_for_one(self):
        before = opened(file_of([shrouded("a", ONE), shrouded("b", ONE)], [leaf(PAIR, None, ONE)]))
        with pytest.raises(RefusedError, match="without changing 'b'"):
            before.with_writes([PutChain("a", (RENEWED,))], password=PASSWORD, now=NOW)
        assert shape(applied(before, Remove("a")).snapshot()) == {"b": ("PrivateKeyEntry", (PAIR.sha256,))}

    def test_there_must_be_a_key_pair(self):
        with pytest.raises(ReconcileError, match="there is no key pair 'nobody'"):
            ordinary().with_writes([PutChain("nobody", (PAIR,))], password=PASSWORD, now=NOW)
        with pytest.raises(RefusedError, match="is a trusted-certificate"):
            ordinary().with_writes([PutChain("other_root", (PAIR,))], password=PASSWORD, now=NOW)


class TestRemove:
    def test_a_trusted_certificate_goes_and_nothing_else(self):
        before = ordinary()
        after = applied(before, Remove("OTHER_ROOT"))
        assert aliases(after) == ["pair", "second"]
        assert bags(after) == bags(before)[:-1]

    def test_a_key_pair_goes_with_its_leaf_and_leaves_what_others_need(self):
        before = ordinary()
        after = applied(before, Remove("pair"))
        assert aliases(after) == ["second", "other_root"]
        assert entry(after, "second").chain == (RENEWED, ISSUING, ROOT)
        assert bags(after) == [raw for index, raw in enumerate(bags(before)) if index not in (0, 2)]

    def test_the_last_key_pair_takes_its_chain_with_it(self):
        after = applied(ordinary(), Remove("pair"), Remove("second"))
        assert aliases(after) == ["other_root"]
        assert after.snapshot().hidden == ()

    def test_a_trusted_certificate_can_shorten_the_chain_of_another_entry(self):
        before = opened(file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), trusted(ISSUING, "ca")]))
        assert entry(applied(before, Remove("ca")), "pair").chain == (PAIR,)

    def test_everything_can_go(self, tmp_path, java_sees):
        after = applied(ordinary(), Remove("pair"), Remove("second"), Remove("other_root"))
        path = tmp_path / "nothing.p12"
        path.write_bytes(after.to_bytes(PASSWORD))
        assert aliases(after) == []
        assert java_sees([Question(path, "pkcs12")])[0].entries == {}

    def test_what_is_not_there_cannot_go(self):
        with pytest.raises(ReconcileError, match="there is no entry 'nobody'"):
            ordinary().with_writes([Remove("nobody")], password=PASSWORD, now=NOW)

    def test_an_entry_that_others_are_numbered_after_cannot_go(self):
        before = opened(file_of([trusted(ROOT), trusted(UNRELATED)]))
        with pytest.raises(RefusedError, match="would change the aliases of other entries"):
            before.with_writes([Remove("1")], password=PASSWORD, now=NOW)
        assert aliases(applied(before, Remove("2"), Remove("1"))) == []

    def test_a_key_that_would_appear_instead_is_in_the_way(self):
        before = opened(file_of([shrouded("a", None), shrouded("b", None)]))
        assert aliases(before) == ["a"]
        with pytest.raises(RefusedError, match="without another entry appearing: 'b'"):
            before.with_writes([Remove("a")], password=PASSWORD, now=NOW)

    def test_the_chain_of_a_plain_key_that_java_hides_stays(self):
        plain = plain_key("hidden", TWO)
        before = opened(
            file_of(
                [shrouded("pair", ONE), plain], [leaf(PAIR, "pair", ONE), leaf(RENEWED, "hidden", TWO), leaf(ISSUING)]
            )
        )
        after = applied(before, Remove("pair"))
        [hidden] = after.hidden_keys()
        assert hidden.chain == (RENEWED, ISSUING)

    def test_a_certificate_that_another_key_would_then_take_for_its_own_is_in_the_way(self):
        # Without the first certificate, Java would take the second for that of the key without localKeyID.
        before = opened(file_of([shrouded("pair", None)], [trusted(UNRELATED, "u"), leaf(ISSUING), leaf(PAIR, "pair")]))
        assert entry(before, "pair").chain == (PAIR, ISSUING)
        with pytest.raises(RefusedError, match="without changing 'pair'"):
            before.with_writes([Remove("u")], password=PASSWORD, now=NOW)


class TestRename:
    def test_a_trusted_certificate_takes_the_new_spelling_and_its_place(self):
        before = ordinary(trusted(ROOT, "last"))
        after = applied(before, Rename("other_root", "New Name"))
        assert aliases(after) == ["pair", "second", "new name", "last"]
        assert entry(after, "new name").stored_alias == "New Name"

    def test_a_key_pair_keeps_key_and_chain(self):
        before = ordinary()
        after = applied(before, Rename("pair", "Renamed"))
        assert aliases(after) == ["renamed", "second", "other_root"]
        assert entry(after, "renamed").chain == entry(before, "pair").chain
        assert after.private_key("renamed", PASSWORD) == before.private_key("pair", PASSWORD)
        assert [raw for raw in bags(after) if raw in bags(before)] == [
            raw for index, raw in enumerate(bags(before)) if index not in (0, 2)
        ]

    def test_other_attributes_and_their_order_stay(self):
        vendor = attribute("1.3.6.1.4.1.311.17.1", der.bmp_string("Vendor"))
        bag = trusted(ROOT, "old")
        head, value, attributes = der.read(bag.raw).children()
        name, usage = (element.raw for element in attributes.children())
        from reconciler.keystores.pkcs12_bags import read_bag

        before = opened(file_of([read_bag(der.sequence(head.raw, value.raw, der.set_in_order(vendor, name, usage)))]))
        after = applied(before, Rename("old", "new"))
        expected = [vendor, attribute("1.2.840.113549.1.9.20", der.bmp_string("new")), usage]
        assert [element.raw for element in der.read(bags(after)[0]).children()[2].children()] == expected

    def test_a_secret_key_is_renamed_like_the_others(self):
        before = opened(file_of([other_bag("1.2.840.113549.1.12.10.1.5", name="s")]))
        assert aliases(applied(before, Rename("s", "t"))) == ["t"]

    def test_an_entry_without_a_name_gets_one(self):
        before = opened(file_of([shrouded(None, ONE)], [leaf(PAIR, None, ONE), trusted(ROOT, "r")]))
        after = applied(before, Rename("1", "pair"))
        assert entry(after, "pair").chain == entry(before, "1").chain

    def test_only_the_case_can_change(self):
        after = applied(ordinary(), Rename("other_root", "OTHER_ROOT"))
        assert entry(after, "other_root").stored_alias == "OTHER_ROOT"

    def test_hidden_twins_stay_hidden(self):
        before = opened(file_of([trusted(ROOT, "X"), trusted(UNRELATED, "x")]))
        after = applied(before, Rename("x", "y"))
        assert shape(after.snapshot()) == {"y": ("trustedCertEntry", (UNRELATED.sha256,))}
        assert len(after.snapshot().hidden) == 1

    def test_a_name_that_is_taken_is_refused(self):
        with pytest.raises(ReconcileError, match="there is an entry 'SECOND' already"):
            ordinary().with_writes([Rename("pair", "SECOND")], password=PASSWORD, now=NOW)

    @pytest.mark.parametrize("write", [PutCertificate("a\ud800", ROOT), Rename("pair", "\udc00")])
    def test_half_a_character_is_no_name(self, write):
        with pytest.raises(ReconcileError, match="half a surrogate pair"):
            ordinary().with_writes([write], password=PASSWORD, now=NOW)

    def test_writes_follow_one_another(self):
        after = applied(
            ordinary(), Rename("pair", "old"), PutKeyPair("pair", (SELF_SIGNED,), pkcs8("pair")), Remove("old")
        )
        assert shape(after.snapshot())["pair"] == ("PrivateKeyEntry", (SELF_SIGNED.sha256,))
        assert sorted(aliases(after)) == ["other_root", "pair", "second"]


class TestProtection:
    def test_a_file_without_writes_comes_back_as_it_came(self):
        data = file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE)], encrypted=True) + b"tail"
        assert opened(data).to_bytes(PASSWORD) == data
        assert opened(data).with_writes([], password=PASSWORD, now=NOW).to_bytes(PASSWORD) == data

    def test_contents_without_changes_are_copied_whole(self):
        data = file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE)], encrypted=True)
        before = opened(data)
        after = applied(before, PutKeyPair("new", (SELF_SIGNED,), pkcs8("pair")))
        assert after._pfx.safes[0].raw != before._pfx.safes[0].raw
        certificates = opened(file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE)], [trusted(ROOT, "r")]))
        changed = applied(certificates, Remove("r"))
        assert [safe.raw for safe in changed._pfx.safes] == [safe.raw for safe in certificates._pfx.safes[:2]]

    def test_changed_contents_are_encrypted_as_before_with_new_salt_and_iv(self):
        before = opened(file_of([trusted(ROOT, "r")], encrypted=True))
        after = applied(before, PutCertificate("u", UNRELATED))
        old, new = before._pfx.safes[0].envelope.encryption, after._pfx.safes[0].envelope.encryption
        assert (new.cipher, new.iterations, new.derivation.prf) == (old.cipher, old.iterations, old.derivation.prf)
        assert new.iv != old.iv
        assert new.derivation.salt != old.derivation.salt

    def test_bytes_after_the_file_are_carried(self):
        after = opened(file_of([trusted(ROOT, "r")]) + b"tail").with_writes([Remove("r")], password=PASSWORD, now=NOW)
        assert after.to_bytes(PASSWORD).endswith(b"tail")

    def test_no_integrity_check_stays_none(self):
        before = opened(file_of([trusted(ROOT, "r")], mac=False), None)
        after = applied(before, PutCertificate("u", UNRELATED), password=None)
        assert aliases(after) == ["r", "u"]
        assert after._pfx.mac is None
        assert all(safe.envelope is None for safe in after._pfx.safes)

    def test_a_passwordless_truststore_that_was_emptied_stays_passwordless(self):
        before = opened(file_of([trusted(ROOT, "r")], mac=False), None)
        emptied = applied(before, Remove("r"), password=None)
        assert aliases(applied(emptied, PutCertificate("u", UNRELATED), password=None)) == ["u"]

    def test_a_key_pair_in_a_passwordless_truststore_needs_a_password(self):
        before = opened(file_of([trusted(ROOT, "r")], mac=False), None)
        with pytest.raises(RefusedError, match="without a password"):
            applied(before, PutKeyPair("k", (PAIR,), pkcs8("pair")), password=None)
        after = applied(before, PutKeyPair("k", (PAIR,), pkcs8("pair")))
        assert after.private_key("k", PASSWORD) == pkcs8("pair")
        assert after._pfx.mac is None
        assert after.snapshot().integrity is False

    def test_an_integrity_check_cannot_be_renewed_without_the_password(self):
        container = opened(file_of([trusted(ROOT, "r")]), None)
        assert container.snapshot().integrity is False
        with pytest.raises(RefusedError, match="a password is needed to renew the integrity check"):
            container.with_writes([Remove("r")], password=None, now=NOW).to_bytes(None)

    def test_another_password_for_the_file_leaves_the_keys_their_own(self):
        other = Secret("another one")
        container = opened(file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE)], encrypted=False))
        moved = opened(container.to_bytes(other), other)
        assert moved.private_key("pair", PASSWORD) == pkcs8("pair")
        encrypted = opened(file_of([trusted(ROOT, "r")], encrypted=True))
        assert aliases(opened(encrypted.to_bytes(other), other)) == ["r"]

    def test_a_password_beyond_ascii_is_warned_of(self):
        password = Secret("pässwort")
        container = applied(empty(), PutCertificate("r", ROOT), password=password)
        assert any("beyond printable ASCII" in warning for warning in container.snapshot().warnings)
        preview = empty().with_writes([PutCertificate("r", ROOT)], password=password, now=NOW)
        assert any("beyond printable ASCII" in warning for warning in preview.snapshot().warnings)

    def test_what_follows_the_bags_inside_a_part_stops_a_write(self):
        from reconciler.keystores.pkcs12_pfx import Pfx, Safe, encode_pfx

        contents = der.sequence(trusted(ROOT, "r").raw) + b"\x05\x00"
        raw = der.sequence(der.object_identifier("1.2.840.113549.1.7.1"), der.explicit(0, der.octet_string(contents)))
        data = encode_pfx(Pfx((Safe(raw=raw),)), None, reuse=True)
        container = opened(data, None)
        assert container.to_bytes(None) == data
        with pytest.raises(RefusedError, match="cannot be written whole"):
            container.with_writes([PutCertificate("u", UNRELATED)], password=None, now=NOW)


class TestPartsAndDigests:
    def test_parts_name_the_entry_that_they_belong_to(self):
        parts = ordinary().snapshot().parts
        assert [part.alias_key for part in parts] == ["pair", "second", "pair", None, None, "second", "other_root"]
        assert parts[2].certificate_sha256 == PAIR.sha256
        assert parts[0].certificate_sha256 is None

    def test_two_reads_give_the_same_digests_and_a_change_another(self):
        data = file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), trusted(ROOT, "r")], encrypted=True)
        first, again = opened(data).snapshot(), opened(data).snapshot()
        assert first.entries == again.entries
        changed = applied(opened(data), PutChain("pair", (RENEWED,))).snapshot()
        assert changed.entries[0].digest != first.entries[0].digest
        assert changed.entries[1].digest == first.entries[1].digest

    def test_nothing_secret_is_printed(self):
        container = ordinary()
        assert "changeit" not in repr(container) + repr(container.snapshot())
        assert protected().hex() not in repr(container)


def test_kinds_are_those_of_the_model():
    assert entry(ordinary(), "pair").kind is EntryKind.KEY_PAIR
    assert x509.key_fits(pkcs8("pair"), entry(ordinary(), "pair").leaf)
