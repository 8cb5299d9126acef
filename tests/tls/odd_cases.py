"""Chains that are out of the ordinary, each with the entries that it is judged by; a JDK gives the expected verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler import der
from tests.tls.pki import (
    CLIENT_AUTH,
    NOW,
    SERVER_AUTH,
    Draft,
    Issued,
    alternative_names,
    authority_key_identifier,
    basic_constraints,
    ca,
    extended_key_usage,
    extension,
    fresh,
    key,
    key_usage,
    name,
    name_constraints,
    server,
    subject_key_identifier,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

YEARS = timedelta(days=365)


@dataclass(frozen=True)
class Case:
    name: str
    chain: tuple[Issued, ...]
    anchors: tuple[Issued, ...]
    now: datetime = NOW
    host: str | None = None


def all_cases() -> list[Case]:
    groups = (_plain, _anchors, _order, _cross_signed, _dates, _constraints, _usages, _names, _algorithms, _identifiers)
    return [case for group in (*groups, _malformed, _hosts) for case in group()]


def _line(length: int = 1) -> tuple[Issued, list[Issued]]:
    """A root and a chain (leaf first) with `length` intermediates."""
    root = ca().issued_by()
    above, chain = root, []
    for number in range(length):
        above = ca(f"CN=Intermediate {number}").issued_by(above)
        chain.insert(0, above)
    return root, [server().issued_by(above), *chain]


def _plain() -> Iterator[Case]:
    root, chain = _line()
    other = ca("CN=Other").issued_by()
    yield Case("in order", (*chain,), (root,))
    yield Case("in order, root sent as well", (*chain, root), (root,))
    yield Case("root sent, not in the keystore", (*chain, root), (other,))
    yield Case("no entry at all", (*chain,), ())
    yield Case("nothing fits", (*chain,), (other,))
    yield Case("intermediate missing", (chain[0],), (root,))
    yield Case("intermediate missing, but an entry", (chain[0],), (root, chain[1]))
    yield Case("the leaf twice", (chain[0], *chain), (root,))
    yield Case("intermediate twice", (*chain, chain[1]), (root,))
    yield Case("only the intermediate is an entry", (*chain,), (chain[1],))
    yield Case("the leaf is an entry", (*chain,), (chain[0],))
    alone = server().issued_by()
    yield Case("self-signed, not an entry", (alone,), (root,))
    yield Case("self-signed, an entry", (alone,), (root, alone))
    yield Case("self-signed CA as leaf, an entry", (root,), (root,))
    broken = server(break_signature=True).issued_by(chain[1])
    yield Case("broken signature of the leaf", (broken, chain[1]), (root,))
    unsigned = ca("CN=Intermediate 0", key=chain[1].key, break_signature=True).issued_by(root)
    yield Case("broken signature of the intermediate", (chain[0], unsigned), (root,))


def _anchors() -> Iterator[Case]:
    for name_of_case, extensions in {
        "anchor without basicConstraints": (key_usage(5, 6),),
        "anchor that is no CA": (basic_constraints(ca=False),),
        "anchor without keyCertSign": (basic_constraints(ca=True), key_usage(6)),
        "anchor without keyUsage": (basic_constraints(ca=True),),
        "anchor with path length 0": (basic_constraints(ca=True, length=0),),
        "anchor with an unknown critical extension": (
            basic_constraints(ca=True),
            extension("1.2.3.4", der.null(), critical=True),
        ),
        "anchor whose name constraints exclude the leaf": (
            basic_constraints(ca=True),
            name_constraints(permitted=("DNS:elsewhere.example",)),
        ),
    }.items():
        root = ca(extensions=extensions).issued_by()
        intermediate = ca("CN=Intermediate").issued_by(root)
        leaf = server().issued_by(intermediate)
        yield Case(name_of_case, (leaf, intermediate), (root,))
        yield Case(f"{name_of_case}, path searched", (leaf, ca("CN=Stranger").issued_by(), intermediate), (root,))
    old = ca(version=1, extensions=()).issued_by()
    leaf = server().issued_by(old)
    yield Case("anchor of version 1", (leaf,), (old,))
    stranger = ca("CN=Stranger").issued_by()
    yield Case("anchor of version 1, path searched", (leaf, stranger), (old,))
    short = ca(version=1, extensions=(), not_after=NOW + timedelta(days=10)).issued_by()
    outlives = server().issued_by(short)
    yield Case("anchor of version 1 that ends before the leaf", (outlives,), (short,))
    yield Case("anchor of version 1 that ends before the leaf, path searched", (outlives, stranger), (short,))
    root = ca().issued_by()
    second = ca(key=root.key, serial=99).issued_by()
    intermediate = ca("CN=Intermediate").issued_by(root)
    yield Case(
        "the entry has the root's name and key", (server().issued_by(intermediate), intermediate, root), (second,)
    )
    impostor = ca().issued_by()
    chain = (server().issued_by(intermediate), intermediate)
    yield Case("the entry has the root's name, but another key", chain, (impostor,))
    yield Case("two entries of one name, one fits", chain, (impostor, root))
    yield Case("two entries of one name, one fits, root sent", (*chain, root), (impostor, root))
    yield Case("the entry has the sent root's name, but another key", (*chain, root), (impostor,))


def _order() -> Iterator[Case]:
    root, chain = _line(3)
    leaf, *rest = chain
    stranger = ca("CN=Stranger").issued_by()
    yield Case("in order, three intermediates", (*chain,), (root,))
    yield Case("reversed", (leaf, *reversed(rest)), (root,))
    yield Case("a stranger first", (leaf, stranger, *rest), (root,))
    yield Case("a stranger last", (*chain, stranger), (root,))
    yield Case("a gap in the middle", (leaf, rest[0], rest[2]), (root,))
    yield Case("a gap that an entry fills", (leaf, rest[0], rest[2]), (root, rest[1]))
    for count in (5, 6, 7):
        root, chain = _line(count)
        yield Case(f"{count} intermediates in order", (*chain,), (root,))
        yield Case(f"{count} intermediates reversed", (chain[0], *reversed(chain[1:])), (root,))


def _cross_signed() -> Iterator[Case]:
    old, new = ca("CN=Old").issued_by(), ca("CN=New").issued_by()
    crossed = ca("CN=New", key=new.key).issued_by(old)
    intermediate = ca("CN=Intermediate").issued_by(new)
    chain = (server().issued_by(intermediate), intermediate, crossed)
    for label, anchors in {"old": (old,), "new": (new,), "both": (old, new), "new, old": (new, old)}.items():
        yield Case(f"cross-signed root sent, entries: {label}", chain, anchors)
    expired = ca("CN=New", key=new.key, not_after=NOW - timedelta(days=1)).issued_by(old)
    for label, anchors in {"old": (old,), "new": (new,), "both": (old, new)}.items():
        yield Case(f"expired cross-signed root sent, entries: {label}", (*chain[:2], expired), anchors)
    both = (*chain[:2], expired, new)
    yield Case("expired cross-signed root, then the new root, entry: new", both, (new,))
    yield Case("expired cross-signed root, then the new root, entry: old", both, (old,))
    stale = ca("CN=Intermediate", key=intermediate.key, not_after=NOW - timedelta(days=1)).issued_by(new)
    leaf = server().issued_by(intermediate)
    yield Case("stale and good intermediate", (leaf, stale, intermediate), (new,))
    yield Case("good and stale intermediate", (leaf, intermediate, stale), (new,))
    rolled = ca("CN=Old", key=fresh()).issued_by(old)
    yield Case("key rollover: new key, signed by the old", (server().issued_by(rolled), rolled), (old,))
    again = ca("CN=Old", key=fresh()).issued_by(rolled)
    yield Case("two rollovers in order", (server().issued_by(again), again, rolled), (old,))
    yield Case("two rollovers out of order", (server().issued_by(again), rolled, again), (old,))
    rolled_1 = ca("CN=Old", key=fresh(), version=1, extensions=()).issued_by(old)
    yield Case("key rollover of version 1", (server().issued_by(rolled_1), rolled_1), (old,))
    loop_a, loop_b = ca("CN=A").issued_by(), ca("CN=B").issued_by()
    a_by_b, b_by_a = ca("CN=A", key=loop_a.key).issued_by(loop_b), ca("CN=B", key=loop_b.key).issued_by(loop_a)
    yield Case("a circle", (server().issued_by(a_by_b), a_by_b, b_by_a), (old,))
    yield Case("a circle with a way out", (server().issued_by(a_by_b), a_by_b, b_by_a), (loop_b,))


def _dates() -> Iterator[Case]:
    past, future = NOW - timedelta(days=1), NOW + timedelta(days=1)
    root = ca().issued_by()
    intermediate = ca("CN=Intermediate").issued_by(root)
    stranger = ca("CN=Stranger").issued_by()
    drafts = {
        "expired leaf": server(not_after=past),
        "leaf not yet valid": server(not_before=future),
        "leaf until this second": server(not_after=NOW),
        "leaf until the second before": server(not_after=NOW - timedelta(seconds=1)),
        "leaf from this second on": server(not_before=NOW),
        "leaf beyond 2050": server(not_after=NOW + 40 * YEARS),
    }
    for label, draft in drafts.items():
        leaf = draft.issued_by(intermediate)
        yield Case(label, (leaf, intermediate), (root,))
        yield Case(f"{label}, path searched", (leaf, stranger, intermediate), (root,))
        yield Case(f"{label}, an entry", (leaf, intermediate), (leaf,))
    for label, changes in {"expired": {"not_after": past}, "future": {"not_before": future}}.items():
        bad_root = ca(**changes).issued_by()
        middle = ca("CN=Intermediate").issued_by(bad_root)
        yield Case(f"{label} root", (server().issued_by(middle), middle), (bad_root,))
        bad_middle = ca("CN=Intermediate", **changes).issued_by(root)
        leaf = server().issued_by(bad_middle)
        yield Case(f"{label} intermediate", (leaf, bad_middle), (root,))
        yield Case(f"{label} intermediate, path searched", (leaf, stranger, bad_middle), (root,))
        yield Case(f"{label} intermediate as the entry", (leaf,), (bad_middle,))


def _constraints() -> Iterator[Case]:
    root = ca().issued_by()
    for label, upper, lower in (
        ("path length 0 and one below", 0, None),
        ("path length 1 and one below", 1, None),
        ("path length widened below", 1, 5),
    ):
        first = ca("CN=First", length=upper).issued_by(root)
        second = ca("CN=Second", length=lower).issued_by(first)
        yield Case(label, (server().issued_by(second), second, first), (root,))
        yield Case(f"{label}, reversed", (server().issued_by(second), first, second), (root,))
    plain = server("CN=No CA").issued_by(root)
    yield Case("signed by a certificate that is no CA", (server().issued_by(plain), plain), (root,))
    old = Draft("CN=Version 1", version=1).issued_by(root)
    yield Case("intermediate of version 1", (server().issued_by(old), old), (root,))
    mute = ca("CN=Mute", extensions=(basic_constraints(ca=True), key_usage(0))).issued_by(root)
    yield Case("intermediate without keyCertSign", (server().issued_by(mute), mute), (root,))
    for label, at_leaf in (("leaf", True), ("intermediate", False)):
        odd = extension("1.2.3.4.5", der.null(), critical=True)
        middle = ca("CN=Middle", *([] if at_leaf else [odd])).issued_by(root)
        leaf = server("CN=server.example", *([odd] if at_leaf else [])).issued_by(middle)
        yield Case(f"unknown critical extension in the {label}", (leaf, middle), (root,))
    policies = extension("2.5.29.32", der.sequence(der.sequence(der.object_identifier("1.2.3"))), critical=True)
    middle = ca("CN=Middle", policies).issued_by(root)
    yield Case("critical policies", (server("CN=server.example", policies).issued_by(middle), middle), (root,))


_NAME_CASES = (
    ("DNS", ("DNS:example",), (), ("DNS:server.example",)),
    ("DNS with a dot", ("DNS:.example",), (), ("DNS:server.example",)),
    ("DNS itself", ("DNS:server.example",), (), ("DNS:server.example",)),
    ("DNS in capitals", ("DNS:EXAMPLE",), (), ("DNS:Server.Example",)),
    ("DNS elsewhere", ("DNS:example.org",), (), ("DNS:server.example",)),
    ("DNS that only ends alike", ("DNS:ample",), (), ("DNS:server.example",)),
    ("DNS with a dot, the name itself", ("DNS:.server.example",), (), ("DNS:server.example",)),
    ("one of two DNS outside", ("DNS:example",), (), ("DNS:server.example", "DNS:server.org")),
    ("DNS excluded", (), ("DNS:example",), ("DNS:server.example",)),
    ("DNS excluded elsewhere", (), ("DNS:org",), ("DNS:server.example",)),
    ("DNS permitted and a part excluded", ("DNS:example",), ("DNS:bad.example",), ("DNS:bad.example",)),
    ("wildcard inside", ("DNS:example",), (), ("DNS:*.example",)),
    ("wildcard that covers an excluded host", (), ("DNS:bad.example",), ("DNS:*.example",)),
    ("IP inside", ("IP:192.0.2.0/24",), (), ("IP:192.0.2.7",)),
    ("IP outside", ("IP:192.0.2.0/24",), (), ("IP:198.51.100.7",)),
    ("IP excluded", (), ("IP:192.0.2.0/24",), ("IP:192.0.2.7",)),
    ("IPv6 inside", ("IP:2001:db8::/32",), (), ("IP:2001:db8::1",)),
    ("IPv4 under an IPv6 constraint", ("IP:2001:db8::/32",), (), ("IP:192.0.2.7",)),
    ("email host", ("email:example",), (), ("email:a@example",)),
    ("email domain", ("email:.example",), (), ("email:a@mail.example",)),
    ("email domain, the host itself", ("email:.example",), (), ("email:a@example",)),
    ("email elsewhere", ("email:example",), (), ("email:a@mail.example",)),
    ("email address", ("email:a@example",), (), ("email:a@example",)),
    ("email other address", ("email:a@example",), (), ("email:b@example",)),
    ("URI host", ("URI:server.example",), (), ("URI:https://server.example/x",)),
    ("URI domain", ("URI:.example",), (), ("URI:https://server.example/x",)),
    ("URI elsewhere", ("URI:.org",), (), ("URI:https://server.example:8443/x",)),
    ("directory inside", ("dir:O=Example",), (), ("DNS:server.example",)),
    ("directory outside", ("dir:O=Other",), (), ("DNS:server.example",)),
    ("directory excluded", (), ("dir:O=Example",), ("DNS:server.example",)),
    ("directory in other letters", ("dir:O=eXAMPLE",), (), ("DNS:server.example",)),
    ("directory name that is longer", ("dir:O=Example,CN=server.example,OU=x",), (), ("DNS:server.example",)),
    ("alternative directory name", ("dir:O=Example",), (), ("DNS:server.example", "dir:O=Other,CN=x")),
    ("other name excluded, none there", (), ("other:1.2.3",), ("DNS:server.example",)),
    ("other name excluded, one there", (), ("other:1.2.3",), ("other:1.2.4",)),
    ("different kinds", ("email:example",), (), ("DNS:server.example",)),
)


def _names() -> Iterator[Case]:
    root = ca().issued_by()
    for label, permitted, excluded, names in _NAME_CASES:
        middle = ca("CN=Middle", name_constraints(permitted=permitted, excluded=excluded)).issued_by(root)
        leaf = server("O=Example,CN=server.example", names=names).issued_by(middle)
        yield Case(f"name constraints: {label}", (leaf, middle), (root,))
    upper = ca("CN=Upper", name_constraints(permitted=("DNS:example",))).issued_by(root)
    lower = ca("CN=Lower", name_constraints(permitted=("DNS:org",))).issued_by(upper)
    for names in (("DNS:a.example",), ("DNS:a.org",)):
        yield Case(
            f"name constraints without intersection: {names[0]}",
            (server(names=names).issued_by(lower), lower, upper),
            (root,),
        )
    narrow = ca("CN=Lower", name_constraints(permitted=("DNS:a.example", "DNS:b.example"))).issued_by(upper)
    for host in ("a.example", "c.example"):
        yield Case(
            f"name constraints narrowed: {host}",
            (server(names=(f"DNS:{host}",)).issued_by(narrow), narrow, upper),
            (root,),
        )
    middle = ca("CN=Middle", name_constraints(permitted=("DNS:org",))).issued_by(root)
    usual = (key_usage(0), extended_key_usage(SERVER_AUTH))
    bare = Draft("CN=server.example", extensions=usual).issued_by(middle)
    yield Case("name constraints: the common name counts as a DNS name", (bare, middle), (root,))
    words = Draft("CN=Not a host", extensions=usual).issued_by(middle)
    yield Case("name constraints: a common name of words", (words, middle), (root,))
    by_email = ca("CN=Middle", name_constraints(permitted=("email:example",))).issued_by(root)
    mail = Draft("emailAddress=a@other,CN=Somebody", extensions=usual).issued_by(by_email)
    yield Case("name constraints: the address in the subject", (mail, by_email), (root,))
    own = ca("CN=Self", name_constraints(permitted=("DNS:org",))).issued_by(root)
    rolled = ca("CN=Self", alternative_names("DNS:x.example")).issued_by(own)
    yield Case(
        "name constraints: a self-issued intermediate is exempt",
        (server(names=("DNS:a.org",)).issued_by(rolled), rolled, own),
        (root,),
    )
    nothing = server("", alternative_names("DNS:server.example", critical=True)).but(
        extensions=(*usual, alternative_names("DNS:server.example", critical=True))
    )
    yield Case("empty subject, critical names", (nothing.issued_by(root),), (root,))
    soft = nothing.but(extensions=(*usual, alternative_names("DNS:server.example")))
    yield Case("empty subject, names not critical", (soft.issued_by(root),), (root,))
    yield Case("empty subject, no names", (nothing.but(extensions=usual).issued_by(root),), (root,))


def _usages() -> Iterator[Case]:
    root = ca().issued_by()
    names = alternative_names("DNS:server.example")
    for label, extensions in {
        "no usages": (names,),
        "client only": (names, extended_key_usage(CLIENT_AUTH)),
        "client and server": (names, extended_key_usage(CLIENT_AUTH, SERVER_AUTH)),
        "any purpose": (names, extended_key_usage("2.5.29.37.0")),
        "critical purpose": (names, extended_key_usage(SERVER_AUTH, critical=True)),
        "Microsoft's gated cryptography": (names, extended_key_usage("1.3.6.1.4.1.311.10.3.3")),
        "Netscape's gated cryptography": (names, extended_key_usage("2.16.840.1.113730.4.1")),
        "encipherment only": (names, key_usage(2)),
        "signature and encipherment": (names, key_usage(0, 2)),
        "agreement only": (names, key_usage(4)),
        "no bit at all": (names, key_usage()),
        "Netscape type client": (names, extension("2.16.840.1.113730.1.1", der.encode(der.BIT_STRING, b"\x07\x80"))),
        "Netscape type server": (names, extension("2.16.840.1.113730.1.1", der.encode(der.BIT_STRING, b"\x06\x40"))),
        "Netscape type critical": (
            names,
            extension("2.16.840.1.113730.1.1", der.encode(der.BIT_STRING, b"\x06\x40"), critical=True),
        ),
        "a CA as the server": (names, basic_constraints(ca=True), key_usage(0, 5)),
    }.items():
        leaf = Draft("CN=server.example", extensions=extensions).issued_by(root)
        yield Case(f"usages: {label}", (leaf,), (root,))
        yield Case(f"usages: {label}, path searched", (leaf, ca("CN=Stranger").issued_by()), (root,))


def _algorithms() -> Iterator[Case]:
    root = ca(key=key("rsa-2048")).issued_by()
    elliptic = ca().issued_by()
    for kind in ("rsa-1024", "rsa-2048", "ec-192", "ec-224", "ec-384", "dsa-1024", "ed25519", "ed448"):
        leaf = server(key=fresh(kind)).issued_by(root)
        yield Case(f"key of the leaf: {kind}", (leaf,), (root,))
        if kind != "dsa-1024":
            anchor = ca(key=fresh(kind)).issued_by()
            yield Case(f"key of the root: {kind}", (server().issued_by(anchor),), (anchor,))
    for algorithm, above in (("rsa-sha1", root), ("rsa-md5", root), ("ec-sha1", elliptic)):
        yield Case(f"signature of the leaf: {algorithm}", (server(algorithm=algorithm).issued_by(above),), (above,))
        middle = ca("CN=Middle", algorithm=algorithm).issued_by(above)
        yield Case(f"signature of the intermediate: {algorithm}", (server().issued_by(middle), middle), (above,))
        own = ca(key=above.key, algorithm=algorithm).issued_by()
        yield Case(f"signature of the root: {algorithm}", (server().issued_by(own),), (own,))


def _identifiers() -> Iterator[Case]:
    root = ca("CN=Root", subject_key_identifier(b"root")).issued_by()
    bare = ca().issued_by()
    stranger = ca("CN=Stranger").issued_by()
    for label, anchor, identifier in (
        ("fits", root, authority_key_identifier(b"root")),
        ("differs", root, authority_key_identifier(b"other")),
        ("nothing to compare", bare, authority_key_identifier(b"other")),
        ("serial differs", bare, authority_key_identifier(serial=12345)),
    ):
        leaf = server("CN=server.example", identifier).issued_by(anchor)
        yield Case(f"key identifier at the entry: {label}", (leaf,), (anchor,))
        yield Case(f"key identifier at the entry: {label}, path searched", (leaf, stranger), (anchor,))
        middle = ca("CN=Middle", subject_key_identifier(b"middle")).issued_by(root)
        child = server("CN=server.example", identifier).issued_by(middle)
        yield Case(f"key identifier at the intermediate: {label}", (child, middle), (root,))
    printable = name("CN=root", der.PRINTABLE_STRING)
    yield Case("issuer in other letters", (server(issuer_name=printable).issued_by(root),), (root,))
    spaced = name("CN=  Root ", der.UTF8_STRING)
    yield Case("issuer with blanks", (server(issuer_name=spaced).issued_by(root),), (root,))


def _malformed() -> Iterator[Case]:
    root = ca().issued_by()
    usual = (key_usage(0), extended_key_usage(SERVER_AUTH))
    names = alternative_names("DNS:server.example")
    garbage = b"\x30\x05\x01"
    for label, extensions in {
        "alternative names": (*usual, extension("2.5.29.17", garbage)),
        "critical alternative names": (*usual, extension("2.5.29.17", garbage, critical=True)),
        "key usage": (names, extension("2.5.29.15", garbage)),
        "critical key usage": (names, extension("2.5.29.15", garbage, critical=True)),
        "purposes": (names, extension("2.5.29.37", garbage)),
        "authority information": (*usual, names, extension("1.3.6.1.5.5.7.1.1", garbage)),
        "the same extension twice": (*usual, names, names),
    }.items():
        yield Case(f"malformed: {label}", (Draft("CN=server.example", extensions=extensions).issued_by(root),), (root,))
    odd = ca("CN=Odd", extensions=(extension("2.5.29.19", garbage), key_usage(5))).issued_by(root)
    yield Case("malformed: basic constraints of an intermediate", (server().issued_by(odd), odd), (root,))
    no_issuer = server(issuer_name=der.sequence()).issued_by(root)
    yield Case("malformed: no issuer", (no_issuer,), (root,))


_HOSTS = (
    ("server.example", ("DNS:server.example",)),
    ("SERVER.example", ("DNS:server.EXAMPLE",)),
    ("server.example", ("DNS:*.example",)),
    ("a.server.example", ("DNS:*.example",)),
    ("example", ("DNS:*.example",)),
    ("server.a.example", ("DNS:*.a.example", "DNS:x")),
    ("server.a.example", ("DNS:s*.a.example",)),
    ("server.a.example", ("DNS:*r.a.example",)),
    ("server.a.example", ("DNS:s*r.a.example",)),
    ("server.a.example", ("DNS:se*er.a.example",)),
    ("server.a.example", ("DNS:server.*.example",)),
    ("server.a.example", ("DNS:*.*.example",)),
    ("server.a.example", ("DNS:s*v*r.a.example",)),
    ("server.a.example", ("DNS:s*x*r.a.example",)),
    ("server.example", ("DNS:*",)),
    ("server.example", ("DNS:server.*",)),
    ("server.example", ("DNS:server.example.",)),
    ("server.example", ("DNS:.server.example",)),
    ("server.example", ("email:a@server.example",)),
    ("other.example", ("email:a@server.example",)),
    ("server.example", ()),
    ("other.example", ()),
    ("localhost", ("DNS:localhost",)),
    ("a_b.example", ("DNS:a_b.example",)),
    ("a-b.example", ("DNS:a-b.example",)),
    ("-a.example", ("DNS:-a.example",)),
    ("192.0.2.1", ("IP:192.0.2.1",)),
    ("192.0.2.1", ("IP:192.0.2.2",)),
    ("192.0.2.1", ("DNS:192.0.2.1",)),
    ("192.0.2.1", ()),
    ("::1", ("IP:::1",)),
    ("0:0:0:0:0:0:0:1", ("IP:::1",)),
    ("::ffff:192.0.2.1", ("IP:192.0.2.1",)),
    ("127.1", ("IP:127.0.0.1",)),
    ("2130706433", ("IP:127.0.0.1",)),
    ("b\u00fccher.example", ("DNS:xn--bcher-kva.example",)),
    ("xn--bcher-kva.example", ("DNS:xn--bcher-kva.example",)),
    ("xn--bcher-kva.example", ("DNS:xn--*-kva.example",)),
    ("xn--bcher-kva.example", ("DNS:*.example",)),
)


def _hosts() -> Iterator[Case]:
    root = ca().issued_by()
    for number, (host, names) in enumerate(_HOSTS):
        extensions = (alternative_names(*names),) if names else ()
        leaf = Draft("CN=server.example", extensions=extensions).issued_by(root)
        yield Case(f"host {number}: {host} and {', '.join(names) or 'only a common name'}", (leaf,), (root,), host=host)
    twice = Draft("CN=first.example,CN=second.example").issued_by(root)
    for host in ("first.example", "second.example"):
        yield Case(f"host: two common names and {host}", (twice,), (root,), host=host)
