"""The schema, and the sentences that its errors become: what, where, and what to write instead."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.desired.not_yet import NOT_YET
from reconciler.desired.schema import schema_path, typed_keys
from tests.desired.conftest import HEAD, Repository, told

SCHEMA: dict[str, Any] = json.loads(schema_path().read_text(encoding="utf-8"))
PIN = "96:BC:EC:06:26:49:76:F3:74:60:77:9A:CF:28:C5:A7:CF:E8:A3:C0:AA:E1:1A:8F:FC:EE:05:C0:BD:DF:08:C6"


def declared_keys(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every key that the schema declares, and every item and named value, with its own schema."""
    found: list[tuple[str, dict[str, Any]]] = []
    if isinstance(schema, dict):
        for key, value in schema.get("properties", {}).items():
            if (
                not ({"const", "not"} & set(value)) or "errorMessage" not in value
            ):  # the conditions inside `if` and `then`
                found.append((f"{path}.{key}", value))
        if isinstance(schema.get("items"), dict):
            found.append((f"{path}[]", schema["items"]))
        for key, value in schema.items():
            if key != "if":
                found += declared_keys(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for at, value in enumerate(schema):
            found += declared_keys(value, f"{path}[{at}]")
    return found


KEYS = declared_keys(SCHEMA)


def test_the_schema_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("path", "schema"), KEYS, ids=[path for path, _ in KEYS])
def test_every_key_has_a_title_a_description_and_examples_that_are_valid(path: str, schema: dict[str, Any]) -> None:
    target = schema
    if "$ref" in schema:
        target = {**SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], **schema}

    assert target.get("title")
    assert target.get("description", "").endswith((".", ")"))
    judge = Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]})
    if target.get("additionalProperties") is not False or "examples" in target:
        assert target["examples"]
    for example in target.get("examples", ()):
        judge.validate(example)
    if "default" in target:
        judge.validate(target["default"])


def test_every_object_refuses_unknown_keys() -> None:
    def objects(schema: Any) -> list[dict[str, Any]]:
        if isinstance(schema, list):
            return [one for value in schema for one in objects(value)]
        if not isinstance(schema, dict):
            return []
        own = [schema] if schema.get("type") == "object" else []
        return own + [one for key, value in schema.items() if key != "if" for one in objects(value)]

    # A key pair hands over to one of three objects, which do; an issuer to the one of its type.
    assert [one["title"] for one in objects(SCHEMA) if "additionalProperties" not in one] == ["Key pair", "Issuer"]


def test_booleans_and_integers_are_read_from_the_schema() -> None:
    assert typed_keys() == {"create", "existing", "keep", "rekey", "size"}


