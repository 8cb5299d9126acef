"""The contrary tenant on the wire: `http.server` with TLS, one keystore, one way to answer."""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import hashlib
import json
import random
import re
import secrets
import socket
import ssl
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7, pkcs12

from tests.sap.second.content import Keystore, Refusal, reserved
from tests.sap.second.shapes import Shapes, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sap.second.manner import Manner

ENTRY = re.compile(r"KeystoreEntries\('([0-9A-Za-z]*)'\)(?:/([A-Za-z]+)(/\$value)?)?")
USER, PASSWORD = "P2000123", "pass:wörd%20"
RESOURCE = re.compile(r"(CertificateResources|CertificateChainResources)\('([0-9A-Za-z]*)'\)/\$value")


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    options: dict[str, str]
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)

    @property
    def is_write(self) -> bool:
        return self.method in {"POST", "PUT", "DELETE", "PATCH", "MERGE"} and self.path != "token"

    @property
    def repeated(self) -> str:
        """All that was sent, as a server may log it into its answer."""
        return f"repeated {self.headers} {self.body.decode('latin-1')}"

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class SecondTenant:
    """A running tenant; use it as a context manager."""

    def __init__(self, manner: Manner, path: str = "") -> None:
        self.manner = manner
        self.path = path  # what stands between the host and /api/v1
        self.keystore = Keystore(manner.delay, manner.root_of_chain)
        self.shapes = Shapes(manner)
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self.crashes: list[str] = []
        self.faults: dict[int, tuple[str, int]] = {}  # what goes wrong, and a status, by the number of the write
        self.written = 0
        self.echo_reads = 0  # the status with which reads are refused, in words that repeat what was sent
        self.echo_tokens = False
        self.spoil: Callable[[bytes, str], bytes] | None = None  # what becomes of a body on its way
        self.between_pages: list[Callable[[], None]] = []
        self.before_write: Callable[[], None] | None = None  # what somebody else does meanwhile
        self.locked = 0  # writes that still find the keystore locked
        self.tokens: set[str] = set()
        self.sessions: dict[str, str] = {}
        self.times: deque[float] = deque()
        self.refused_for_pace = 0
        self._directory = TemporaryDirectory()
        authority = trustme.CA()
        self.ca_file = Path(self._directory.name, "ca.pem")
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        handler = type(
            "Handler", (_Handler,), {"tenant": self, "protocol_version": "HTTP/1.0" if manner.close else "HTTP/1.1"}
        )
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._directory.cleanup()

    def fault_at(self, place: int, fault: str, status: int = 500) -> None:
        """Let a write to come go wrong: `before`, `after`, `cut`, `cut after`, `echo`."""
        self.faults[self.written + place] = (fault, status)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}{self.path}"

    @property
    def root(self) -> str:
        return f"{self.url}/api/v1"

    @property
    def service_key(self) -> str:
        return json.dumps({"oauth": {"clientid": "sb-second!b1|it!b2", "clientsecret": "se+cret/$1%20ä", "url": self.url + "/",
                                     "tokenurl": f"{self.url.removesuffix(self.path)}/oauth/token"}})  # fmt: skip

    @property
    def writes(self) -> list[str]:
        return [one.line for one in self.asked if one.is_write]

    @property
    def lines(self) -> list[str]:
        return [one.line for one in self.asked]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no matter."""


class _Handler(BaseHTTPRequestHandler):
    tenant: SecondTenant
    timeout = 20
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one piece: two would wait for each other (Nagle, delayed acknowledgement)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        options = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        prefix = f"{self.tenant.path}/api/v1/"
        path = "token" if parts.path == "/oauth/token" else unquote(parts.path).removeprefix(prefix)
        asked = Asked(self.command, path, options, body, headers)
        with self.tenant.keystore.lock:
            self.tenant.asked.append(asked)
        try:
            if path == "token":
                self._token(asked)
            elif not parts.path.startswith(prefix):
                self._answer(404, b"<html>no such page</html>", "text/html")
            else:
                _Answering(self, asked).answer()
        except Refusal as refusal:
            self._refuse(refusal)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug of this emulator shall be seen
            self.tenant.crashes.append(f"{asked.line}: {error!r}")
            self._answer(500, b"", "")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the names of http.server

    def _token(self, asked: Asked) -> None:
        manner = self.tenant.manner
        given = (
            asked.options if manner.token == "query" else {n: v[0] for n, v in parse_qs(asked.body.decode()).items()}
        )
        expected = "Basic " + base64.b64encode("sb-second!b1|it!b2:se+cret/$1%20ä".encode()).decode()
        if self.tenant.echo_tokens:
            words = json.dumps({"error": "invalid_client", "error_description": asked.repeated})
            self._answer(401, words.encode(), "application/json")
        elif given.get("grant_type") != "client_credentials":
            self._answer(400, b'{"error":"invalid_request"}', "application/json")
        elif asked.headers.get("authorization") != expected:
            self._answer(401, b'{"error":"unauthorized","error_description":"Bad credentials"}', "application/json")
        else:
            token = secrets.token_hex(16)
            self.tenant.tokens.add(token)
            fields: dict[str, Any] = {
                "access_token": token,
                "token_type": "bearer",
                "scope": "uaa.resource it!b2.X",
                "jti": "1",
            }
            if manner.expires_in is not None:
                fields["expires_in"] = manner.expires_in
            self._answer(200, json.dumps(fields).encode(), "application/json;charset=UTF-8")

    def _refuse(self, refusal: Refusal) -> None:
        shapes = self.tenant.shapes
        if refusal.certificate is not None:
            self._answer(409, *shapes.untrusted(shapes.facts(refusal.certificate), self.tenant.root))
        elif refusal.status == 403 and not refusal.text:
            self._answer(403, b"", "")
        else:
            self._answer(refusal.status, *shapes.refused(HTTPStatus(refusal.status).phrase, refusal.text))

    def _answer(self, status: int, body: bytes = b"", content_type: str = "", **headers: str) -> None:
        manner = self.tenant.manner
        if self.tenant.spoil is not None and b"access_token" not in body:
            body = self.tenant.spoil(body, content_type)
        if manner.gzip and body and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers = gzip.compress(body), headers | {"Content-Encoding": "gzip"}
        time.sleep(manner.slow)
        self.send_response(status)
        if content_type:
            headers = {"Content-Type": content_type} | headers
        for name, value in headers.items():
            shown = name.replace("_", "-")
            self.send_header(
                {"title": shown, "lower": shown.lower(), "upper": shown.upper()}[manner.header_case], value
            )
        if status == 429 and manner.retry_after:
            self.send_header("Retry-After", "1")
        chunked = manner.chunked and body and self.protocol_version == "HTTP/1.1"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 204 and self.protocol_version == "HTTP/1.1":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD" or status == 204:
            return
        if chunked:
            body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (body[:100], body[100:]) if part)
            body += b"0\r\n\r\n"
        self.wfile.write(body)


class _Answering:
    """One request below the service root."""

    def __init__(self, handler: _Handler, asked: Asked) -> None:
        self.handler, self.asked, self.tenant = handler, asked, handler.tenant
        self.manner, self.shapes, self.keystore = self.tenant.manner, self.tenant.shapes, self.tenant.keystore

    def answer(self) -> None:
        self._paced()
        if not self._signed_in():
            raise Refusal(401, "Unauthorized")
        if self.asked.method in {"GET", "HEAD"}:
            if self.tenant.echo_reads:
                raise Refusal(self.tenant.echo_reads, self.asked.repeated)
            self._read()
        else:
            self._write()

    def _signed_in(self) -> bool:
        kind, _, token = self.asked.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            return token == base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return kind == "Bearer" and token in self.tenant.tokens

    def _paced(self) -> None:
        with self.keystore.lock:
            times, now = self.tenant.times, time.monotonic()
            while times and now - times[0] >= 1:
                times.popleft()
            if self.manner.per_second and len(times) >= self.manner.per_second:
                self.tenant.refused_for_pace += 1
                raise Refusal(429, "Too Many Requests")
            times.append(now)

    # -------------------------------------------------------------------------------------------- reading

    def _read(self) -> None:
        path, name = self.asked.path, self.asked.options.get("keystoreName", "system")
        csrf = self._csrf_headers()
        if path == "":
            status = 200 if self.manner.csrf_at_root or not self.manner.csrf else 404
            return self.handler._answer(status, b"{}", "application/json", **(csrf if status == 200 else {}))
        if path == "KeystoreEntries":
            return self._list(csrf)
        if path == "HistoryKeystoreEntries":
            items = [self.shapes.entry(one) for one in self.keystore.history.values()]
            return self.handler._answer(200, *self.shapes.listed(items, self.tenant.root))
        if path.startswith("Keystores("):
            if not self.manner.keystores:
                raise Refusal(404, "Not Found")
            last = max((one.modified for one in self.keystore.items.values()), default=None)
            state = {"Name": "system", "LastModifiedBy": "Tester", "Size": len(self.keystore.items),
                     "LastModifiedTime": self.shapes.date(last) if last else None}  # fmt: skip
            return self.handler._answer(200, *self.shapes.entity(state, self.tenant.root), **csrf)
        if path == "KeystoreResources('system')" and self.manner.public:
            return self.handler._answer(200, *self.shapes.entity(self._public_content(), self.tenant.root))
        match = ENTRY.fullmatch(path)
        if match is None:
            raise Refusal(404, "Not Found")
        return self._part(match, name, csrf)

    def _csrf_headers(self) -> dict[str, str]:
        if not self.manner.csrf or self.asked.headers.get("x-csrf-token", "").lower() != "fetch":
            return {}
        session, token = secrets.token_hex(8), secrets.token_hex(8)
        self.tenant.sessions[session] = token
        return {"X_CSRF_Token": token, "Set_Cookie": f"JSESSIONID={session}; Path=/; Secure; HttpOnly"}

    def _store(self, name: str) -> dict[str, Any]:
        stores = {"system": self.keystore.seen(), "KeyRenewal": self.keystore.renewal, "KeyHistory": self.keystore.history,
                  "backup_admin_system": {}}  # fmt: skip
        if name not in stores:
            raise Refusal(400, f"Keystore name '{name}' is invalid.")
        return stores[name]

    def _list(self, csrf: dict[str, str]) -> None:
        options = self.asked.options
        if not self.manner.select and "$select" in options:
            raise Refusal(400, "Invalid system query option")
        name = options.get("keystoreName", "system")
        store = self.keystore.listed() if name == "system" else self._store(name)
        items = [self.shapes.entry(one) for one in self._ordered(store)]
        if "$select" in options:
            wanted = set(options["$select"].split(","))
            items = [{name: value for name, value in item.items() if name in wanted} for item in items]
        start = int(options.get("$skiptoken", "0"))
        page = items[start : start + self.manner.page]
        more = start + self.manner.page < len(items)
        if start and self.tenant.between_pages:
            self.tenant.between_pages.pop()()
        following = self._next(options, start + self.manner.page) if more else None
        self.handler._answer(200, *self.shapes.listed(page, self.tenant.root, following), **csrf)

    def _ordered(self, store: dict[str, Any]) -> list[Any]:
        items = sorted(store.values(), key=lambda one: one.alias)
        match self.manner.order:
            case "reversed":
                return items[::-1]
            case "shuffled":
                return random.sample(items, len(items))
        return list(store.values())

    def _next(self, options: dict[str, str], start: int) -> str:
        """The link to the next page; `foreign` names a host that only the service itself knows."""
        name = options.get("keystoreName", "system")
        select = f"&$select={options['$select']}" if "$select" in options else ""
        match self.manner.next_link:
            case "relative":
                return f"KeystoreEntries?$skiptoken={start}"
            case "path":
                return f"{self.tenant.path}/api/v1/KeystoreEntries?keystoreName={name}&$skiptoken={start}{select}"
            case "encoded":
                return (
                    f"{self.tenant.root}/KeystoreEntries?%24skiptoken={start}&keystoreName={name}{quote(select, '&=')}"
                )
        return f"https://internal.invalid:44300/api/v1/KeystoreEntries?keystoreName={name}&$skiptoken={start}"

    def _part(self, match: re.Match[str], name: str, csrf: dict[str, str]) -> None:
        store, alias = self._store(name), self._alias(match[1])
        if alias not in store:
            raise Refusal(404, "Not Found")
        one, answer = store[alias], self.handler._answer
        match match[2]:
            case None:
                return answer(200, *self.shapes.entity(self.shapes.entry(one, alone=True), self.tenant.root), **csrf)
            case "Certificate":
                top = one.chain[-1] if self.asked.options.get("rootCA") == "true" else one.leaf
                return answer(200, self.shapes.certificate(top), "application/pkix-cert")
            case "ChainResource" if one.key is not None:
                return answer(200, self.shapes.chain(one.chain), "application/pkcs7-mime")
            case "ChainCertificates" if one.key is not None:
                items = [self.shapes.facts(top) | {"Hexalias": match[1], "Index": index, "Alias": alias}
                         for index, top in enumerate(reversed(one.chain))]  # fmt: skip
                return answer(200, *self.shapes.listed(items, self.tenant.root))
            case "SigningRequest" if one.key is not None and one.owner != "SAP":
                csr = (
                    x509.CertificateSigningRequestBuilder()
                    .subject_name(one.leaf.subject)
                    .sign(one.key, hashes.SHA256())
                )
                return answer(200, self.shapes.request(csr), "application/pkcs10")
            case "Sshkey":
                try:
                    line = one.leaf.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
                except ValueError:
                    raise Refusal(400, "not supported") from None
                if line.startswith(b"ecdsa"):
                    raise Refusal(400, "EC keys cannot be exported")
                return answer(200, line + f" public key for alias {alias}".encode(), "text/plain")
        raise Refusal(400, "does not represent a Key Pair")

    def _public_content(self) -> dict[str, Any]:
        """A JCEKS file by hand: the layout is that of JKS, and no library writes it."""
        entries = [
            (one.alias + (f"_{number}" if number else ""), certificate.public_bytes(Encoding.DER))
            for one in self.keystore.seen().values()
            for number, certificate in enumerate(one.chain)
        ]
        content = struct.pack(">III", 0xCECECECE, 2, len(entries))
        for alias, der in entries:
            content += struct.pack(">I", 2) + _java_text(alias) + struct.pack(">Q", int(time.time() * 1000))
            content += _java_text("X.509") + struct.pack(">I", len(der)) + der
        content += hashlib.sha1(b"Mighty Aphrodite" + content, usedforsecurity=False).digest()
        return {"Name": "system", "Resource": base64.b64encode(content).decode(), "Password": None, "Aliases": None}

    @staticmethod
    def _alias(text: str) -> str:
        if len(text) % 2:
            raise Refusal(500, f"hexBinary needs to be even-length: {text}")
        try:
            return bytes.fromhex(text).decode()
        except ValueError:
            raise Refusal(400, "not hexadecimal") from None

    # -------------------------------------------------------------------------------------------- writing

    def _write(self) -> None:
        self._witness()
        if self.manner.csrf and not self._has_csrf_token():
            return None
        with self.keystore.lock:
            if self.tenant.before_write is not None:
                self.tenant.before_write()
            if self.tenant.locked:
                self.tenant.locked -= 1
                raise Refusal(self.manner.lock, "locked")
            fault, status = self.tenant.faults.pop(self.tenant.written, ("", 0))
            self.tenant.written += 1
            if fault == "before":
                raise Refusal(status, "broken")
            if fault == "echo":
                raise Refusal(status, self.asked.repeated)
            if fault == "cut":
                return self._cut()
            confirmed = self._done()
            if fault == "after":
                raise Refusal(status, "broken")
            if fault == "cut after":
                return self._cut()
        return self._confirm(confirmed)

    def _cut(self) -> None:
        """The connection ends without an answer."""
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)

    def _witness(self) -> None:
        """What the client must never do."""
        options, path = self.asked.options, self.asked.path
        if "activate" in options or "retrieveBackup" in options or options.get("importOption") == "replace":
            self.tenant.violations.append(self.asked.line)
        for text in re.findall(r"'([0-9A-Fa-f]+)'", path):
            alias = self._alias(text)
            there = self.keystore.items.get(alias)
            if reserved(alias) or (there is not None and there.owner == "SAP"):
                self.tenant.violations.append(f"{self.asked.line} ({alias})")
        if len(_listed_aliases(self.asked.body)) > 1:
            self.tenant.violations.append(f"{self.asked.line} deletes several")

    def _has_csrf_token(self) -> bool:
        session = re.search(r"JSESSIONID=([0-9a-f]+)", self.asked.headers.get("cookie", ""))
        token = self.tenant.sessions.get(session[1]) if session else None
        if token is None or token != self.asked.headers.get("x-csrf-token"):
            self.handler._answer(403, b"CSRF token validation failed", "text/plain", X_CSRF_Token="Required")
            return False
        if self.manner.csrf_once and session:
            del self.tenant.sessions[session[1]]
        return True

    def _done(self) -> int:
        asked, options, keystore = self.asked, self.asked.options, self.keystore
        flags = {"verified": options.get("fingerprintVerified") == "true"}
        update = options.get("update") == "true"
        if match := RESOURCE.fullmatch(asked.path):
            alias = self._alias(match[2])
            if asked.method != "PUT":
                raise Refusal(405, "Method Not Allowed")
            if match[1] == "CertificateResources":
                keystore.put_certificate(alias, self._certificate(), update=update, **flags)
            else:
                keystore.put_chain(alias, self._chain(), **flags)
        elif match := ENTRY.fullmatch(asked.path):
            self._entry(self._alias(match[1]))
        elif (asked.method, asked.path) == ("POST", "KeyPairResources"):
            self._key_pair(update=update, **flags)
        elif (asked.method, asked.path) == ("POST", "KeyPairGenerationRequests"):
            keystore.generate(json.loads(asked.body), moment)
            return self.manner.created
        elif (asked.method, asked.path) == ("PUT", "KeystoreResources('system')") and options.get(
            "deleteEntries"
        ) == "true":
            keystore.delete_all(_listed_aliases(asked.body))
        else:
            raise Refusal(404, "Not Found")
        return self.manner.status

    def _entry(self, alias: str) -> None:
        if self.asked.method == "DELETE":
            if self.manner.single_delete:
                raise Refusal(self.manner.single_delete, "")
            return self.keystore.delete(alias)
        if json.loads(self.asked.body or b"null") != {"Status": None} or not self.asked.options.get("renameAlias"):
            raise Refusal(400, "bad body")
        return self.keystore.rename(alias, self.asked.options["renameAlias"])

    def _certificate(self) -> x509.Certificate:
        body = self.asked.body
        if len(body) > 10240:
            raise Refusal(413, "too large")
        form = "pem" if b"-----BEGIN" in body else "der" if body[:1] == b"0" else "base64"
        if form not in self.manner.takes:
            raise Refusal(415, "not X.509")
        try:
            if form == "pem":
                [one] = x509.load_pem_x509_certificates(body)
                return one
            return x509.load_der_x509_certificate(body if form == "der" else base64.b64decode(body, validate=True))
        except (ValueError, binascii.Error):
            raise Refusal(415, "not X.509") from None

    def _chain(self) -> list[x509.Certificate]:
        body = self.asked.body
        if len(body) > 30072:
            raise Refusal(413, "too large")
        form = "pem" if b"BEGIN CERTIFICATE" in body else "pkcs7"
        if form not in self.manner.takes_chain:
            raise Refusal(415, "unsupported")
        return x509.load_pem_x509_certificates(body) if form == "pem" else pkcs7.load_der_pkcs7_certificates(body)

    def _key_pair(self, *, update: bool, verified: bool) -> None:
        order = json.loads(self.asked.body)
        self._alias(order["Hexalias"])
        content = base64.b64decode(order["Resource"], validate=True)
        if len(content) > 30072:
            raise Refusal(413, "too large")
        try:
            key, leaf, others = pkcs12.load_key_and_certificates(content, order["Password"].encode())
        except ValueError:
            raise Refusal(400, "wrong password") from None
        chain = tuple(one for one in (leaf, *others) if one is not None)
        self.keystore.put_pair(order["Alias"], key, chain, update=update, verified=verified)

    def _confirm(self, status: int) -> None:
        default = "true" if self.asked.path.startswith("KeystoreResources") else "false"
        if self.asked.options.get("returnKeystoreEntries", default) == "true":
            items = [self.shapes.entry(one, "unchanged") for one in self.keystore.seen().values()]
            return self.handler._answer(200, *self.shapes.listed(items, self.tenant.root))
        if not self.manner.echo or status == 204:
            return self.handler._answer(status)
        if "renameAlias" in self.asked.options:
            return self.handler._answer(
                status, f"[{self.shapes.hexalias(self.asked.options['renameAlias'])}]".encode(), "text/plain"
            )
        return self.handler._answer(status, *self.shapes.entity({"Alias": "x", "Hexalias": "78"}, self.tenant.root))


def _java_text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _listed_aliases(body: bytes) -> list[str]:
    try:
        text = json.loads(body).get("Aliases") or ""
    except (ValueError, AttributeError):
        return []
    parts = re.findall(r"((?:[^;\\]|\\.)+)(?:;|$)", text, re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", part) for part in parts]
