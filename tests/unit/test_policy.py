"""The checks of the policy: each on certificates that break it, on their neighbours that do not, and on live ones."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as real
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from reconciler.distrusted_roots import DISTRUSTED
from reconciler.keystores.formats import open_container
from reconciler.model import (
    Absent,
    IssuerSpec,
    KeySpec,
    Policy,
    PolicyLevel,
    Probe,
    Receiver,
    ReceiverStatus,
    ReceiverVerdict,
    RenewBefore,
    Source,
    Unmanaged,
    WantedExisting,
)
from reconciler.planning import digest, plan_target
from reconciler.policy import CHECKS, barred, errors_of, judge, judge_declared
from reconciler.secret import Secret
from reconciler.x509 import X509Certificate, load_certificates
from tests.builders import (
    HERE,
    NOW,
    accepted,
    certificate,
    desired,
    entry,
    key_pair,
    snapshot,
    wanted_certificate,
    wanted_import,
    wanted_key_pair,
)
from tests.conftest import program

CORPUS = Path(__file__).parent.parent / "corpus"
ROOT = certificate("CN=root", key="root", is_ca=True)
ISSUING = certificate("CN=issuing", issuer="CN=root", key="issuing", is_ca=True)
LEAF = certificate("CN=leaf", issuer="CN=issuing", key="leaf")


def told(findings):
    return [(one.check, one.alias) for one in findings]


def declared(*wanted, now=NOW, **more):
    return judge_declared(desired(*wanted, **more), now)


def live(state, *entries, now=NOW):
    there = snapshot(*entries)
    plan = plan_target(state, there, now, lambda _writes: there, lambda child, one: child.issuer_key == one.subject_key)
    return judge(plan, now)


def root(**facts):
    return wanted_certificate("root", certificate("CN=root", **({"is_ca": True} | facts)))


# ---------------------------------------------------------------------------------------- one check after another

BREAKS = {
    "weak-rsa": [
        root(key_size=1024),
        root(key_size=2047),
        root(key_size=1024, key_algorithm="RSASSA-PSS"),
        wanted_import("pair", LEAF, certificate("CN=issuing", issuer="CN=root", key_size=1024)),
        wanted_key_pair("pair", key=KeySpec("RSA", 1024)),
    ],
    "weak-signature": [
        wanted_import("pair", certificate("CN=leaf", issuer="CN=issuing", signature_algorithm="SHA1withRSA")),
        wanted_import("pair", certificate("CN=leaf", issuer="CN=issuing", signature_algorithm="MD5withRSA")),
        wanted_import("pair", certificate("CN=leaf", issuer="CN=x", signature_algorithm="SHA1withECDSA")),
        root(issuer="CN=other", signature_algorithm="SHA1withRSA"),
    ],
    "root-not-ca": [
        root(is_ca=False),
        root(is_ca=None),
        root(is_ca=None, version=1, issuer="CN=other"),
        root(key_usage=frozenset({"digitalSignature"})),
    ],
    "root-not-self-issued": [root(issuer="CN=other")],
    "client-auth-missing": [
        wanted_import("pair", certificate("CN=leaf", extended_key_usage=("serverAuth",))),
    ],
    "validity-too-long": [
        wanted_import("pair", certificate("CN=leaf", not_after=NOW + timedelta(days=300))),
        wanted_key_pair("pair", validity=timedelta(days=399)),
    ],
    "chain-order": [
        wanted_import("pair", LEAF, ROOT, ISSUING),
        wanted_import("pair", ISSUING, LEAF),
    ],
    "root-expired": [root(not_after=NOW - timedelta(seconds=1))],
}  # fmt: skip
KEEPS = {
    "weak-rsa": [
        root(key_size=2048), root(key_size=256, key_algorithm="EC"), root(key_size=None), root(key_algorithm=None),
        wanted_key_pair("pair", key=KeySpec("Ed25519")),
    ],
    "weak-signature": [
        root(signature_algorithm="SHA1withRSA"), root(signature_algorithm="MD5withRSA"), root(signature_algorithm=None),
        wanted_import("pair", certificate("CN=leaf", signature_algorithm="SHA1withRSA")),
    ],
    "root-not-ca": [
        root(), root(is_ca=None, version=1), root(key_usage=frozenset({"keyCertSign"})),
        root(is_ca=None, problem="cannot be parsed"), wanted_import("pair", certificate("CN=leaf")),
    ],
    "root-not-self-issued": [root(), wanted_import("pair", LEAF)],
    "client-auth-missing": [
        wanted_import("pair", certificate("CN=leaf", extended_key_usage=None)),
        wanted_import("pair", certificate("CN=leaf", extended_key_usage=("anyExtendedKeyUsage",))),
        wanted_import("pair", certificate("CN=leaf", extended_key_usage=("serverAuth", "clientAuth"))),
        wanted_key_pair("pair", extended_key_usage=("serverAuth",)),  # it says itself what it is for
        root(extended_key_usage=("serverAuth",)),
    ],
    "validity-too-long": [
        wanted_import("pair", certificate("CN=leaf", not_after=NOW + timedelta(days=298))),
        wanted_key_pair("pair", validity=timedelta(days=398)),
        wanted_import("pair", certificate("CN=leaf", not_after=None)),
        root(not_after=NOW + timedelta(days=4000)),
    ],
    "chain-order": [wanted_import("pair", LEAF, ISSUING, ROOT), wanted_import("pair", LEAF, ISSUING)],
    "root-expired": [root(not_after=NOW), root(not_after=None), wanted_import("pair", certificate(not_after=NOW))],
}  # fmt: skip
POLICY = Policy(maximum_validity=timedelta(days=398))


def pairs(table):
    return [(check, wanted) for check, rows in table.items() for wanted in rows]


@pytest.mark.parametrize(("check", "wanted"), pairs(BREAKS))
def test_what_breaks_it_is_told_at_its_line(check, wanted):
    (found,) = (one for one in declared(wanted, policy=POLICY) if one.check == check)
    assert (found.alias, found.source, found.is_live) == (wanted.alias, HERE, False)
    assert found.message
    assert found.hint


@pytest.mark.parametrize(("check", "wanted"), pairs(KEEPS))
def test_what_keeps_it_is_not_told(check, wanted):
    assert check not in {one.check for one in declared(wanted, policy=POLICY)}


def test_a_validity_is_measured_only_where_somebody_says_by_what():
    assert declared(wanted_key_pair("pair", validity=timedelta(days=9000))) == ()


def test_the_certificate_of_a_chain_is_named():
    (found,) = declared(wanted_import("pair", LEAF, certificate("CN=issuing", issuer="CN=root", key_size=1024)))
    assert found.message == "the key of certificate 2 of its chain (CN=issuing) is RSA 1024"


def test_a_key_pair_that_a_receiver_is_named_with_is_a_client():
    pair = wanted_key_pair("pair", extended_key_usage=("serverAuth",))
    receiver = Receiver("r", "r.example.com:443", HERE, "PAIR")
    assert told(declared(pair, receivers=(receiver,))) == [("client-auth-missing", "pair")]


def test_the_same_certificate_under_two_aliases_is_told_once():
    one = certificate("CN=root", is_ca=True)
    found = declared(*(wanted_certificate(alias, one) for alias in ("a", "b", "c")))
    assert [(one.check, one.alias, one.message) for one in found] == [
        ("same-certificate", "b", "the same certificate as under 'a'"),
        ("same-certificate", "c", "the same certificate as under 'a'"),
    ]


def test_a_key_pair_whose_certificate_is_trusted_as_well_is_two_things():
    one = certificate("CN=own", is_ca=True)
    assert declared(wanted_certificate("root", one), wanted_import("pair", one)) == ()


# -------------------------------------------------------------------------------------------------- distrust


class _Known:
    """A certificate that is taken for one of the published roots."""

    def __init__(self, sha256):
        self._facts, self.sha256 = certificate("CN=root", is_ca=True), sha256

    def __getattr__(self, name):
        return getattr(self._facts, name)


GLOBALSIGN = next(row for row in DISTRUSTED.values() if row.name == "GlobalSign Root CA - R3")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 4, 14, 12, tzinfo=UTC), []),
        (datetime(2026, 4, 16, 12, tzinfo=UTC), ["root-distrust-soon"]),
        (datetime(2027, 4, 15, 23, 59, tzinfo=UTC), ["root-distrust-soon"]),
        (datetime(2027, 4, 16, 0, 0, tzinfo=UTC), ["root-distrusted"]),
        (datetime(2031, 1, 1, tzinfo=UTC), ["root-distrusted"]),
    ],
)
def test_a_root_is_told_from_a_year_before_its_published_day(now, expected):
    found = declared(wanted_certificate("root", _Known(GLOBALSIGN.sha256)), now=now)
    assert [one.check for one in found if one.check.startswith("root-dis")] == expected
    assert all(GLOBALSIGN.source in one.message for one in found if one.check.startswith("root-dis"))


def test_every_published_root_has_a_name_a_day_and_a_public_address():
    assert len(DISTRUSTED) >= 40
    for sha256, row in DISTRUSTED.items():
        assert len(bytes.fromhex(sha256)) == 32
        assert sha256 == sha256.lower() == row.sha256
        assert row.name
        assert date(2016, 1, 1) < row.day < date(2035, 1, 1)
        assert row.day.isoformat() in row.effect
        assert row.source.startswith("https://")


def test_roots_of_the_mozilla_bundle_carry_the_names_of_the_list():
    import certifi

    bundled = {one.sha256: one for one in load_certificates(Path(certifi.where()).read_bytes())}
    shared = bundled.keys() & DISTRUSTED.keys()
    assert shared
    for sha256 in shared:
        assert DISTRUSTED[sha256].name in (bundled[sha256].subject or "")


# ------------------------------------------------------------------------------------------------- receivers


def receiver(name="r", **more):
    return Receiver(name, "r.example.com:443", HERE, **({"asks": True} | more))


TWO = (wanted_import("a", LEAF), wanted_import("b", certificate("CN=b", issuer="CN=other")))


def test_a_receiver_for_which_two_key_pairs_fit_is_told_where_none_is_named():
    (found,) = declared(*TWO, receivers=(receiver(),))
    assert (found.check, found.alias) == ("two-key-pairs-fit", "r")
    assert found.message == "it asks for a client certificate, and 2 key pairs fit: 'a', 'b'"


@pytest.mark.parametrize(
    "one",
    [
        receiver(key_pair="a"),
        receiver(asks=False),
        receiver(asks=None),
        receiver(accepts=("CN=issuing",)),
        receiver(accepts=("CN=nobody",)),
    ],
)
def test_a_receiver_is_not_told_where_one_is_named_or_at_most_one_fits(one):
    assert declared(*TWO, receivers=(one,)) == ()


def test_a_key_pair_to_come_fits_by_its_issuer():
    ca = IssuerSpec("local-ca", "ours", {}, (ISSUING,))
    pair = wanted_key_pair("c", issuer=ca)
    assert told(declared(*TWO, pair, receivers=(receiver(accepts=("CN=issuing",)),))) == [("two-key-pairs-fit", "r")]


def test_what_a_connection_shows_counts_more_than_what_is_recorded():
    there = snapshot(key_pair("a", LEAF), key_pair("b", certificate("CN=b", issuer="CN=other")))
    state = desired(*TWO, receivers=(receiver(asks=None),))
    plan = plan_target(state, there, NOW, lambda _writes: there, lambda _child, _issuer: True)
    for keys, expected in ((frozenset(), ["two-key-pairs-fit"]), (frozenset({"cn=other"}), [])):
        probe = Probe(asks=True, accepted_keys=keys)
        verdict = ReceiverVerdict(state.receivers[0], ReceiverStatus.UNKNOWN, "", probe=probe)
        assert [one.check for one in judge(replace(plan, receivers=(verdict,)), NOW)] == expected


# --------------------------------------------------------------------------------------------- what is live

WEAK = certificate("CN=weak", key_size=1024, is_ca=True)


def test_what_nobody_declared_is_told_without_a_line_and_as_live():
    (found,) = live(desired(), entry("weak", WEAK))
    assert (found.check, found.source, found.is_live, found.sha256) == ("weak-rsa", None, True, WEAK.sha256)
    assert found.level is PolicyLevel.WARNING


@pytest.mark.parametrize(
    ("state", "entries"),
    [
        (desired(unmanaged=Unmanaged.IGNORE), [entry("weak", WEAK)]),
        (desired(unmanaged=Unmanaged.PRUNE), [entry("weak", WEAK)]),
        (desired(absent=(Absent("weak", HERE),)), [entry("weak", WEAK)]),
        (desired(protected=("we*",)), [entry("weak", WEAK)]),
        (desired(), [entry("sap_weak", WEAK), entry("x", WEAK, owner="SAP")]),
        (desired(wanted_certificate("weak", certificate("CN=new", is_ca=True))), [entry("weak", WEAK)]),
        (desired(wanted_key_pair("weak", key=KeySpec("RSA", 3072))), [key_pair("weak", certificate(key_size=1024))]),
    ],
    ids=["ignored", "pruned", "removed", "protected", "of SAP", "replaced", "renewed"],
)
def test_what_goes_or_is_not_ours_is_not_judged(state, entries):
    assert live(state, *entries) == ()


def test_the_live_certificate_of_a_watched_key_pair_is_judged_at_its_line():
    watched = WantedExisting("pair", HERE, None, RenewBefore(duration=timedelta(days=30)))
    (found,) = live(desired(watched), key_pair("pair", certificate(key_size=1024)))
    assert (found.check, found.source, found.is_live) == ("weak-rsa", HERE, True)


def test_what_is_accepted_is_a_note_whatever_the_policy_says():
    policy = Policy({"weak-rsa": PolicyLevel.ERROR})
    (found,) = live(desired(policy=policy, accepted=(accepted("weak", WEAK.sha256),)), entry("weak", WEAK))
    assert (found.check, found.level) == ("weak-rsa", PolicyLevel.NOTE)
    (found,) = live(desired(policy=policy), entry("weak", WEAK))
    assert found.level is PolicyLevel.ERROR


def test_a_validity_that_is_too_long_by_a_second_is_not_said_to_be_as_long_as_allowed():
    pair = wanted_key_pair("pair", validity=timedelta(days=398, seconds=1))
    (found,) = declared(pair, policy=Policy({}, timedelta(days=398)))
    assert found.message == "valid for 398 days, 0:00:01, and the policy allows 398 days"


def test_only_what_is_declared_against_an_error_of_the_policy_is_barred():
    policy = Policy({"validity-too-long": PolicyLevel.ERROR, "root-expired": PolicyLevel.WARNING}, timedelta(days=398))
    long = wanted_key_pair("LONG", validity=timedelta(days=399))
    old = root(not_after=NOW - timedelta(days=1))
    state = desired(long, wanted_key_pair("short"), old, policy=policy)
    assert barred(state, NOW) == {"long"}
    assert barred(replace(state, policy=Policy({}, timedelta(days=398))), NOW) == frozenset()


def test_idle_acceptances_are_told_at_their_lines():
    line = Source("accepted.yaml", 9, 3)
    unused = accepted("gone", WEAK.sha256, source=line)
    past = accepted("old", WEAK.sha256, until=date(2026, 5, 31), source=line)
    ending = certificate("CN=root", is_ca=True, not_after=NOW + timedelta(days=3))
    overtaken = accepted("ending", ending.sha256, source=line)
    state = desired(accepted=(unused, past, overtaken))
    found = live(state, entry("ending", ending))
    assert [(one.check, one.level, one.alias, one.source) for one in found] == [
        ("acceptance-past", PolicyLevel.WARNING, "old", line),
        ("acceptance-overtaken", PolicyLevel.WARNING, "ending", line),
        ("acceptance-unused", PolicyLevel.NOTE, "gone", line),
    ]
    assert told(judge_declared(state, NOW)) == [("acceptance-past", "old")]


def test_the_policy_changes_no_plan():
    there = snapshot(entry("weak", WEAK))
    plans = [
        plan_target(desired(policy=policy), there, NOW, lambda _writes: there, lambda _child, _issuer: True)
        for policy in (Policy(), Policy({"weak-rsa": PolicyLevel.ERROR}, timedelta(days=1)))
    ]
    assert digest(plans[:1]) == digest([replace(plans[1], policy=judge(plans[1], NOW))])


# -------------------------------------------------------------------------------------------------- severities


@given(st.dictionaries(st.sampled_from([check.id for check in CHECKS]), st.sampled_from(PolicyLevel)))
def test_severities_are_what_the_file_says_and_off_is_silent(levels):
    state = desired(root(key_size=1024, is_ca=False), policy=Policy(levels))
    found = judge_declared(state, NOW)
    expected = {one.id: levels.get(one.id, one.level) for one in CHECKS if one.id in ("weak-rsa", "root-not-ca")}
    assert {one.check: one.level for one in found} == {
        check: level for check, level in expected.items() if level is not PolicyLevel.OFF
    }
    assert [one.level for one in found] == sorted((one.level for one in found), key=list(PolicyLevel).index)
    assert {one.check for one in errors_of(found)} == {c for c, one in expected.items() if one is PolicyLevel.ERROR}


def test_nothing_is_an_error_where_no_file_says_so():
    assert {check.level for check in CHECKS} == {PolicyLevel.WARNING, PolicyLevel.NOTE}


def test_the_schema_and_the_table_name_the_same_checks_with_the_same_severities():
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "keystore.schema.json").read_bytes())
    rows = schema["$defs"]["policy"]["properties"]["checks"]["properties"]
    assert {name: row["default"] for name, row in rows.items()} == {check.id: check.level for check in CHECKS}


# ------------------------------------------------------------------------------------------- real certificates


def made(name, key, *, issuer=None, algorithm=None, is_ca=True, usages=(), days=365):
    subject = real.Name([real.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, signer = issuer or (subject, key)
    begin = NOW - timedelta(days=1)
    builder = (
        real.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(real.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if usages:
        builder = builder.add_extension(real.ExtendedKeyUsage(usages), critical=False)
    return X509Certificate(builder.sign(signer, algorithm or hashes.SHA256()).public_bytes(Encoding.DER))


EC_KEY = ec.generate_private_key(ec.SECP256R1())


def test_what_is_live_as_it_is_declared_is_told_once():
    wanted = wanted_key_pair("pair", validity=timedelta(days=730))
    there = key_pair("pair", certificate("CN=pair", not_before=NOW, not_after=NOW + timedelta(days=730)))
    assert told(live(desired(wanted, policy=POLICY), there)) == [("validity-too-long", "pair")]


def test_real_certificates_break_what_they_should():
    weak = rsa.generate_private_key(65537, 1024)
    assert told(declared(wanted_certificate("weak", made("weak", weak)))) == [("weak-rsa", "weak")]
    server = made("s", EC_KEY, is_ca=False, usages=[ExtendedKeyUsageOID.SERVER_AUTH])
    assert told(declared(wanted_import("s", server))) == [("client-auth-missing", "s")]
    assert told(declared(wanted_certificate("s", server))) == [("root-not-ca", "s")]
    parent = real.Name([real.NameAttribute(NameOID.COMMON_NAME, "root")])
    below = made("below", EC_KEY, issuer=(parent, EC_KEY))
    assert told(declared(wanted_certificate("below", below))) == [("root-not-self-issued", "below")]
    one = made("root", EC_KEY)
    assert declared(wanted_import("p", below, one)) == ()
    assert told(declared(wanted_import("p", below, made("other", EC_KEY)))) == [("chain-order", "p")]
    policy = Policy(maximum_validity=timedelta(days=365))
    assert declared(wanted_import("p", one), policy=policy) == ()
    assert told(declared(wanted_import("p", made("p", EC_KEY, days=366)), policy=policy)) == [
        ("validity-too-long", "p")
    ]


ROWS = {
    row["file"]: row for row in json.loads((CORPUS / "manifest.json").read_bytes())["files"]
    if row["outcome"] == "entries" and (CORPUS / row["file"]).exists() and row["format"] in {"JKS", "JCEKS", "PKCS12"}
}  # fmt: skip
# What is wrong with them, as keytool and OpenSSL show it as well; nothing where a file is not named.
WEAK_ONES = {
    "files/dropwizard__twokeys.p12": {"root-expired"},
    "files/netty__mutual_auth_client.p12": {"weak-signature"},
    "files/own_chain.jceks": {"root-not-self-issued"},
    "files/own_chain.jks": {"root-not-self-issued"},
    "files/own_chain.pkcs12": {"root-not-self-issued"},
    "files/pyca__java-truststore.p12": {"root-expired", "root-not-self-issued"},
    "files/pyjks__3certs.jks": {"root-expired", "root-not-ca"},
    "files/pyjks__RSA1024.jceks": {"weak-rsa"},
    "files/pyjks__RSA2048_3certs.jks": {"chain-order"},
    "files/pyjks__custom_entry_passwords.jceks": {"root-expired", "root-not-ca"},
    "files/pyjks__custom_entry_passwords.jks": {"root-expired", "root-not-ca"},
    "files/pyjks__duplicate_aliases.jks": {"root-expired", "root-not-ca", "weak-rsa"},
    "files/spring-boot__test.jks": {"root-not-ca"},
    "files/spring-boot__test.p12": {"root-not-ca"},
}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_keystores_of_others_are_judged_without_a_surprise(name):
    password = ROWS[name]["store_password"]
    secret = None if password is None else Secret(password)
    container, _ = open_container((CORPUS / name).read_bytes(), secret, origin=name)
    found = live(desired(), *container.snapshot().entries)
    assert all(one.is_live and one.level is not PolicyLevel.ERROR for one in found)
    assert {one.check for one in found} == WEAK_ONES.get(name, set())


def test_the_chains_of_the_test_suite_of_nist_are_judged_without_a_surprise():
    for path in sorted((CORPUS / "chains").glob("*.der")):
        one = X509Certificate(path.read_bytes())
        declared(wanted_certificate("root", one), wanted_import("pair", one))
    expired = X509Certificate((CORPUS / "chains" / "MissingbasicConstraintsCACert.der").read_bytes())
    assert "root-not-ca" in {one.check for one in declared(wanted_certificate("root", expired))}


def test_a_certificate_that_cannot_be_parsed_breaks_nothing_that_cannot_be_seen():
    broken = X509Certificate(b"\x30\x03\x02\x01\x00")
    assert declared(wanted_certificate("root", broken), wanted_import("pair", broken), policy=POLICY) == ()


@pytest.mark.parametrize(("digest_name", "weak"), [("sha1", True), ("sha256", False)])
def test_the_digest_of_a_pss_signature_counts(tmp_path, digest_name, weak):
    """OpenSSL makes it: its algorithm does not name the digest, its parameters do."""
    openssl = program("openssl")
    pss = ["-sigopt", "rsa_padding_mode:pss", f"-{digest_name}"]
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem"]
    request = [openssl, "req", "-new", *key, "-subj", "/CN=leaf", "-out", tmp_path / "leaf.csr"]
    subprocess.run(request, check=True, capture_output=True)
    ca = [openssl, "req", "-x509", *key, "-subj", "/CN=ca", "-out", tmp_path / "ca.pem"]
    subprocess.run(ca, check=True, capture_output=True)
    signed_by = ["-CA", tmp_path / "ca.pem", "-CAkey", tmp_path / "key.pem", "-out", tmp_path / "leaf.pem"]
    issue = [openssl, "x509", "-req", "-in", tmp_path / "leaf.csr", *signed_by, *pss]
    subprocess.run(issue, check=True, capture_output=True)
    (leaf,) = load_certificates((tmp_path / "leaf.pem").read_bytes())
    assert leaf.signature_algorithm == ("SHA1withRSAandMGF1" if weak else "RSASSA-PSS")
    found = declared(wanted_import("pair", leaf))
    assert (("weak-signature", "pair") in told(found)) is weak
