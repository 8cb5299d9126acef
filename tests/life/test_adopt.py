"""`reconcile adopt`: a keystore described in one run, proven by an empty plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.adopting import adopt, scalar
from reconciler.cli import run
from reconciler.keystores.detect import detect
from reconciler.model import StoreType
from tests.builders import certificate, entry, key_pair, snapshot

CORPUS = Path(__file__).parent.parent / "corpus"
MANIFEST = json.loads((CORPUS / "manifest.json").read_text())
WRITABLE = {StoreType.PKCS12, StoreType.JKS, StoreType.JCEKS}


def adoptable(row) -> bool:
    """Certificates and key pairs alone, in a format that can be a live keystore."""
    kinds = {one["type"] for one in row.get("entries", [])}
    stored = detect((CORPUS / row["file"]).read_bytes(), row["file"])
    return stored in WRITABLE and row["outcome"] == "entries" and kinds <= {"trustedCertEntry", "PrivateKeyEntry"}


ROWS = [row for row in MANIFEST["files"] if adoptable(row)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"].removeprefix("files/"))
def test_the_next_plan_is_empty(row, tmp_path, monkeypatch, capsys):
    store = CORPUS / row["file"]
    options = []
    if row["store_password"] is not None:
        monkeypatch.setenv("STORE_PASSWORD", row["store_password"])
        options = ["--password-env", "STORE_PASSWORD"] if row["store_password"] else []
    assert run(["adopt", str(store), str(tmp_path / "git"), *options]) == 0, capsys.readouterr()
    assert "The plan is empty" in capsys.readouterr().out
    assert run(["plan", str(tmp_path / "git"), "--detailed-exitcode"]) == 0


def test_how_many_keystores_that_were(capsys):
    with capsys.disabled():
        print(f"\nadopted with an empty plan: {len(ROWS)} keystores of the corpus")
    assert len(ROWS) >= 30


def test_nothing_is_overwritten(tmp_path, monkeypatch, capsys):
    (tmp_path / "keystore.yaml").write_text("mine")
    monkeypatch.setenv("STORE_PASSWORD", "12345678")
    store = str(CORPUS / "files/pyjks__3certs.jks")
    assert run(["adopt", store, str(tmp_path), "--password-env", "STORE_PASSWORD"]) == 1
    assert "not overwritten" in capsys.readouterr().err
    assert (tmp_path / "keystore.yaml").read_text() == "mine"
    assert not (tmp_path / "certs").exists()


def named(alias: str, ending: str) -> str:
    return f"{alias.replace('/', '_')}{ending}"


def described(*entries, bundle=()):
    store = snapshot(*entries)
    return adopt(store, {"type": "jks", "path": "x.jks"}, set(bundle), named, lambda _alias: None)


def test_roots_of_the_bundle_are_referred_to():
    one = certificate("CN=root")
    adopted = described(entry("root", one), bundle=[one.sha256])
    assert "bundle: mozilla" in adopted.text
    assert not adopted.certificates


def test_aliases_that_share_a_file_name_get_files_of_their_own():
    adopted = described(entry("a/b", certificate("CN=1")), entry("a_b", certificate("CN=2")))
    assert set(adopted.certificates) == {"certs/a_b.pem", "certs/a_b-1.pem"}


def test_what_cannot_be_declared_is_left_out_and_said():
    adopted = described(
        entry("sap_root"),
        entry("one.next"),
        entry("UPPER", reachable=False),
        key_pair("pair"),
    )
    assert set(adopted.left_out) == {"sap_root", "one.next", "UPPER"}
    assert "existing: true" in adopted.text


@pytest.mark.parametrize(
    "text", ["123", "yes", "a: b", "# x", "ünï", "quote\"'", "", "2026-01-01", "a\u202eb", "~", "x\ny"]
)
def test_any_alias_is_text_to_a_yaml_reader(text):
    import yaml

    assert yaml.safe_load(f"{scalar(text)}: 1") == {text: 1}