# ----------------------------------------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("trustedRoot: {}", "3:1: [unknown-key] unknown key 'trustedRoot' at the top of the state file (did you mean `trustedRoots`?)"),
        ("frobnicate: 1", "3:1: [unknown-key] unknown key 'frobnicate' at the top of the state file (known here: apiVersion, keystore, aliases, include, trustedRoots, keyPairs, issuers, receivers, accepted, policy)"),
        ("trustedRoots:", "3:14: [wrong-type] `trustedRoots` is empty: must be a mapping (`key: value` lines) (write {} or take the key out)"),
        ("trustedRoots: []", "3:15: [wrong-type] `trustedRoots` is a list: must be a mapping (`key: value` lines) (None)"),
        ("trustedRoots: {a: {}}", "3:16: [missing-key] `trustedRoots.a` needs `file` or `bundle` (None)"),
        (f"trustedRoots: {{a: {{file: x, bundle: mozilla, sha256: '{PIN}'}}}}", "3:19: [wrong-value] `trustedRoots.a` takes `file` or `bundle`, not both (None)"),
        ("trustedRoots: {isrg-root-x1: {bundle: mozilla}}", f'3:31: [missing-key] `trustedRoots.isrg-root-x1` needs `sha256` beside `bundle` (if you mean ISRG Root X1: sha256: "{PIN}")'),
        ("trustedRoots: {unheard_of: {bundle: mozilla}}", "3:29: [missing-key] `trustedRoots.unheard_of` needs `sha256` beside `bundle` (None)"),
        ("trustedRoots: {a: {bundle: mozila, sha256: '" + PIN + "'}}", "3:28: [wrong-value] `trustedRoots.a.bundle` is 'mozila': must be mozilla (did you mean `mozilla`?)"),
        ("trustedRoots: {a: {file: x, sha256: abc}}", "3:37: [wrong-value] `trustedRoots.a.sha256` is 'abc': must be a SHA-256: 64 hexadecimal digits, in pairs with colons or without (None)"),
        ("trustedRoots: {a: {file: ''}}", "3:26: [wrong-value] `trustedRoots.a.file` is '': must not be empty (None)"),
        ("include: roots.yaml", "3:10: [wrong-type] `include` is text: must be a list (write it in [brackets])"),
        (f"include: [{'x' * 4097}]", "3:11: [wrong-value] `include[0]` is '" + "x" * 63 + "…': must have at most 4096 characters (None)"),
        (f"include: [{'x,' * 1001}]", "3:10: [wrong-value] `include` must have at most 1000 items (None)"),
        ("keyPairs: {a: {subject: {commonName: x, organizationalUnit: []}}}", "3:61: [wrong-value] `keyPairs.a.subject.organizationalUnit` must be 1 to 64 characters without control characters or blanks at either end, or a list of up to 8 such texts (None)"),
        ("keyPairs: {a: {subject: {commonName: x, organizationalUnit: {}}}}", "3:61: [wrong-type] `keyPairs.a.subject.organizationalUnit` is a mapping: must be text or a list (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, rekey: 1}}", "3:49: [wrong-type] `keyPairs.a.rekey` is a number: must be true or false (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, key: {algorithm: RSA, size: true}}}", "3:70: [wrong-type] `keyPairs.a.key.size` is true or false: must be a whole number (None)"),
        ("include: [{}]", "3:11: [wrong-type] `include[0]` is a mapping: must be text (None)"),
        ("aliases: {protected: ['a', ' b']}", "3:28: [wrong-value] `aliases.protected[1]` is ' b': must be 1 to 250 characters, without control characters or blanks at either end (None)"),
        ("aliases: {unmanaged: ignored}", "3:22: [wrong-value] `aliases.unmanaged` is 'ignored': must be one of report, ignore, prune (did you mean `ignore`?)"),
        ("keyPairs: {a: {}}", "3:12: [missing-key] `keyPairs.a` needs `subject` (for example subject: {commonName: cpi-prod.example.com, organization: Example, country: DE})"),
        ("keyPairs: {a: {subject: {}}}", "3:25: [wrong-value] `keyPairs.a.subject` must name something, for example {commonName: cpi-prod.example.com} (None)"),
        ("keyPairs: {a: {subject: {CN: x}}}", "3:26: [unknown-key] unknown key 'CN' in `keyPairs.a.subject` (did you mean `commonName`?)"),
        ("keyPairs: {a: {subject: {commonname: x}}}", "3:26: [unknown-key] unknown key 'commonname' in `keyPairs.a.subject` (did you mean `commonName`?)"),
        ("keyPairs: {a: {subject: {commonName: x, country: Germany}}}", "3:50: [wrong-value] `keyPairs.a.subject.country` is 'Germany': must be the two letters of a country, such as DE (None)"),
        ("keyPairs: {a: {subject: {commonName: '" + "x" * 65 + "'}}}", f"3:38: [wrong-value] `keyPairs.a.subject.commonName` is '{'x' * 63}…': must be 1 to 64 characters, without control characters or blanks at either end (None)"),
        ('keyPairs: {a: {subject: {commonName: "x\\ny"}}}', "3:38: [wrong-value] `keyPairs.a.subject.commonName` is 'x\\ny': must be 1 to 64 characters, without control characters or blanks at either end (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, key: {algorithm: rsa, size: 2048}}}", "3:59: [wrong-value] `keyPairs.a.key.algorithm` is 'rsa': must be one of RSA, EC, Ed25519 (did you mean `RSA`?)"),
        ("keyPairs: {a: {subject: {commonName: x}, key: {algorithm: EC, size: 2048}}}", "3:59: [wrong-value] `keyPairs.a.key.algorithm` is 'EC': a `size` goes with RSA only (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, key: {algorithm: RSA, curve: secp256r1}}}", "3:59: [wrong-value] `keyPairs.a.key.algorithm` is 'RSA': a `curve` goes with EC only (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, key: {algorithm: RSA, size: 1024}}}", "3:70: [wrong-value] `keyPairs.a.key.size` must be a number of bits from 2048 to 8192 in steps of 1024 (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, key: {algorithm: RSA, size: '2048'}}}", "3:70: [wrong-type] `keyPairs.a.key.size` is text: must be a whole number (write digits only, without quotes)"),
        ("keyPairs: {a: {subject: {commonName: x}, key: {algorithm: EC, curve: secp256k1}}}", "3:70: [wrong-value] `keyPairs.a.key.curve` is 'secp256k1': must be one of secp256r1, secp384r1, secp521r1 (did you mean `secp256r1`?)"),
        ("keyPairs: {a: {subject: {commonName: x}, rekey: no}}", "3:49: [wrong-type] `keyPairs.a.rekey` is text: must be true or false (write true or false, in lower case and without quotes)"),
        ("keyPairs: {a: {subject: {commonName: x}, validity: 365}}", "3:52: [wrong-value] `keyPairs.a.validity` is '365': must be a duration: a whole number with d, h or m, such as 365d (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, validity: |\n   1d\n }}".replace("|\n   1d\n ", '"1d\\n"'), "3:52: [wrong-value] `keyPairs.a.validity` is '1d\\n': must be a duration: a whole number with d, h or m, such as 365d (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, renewBefore: 100%}}", "3:55: [wrong-value] `keyPairs.a.renewBefore` is '100%': must be a duration such as 30d, or a share of the lifetime such as 33% (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, extendedKeyUsage: [clientauth]}}", "3:61: [wrong-value] `keyPairs.a.extendedKeyUsage[0]` is 'clientauth': must be clientAuth, serverAuth, codeSigning, emailProtection, timeStamping, OCSPSigning, anyExtendedKeyUsage, or an object identifier such as 1.3.6.1.5.5.7.3.2 (did you mean `clientAuth`?)"),
        ("keyPairs: {a: {subject: {commonName: x}, alias: y}}", "3:42: [unknown-key] unknown key 'alias' in `keyPairs.a` (it belongs to a key pair that is brought along (it has `file`); this one is generated)"),
        ("keyPairs: {a: {file: x.p12, validity: 1d}}", "3:29: [unknown-key] unknown key 'validity' in `keyPairs.a` (it belongs to a key pair that is generated; this one is brought along (it has `file`))"),
        ("keyPairs: {a: {existing: true, replaceKey: x}}", "3:32: [unknown-key] unknown key 'replaceKey' in `keyPairs.a` (it belongs to a key pair that is generated; this one is only watched (it has `existing`))"),
        ("keyPairs: {a: {file: x.p12, existing: true}}", "3:29: [unknown-key] unknown key 'existing' in `keyPairs.a` (it belongs to a key pair that is only watched (it has `existing`); this one is brought along (it has `file`))"),
        ("keyPairs: {a: {existing: false}}", "3:26: [wrong-value] `keyPairs.a.existing` must be true, or be taken out (None)"),
        ("keyPairs: {a: {existing: true, sha256: abc}}", "3:40: [wrong-value] `keyPairs.a.sha256` is 'abc': must be a SHA-256: 64 hexadecimal digits, in pairs with colons or without (None)"),
        ("keyPairs: {a: {existing: true, renewBefore: soon}}", "3:45: [wrong-value] `keyPairs.a.renewBefore` is 'soon': must be a duration such as 30d, or a share of the lifetime such as 33% (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, activation: approve}}", "3:54: [wrong-value] `keyPairs.a.activation` is 'approve': must be one of automatic, approved (did you mean `approved`?)"),
        (f"keyPairs: {{a: {{subject: {{commonName: x}}, activate: '{PIN}'}}}}", "3:12: [missing-key] `keyPairs.a` needs `activation: approved` beside `activate` (None)"),
        (f"keyPairs: {{a: {{subject: {{commonName: x}}, activate: '{PIN}', activation: automatic}}}}", "3:163: [wrong-value] `keyPairs.a.activation` is 'automatic': `activate` goes with approved only (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, chain: ca.pem}}", "3:49: [wrong-type] `keyPairs.a.chain` is text: must be a list (write it in [brackets])"),
        ("keyPairs: {a: {subject: {commonName: x}, issuer: []}}", "3:50: [wrong-type] `keyPairs.a.issuer` is a list: must be a mapping (`key: value` lines) or text (None)"),
        ("keyPairs: {a: {subject: {commonName: x}, issuer: {}}}", "3:42: [missing-key] `keyPairs.a.issuer` needs `type` (for example type: self-signed)"),
        ("keyPairs: {a: {subject: {commonName: x}, issuer: {type: selfsigned}}}", "3:57: [wrong-value] `keyPairs.a.issuer.type` is 'selfsigned': must be one of self-signed, local-ca, external, command (did you mean `self-signed`?)"),
        ("keyPairs: {a: {subject: {commonName: x}, issuer: {type: self-signed, request: x}}}", "3:70: [unknown-key] unknown key 'request' in `keyPairs.a.issuer` (it belongs to an issuer of the type external; this one is self-signed)"),
        ("issuers: {a: {type: external, cert: x}}", "3:31: [unknown-key] unknown key 'cert' in `issuers.a` (known here: type, request, response)"),
        ("issuers: {a: {type: external, key: x}}", "3:31: [unknown-key] unknown key 'key' in `issuers.a` (it belongs to an issuer of the type local-ca; this one is external)"),
        ("issuers: {a: {type: local-ca}}", "3:11: [missing-key] `issuers.a` needs `certificate` and `key`, or `file` (None)"),
        ("issuers: {a: {type: local-ca, key: x}}", "3:11: [missing-key] `issuers.a` needs `certificate` and `key`, or `file` (None)"),
        ("issuers: {a: {type: local-ca, key: x, file: y}}", "3:14: [wrong-value] `issuers.a` takes `file`, or `certificate` and `key`, not both (None)"),
        ("issuers: {a: {type: local-ca, key: x, certificate: y, alias: z}}", "3:55: [missing-key] `issuers.a` needs `file` beside `alias` (None)"),
        ("issuers: {a: {type: command}}", "3:11: [missing-key] `issuers.a` needs `command` (for example command: ['./sign.sh', '--profile', 'client'])"),
        ("issuers: {a: {type: command, command: ./sign.sh}}", "3:39: [wrong-type] `issuers.a.command` is text: must be a list (write it in [brackets])"),
        ("issuers: {a: {type: command, command: []}}", "3:39: [wrong-value] `issuers.a.command` must not be empty (None)"),
        ("issuers: {a: {type: command, command: [x], timeout: 5}}", "3:53: [wrong-value] `issuers.a.timeout` is '5': must be a whole number with s, m or h, such as 90s (None)"),
        ("issuers: []", "3:10: [wrong-type] `issuers` is a list: must be a mapping (`key: value` lines) (None)"),
        ("issuers: {a: external}", "3:14: [wrong-type] `issuers.a` is text: must be a mapping (`key: value` lines) (None)"),
        ("aliases: {absent: a}", "3:19: [wrong-type] `aliases.absent` is text: must be a list (write it in [brackets])"),
        ("aliases: {absent: [{}]}", "3:20: [wrong-type] `aliases.absent[0]` is a mapping: must be text (None)"),
        ("aliases: {renamed: [a]}", "3:20: [wrong-type] `aliases.renamed` is a list: must be a mapping (`key: value` lines) (None)"),
        ("aliases: {renamed: {old_password: [x]}}", "3:35: [wrong-type] `aliases.renamed.old_password` is a list: must be text (None)"),
        ("aliases: {renamed: {a: ''}}", "3:24: [wrong-value] `aliases.renamed.a` is '': must not be empty (None)"),
        ("receivers: {a: {}}", "3:13: [missing-key] `receivers.a` needs `address` (for example address: my300000.example.com:443)"),
        ("receivers: {a: {address: x}}", "3:26: [wrong-value] `receivers.a.address` is 'x': must be HOST:PORT, such as my300000.example.com:443; an IPv6 address in [brackets] (None)"),
        ("receivers: {a: {address: 'x:1', keypair: y}}", "3:33: [unknown-key] unknown key 'keypair' in `receivers.a` (did you mean `keyPair`?)"),
        ("keyPairs: {'a.b c': {subject: 1}}", "3:31: [wrong-type] `keyPairs.'a.b c'.subject` is text: must be a mapping (`key: value` lines) (None)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_value_is_said_where_it_stands(repository: Repository, body: str, expected: str) -> None:
    assert [told(problem) for problem in repository.problems_in(body)] == [f"keystore.yaml:{expected}"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{}", ["1:1: [missing-key] the state file needs `apiVersion` (for example apiVersion: reconciler/v1)", "1:1: [missing-key] the state file needs `keystore` (None)"]),
        ("just text", ["1:1: [wrong-type] the file is text: must be a mapping (`key: value` lines) (None)"]),
        ("- a", ["1:1: [wrong-type] the file is a list: must be a mapping (`key: value` lines) (None)"]),
        ("~", ["1:1: [wrong-type] the file is empty: must be a mapping (`key: value` lines) (write {} or take the key out)"]),
        ("apiVersion: reconciler/v2\nkeystore: {type: pkcs12, path: x}", ["1:13: [wrong-value] `apiVersion` is 'reconciler/v2': must be reconciler/v1 (None)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: p12, path: x, integrity: false}", ["2:18: [wrong-value] `keystore.type` is 'p12': must be one of pkcs12, jks, jceks, sap-cloud-integration (did you mean `pkcs12`?)", "2:43: [wrong-value] `keystore.integrity` is 'false': must be none (None)"]),
        ("apiVersion: reconciler/v1\nkeystore: {}", ["2:1: [missing-key] `keystore` needs `type` (for example type: pkcs12)", "2:1: [missing-key] `keystore` needs `path` (for example path: live/outbound.p12)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, password: {file: ~/x}}\nkeyPairs: {a: {subject: {commonName: x}}}", ["2:42: [file] `keystore.password`: ~/x: `~` is not expanded (write the path out)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, previousPassword: {env: OLD}}", ["2:32: [missing-key] `keystore` needs `password` beside `previousPassword` (None)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, encryption: legacy}", ["2:18: [wrong-value] `keystore.type` is 'jks': `encryption` goes with pkcs12 only (None)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: pkcs12, path: x, encryption: Legacy}", ["2:47: [wrong-value] `keystore.encryption` is 'Legacy': must be one of modern, legacy (did you mean `legacy`?)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, backups: {keep: 0}}", ["2:48: [wrong-value] `keystore.backups.keep` must be a number from 1 to 1000 (None)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, backups: 5}", ["2:41: [wrong-type] `keystore.backups` is text: must be a mapping (`key: value` lines) (None)"]),
        ("apiVersion: reconciler/v1\nkeystore: {type: jks, path: ~/x.jks}", ["2:29: [file] `keystore.path`: ~/x.jks: `~` is not expanded (write the path out)"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_whole_file_is_said(repository: Repository, content: str, expected: list[str]) -> None:
    # Both sides without the value of a path, which is a key's place for one row and a value's for another.
    problems = [told(problem) for problem in repository.problems(content)]

    assert [problem.split(": ", 1)[1] for problem in problems] == [one.split(": ", 1)[1] for one in expected]
    assert [problem.split(":")[1] for problem in problems] == [one.split(":")[0] for one in expected]


def test_all_problems_come_at_once_and_in_the_order_of_the_file(repository: Repository) -> None:
    problems = repository.problems_in("""\
        keyPairs: {a: {}}
        trustedRoots: {b: {}, b: {}, sap_x: {file: missing.pem}}
        foo: 1
        aliases: {unmanaged: x}
        """)

    assert [(p.source.line, p.code) for p in problems if p.source] == [
        (3, "missing-key"),
        (4, "missing-key"),
        (4, "duplicate-key"),
        (4, "protected"),
        (4, "certificate"),
        (5, "unknown-key"),
        (6, "wrong-value"),
    ]


HOSTILE = {
    "unknown keys": "".join(f"k{n}: 1\n" for n in range(100_000)),
    "roots that are none": "trustedRoots:\n" + "".join(f"  k{n}: 1\n" for n in range(50_000)),
    "roots without a pin": "trustedRoots:\n" + "".join(f"  k{n}: {{bundle: mozilla}}\n" for n in range(20_000)),
    "roots with a wrong pin": "trustedRoots:\n"
    + "".join(f"  k{n}: {{bundle: mozilla, sha256: {n:064x}}}\n" for n in range(2_000)),
    "files that are missing": "trustedRoots:\n" + "".join(f"  k{n}: {{file: k{n}.pem}}\n" for n in range(20_000)),
    "keys that stand twice": "trustedRoots:\n" + "  k: {}\n" * 50_000,
    "key pairs not yet": "keyPairs:\n" + "".join(f"  k{n}: {{existing: true, x: 1, y: 2}}\n" for n in range(20_000)),
    "aliases of SAP": "trustedRoots:\n" + "".join(f"  sap_{n}: {{}}\n" for n in range(50_000)),
    "a list instead": "trustedRoots:\n" + "  - [[[[a]]]]\n" * 100_000,
    "a long text": f"include: [{'x' * 1_000_000}]\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_full_of_mistakes_is_answered_soon(repository: Repository, kind: str) -> None:
    begun = time.monotonic()
    problems = repository.problems_in(HOSTILE[kind])

    assert problems
    assert all(len(problem.message) < 500 for problem in problems)
    assert time.monotonic() - begun < 20


def test_of_very_many_mistakes_not_all_are_shown_but_every_refusal(repository: Repository) -> None:
    problems = repository.problems_in(
        "trustedRoots:\n" + "".join(f"  k{n}: {{}}\n" for n in range(2_000)) + "  sap_x: {}\n"
    )

    assert [problem.message for problem in problems if problem.code == "too-many"] == [
        "more than 1000 mistakes: the others are not shown"
    ]
    assert len([problem for problem in problems if problem.code == "missing-key"]) == 1000
    assert [str(problem.source) for problem in problems if problem.refusal] == ["keystore.yaml:2004:3"]


# ------------------------------------------------------------------------------------------ not available yet


def _example_of(path: tuple[str, ...], value: str | None) -> str:
    """A file with the key at `path`."""
    entry = {
        "trustedRoots": "file: x",
        "keyPairs": "subject: {commonName: x}",
        "receivers": "address: a.example:443",
    }.get(path[0], "")
    text = value if value not in (None, "*") else "x"
    for depth, step in reversed(list(enumerate(path[1:], 1))):
        name = "some_alias" if step == "*" else step
        more = f", {entry}" if depth == 2 and entry else ""
        text = f"{{{name}: {text}{more}}}"
    head = "apiVersion: reconciler/v1\n"
    if path[0] != "keystore":
        return f"{HEAD}{path[0]}: {text}\n"
    return f"{head}keystore: {text[:-1]}{'' if path[1] == 'type' else ', type: jks, path: x'}}}\n"


@pytest.mark.parametrize("row", NOT_YET, ids=lambda row: ".".join(row.path) + (f"={row.value}" if row.value else ""))
def test_each_row_of_what_is_not_available_yet_is_said_and_alone(repository: Repository, row) -> None:
    problems = [p for p in repository.problems(_example_of(row.path, row.value)) if p.code != "certificate"]

    assert [(p.code, p.message) for p in problems] == [("not-yet", f"{row.what} is not available yet")]
