"""`--save`: file names that fit, nothing overwritten, lines for the state file with pins."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.errors import ReconcileError
from reconciler.tls.saving import save, trusted_roots_lines
from reconciler.x509 import load_certificates
from tests.tls.pki import ca, server


@pytest.fixture
def chain():
    root = ca("CN=My Root G2,O=Example").issued_by()
    return [server().issued_by(root).certificate, root.certificate]


def test_the_chain_is_written_under_the_names_of_its_subjects(tmp_path, chain):
    saved = save(str(tmp_path / "new/certs"), chain, None)
    assert [one.alias for one in saved] == ["server_example", "my_root_g2"]
    for one, certificate in zip(saved, chain, strict=True):
        assert load_certificates(Path(one.file).read_bytes())[0].der == certificate.der


def test_the_lines_hold_the_ca_with_its_pin(tmp_path, chain):
    lines = yaml.safe_load(trusted_roots_lines(save(str(tmp_path), chain, None)))
    root = lines["trustedRoots"]["my_root_g2"]
    assert list(lines["trustedRoots"]) == ["my_root_g2"]
    assert root["file"] == (tmp_path / "my_root_g2.pem").as_posix()
    assert root["sha256"].replace(":", "").lower() == chain[1].sha256


def test_a_leaf_that_stands_alone_is_offered_itself(tmp_path, chain):
    lines = yaml.safe_load(trusted_roots_lines(save(str(tmp_path), chain[:1], None)))
    assert list(lines["trustedRoots"]) == ["server_example"]


def test_a_root_of_the_bundle_needs_no_file(tmp_path, chain):
    root = ca("CN=Public Root").issued_by().certificate
    lines = yaml.safe_load(trusted_roots_lines(save(str(tmp_path), chain, root)))
    assert list(lines["trustedRoots"]) == ["public_root", "my_root_g2"]
    assert lines["trustedRoots"]["public_root"]["bundle"] == "mozilla"


def test_saving_twice_changes_nothing(tmp_path, chain):
    first, second = save(str(tmp_path), chain, None), save(str(tmp_path), chain, None)
    assert [one.file for one in first] == [one.file for one in second]


def test_another_certificate_of_the_same_name_gets_a_number(tmp_path, chain):
    save(str(tmp_path), chain, None)
    again = save(str(tmp_path), [ca("CN=My Root G2").issued_by().certificate], None)
    assert [one.alias for one in again] == ["my_root_g2_2"]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("subject", "alias"),
    [
        ("CN=../../etc/passwd", "etc_passwd"),
        ("CN=sap_root", "x_sap_root"),
        ("CN=SAP Cloud Root", "x_sap_cloud_root"),
        ("CN=hcicertificate1", "x_hcicertificate1"),
        ("CN=nul", "x_nul"),
        ("CN=1 Root", "certificate_1_root"),
        ("O=Only Organization", "only_organization"),
        ("CN=Aktien Größe", "aktien_groe"),
        ("CN=" + "long " * 12 + "long", ("long_" * 12).strip("_")),
    ],
)
def test_aliases_are_safe_whatever_the_subject(tmp_path, subject, alias):
    saved = save(str(tmp_path), [ca(subject).issued_by().certificate], None)
    assert [one.alias for one in saved] == [alias]
    assert [path.name for path in tmp_path.iterdir()] == [f"{alias}.pem"]


def test_a_name_without_letters_becomes_the_fingerprint(tmp_path):
    one = ca("CN=証明書").issued_by().certificate
    assert save(str(tmp_path), [one], None)[0].alias == f"certificate_{one.sha256[:12]}"


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path, chain):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReconcileError, match="cannot be saved"):
        save(str(tmp_path / "file/below"), chain, None)
