"""Reading PKCS#12 files that are damaged, hostile, or written in BER: an answer or a clear error, and quickly."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import der
from reconciler.errors import KeystoreUnreadableError, ReconcileError, RefusedError
from reconciler.keystores import pkcs12_bags, pkcs12_pfx
from reconciler.keystores.pkcs12 import parse
from reconciler.keystores.pkcs12_bags import key_bag, read_bag
from reconciler.keystores.pkcs12_crypto import MAX_ITERATIONS, Pbes1, Pbes2, Pbkdf2
from reconciler.keystores.pkcs12_mac import Pkcs12Mac
from reconciler.keystores.pkcs12_pfx import Envelope, Pfx, Safe, encode_pfx
from reconciler.model import PutCertificate, PutKeyPair, Remove, Rename
from reconciler.secret import Secret
from tests.builders import NOW
from tests.keystores.conftest import Question
from tests.keystores.pkcs12_files import (
    PASSWORD,
    attribute,
    certificate,
    corpus_file,
    corpus_password,
    file_of,
    leaf,
    other_bag,
    pkcs8,
    plain_key,
    protected,
    records,
    shape,
    shape_in_java,
    shrouded,
    trusted,
)

ROOT, PAIR = certificate("Root"), certificate("pair", "Root")
ONE = b"Time 1700000000001"
SHA1 = der.sequence(der.object_identifier("1.3.14.3.2.26"), der.null())


def ordinary(**options):
    return file_of([shrouded("pair", ONE)], [leaf(PAIR, "pair", ONE), trusted(ROOT, "root")], **options)


def refused(data, password=PASSWORD):
    begin = time.process_time()
    with pytest.raises(KeystoreUnreadableError) as caught:
        parse(data, password, origin="live/outbound.p12")
    assert time.process_time() - begin < 2
    assert caught.value.where == "live/outbound.p12"
    return caught.value


class TestPasswords:
    @pytest.mark.parametrize("encrypted", [True, False])
    @pytest.mark.parametrize("mac", [True, False])
    def test_a_wrong_password_is_said_to_be_wrong(self, mac, encrypted):
        if mac or encrypted:
            error = refused(ordinary(mac=mac, encrypted=encrypted), Secret("wrong"))
            assert error.message.startswith("wrong password")
            assert "check the password" in error.hint
            assert "changeit" not in str(error)

    def test_encrypted_certificates_without_a_password_are_an_error_and_not_an_empty_keystore(self):
        error = refused(ordinary(encrypted=True), None)
        assert error.message == "its certificates are encrypted and no password is given"

    def test_without_a_password_the_integrity_check_is_not_made(self):
        snapshot = parse(ordinary(), None, origin="x").snapshot()
        assert snapshot.integrity is False
        assert any("was not made" in warning for warning in snapshot.warnings)
        assert len(snapshot.entries) == 2

    def test_a_missing_check_is_told(self):
        snapshot = parse(ordinary(mac=False), PASSWORD, origin="x").snapshot()
        assert snapshot.integrity is False
        assert snapshot.warnings == ("the file has no integrity check: nobody can tell whether it was changed",)

    def test_a_password_that_is_no_text_is_an_error_that_does_not_show_it(self):
        with pytest.raises(ReconcileError) as caught:
            parse(ordinary(), Secret(b"\xff\xfe"), origin="x")
        assert "ff" not in str(caught.value)

    def test_a_wrong_key_password_is_told_with_the_alias(self):
        container = parse(ordinary(), PASSWORD, origin="x.p12")
        with pytest.raises(KeystoreUnreadableError, match="does not open the key 'PAIR'") as caught:
            container.private_key("PAIR", Secret("wrong"))
        assert "a password of its own" in caught.value.hint

    @pytest.mark.parametrize("alias", ["nobody", "root"])
    def test_there_must_be_a_key(self, alias):
        with pytest.raises(KeystoreUnreadableError, match=f"there is no key pair '{alias}'"):
            parse(ordinary(), PASSWORD, origin="x").private_key(alias, PASSWORD)

    def test_the_content_changed_behind_the_check_is_found(self):
        data = ordinary()
        at = data.index("root".encode("utf-16-be"))
        assert refused(data[:at] + b"\x00t" + data[at + 2 :]).message.startswith(
            "wrong password, or the file was changed"
        )


class TestWhatIsNoKeystore:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"0",
            b"-----BEGIN CERTIFICATE-----",
            b"\xfe\xed\xfe\xed",
            b"\x30\x00",
            b"\x30\x80\x02\x01\x03",
            der.sequence(der.integer(3), der.null()),
            der.sequence(der.integer(3), der.sequence(der.object_identifier("1.2.840.113549.1.7.1"))),
            bytes(1000),
            b"\xff" * 1000,
        ],
    )
    def test_other_bytes_are_refused(self, data):
        assert "not a whole PKCS#12 file" in refused(data).message

    def test_another_version_is_refused(self):
        assert "version 3" in refused(der.sequence(der.integer(4), der.sequence())).message

    def test_protection_with_a_public_key_is_refused(self):
        signed = der.sequence(der.object_identifier("1.2.840.113549.1.7.2"), der.explicit(0, der.null()))
        assert "public key" in refused(der.sequence(der.integer(3), signed)).message
        enveloped = der.sequence(der.object_identifier("1.2.840.113549.1.7.3"), der.explicit(0, der.null()))
        data = encode_pfx(Pfx((Safe(raw=enveloped),)), None, reuse=True)
        assert "public key" in refused(data).message

    def test_a_file_cut_anywhere_is_refused(self):
        data = ordinary(encrypted=True)
        for size in range(0, len(data), 7):
            refused(data[:size])


class TestLimits:
    def test_iteration_counts_that_java_refuses_are_not_run(self):
        many = MAX_ITERATIONS + 1
        mac = Pkcs12Mac("1.3.14.3.2.26", SHA1, b"salt", 1)
        data = encode_pfx(Pfx((), mac), _passphrase(), reuse=True)
        assert "iteration count above 5,000,000" in refused(_with_mac_iterations(data, many)).message
        for encryption in (Pbes1("1.2.840.113549.1.12.1.3", b"salt", many), _pbes2(many)):
            assert "iteration count above 5,000,000" in refused(_encrypted_with(encryption)).message

    @pytest.mark.parametrize("count", [0, -1])
    def test_iteration_counts_below_one_are_refused(self, count):
        assert "iteration count below 1" in refused(_encrypted_with(_pbes2(count))).message

    def test_iteration_counts_beyond_any_integer_are_refused(self):
        refused(_encrypted_with(_pbes2(1 << 20_000)))
        refused(_encrypted_with(_pbes2(-(1 << 20_000))))

    def test_many_parts_with_many_iterations_are_refused_together(self):
        part = _encrypted_part(_pbes2(MAX_ITERATIONS), b"\0" * 16)
        data = encode_pfx(Pfx(tuple(Safe(raw=part) for _ in range(5))), None, reuse=True)
        begin = time.process_time()
        with pytest.raises(KeystoreUnreadableError):
            parse(data, PASSWORD, origin="x")
        # At most the work that Java does for one part of such a file.
        assert time.process_time() - begin < 10

    def test_a_key_is_not_opened_with_too_many_iterations(self):
        encryption = _pbes2(MAX_ITERATIONS + 1)
        blob = der.sequence(encryption.encode(), der.octet_string(b"\0" * 16))
        container = parse(file_of([key_bag(blob, name="k", key_id=ONE)]), PASSWORD, origin="x")
        assert [one.alias for one in container.snapshot().entries] == ["k"]
        with pytest.raises(KeystoreUnreadableError, match="iteration count above"):
            container.private_key("k", PASSWORD)

    def test_a_key_length_must_be_that_of_the_cipher(self):
        encryption = Pbes2(Pbkdf2(b"salt", 1, 16, None), "2.16.840.1.101.3.4.1.42", b"\0" * 16)
        assert "16 bytes for a cipher that takes 32" in refused(_encrypted_with(encryption)).message

    def test_an_initialization_vector_of_another_size_is_refused(self):
        refused(_encrypted_with(Pbes2(Pbkdf2(b"salt", 1, 32, None), "2.16.840.1.101.3.4.1.42", b"\0" * 8)))

    def test_a_salt_of_a_megabyte_is_refused(self):
        assert "salt" in refused(_encrypted_with(Pbes1("1.2.840.113549.1.12.1.3", b"s" * 2**20, 1))).message

    def test_a_date_beyond_the_calendar_is_no_date(self):
        data = file_of([shrouded("a", b"Time 999999999999999999"), shrouded("b", b"Time 5")])
        assert [one.created is None for one in parse(data, PASSWORD, origin="x").snapshot().entries] == [True, False]

    def test_the_total_of_iterations_is_limited(self, monkeypatch):
        monkeypatch.setattr(pkcs12_pfx, "MAX_TOTAL_ITERATIONS", 100)
        assert "add up to more than 100" in refused(ordinary(encrypted=True)).message

    def test_unknown_functions_are_named(self):
        odd = Pbes2(Pbkdf2(b"salt", 1, 32, "1.2.3"), "2.16.840.1.101.3.4.1.42", b"\0" * 16)
        assert "a function that is not supported: 1.2.3" in refused(_encrypted_with(odd)).message
        unknown = Pbes2(Pbkdf2(b"salt", 1, 32, None), "1.2.3", b"\0" * 16)
        assert "a cipher that is not supported: 1.2.3" in refused(_encrypted_with(unknown)).message
        derived = der.sequence(der.object_identifier("1.2.3"), der.sequence())
        scheme = der.sequence(der.object_identifier("2.16.840.1.101.3.4.1.42"), der.octet_string(b"\0" * 16))
        pbes2 = der.sequence(der.object_identifier("1.2.840.113549.1.5.13"), der.sequence(derived, scheme))
        assert "in a way that is not supported" in refused(_file_of_raw(_encrypted_part_of(pbes2, b"x"))).message

    def test_a_digest_that_is_unknown_is_named(self):
        version, safe, mac = (element.raw for element in der.read(ordinary()).children())
        data = der.sequence(
            version, safe, mac.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("60864801650304024f"))
        )
        assert "a digest that is not supported" in refused(data).message

    def test_encrypted_content_of_half_a_block_is_no_content(self):
        assert refused(_file_of_raw(_encrypted_part(_pbes2(1), b"\0" * 15))).message.startswith("wrong password")

    def test_unknown_algorithms_are_named(self):
        other = der.sequence(der.object_identifier("1.2.3.4"), der.sequence())
        assert "not supported: 1.2.3.4" in refused(_file_of_raw(_encrypted_part_of(other, b"x"))).message

    def test_a_file_beyond_the_limit_is_not_looked_at(self, monkeypatch):
        monkeypatch.setattr(pkcs12_pfx, "MAX_FILE", 100)
        assert "more than the 100" in refused(ordinary()).message

    def test_too_many_bags_are_refused(self, monkeypatch):
        monkeypatch.setattr(pkcs12_pfx, "MAX_BAGS", 2)
        assert "more than" in refused(ordinary()).message
        assert pkcs12_bags.MAX_BAGS == 100_000

    def test_a_hundred_thousand_empty_bags_end_quickly(self):
        bags = [other_bag("1.2.3")] * 100_001
        assert "more than 100,000 bags" in refused(file_of(bags, mac=False)).message

    def test_a_chain_without_end_is_refused(self):
        links = [certificate(f"C{n}", f"C{n + 1}", of="pair", by="pair") for n in range(120)]
        container = parse(
            file_of([shrouded("k", ONE)], [leaf(links[0], "k", ONE), *map(leaf, links)]), PASSWORD, origin="x"
        )
        with pytest.raises(KeystoreUnreadableError, match="more than 100 certificates") as caught:
            container.snapshot()
        assert caught.value.where == "x"

    def test_bags_nested_without_end_are_carried_and_listed(self):
        bag = other_bag("1.2.3")
        for _ in range(200):
            bag = other_bag("1.2.840.113549.1.12.10.1.6", der.sequence(bag.raw))
        snapshot = parse(file_of([bag]), PASSWORD, origin="x").snapshot()
        assert [one.what for one in snapshot.hidden] == ["bags inside a bag"]

    def test_a_nested_bag_that_cannot_be_read_is_listed_as_what_it_is(self):
        snapshot = parse(file_of([other_bag("1.2.840.113549.1.12.10.1.6")]), PASSWORD, origin="x").snapshot()
        assert [one.what for one in snapshot.hidden] == ["bags inside a bag"]

    def test_what_is_inside_nested_bags_is_listed(self):
        bag = other_bag("1.2.840.113549.1.12.10.1.6", der.sequence(trusted(ROOT, "inner").raw, shrouded("k", ONE).raw))
        [one, two] = parse(file_of([bag]), PASSWORD, origin="x").snapshot().hidden
        assert (one.name, one.what, one.certificates) == ("inner", "certificate inside a nested bag", (ROOT,))
        assert (two.name, two.what) == ("k", "private key inside a nested bag")

    def test_thousands_of_keys_and_certificates_of_one_name_end_quickly(self):
        keys = [shrouded(f"k{n}", ONE) for n in range(2000)]
        certificates = [leaf(one, None, ONE) for one in (ROOT, PAIR)] * 2000
        begin = time.process_time()
        snapshot = parse(file_of(keys, certificates), PASSWORD, origin="x").snapshot()
        assert len(snapshot.entries) == 2000
        assert time.process_time() - begin < 2


class TestAttributes:
    @pytest.mark.parametrize(
        "bad",
        [
            attribute("1.2.840.113549.1.9.20", der.utf8_string("x")),
            attribute("1.2.840.113549.1.9.20"),
            attribute("1.2.840.113549.1.9.21", der.null()),
            der.sequence(der.object_identifier("1.2.840.113549.1.9.21"), der.octet_string(b"x")),
        ],
    )
    def test_attributes_that_java_refuses_are_refused(self, bad, tmp_path, java_sees):
        head, value = (element.raw for element in der.read(trusted(ROOT).raw).children()[:2])
        raw = der.sequence(head, value, der.set_in_order(bad))
        data = _file_of_raw(_data_part(raw))
        path = tmp_path / "bad.p12"
        path.write_bytes(data)
        [view] = java_sees([Question(path, "pkcs12")])
        assert view.error is not None
        assert "not a whole PKCS#12 file" in refused(data).message

    def test_damaged_attributes_are_refused_though_java_reads_over_them(self):
        head, value = (element.raw for element in der.read(trusted(ROOT).raw).children()[:2])
        refused(_file_of_raw(_data_part(der.sequence(head, value, der.set_in_order(b"\x30\x05")))))

    def test_a_certificate_that_nobody_can_parse_is_shown_by_its_digest(self):
        from reconciler import x509

        junk = x509.certificate(b"\x30\x03junk")
        [one] = parse(file_of([trusted(junk, "junk")]), PASSWORD, origin="x").snapshot().entries
        assert one.chain[0].der == b"\x30\x03jun"
        assert one.chain[0].problem is not None

    def test_a_certificate_bag_of_another_type_is_listed(self):
        value = der.sequence(der.object_identifier("1.2.840.113549.1.9.22.2"), der.explicit(0, der.encode(0x16, b"x")))
        snapshot = parse(file_of([other_bag("1.2.840.113549.1.12.10.1.3", value)]), PASSWORD, origin="x").snapshot()
        assert [one.what for one in snapshot.hidden] == ["certificate of another type than X.509"]


@pytest.fixture(scope="module")
def in_ber():
    data = encode_pfx(_safes(), _passphrase(), reuse=True)
    version, safe, mac = der.read(data).children()
    content = safe.children()[1].inner("content").octets()
    inside = _indefinite(der.OCTET_STRING | der.CONSTRUCTED, *_segments(content))
    kind = der.object_identifier("1.2.840.113549.1.7.1")
    return _indefinite(der.SEQUENCE, version.raw, _indefinite(der.SEQUENCE, kind, _indefinite(0xA0, inside)), mac.raw)


class TestBer:
    """Indefinite lengths and constructed strings, as NSS and old versions of Bouncy Castle write them."""

    def test_it_is_read_as_java_and_openssl_read_it(self, in_ber, tmp_path, java_sees, openssl):
        from tests.keystores.pkcs12_files import openssl_counts

        path = tmp_path / "ber.p12"
        path.write_bytes(in_ber)
        container = parse(in_ber, PASSWORD, origin="x")
        assert shape(container.snapshot()) == shape_in_java(java_sees([Question(path, "pkcs12")])[0])
        assert openssl_counts(openssl, path, PASSWORD) == (2, 1)
        assert container.to_bytes(PASSWORD) == in_ber

    def test_what_is_written_over_it_is_read_by_java_and_openssl(self, in_ber, tmp_path, java_sees, openssl):
        from tests.keystores.pkcs12_files import openssl_counts

        before = parse(in_ber, PASSWORD, origin="x")
        after = before.with_writes([PutCertificate("new", certificate("New"))], password=PASSWORD, now=NOW)
        path = tmp_path / "after.p12"
        path.write_bytes(after.to_bytes(PASSWORD))
        [view] = java_sees([Question(path, "pkcs12", keys={"pair": "changeit"})])
        assert shape_in_java(view) == shape(after.snapshot())
        assert view.opened == {"pair": "EC"}
        assert openssl_counts(openssl, path, PASSWORD) == (3, 1)
        assert [bag.raw for bag in after._view.bags][:-1] == [bag.raw for bag in before._view.bags]

    def test_a_bag_in_ber_is_carried_byte_for_byte(self, tmp_path, java_sees):
        head, value, attributes = (element.raw for element in der.read(trusted(ROOT, "root").raw).children())
        raw = _indefinite(der.SEQUENCE, head, value, attributes)
        container = parse(_file_of_raw(_data_part(raw)), PASSWORD, origin="x")
        after = container.with_writes([PutKeyPair("k", (PAIR,), pkcs8("pair"))], password=PASSWORD, now=NOW)
        path = tmp_path / "after.p12"
        path.write_bytes(after.to_bytes(PASSWORD))
        assert raw in path.read_bytes()
        [view] = java_sees([Question(path, "pkcs12")])
        assert shape_in_java(view) == shape(after.snapshot())


class TestHiddenKeys:
    def test_a_plain_key_without_local_key_id_finds_its_certificate_by_the_public_key(self):
        container = parse(file_of([plain_key(None, None)], [leaf(ROOT), leaf(PAIR)]), PASSWORD, origin="x")
        [hidden] = container.hidden_keys()
        assert hidden.chain == ()
        assert container.open_hidden(hidden, PASSWORD).chain == (PAIR, ROOT)

    def test_a_key_that_fits_no_certificate_has_no_chain(self):
        junk = other_bag("1.2.840.113549.1.12.10.1.1", der.sequence(der.null()))
        container = parse(file_of([plain_key(None, None), junk], [leaf(ROOT)]), PASSWORD, origin="x")
        assert [container.open_hidden(one, PASSWORD).chain for one in container.hidden_keys()] == [(), ()]

    def test_keys_that_java_skips_or_covers_can_be_opened_too(self):
        keys = [shrouded("a", ONE), shrouded("b", None), shrouded("A", b"other")]
        container = parse(file_of(keys, [leaf(PAIR, "a", ONE)]), PASSWORD, origin="x")
        covered, skipped = container.hidden_keys()
        assert covered.what == "private key, hidden by a later entry of the same alias"
        assert skipped.what.startswith("private key without localKeyID")
        assert covered.chain == (PAIR,)
        assert {container.open_hidden(one, PASSWORD).private_key.reveal() for one in (covered, skipped)} == {
            pkcs8("pair").reveal()
        }
        # The name of the skipped one belongs to nobody else.
        assert container.private_key("b", PASSWORD) == pkcs8("pair")


class TestWhatCannotBeWritten:
    def test_bytes_after_the_list_of_contents(self):
        content = der.sequence(_data_part(trusted(ROOT, "r").raw)) + b"\x05\x00"
        data = der.sequence(der.integer(3), _content_info(der.octet_string(content)))
        container = parse(data, None, origin="x.p12")
        assert container.to_bytes(None) == data
        with pytest.raises(RefusedError, match="bytes follow the list of its contents") as caught:
            container.with_writes([Remove("r")], password=None, now=NOW)
        assert caught.value.where == "x.p12"

    def test_bytes_after_the_bags_where_all_has_to_be_encrypted_anew(self):
        contents = der.sequence(trusted(ROOT, "r").raw) + b"\x05\x00"
        encryption = _pbes2(1)
        part = _encrypted_part(encryption, encryption.encrypt(contents, _passphrase()))
        container = parse(_file_of_raw(part), PASSWORD, origin="x.p12")
        with pytest.raises(RefusedError, match="bytes follow the list of its bags"):
            container.to_bytes(Secret("another"))

    def test_an_attribute_that_is_none(self):
        head, value, attributes = (element.raw for element in der.read(leaf(PAIR, "pair", ONE).raw).children())
        odd = der.sequence(der.sequence(), der.sequence())
        inner = [element.raw for element in der.read(attributes).children()]
        bag = read_bag(der.sequence(head, value, der.set_in_order(*inner, der.encode(0x30, odd, odd))))
        assert bag.name == "pair"
        plain = read_bag(der.sequence(head, value, der.set_in_order(*inner, b"\x04\x02\x05\x00")))
        container = parse(file_of([shrouded("pair", ONE)], [plain]), PASSWORD, origin="x.p12")
        with pytest.raises(RefusedError, match="cannot be written whole"):
            container.with_writes([Rename("pair", "other")], password=PASSWORD, now=NOW)

    def test_elements_after_the_integrity_check_are_carried(self):
        version, safe, mac = (element.raw for element in der.read(ordinary()).children())
        extra = der.explicit(7, der.null())
        container = parse(der.sequence(version, safe, mac, extra), PASSWORD, origin="x")
        after = container.with_writes([Remove("root")], password=PASSWORD, now=NOW).to_bytes(PASSWORD)
        assert der.read(after).children()[3].raw == extra


class TestMutations:
    """Whatever happens to a file: an answer or a ReconcileError, never anything else, and soon."""

    SOURCES = ("own_chain.pkcs12", "own_secret.pkcs12", "own_legacy.pkcs12", "pyca__name-2-3-no-pwd.p12")

    @pytest.mark.parametrize("name", SOURCES)
    def test_flipped_bytes(self, name):
        chance = random.Random(name)
        data = corpus_file(name)
        # The old protection has 150,000 iterations, in Python.
        for _ in range(40 if "legacy" in name else 250):
            mutated = bytearray(data)
            for _ in range(chance.randrange(1, 4)):
                mutated[chance.randrange(len(data))] = chance.randrange(256)
            survives(bytes(mutated), corpus_password(name))

    def test_flipped_bytes_behind_the_protection(self):
        chance = random.Random(3)
        contents = der.sequence(shrouded("pair", ONE).raw, leaf(PAIR, "pair", ONE).raw, trusted(ROOT, "r").raw)
        for _ in range(800):
            mutated = bytearray(contents)
            for _ in range(chance.randrange(1, 4)):
                mutated[chance.randrange(len(mutated))] = chance.randrange(256)
            info = _content_info(der.octet_string(bytes(mutated)))
            survives(encode_pfx(Pfx((Safe(raw=info),)), None, reuse=True), None)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=400))
    def test_any_bags(self, contents):
        survives(encode_pfx(Pfx((Safe(raw=_content_info(der.octet_string(contents))),)), None, reuse=True), None)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200))
    def test_any_key(self, blob):
        container = parse(file_of([key_bag(der.sequence(blob), name="k", key_id=ONE)], mac=False), PASSWORD, origin="x")
        with pytest.raises(ReconcileError):
            container.private_key("k", PASSWORD)


def survives(data, password):
    """Reading, showing, writing and opening end with an answer or a ReconcileError, within a second."""
    begin = time.process_time()
    try:
        container = parse(data, password, origin="x")
        container.snapshot()
        for one in container.snapshot().entries:
            for fact in ("subject", "subject_key", "not_after", "subject_alt_names"):
                _ = [getattr(c, fact) for c in one.chain]
        writes = [PutCertificate("new", ROOT), PutKeyPair("pair", (PAIR,))]
        container.with_writes(writes, password=None, now=NOW).snapshot()
        container.private_key("pair", Secret("changeit"))
    except ReconcileError:
        pass
    assert time.process_time() - begin < 2


def test_the_whole_corpus_is_read_within_seconds():
    begin = time.process_time()
    for name in records():
        if records()[name]["outcome"] == "entries":
            parse(corpus_file(name), corpus_password(name), origin=name).snapshot()
    assert time.process_time() - begin < 5


# ------------------------------------------------------------------------------------------- building blocks


def _passphrase():
    from reconciler.keystores.pkcs12_crypto import Passphrase

    return Passphrase(PASSWORD)


def _safes():
    from reconciler.keystores.pkcs12_mac import java_mac

    bags = ((shrouded("pair", ONE),), (leaf(PAIR, "pair", ONE), trusted(ROOT, "root")))
    parts = [
        _indefinite(
            der.SEQUENCE,
            der.object_identifier("1.2.840.113549.1.7.1"),
            _indefinite(0xA0, _indefinite(0x24, *_segments(_indefinite(der.SEQUENCE, *[bag.raw for bag in part])))),
        )
        for part in bags
    ]
    return Pfx(tuple(Safe(raw=part) for part in parts), java_mac())


def _indefinite(tag, *contents):
    return bytes((tag, 0x80)) + b"".join(contents) + b"\0\0"


def _segments(content, size=97):
    return [der.octet_string(content[at : at + size]) for at in range(0, len(content), size)]


def _content_info(content, kind="1.2.840.113549.1.7.1"):
    return der.sequence(der.object_identifier(kind), der.explicit(0, content))


def _data_part(*raw_bags):
    return _content_info(der.octet_string(der.sequence(*raw_bags)))


def _file_of_raw(*parts):
    return encode_pfx(Pfx(tuple(Safe(raw=part) for part in parts)), None, reuse=True)


def _pbes2(iterations):
    return Pbes2(Pbkdf2(b"saltsalt", iterations, 32, None), "2.16.840.1.101.3.4.1.42", b"\0" * 16)


def _encrypted_part(encryption, content):
    return _encrypted_part_of(encryption.encode(), content)


def _encrypted_part_of(algorithm, content):
    envelope = Envelope(_pbes2(1))
    info = der.sequence(envelope.content_type, algorithm, der.implicit(0, content))
    return _content_info(der.sequence(envelope.version, info), "1.2.840.113549.1.7.6")


def _encrypted_with(encryption):
    return _file_of_raw(_encrypted_part(encryption, b"\0" * 16))


def _with_mac_iterations(data, count):
    version, safe, mac = (element for element in der.read(data).children())
    info, salt = (element.raw for element in mac.children()[:2])
    return der.sequence(version.raw, safe.raw, der.sequence(info, salt, der.integer(count)))


def test_a_protected_key_is_different_each_time():
    from reconciler.keystores.pkcs12_crypto import Passphrase, protect_key

    assert protect_key(pkcs8("pair").reveal(), Passphrase(PASSWORD)) != protected()
