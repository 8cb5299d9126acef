"""A certificate authority of two levels that is the openssl program, and its answers in every form that CAs send."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


CA_EXTENSIONS = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
LEAF_EXTENSIONS = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"


@dataclass
class OpensslCa:
    """Root and issuing CA in a directory."""

    directory: Path

    def __post_init__(self) -> None:
        self._authority("root", "OpenSSL Root", None)
        self._authority("issuing", "OpenSSL Issuing", "root")
        self.root, self.issuing = self.pem("root"), self.pem("issuing")

    def pem(self, name: str) -> bytes:
        return (self.directory / f"{name}.pem").read_bytes()

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _authority(self, name: str, common: str, signer: str | None) -> None:
        key, request, extensions = self._path(f"{name}.key"), self._path(f"{name}.csr"), self._path(f"{name}.ext")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", f"/O=Example/CN={common}", "-out", request)
        extensions.write_text(CA_EXTENSIONS)
        by = ["-signkey", key] if signer is None else self._by(signer)
        self._sign(request, extensions, by, 3650, self._path(f"{name}.pem"))

    def _by(self, signer: str) -> list[object]:
        return ["-CA", self._path(f"{signer}.pem"), "-CAkey", self._path(f"{signer}.key"), "-CAcreateserial"]

    def _sign(self, request: Path, extensions: Path, by: list[object], days: int, out: Path) -> None:
        openssl("x509", "-req", "-in", request, "-extfile", extensions, *by, "-days", days, "-out", out)

    def sign(self, request: Path, *, usage: str = "clientAuth", days: int = 365, signer: str = "issuing") -> bytes:
        """The leaf in PEM."""
        out, extensions = self._path("answer.pem"), self._path("answer.ext")
        extensions.write_text(LEAF_EXTENSIONS + (f"extendedKeyUsage={usage}\n" if usage else ""))
        self._sign(request, extensions, self._by(signer), days, out)
        return out.read_bytes()

    def expired(self, request: Path) -> bytes:
        """A leaf whose validity is over, which only `openssl ca` can make."""
        work = self._path("expired")
        work.mkdir(exist_ok=True)
        (work / "index.txt").write_text("")
        (work / "serial").write_text("1000\n")
        config = work / "ca.cnf"
        config.write_text(
            "[ca]\ndefault_ca=it\n[it]\n"
            f"database={work}/index.txt\nserial={work}/serial\nnew_certs_dir={work}\ndefault_md=sha256\npolicy=any\n"
            f"certificate={self.directory}/issuing.pem\nprivate_key={self.directory}/issuing.key\n"
            "x509_extensions=leaf\nunique_subject=no\n[any]\ncommonName=supplied\norganizationName=optional\n"
            "[leaf]\nextendedKeyUsage=clientAuth\n"
        )
        out = work / "leaf.pem"
        dates = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"]
        openssl("ca", "-batch", "-config", config, "-in", request, *dates, "-notext", "-out", out)
        return out.read_bytes()


def der_of(pem: bytes) -> bytes:
    return openssl("x509", "-outform", "DER", data=pem)


def pkcs7(form: str, *certificates: bytes) -> bytes:
    """`openssl crl2pkcs7`, PEM or DER."""
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".pem") as bundle:
        bundle.write(b"".join(certificates))
        bundle.flush()
        return openssl("crl2pkcs7", "-nocrl", "-certfile", bundle.name, "-outform", form)


def pki_path(*certificates: bytes) -> bytes:
    """A SEQUENCE OF Certificate, from the root to the leaf."""
    content = b"".join(map(der_of, certificates))
    length = len(content).to_bytes(3, "big").lstrip(b"\0")
    return bytes([0x30, 0x80 | len(length)]) + length + content


def forms(leaf: bytes, issuing: bytes, root: bytes) -> dict[str, bytes]:
    """The same answer in every form."""
    return {
        "pem_bundle": leaf + issuing + root,
        "pem_without_root": leaf + issuing,
        "pem_reversed": root + issuing + leaf,
        "pem_with_text": b"Dear customer,\nhere it is.\n\n" + openssl("x509", "-text", data=leaf) + issuing,
        "pem_crlf": (leaf + issuing).replace(b"\n", b"\r\n"),
        "p7b_pem": pkcs7("PEM", root, leaf, issuing),
        "p7b_der": pkcs7("DER", leaf, issuing, root),
        "p7b_base64": base64.encodebytes(pkcs7("DER", issuing, leaf)),
        "pkipath": pki_path(root, issuing, leaf),
        "leaf_pem": leaf,
        "leaf_der": der_of(leaf),
        "leaf_base64": base64.b64encode(der_of(leaf)),
    }
