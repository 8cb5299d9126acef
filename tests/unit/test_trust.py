"""What the verdict says beside yes and no: the code, all anchors, until when, and what to be careful about."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import der
from reconciler.model import Entry, EntryKind
from reconciler.trust import Purpose, TrustVerdict, anchors_of, evaluate
from reconciler.x509 import certificate, is_signed_by
from tests.tls.pki import (
    CLIENT_AUTH,
    NOW,
    Draft,
    Issued,
    authority_key_identifier,
    basic_constraints,
    ca,
    extended_key_usage,
    extension,
    fresh,
    key_usage,
    name_constraints,
    server,
    subject_key_identifier,
)

DAY = timedelta(days=1)


def verdict(chain: list[Issued], anchors: dict[str, Issued], now=NOW, **options) -> TrustVerdict:
    entries = [(alias, one.certificate) for alias, one in anchors.items()]
    return evaluate([one.certificate for one in chain], entries, now, verify=is_signed_by, **options)


def codes(one: TrustVerdict) -> set[str]:
    return {caution.code for caution in one.warnings}


@pytest.fixture(scope="module")
def line():
    root = ca("CN=Root").issued_by()
    intermediate = ca("CN=Intermediate").issued_by(root)
    return root, intermediate, server().issued_by(intermediate)


# ---------------------------------------------------------------------------------------------------- trusted


def test_a_trusted_chain_names_path_and_alias(line):
    root, intermediate, leaf = line
    result = verdict([leaf, intermediate], {"my_root": root})
    assert (result.code, result.anchor_alias, result.anchors) == ("ok", "my_root", ("my_root",))
    assert [leaf.der, intermediate.der, root.der] == [one.der for one in result.path]
    assert result.java_message is None
    assert codes(result) == set()


def test_every_entry_that_would_carry_the_chain_alone_is_listed(line):
    root, intermediate, leaf = line
    other = ca("CN=Other").issued_by()
    entries = {"other": other, "root": root, "same_root": root, "middle": intermediate, "leaf": leaf}
    result = verdict([leaf, intermediate], entries)
    assert result.anchors == ("root", "same_root", "middle", "leaf")


def test_a_renewed_root_with_the_same_key_anchors_as_well(line):
    root, intermediate, leaf = line
    renewed = ca("CN=Root", key=root.key).issued_by()
    assert verdict([leaf, intermediate], {"old": root, "new": renewed}).anchors == ("old", "new")


def test_trust_lasts_until_the_first_certificate_below_the_anchor_ends():
    root = ca("CN=Root", not_after=NOW + DAY).issued_by()
    intermediate = ca("CN=Intermediate", not_after=NOW + 20 * DAY).issued_by(root)
    leaf = server(not_after=NOW + 50 * DAY).issued_by(intermediate)
    assert verdict([leaf, intermediate], {"root": root}).until == NOW + 20 * DAY


def test_trust_lasts_longer_where_another_path_takes_over():
    root = ca("CN=Root").issued_by()
    long = ca("CN=Intermediate", not_after=NOW + 90 * DAY).issued_by(root)
    short = ca("CN=Intermediate", key=long.key, not_after=NOW + 5 * DAY).issued_by(root)
    leaf = server(not_after=NOW + 50 * DAY).issued_by(long)
    assert verdict([leaf, short, long], {"root": root}).until == NOW + 50 * DAY


def test_trust_in_a_leaf_that_is_an_entry_has_no_end_and_a_warning(line):
    _, _, leaf = line
    result = verdict([leaf], {"pinned": leaf}, now=NOW + 4000 * DAY)
    assert (result.code, result.until) == ("ok", None)
    assert {"leaf-is-anchor"} == codes(result)


def test_an_expired_anchor_is_accepted_with_a_warning():
    root = ca("CN=Root", not_after=NOW - DAY).issued_by()
    result = verdict([server().issued_by(root)], {"root": root})
    assert ("ok", {"anchor-expired"}) == (result.code, codes(result))


def test_an_anchor_of_tomorrow_is_accepted_with_a_warning():
    root = ca("CN=Root", not_before=NOW + DAY).issued_by()
    result = verdict([server().issued_by(root)], {"root": root})
    assert ("ok", {"anchor-not-yet-valid"}) == (result.code, codes(result))


def test_an_intermediate_as_anchor_is_accepted_with_a_warning(line):
    _, intermediate, leaf = line
    result = verdict([leaf, intermediate], {"middle": intermediate})
    assert ("ok", {"intermediate-is-anchor"}) == (result.code, codes(result))


def test_a_chain_out_of_order_is_accepted_with_a_warning(line):
    root, intermediate, leaf = line
    result = verdict([leaf, root, intermediate], {"root": root})
    assert ("ok", {"chain-order"}) == (result.code, codes(result))


def test_weak_keys_and_signatures_are_warned_about():
    root = ca("CN=Root", key=fresh("rsa-2048")).issued_by()
    leaf = server(key=fresh("rsa-1024"), algorithm="rsa-sha1").issued_by(root)
    assert {"weak-key", "weak-signature"} == codes(verdict([leaf], {"root": root}))


def test_a_wildcard_over_an_excluded_host_is_warned_about():
    root = ca("CN=Root").issued_by()
    middle = ca("CN=Middle", name_constraints(excluded=("DNS:bad.example",))).issued_by(root)
    leaf = server(names=("DNS:*.example",)).issued_by(middle)
    assert {"excluded-wildcard"} == codes(verdict([leaf, middle], {"root": root}))


def test_policy_constraints_are_said_not_to_be_checked():
    root = ca("CN=Root").issued_by()
    constraint = extension("2.5.29.36", der.sequence(der.implicit(0, b"\x00")), critical=True)
    middle = ca("CN=Middle", constraint).issued_by(root)
    assert {"policies-not-checked"} == codes(verdict([server().issued_by(middle), middle], {"root": root}))


@pytest.mark.parametrize(("issued", "distrusted"), [(NOW - 10 * DAY, True), (NOW - 900 * DAY, False)])
def test_roots_that_java_has_begun_to_distrust_are_warned_about(issued, distrusted):
    root = ca("O=Entrust Inc.,CN=Entrust Root").issued_by()
    leaf = server(not_before=issued).issued_by(root)
    assert distrusted == ("distrusted-ca" in codes(verdict([leaf], {"root": root})))


# ------------------------------------------------------------------------------------------------ not trusted


def test_an_unknown_root_is_told_from_a_missing_intermediate(line):
    root, intermediate, leaf = line
    other = ca("CN=Other").issued_by()
    assert verdict([leaf, intermediate, root], {"other": other}).code == "unknown-ca"
    assert verdict([leaf, intermediate], {"other": other}).code == "unknown-ca"
    assert verdict([leaf], {"root": root}).code == "missing-intermediate"
    assert verdict([leaf, root], {"root": root}).code == "missing-intermediate"


def test_the_sentence_names_the_certificate_that_is_missing(line):
    root, intermediate, leaf = line
    assert "CN=Intermediate" in verdict([leaf], {"root": root}).message
    assert "CN=Root" in verdict([leaf, intermediate], {"other": ca("CN=Other").issued_by()}).message


def test_a_self_signed_leaf_has_a_code_of_its_own():
    result = verdict([server().issued_by()], {"other": ca("CN=Other").issued_by()})
    assert (result.code, result.reason) == ("self-signed", "self-signed")


def test_a_renewed_root_with_another_key_is_recognised(line):
    _, intermediate, leaf = line
    result = verdict([leaf, intermediate], {"root": ca("CN=Root").issued_by()})
    assert (result.code, result.reason) == ("unknown-ca", "other-key")


def test_an_identifier_that_does_not_fit_is_recognised():
    root = ca("CN=Root", subject_key_identifier(b"one")).issued_by()
    leaf = server("CN=server.example", authority_key_identifier(b"two")).issued_by(root)
    result = verdict([leaf], {"root": root})
    assert (result.code, result.reason) == ("unknown-ca", "no-anchor")
    assert "Path does not chain with any of the trust anchors" in result.java_message


@pytest.mark.parametrize("searched", [False, True], ids=["in order", "path searched"])
@pytest.mark.parametrize(
    ("code", "reason", "draft", "middle"),
    [
        ("expired", "expired", server(not_after=NOW - DAY), ca("CN=Middle")),
        ("not-yet-valid", "not-yet-valid", server(not_before=NOW + DAY), ca("CN=Middle")),
        ("expired", "expired", server(), ca("CN=Middle", not_after=NOW - DAY)),
        ("eku", "extended-key-usage", Draft("CN=x", extensions=(extended_key_usage(CLIENT_AUTH),)), ca("CN=Middle")),
        ("eku", "leaf-key-usage", Draft("CN=x", extensions=(key_usage(2),)), ca("CN=Middle")),
        ("local-policy", "not-a-ca", server(), ca("CN=Middle", extensions=(basic_constraints(ca=False),))),
        ("local-policy", "key-usage", server(), ca("CN=Middle", extensions=(basic_constraints(ca=True), key_usage(0)))),
        (
            "local-policy",
            "critical-extension",
            server("CN=x", extension("1.2.3", der.null(), critical=True)),
            ca("CN=Middle"),
        ),
        (
            "local-policy",
            "name-constraints",
            server(),
            ca("CN=Middle", name_constraints(permitted=("DNS:other.example",))),
        ),
        ("local-policy", "weak-algorithm", server(key=fresh("ec-192")), ca("CN=Middle")),
    ],
)
def test_the_true_reason_is_found_also_where_java_only_finds_no_path(code, reason, draft, middle, searched):
    root = ca("CN=Root").issued_by()
    between = middle.issued_by(root)
    strangers = [ca("CN=Stranger").issued_by()] if searched else []
    result = verdict([draft.issued_by(between), *strangers, between], {"root": root})
    assert (code, reason) == (result.code, result.reason)
    assert searched == ("unable to find valid certification path" in result.java_message) or reason in {
        "extended-key-usage",
        "leaf-key-usage",
    }


def test_an_anchor_that_may_not_sign_is_named():
    root = ca("CN=Root", extensions=(basic_constraints(ca=False),)).issued_by()
    result = verdict([server().issued_by(root)], {"my_root": root})
    assert (result.code, result.reason) == ("local-policy", "anchor-not-a-ca")
    assert "my_root" in result.message
    assert result.java_message == 'TrustAnchor with subject "CN=Root" is not a CA certificate'


def test_six_intermediates_out_of_order_are_one_too_many_for_java():
    root = above = ca("CN=Root").issued_by()
    chain = []
    for number in range(6):
        above = ca(f"CN=Intermediate {number}").issued_by(above)
        chain.append(above)
    result = verdict([server().issued_by(above), *chain], {"root": root})
    assert (result.code, result.reason) == ("local-policy", "no-path")


def test_an_empty_keystore_gets_java_s_famous_words(line):
    _, intermediate, leaf = line
    result = verdict([leaf, intermediate], {})
    assert "the trustAnchors parameter must be non-empty" in result.java_message


def test_no_certificate_at_all_is_an_answer_too():
    assert (verdict([], {}).code, verdict([], {}).reason) == ("local-policy", "no-certificate")


def test_bytes_that_are_no_certificate_are_an_answer_too(line):
    root = line[0]
    result = evaluate([certificate(b"\x30\x03abc")], [("root", root.certificate)], NOW, verify=is_signed_by)
    assert (result.code, result.reason) == ("local-policy", "unreadable")


def test_an_entry_that_cannot_be_read_does_not_stand_in_the_way(line):
    root, intermediate, leaf = line
    entries = [("broken", certificate(b"nonsense")), ("root", root.certificate)]
    chain = [leaf.certificate, intermediate.certificate]
    assert evaluate(chain, entries, NOW, verify=is_signed_by).anchor_alias == "root"


def test_a_client_certificate_needs_the_other_purpose():
    root = ca("CN=Root").issued_by()
    client = Draft("CN=me", extensions=(key_usage(0), extended_key_usage(CLIENT_AUTH))).issued_by(root)
    assert verdict([client], {"root": root}).code == "eku"
    assert verdict([client], {"root": root}, purpose=Purpose.CLIENT).code == "ok"
    assert verdict([server().issued_by(root)], {"root": root}, purpose=Purpose.CLIENT).code == "eku"


# --------------------------------------------------------------------------------------------- what anchors


def test_java_takes_trusted_certificates_and_the_leaves_of_key_pairs(line):
    root, intermediate, leaf = line
    entries = [
        Entry("root", EntryKind.TRUSTED_CERTIFICATE, (root.certificate,), "1"),
        Entry("pair", EntryKind.KEY_PAIR, (leaf.certificate, intermediate.certificate), "2"),
        Entry("secret", EntryKind.SECRET_KEY, (), "3"),
        Entry("HIDDEN", EntryKind.TRUSTED_CERTIFICATE, (root.certificate,), "4", reachable=False),
    ]
    assert [("root", root.der), ("pair", leaf.der)] == [(alias, one.der) for alias, one in anchors_of(entries)]


# --------------------------------------------------------------------------------------------- hostile chains


def _same_name(count: int) -> tuple[list[Issued], Issued]:
    """Intermediates of one name, each signed by each other's key as far as names go, and a root out of reach."""
    intermediates = [ca("CN=Bomb").issued_by() for _ in range(count)]
    return [server(issuer_name=intermediates[0].subject).issued_by(intermediates[0]), *intermediates], ca().issued_by()


