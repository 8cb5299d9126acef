"""Trusted roots: from files and from Mozilla's bundle, exactly one certificate each, held to their pins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.desired import mozilla
from reconciler.desired.pins import with_colons
from reconciler.model import WantedCertificate
from reconciler.x509 import to_pem
from tests.desired.conftest import Repository, told

ISRG = "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"
ROOT = mozilla.bundle()[ISRG].certificate
OTHER = next(root.certificate for sha256, root in mozilla.bundle().items() if sha256 != ISRG)


def root(repository: Repository, entry: str) -> WantedCertificate:
    wanted = repository.wanted(f"trustedRoots: {{a: {entry}}}")
    assert isinstance(wanted, WantedCertificate)
    return wanted


@pytest.mark.parametrize(
    "content",
    [
        to_pem([ROOT]),
        ROOT.der,
        to_pem([ROOT]).replace(b"\n", b"\r\n"),
        b"subject=CN = ISRG Root X1\n" + to_pem([ROOT]) + b"\ntrailing text\n",
        to_pem([ROOT]).rstrip(b"\n"),
    ],
    ids=["PEM", "DER", "CRLF", "text around", "no last newline"],
)
@pytest.mark.parametrize("pin", ["", f", sha256: {ISRG}", f", sha256: '{with_colons(ISRG)}'"])
def test_one_certificate_is_read_from_a_file_in_any_form(repository: Repository, content: bytes, pin: str) -> None:
    repository.write("certs/a.pem", content)
    wanted = root(repository, f"{{file: certs/a.pem{pin}}}")

    assert (wanted.certificate.der, wanted.pinned, wanted.origin) == (ROOT.der, bool(pin), "certs/a.pem")


def test_a_root_of_the_mozilla_bundle_is_found_by_its_pin(repository: Repository) -> None:
    wanted = root(repository, f"{{bundle: mozilla, sha256: '{with_colons(ISRG)}'}}")

    assert (wanted.certificate.der, wanted.pinned, wanted.origin) == (ROOT.der, True, "bundle mozilla")


def test_the_bundle_has_every_certificate_with_its_label() -> None:
    import certifi

    content = Path(certifi.where()).read_text(encoding="utf-8")

    assert len(mozilla.bundle()) == content.count("-----BEGIN CERTIFICATE-----")
    assert mozilla.bundle()[ISRG].label == "ISRG Root X1"
    assert "a root without a label" not in {one.label for one in mozilla.bundle().values()}
    assert {f'# Label: "{one.label}"' for one in mozilla.bundle().values()} <= set(content.splitlines())


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (to_pem([ROOT, OTHER]), "a.pem holds 2 certificates, and one alias takes exactly one", "split the file"),
        (b"", "a.pem: no certificate in it", "export the certificate as PEM or DER"),
        (b"hello", "a.pem: no certificate in it", "export the certificate as PEM or DER"),
        (b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n", "a.pem: no certificate in it", "export the certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAA!A\n-----END CERTIFICATE-----\n", "a.pem: broken base64", None),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "a.pem: an empty PEM certificate", None),
        (b"\x30\x03\x02\x01\x05", "a.pem holds no certificate that can be read", None),
        (ROOT.der + b"\x00", "a.pem holds no certificate that can be read", None),
        (ROOT.der[:-1], "a.pem holds no certificate that can be read", None),
        (b"x" * 1_000_001, "a.pem has more than 1,000,000 bytes", None),
    ],
)  # fmt: skip
def test_a_file_without_exactly_one_certificate_is_refused(
    repository: Repository, content: bytes, message: str, hint: str | None
) -> None:
    repository.write("a.pem", content)
    [problem] = repository.problems_in("trustedRoots: {a: {file: a.pem}}")

    assert problem.message.startswith(f"`trustedRoots.a`: {message}")
    assert (hint or "") in (problem.hint or "")
    assert str(problem.source) == "keystore.yaml:3:26"


def test_another_certificate_than_the_pinned_one_is_refused_with_its_sha256(repository: Repository) -> None:
    repository.write("a.pem", to_pem([OTHER]))
    [problem] = repository.problems_in(f"trustedRoots: {{a: {{file: a.pem, sha256: {ISRG}}}}}")

    assert with_colons(OTHER.sha256) in problem.message
    assert "the certificate in a.pem is not the pinned one" in problem.message


def test_a_pin_that_the_bundle_does_not_have_is_refused_with_the_pin_of_the_root_that_is_meant(
    repository: Repository,
) -> None:
    [problem] = repository.problems_in(f"trustedRoots: {{isrg_root_x1: {{bundle: mozilla, sha256: {'0' * 64}}}}}")

    assert f"none of the {len(mozilla.bundle())} roots of the Mozilla bundle (certifi " in problem.message
    assert problem.hint == f"ISRG Root X1 has the pin {with_colons(ISRG)}"


def test_a_pin_and_an_alias_that_the_bundle_does_not_know_are_refused_with_the_way_out(repository: Repository) -> None:
    [problem] = repository.problems_in(f"trustedRoots: {{qqq: {{bundle: mozilla, sha256: {'0' * 64}}}}}")

    assert problem.hint == "Mozilla may have dropped it; commit the certificate and name it with `file`"


def test_the_same_certificate_under_two_aliases_is_allowed(repository: Repository) -> None:
    state = repository.state(
        f"trustedRoots: {{a: {{bundle: mozilla, sha256: {ISRG}}}, b: {{bundle: mozilla, sha256: {ISRG}}}}}"
    )

    assert [one.alias for one in state.wanted] == ["a", "b"]


# --------------------------------------------------------------------------------------------------- paths


def test_a_missing_file_is_said_with_a_file_that_may_be_meant(repository: Repository) -> None:
    repository.write("certs/DigiCert.pem", to_pem([ROOT]))
    [problem] = repository.problems_in("trustedRoots: {a: {file: certs/Digicert.pem}}")

    assert told(problem) == (
        "keystore.yaml:3:26: [certificate] `trustedRoots.a`: certs/Digicert.pem cannot be read: there is no such file "
        "(did you mean DigiCert.pem?)"
    )


@pytest.mark.parametrize(
    "path", ["../outside.pem", "/etc/hostname", "certs/../../outside.pem", "link.pem", "folder/outside.pem"]
)
def test_a_path_that_leads_out_of_the_repository_is_refused(repository: Repository, path: str) -> None:
    (repository.root.parent / "outside.pem").write_bytes(to_pem([ROOT]))
    (repository.root / "link.pem").symlink_to("../outside.pem")
    (repository.root / "folder").symlink_to("..")
    [problem] = repository.problems_in(f"trustedRoots: {{a: {{file: {path}}}}}")

    assert "lies outside the repository" in problem.message
    assert problem.hint == "put the file into the repository; only secrets and the keystore itself may lie elsewhere"


def test_a_link_inside_the_repository_is_followed(repository: Repository) -> None:
    repository.write("real/a.pem", to_pem([ROOT]))
    (repository.root / "link.pem").symlink_to("real/a.pem")
    (repository.root / "folder").symlink_to("real")

    assert root(repository, "{file: link.pem}").certificate.der == ROOT.der
    assert root(repository, "{file: folder/a.pem}").certificate.der == ROOT.der


def test_the_repository_begins_where_git_does(repository: Repository) -> None:
    repository.write("certs/a.pem", to_pem([ROOT]))
    state = repository.state("trustedRoots: {a: {file: ../../certs/a.pem}}", "states/prod/keystore.yaml")

    assert [one.alias for one in state.wanted] == ["a"]


def test_a_worktree_is_a_repository_as_well(repository: Repository) -> None:
    (repository.root / "tree").mkdir()
    repository.write("tree/.git", "gitdir: elsewhere")
    repository.write("a.pem", to_pem([ROOT]))
    repository.write(
        "tree/keystore.yaml",
        "apiVersion: reconciler/v1\nkeystore: {type: jks, path: x}\ntrustedRoots: {a: {file: ../a.pem}}",
    )
    [problem] = repository.problems_of("tree/keystore.yaml")

    assert "../a.pem" not in problem.message
    assert "a.pem lies outside the repository" in problem.message


def test_without_git_the_repository_is_the_directory_of_the_state_file(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.pem").write_bytes(to_pem([ROOT]))
    state = tmp_path / "inner" / "keystore.yaml"
    state.write_text("apiVersion: reconciler/v1\nkeystore: {type: jks, path: x}\ntrustedRoots: {a: {file: ../a.pem}}")
    [problem] = Repository.problems_of(str(state))

    assert "lies outside the repository" in problem.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a thing of POSIX")
def test_what_is_no_file_is_refused_without_waiting_for_it(repository: Repository) -> None:
    os.mkfifo(repository.root / "pipe.pem")
    (repository.root / "folder").mkdir()
    problems = repository.problems_in("trustedRoots: {a: {file: pipe.pem}, b: {file: folder}, c: {file: .}}")

    assert [problem.message for problem in problems] == [
        "`trustedRoots.a`: pipe.pem is not a file",
        "`trustedRoots.b`: folder cannot be read: is a directory",
        f"`trustedRoots.c`: . lies outside the repository ({repository.root})",
    ]


@pytest.mark.parametrize("path", ['"a\\tb"', '"a\\u202Eb"'])
def test_a_path_with_a_control_character_is_refused(repository: Repository, path: str) -> None:
    [problem] = repository.problems_in(f"trustedRoots: {{a: {{file: {path}}}}}")

    assert problem.message == "`trustedRoots.a`: a path with a control character"


def test_cryptography_is_not_needed_for_pinned_roots(repository: Repository) -> None:
    import subprocess
    import sys

    repository.write("a.pem", to_pem([ROOT]))
    repository.state(f"trustedRoots: {{a: {{file: a.pem, sha256: {ISRG}}}, b: {{bundle: mozilla, sha256: {ISRG}}}}}")
    program = (
        "import sys; from reconciler.desired import load; load('keystore.yaml'); print('cryptography' in sys.modules)"
    )

    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )
