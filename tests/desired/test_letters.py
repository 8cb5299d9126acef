"""The letters to and from an outside CA: where they lie, what lies there, and that none replaces something else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired import load, load_states
from reconciler.desired.letters import file_name
from reconciler.errors import DesiredStateError
from reconciler.model import Correspondence, WantedKeyPair
from reconciler.x509 import generate_private_key, public_key_sha256_of, request_to_pem, signing_request, to_pem
from tests.desired.authorities import CA, ROOT
from tests.desired.conftest import Repository, told

if TYPE_CHECKING:
    from reconciler.model import DesiredState

PAIR = "keyPairs: {a: {key: {algorithm: EC}, subject: {commonName: x}, subjectAltNames: {dns: [x.example]}, issuer: {type: external%s}}}\n"


def pair(state: DesiredState) -> WantedKeyPair:
    [wanted] = state.wanted
    assert isinstance(wanted, WantedKeyPair)
    return wanted


def letters(repository: Repository, more: str = "") -> Correspondence:
    found = pair(repository.state(PAIR % more)).correspondence
    assert found is not None
    return found


# ------------------------------------------------------------------------------------------- where they lie


def test_the_default_places_bear_the_name_of_the_state_and_of_the_alias(repository: Repository) -> None:
    repository.write(
        "pairs/common.yaml", "keyPairs: {S4 client/ü: {subject: {commonName: x}, issuer: {type: external}}}"
    )
    found = pair(repository.state("include: [../pairs/common.yaml]", "states/prod.eu.yaml")).correspondence

    assert found is not None
    assert (found.request_shown, found.response_shown) == (
        "states/requests/prod.eu/S4 client%2F%C3%BC.csr",
        "states/responses/prod.eu/S4 client%2F%C3%BC.pem",
    )
    assert found.request_path == str(repository.root / found.request_shown)
    assert found.response_path == str(repository.root / found.response_shown)


def test_what_the_issuer_says_is_relative_to_its_file_and_the_key_pair_has_the_last_word(
    repository: Repository,
) -> None:
    repository.write("issuers/x.yaml", "issuers: {corp: {type: external, request: out.csr, response: in.p7b}}")
    state = repository.state(
        "include: [issuers/x.yaml]\nkeyPairs: {a: {subject: {commonName: x}, issuer: corp, response: mine.cer}}"
    )
    found = pair(state).correspondence

    assert found is not None
    assert (found.request_shown, found.response_shown) == ("issuers/out.csr", "mine.cer")


def test_a_key_that_others_certify_by_hand_is_kept_at_a_renewal_unless_the_file_says_otherwise(
    repository: Repository,
) -> None:
    assert pair(repository.state(PAIR % "")).rekey is False
    assert pair(repository.state((PAIR % "").replace("issuer:", "rekey: true, issuer:"))).rekey is True
    assert pair(repository.state("keyPairs: {a: {subject: {commonName: x}}}")).rekey is True


def test_other_issuers_have_no_letters(repository: Repository) -> None:
    assert pair(repository.state("keyPairs: {a: {subject: {commonName: x}}}")).correspondence is None
    problems = repository.problems_in("keyPairs: {a: {subject: {commonName: x}, request: r.csr, response: r.pem}}")

    assert [told(problem) for problem in problems] == [
        f"keystore.yaml:3:{column}: [wrong-value] `keyPairs.a.{key}`: goes with an issuer of the type external only (take it out)"
        for key, column in [("request", 42), ("response", 58)]
    ]


@pytest.mark.parametrize("key", ["request", "response"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../x.csr", "../x.csr lies outside the repository"),
        ("/etc/x.csr", "/etc/x.csr lies outside the repository"),
        ("link/x.csr", "link/x.csr lies outside the repository"),
        ("link.csr", "link.csr lies outside the repository"),
        ("~/x.csr", "~/x.csr: `~` is not expanded"),
        ('"a\\u202eb"', "a path with a control character"),
    ],
)
def test_letters_stay_inside_the_repository(repository: Repository, key: str, path: str, message: str) -> None:
    (repository.root / "link").symlink_to("..")
    (repository.root / "link.csr").symlink_to("../elsewhere.csr")
    [problem] = repository.problems_in(PAIR % f", {key}: {path}")

    assert message in problem.message


def test_a_default_place_that_a_link_leads_out_of_the_repository_is_refused(repository: Repository) -> None:
    (repository.root / "requests").symlink_to("..")
    [problem] = repository.problems_in(PAIR % "")

    assert told(problem).startswith(
        "keystore.yaml:3:101: [letters] `keyPairs.a.issuer`: requests/keystore/a.csr lies outside"
    )


# ------------------------------------------------------------------------------------------------ file names


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("s4_client", "s4_client"),
        ("S4 Client (prod)", "S4 Client (prod)"),
        ("a/b\\c:d", "a%2Fb%5Cc%3Ad"),
        ("..", "%2E."),
        ("../../x", "%2E.%2F..%2Fx"),
        (".hidden", "%2Ehidden"),
        ("50%", "50%25"),
        ("con", "%63on"),
        ("LPT1.client", "%4CPT1.client"),
        ("console", "console"),
        ("ß", "%C3%9F"),
    ],
)
def test_an_alias_becomes_the_name_of_a_file(alias: str, name: str) -> None:
    assert file_name(alias) == name


@given(st.text(min_size=1, max_size=250))
def test_any_alias_becomes_one_name_in_one_directory(alias: str) -> None:
    name = file_name(alias)

    assert name.isascii()
    assert 0 < len(name) <= 200
    assert Path(f"{name}.csr").name == f"{name}.csr"
    assert not name.startswith(".")


@given(st.lists(st.text(min_size=1, max_size=250), unique=True, min_size=2))
def test_two_aliases_become_two_names(aliases: list[str]) -> None:
    assert len({file_name(alias) for alias in aliases}) == len(aliases)


# ------------------------------------------------------------------------------------------- the request


def test_what_a_request_asks_for_is_read_in_pem_and_der(repository: Repository) -> None:
    wanted = pair(repository.state(PAIR % ""))
    private_key = generate_private_key(wanted.key)
    request = signing_request(private_key, wanted)
    for content in (request_to_pem(request), request):
        repository.write("requests/keystore/a.csr", content)
        facts = letters(repository).request

        assert facts is not None
        assert facts.public_key_sha256 == public_key_sha256_of(private_key)
        assert (facts.subject, facts.subject_alt_names) == (wanted.subject, wanted.subject_alt_names)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        b"<<<<<<< HEAD\n-----BEGIN CERTIFICATE REQUEST-----\n=======\n",
    ],
)
def test_a_damaged_request_is_as_good_as_none_and_may_be_written_again(repository: Repository, content: bytes) -> None:
    repository.write("requests/keystore/a.csr", content)

    assert letters(repository).request is None


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("notes.md", b"# Notes"),
        ("ca.pem", to_pem([CA])),
        ("key.der", b"\x30\x03\x02\x01\x00"),
        ("keystore.yaml", None),
        ("link.csr", None),
    ],
)
def test_a_request_does_not_replace_what_is_none(repository: Repository, path: str, content: bytes | None) -> None:
    repository.write("certs/root.pem", to_pem([ROOT]))
    (repository.root / "link.csr").symlink_to("certs/root.pem")
    if content is not None:
        repository.write(path, content)
    [problem] = repository.problems_in(PAIR % f", request: {path}")

    assert told(problem) == (
        f"keystore.yaml:3:101: [letters] `keyPairs.a.issuer`: {path} is there and holds no signing request; the request "
        "would replace it (name another file with `request`, or remove this one)"
    )


def test_a_request_does_not_replace_one_that_its_key_stands_beside(repository: Repository) -> None:
    request = b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"
    repository.write("a.csr", request + request.replace(b"CERTIFICATE REQUEST", b"PRIVATE KEY"))
    [problem] = repository.problems_in(PAIR % ", request: a.csr")

    assert "a.csr is there and holds a private key" in told(problem)


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", ".GIT/config", "sub/.git/x.csr"])
def test_a_request_does_not_lie_where_git_keeps_its_own(repository: Repository, path: str) -> None:
    [problem] = repository.problems_in(PAIR % f", request: {path}")

    assert f"{path} lies inside `.git`" in problem.message


def test_a_request_that_is_a_directory_is_said(repository: Repository) -> None:
    (repository.root / "requests" / "keystore" / "a.csr").mkdir(parents=True)
    [problem] = repository.problems_in(PAIR % "")

    assert "requests/keystore/a.csr cannot be read: is a directory" in problem.message


# -------------------------------------------------------------------------------------------- the answer


def _pkcs7(encoding: Encoding) -> bytes:
    return pkcs7.serialize_certificates([x509.load_der_x509_certificate(one.der) for one in (CA, ROOT)], encoding)


@pytest.mark.parametrize("suffix", ["pem", "crt", "cer", "der", "p7b", "p7c", "spc", "pkipath"])
def test_an_answer_is_found_under_any_usual_name_and_read_by_its_content(repository: Repository, suffix: str) -> None:
    repository.write(f"responses/keystore/a.{suffix}", _pkcs7(Encoding.DER))
    found = letters(repository)

    assert found.response_shown == f"responses/keystore/a.{suffix}"
    assert set(found.response or ()) == {CA, ROOT}


@pytest.mark.parametrize("content", [to_pem([CA, ROOT]), _pkcs7(Encoding.PEM), _pkcs7(Encoding.DER)])
def test_an_answer_is_read_where_the_file_says(repository: Repository, content: bytes) -> None:
    repository.write("answers/x", content)
    found = letters(repository, ", response: answers/x")

    assert (set(found.response or ()), found.response_problem) == ({CA, ROOT}, None)


def test_no_answer_is_no_problem(repository: Repository) -> None:
    found = letters(repository)

    assert (found.request, found.response, found.response_problem) == (None, None, None)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the signing response"),
        (b"hello", "the signing response"),
        (b"-----BEGIN CERTIFICATE-----\nAA!\n-----END CERTIFICATE-----\n", "broken base64"),
        (b"\x30\x80" * 5000, "the signing response"),
        (b"x" * (1024 * 1024 + 1), "1,048,577 bytes are no signing response"),
        (b"x" * (1024 * 1024 + 2), "more than 1,048,577 bytes"),
    ],
    ids=["empty", "text", "base64", "nested", "long", "longer"],
)
def test_an_answer_that_cannot_be_read_does_not_stop_the_state(
    repository: Repository, content: bytes, problem: str
) -> None:
    repository.write("responses/keystore/a.pem", content)
    found = letters(repository)

    assert found.response is None
    assert problem in (found.response_problem or "")


def test_an_answer_that_is_a_directory_does_not_stop_the_state(repository: Repository) -> None:
    (repository.root / "a").mkdir()

    assert letters(repository, ", response: a").response_problem == "a cannot be read: is a directory"


def test_several_answers_are_none(repository: Repository) -> None:
    repository.write("responses/keystore/a.pem", to_pem([CA]))
    repository.write("responses/keystore/a.p7b", _pkcs7(Encoding.DER))
    found = letters(repository)

    assert found.response is None
    assert found.response_problem == (
        "there are several answers: responses/keystore/a.pem, responses/keystore/a.p7b; keep the one that counts"
    )


@given(st.binary(max_size=300))
def test_whatever_an_answer_holds_the_state_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.getbasetemp() / "answers"
    root.mkdir(exist_ok=True)
    (root / "a.pem").write_bytes(content)
    (root / "k.yaml").write_text(
        "apiVersion: reconciler/v1\nkeystore: {type: jks, path: x, password: {env: PW}}\n" + PAIR % ", response: a.pem"
    )
    found = pair(load(str(root / "k.yaml"))).correspondence

    assert found is not None
    assert (found.response is None) == (found.response_problem is not None)


# ----------------------------------------------------------------------------------------- one file, one letter


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("request: x.csr", "request: x.csr", "x.csr is the signing request of 'b' here and the signing request of 'a' in keystore.yaml, line 4"),
        ("request: x.csr", "request: ./d/../x.csr", "x.csr is the signing request of 'b' here and the signing request of 'a' in keystore.yaml, line 4"),
        ("response: x.pem", "response: x.pem", "x.pem is the answer for 'b' here and the answer for 'a' in keystore.yaml, line 4"),
        ("response: x.pem", "request: x.pem", "x.pem is the signing request of 'b' here and the answer for 'a' in keystore.yaml, line 4"),
        ("request: live.p12", "request: x", "live.p12 is the signing request of 'a' here and the keystore in keystore.yaml, line 2"),
        ("request: x, response: x", "request: y", "x is the answer for 'a' here and the signing request of 'a' in keystore.yaml, line 4"),
    ],
)  # fmt: skip
def test_two_letters_in_one_file_are_an_error_with_both_lines(
    repository: Repository, first: str, second: str, expected: str
) -> None:
    [problem] = repository.problems_in(f"""\
        keyPairs:
          a: {{subject: {{commonName: x}}, issuer: {{type: external, {first}}}}}
          b: {{subject: {{commonName: x}}, issuer: {{type: external, {second}}}}}
        """)

    assert (problem.message, problem.code) == (expected, "letters")


def test_a_named_issuer_with_one_file_serves_one_key_pair_only(repository: Repository) -> None:
    problems = repository.problems_in("""\
        issuers: {corp: {type: external, request: x.csr}}
        keyPairs:
          a: {subject: {commonName: x}, issuer: corp}
          b: {subject: {commonName: x}, issuer: corp}
        """)

    assert [str(problem.source) for problem in problems] == ["keystore.yaml:6:3"]


def test_two_keystores_do_not_share_a_request(repository: Repository) -> None:
    repository.write(
        "common.yaml", "keyPairs:\n  a: {subject: {commonName: x}, issuer: {type: external, request: a.csr}}"
    )
    for name in ("one", "two"):
        repository.write(
            f"{name}.yaml",
            f"apiVersion: reconciler/v1\nkeystore: {{type: jks, path: {name}.jks, password: {{env: PW}}}}\ninclude: [common.yaml]\n",
        )
    with pytest.raises(DesiredStateError) as caught:
        load_states(["one.yaml", "two.yaml"])

    [problem] = caught.value.problems
    assert told(problem) == (
        "common.yaml:2:3: [letters] a.csr is the signing request of 'a' here and the signing request of 'a' in "
        "common.yaml, line 2, for one.yaml (give each a file of its own, or leave `request` and `response` out)"
    )


def test_a_shared_key_pair_without_places_is_one_for_each_keystore(repository: Repository) -> None:
    repository.write("common.yaml", "keyPairs:\n  a: {subject: {commonName: x}, issuer: {type: external}}")
    for name in ("one", "two"):
        repository.write(
            f"{name}.yaml",
            f"apiVersion: reconciler/v1\nkeystore: {{type: jks, path: {name}.jks, password: {{env: PW}}}}\ninclude: [common.yaml]\n",
        )
    found = [pair(state).correspondence for state in load_states(["one.yaml", "two.yaml"])]

    assert [one and one.request_shown for one in found] == ["requests/one/a.csr", "requests/two/a.csr"]