def _cross_signed(layers: int, width: int) -> tuple[list[Issued], Issued]:
    """Every key of a layer is certified by every key of the layer above: width ** layers paths, none of which ends."""
    names = [f"CN=Layer {number}" for number in range(layers)]
    keys = [[fresh() for _ in range(width)] for _ in names]
    chain: list[Issued] = []
    for number, (name, layer) in enumerate(zip(names, keys, strict=True)):
        above = [
            Issued(b"", one, ca(names[(number + 1) % layers]).issued_by().subject)
            for one in keys[(number + 1) % layers]
        ]
        chain += [ca(name, key=one).issued_by(issuer) for one in layer for issuer in above]
    first = Issued(b"", keys[0][0], chain[0].subject)
    return [server().issued_by(first), *chain], ca("CN=Layer 1").issued_by()


@pytest.mark.parametrize(
    "build",
    [
        lambda: _same_name(100),
        lambda: _same_name(300),
        lambda: _cross_signed(4, 4),
        lambda: _cross_signed(6, 5),
        lambda: _cross_signed(2, 12),
    ],
    ids=["100 of one name", "300 of one name", "4 layers", "6 layers", "2 layers"],
)
def test_hostile_chains_are_answered_in_under_a_second(build):
    chain, root = build()
    begin = time.perf_counter()
    result = verdict(chain, {"root": root})
    assert time.perf_counter() - begin < 1
    assert not result.is_trusted


def test_a_thousand_entries_of_one_name_are_answered_in_under_a_second(line):
    root, intermediate, leaf = line
    impostors = {f"impostor{number}": ca("CN=Root").issued_by() for number in range(200)}
    entries = [(f"{alias}_{copy}", one.certificate) for alias, one in impostors.items() for copy in range(5)]
    chain = [leaf.certificate, intermediate.certificate]
    begin = time.perf_counter()
    evaluate(chain, [*entries, ("root", root.certificate)], NOW, verify=is_signed_by)
    assert time.perf_counter() - begin < 1


def test_ten_thousand_names_against_ten_thousand_constraints_are_given_up():
    root = ca("CN=Root").issued_by()
    excluded = tuple(f"DNS:x{number}.example" for number in range(5_000))
    middle = ca("CN=Middle", name_constraints(excluded=excluded)).issued_by(root)
    leaf = server(names=tuple(f"DNS:y{number}.example" for number in range(5_000))).issued_by(middle)
    begin = time.perf_counter()
    result = verdict([leaf, middle], {"root": root})
    assert time.perf_counter() - begin < 1
    assert (result.code, result.reason) == ("local-policy", "too-complex")


def test_signature_checks_are_counted():
    chain, root = _same_name(300)
    asked = []

    def verify(child, issuer) -> bool:
        asked.append((child.sha256, issuer.sha256))
        return is_signed_by(child, issuer)

    evaluate([one.certificate for one in chain], [("root", root.certificate)], NOW, verify=verify)
    assert len(asked) <= 120
    assert len(asked) == len(set(asked))


# ------------------------------------------------------------------------------------------------- properties


_ROOT = ca("CN=Root").issued_by()
_UPPER = ca("CN=Upper").issued_by(_ROOT)
_LOWER = ca("CN=Lower").issued_by(_UPPER)
_PARTS = [server().issued_by(_LOWER), _LOWER, _UPPER, _ROOT, ca("CN=Upper").issued_by(), ca("CN=Stranger").issued_by()]


@given(rest=st.permutations(_PARTS[1:]), size=st.integers(3, 5))
def test_the_order_of_the_intermediates_does_not_matter(rest, size):
    wanted = [one for one in rest[:size] if one is not _PARTS[4]]
    trusted = verdict([_PARTS[0], *wanted], {"root": _ROOT}).is_trusted
    assert trusted == (_LOWER in wanted and _UPPER in wanted)


@settings(max_examples=300)
@given(data=st.data())
def test_a_mutated_certificate_never_gives_anything_but_a_verdict(data):
    chain = [_PARTS[0].der, _LOWER.der, _UPPER.der]
    position = data.draw(st.integers(0, 2))
    mutated = bytearray(chain[position])
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    chain[position] = bytes(mutated)
    result = evaluate([certificate(one) for one in chain], [("root", _ROOT.certificate)], NOW, verify=is_signed_by)
    assert isinstance(result, TrustVerdict)
