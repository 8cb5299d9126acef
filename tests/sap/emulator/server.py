"""The HTTPS server: one port on loopback, any number of tenants behind it."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.sap.emulator.authority import Credential, authority
from tests.sap.emulator.exchange import Request, Response, ServiceError
from tests.sap.emulator.faults import Effect, Fault
from tests.sap.emulator.gate import ALL_ROLES, Account
from tests.sap.emulator.recording import Recorded, Recording
from tests.sap.emulator.rendering import Renderer
from tests.sap.emulator.routes import addressed, answer, protected
from tests.sap.emulator.tenant import Tenant

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sap.emulator.switches import Switches

API = "/api/v1"
TOKEN = "/oauth/token"
CLIENT = "sb-emulator!b1|it-rt-emulator!b1"
USER = "s0000001"


class Emulator:
    """A server with tenants; a context manager.

    The tenant `default` answers below the root of the server, every other one below `/tenants/<name>`.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests = Recording()
        self.crashes: list[BaseException] = []  # mistakes of the emulator itself: a test asserts that there are none
        self._tenants: dict[str, Tenant] = {}
        self._server = _Server(("127.0.0.1", port), _Exchange)
        self._server.emulator = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    # --------------------------------------------------------------------------------------- life and place

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The PEM file of the root that signed the server's certificate."""
        return authority().ca_file

    # -------------------------------------------------------------------------------------------- tenants

    def tenant(self, name: str = "default", switches: Switches | None = None) -> Tenant:
        """The tenant of that name, made empty when it is asked for the first time."""
        if name not in self._tenants:
            tenant = Tenant(name, switches)
            tenant.gate.clients[CLIENT] = Account(CLIENT, f"secret-of-{name}$=")
            tenant.gate.users[USER] = Account(USER, f"password-of-{name}")
            self._tenants[name] = tenant
        return self._tenants[name]

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        return tuple(self._tenants.values())

    def url(self, tenant: str = "default") -> str:
        """What `url` in a service key and in a state file is."""
        return self.origin if tenant == "default" else f"{self.origin}/tenants/{quote(tenant)}"

    def token_url(self, tenant: str = "default") -> str:
        return self.url(tenant) + TOKEN

    def service_key(self, tenant: str = "default", *, nested: bool = True) -> str:
        """A service key of the kind ClientId/Secret."""
        account = self.tenant(tenant).gate.clients[CLIENT]
        return self._key(tenant, {"clientid": CLIENT, "clientsecret": account.secret}, nested=nested)

    def certificate_key(
        self, tenant: str = "default", *, nested: bool = True, external: bool = False
    ) -> tuple[str, Credential]:
        """A service key of the kind Certificate (or External Certificate), and the certificate with its key."""
        credential = authority().client("emulator-client")
        name = "sb-certificate!b1|it-rt-emulator!b1"
        self.tenant(tenant).gate.clients[name] = Account(name, "", ALL_ROLES, credential.der)
        fields: dict[str, Any] = {"clientid": name, "certificate": credential.certificate.decode()}
        if not external:
            fields["key"] = credential.key.decode()
        fields["certificatedetails"] = {"issuerdn": "CN=Emulator test CA", "subjectdn": "CN=emulator-client"}
        return self._key(tenant, fields, nested=nested), credential

    def _key(self, tenant: str, fields: dict[str, Any], *, nested: bool) -> str:
        full = {**fields, "tokenurl": self.token_url(tenant), "url": self.url(tenant), "createdate": "2026-11-01"}
        return json.dumps({"oauth": full} if nested else full)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    emulator: Emulator

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._context = _server_context()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake happens in the connection's own thread."""
        connection, address = self.socket.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are part of the game; anything else is a mistake of the emulator."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.emulator.crashes.append(error)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority().server_file)
    context.load_verify_locations(authority().ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


class _Exchange(BaseHTTPRequestHandler):
    """One connection; every method goes the same way."""

    protocol_version = "HTTP/1.1"
    server_version = "SAP"
    sys_version = ""
    wbufsize = -1  # headers and body leave together
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Nothing goes to stderr; `Emulator.requests` has it all."""

    def do_any(self) -> None:
        parts = urlsplit(self.path)
        tenant, path = self._tenant(unquote(parts.path))
        if tenant is None:
            self._send(Response(404))
            return
        body = self._body()
        if body is None:
            self._send(Response(411))
            return
        request = Request(
            self.command,
            path.removeprefix(API).strip("/") if path.startswith(API) else path.strip("/"),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
            self.server.emulator.url(tenant.name) + API,
        )
        _Visit(self, tenant, request, path).run()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_any  # noqa: N815 - names of the base

    def _tenant(self, path: str) -> tuple[Tenant | None, str]:
        tenants = {tenant.name: tenant for tenant in self.server.emulator.tenants}
        if path.startswith("/tenants/"):
            name, _, rest = path.removeprefix("/tenants/").partition("/")
            return tenants.get(name), f"/{rest}"
        return tenants.get("default"), path

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length")
        if length is None:
            return None if self.command in {"POST", "PUT"} else b""
        return self.rfile.read(int(length))

    def _send(self, response: Response, cut: int | None = None) -> None:
        body = response.body
        self.send_response(response.status)
        if response.content_type:
            self.send_header("Content-Type", response.content_type)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and response.status != 204:
            self.wfile.write(body if cut is None else body[:cut])
        self.wfile.flush()

    def drop(self) -> None:
        """Break the connection without another word."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def peer(self) -> bytes:
        """The client's certificate as DER, or nothing."""
        assert isinstance(self.connection, ssl.SSLSocket)
        return self.connection.getpeercert(binary_form=True) or b""

    def send(self, response: Response, cut: int | None = None) -> None:
        self._send(response, cut)


class _Visit:
    """One request from its arrival to its answer, with the faults that meet it."""

    def __init__(self, exchange: _Exchange, tenant: Tenant, request: Request, path: str) -> None:
        self._exchange = exchange
        self._tenant = tenant
        self._request = request
        self._is_token = path == TOKEN
        self._is_api = path == API or path.startswith(API + "/")
        aliases = () if self._is_token else addressed(request)
        fetches = request.headers.get("x-csrf-token", "").lower() == "fetch"
        self._record = Recorded(
            tenant.name,
            "token" if self._is_token else "csrf" if fetches and request.method == "GET" else "api",
            request.method,
            path.strip("/") if self._is_token else request.path,
            request.query,
            aliases,
            at=time.monotonic(),
            headers=frozenset(request.headers),
        )

    def run(self) -> None:
        self._exchange.server.emulator.requests.add(self._record)
        if self._tenant.switches.latency:
            time.sleep(self._tenant.switches.latency)
        fault = self._tenant.faults.take(self._request.method, self._record.path)
        if fault is None:
            self._finish(self._answered())
            return
        self._record.fault = fault.effect.value
        self._meet(fault)

    def _meet(self, fault: Fault) -> None:
        match fault.effect:
            case Effect.DROP_BEFORE:
                self._exchange.drop()
            case Effect.DROP_AFTER:
                self._answered()
                self._exchange.drop()
            case Effect.TRUNCATE:
                self._truncated(self._answered())
            case Effect.TRUNCATE_SILENTLY:
                response = self._answered()
                response.body = response.body[: len(response.body) // 2]
                self._finish(response)
            case Effect.WRONG_TYPE:
                self._finish(Response(200, b"<html><body>Sign in</body></html>", "text/html;charset=utf-8"))
            case Effect.STATUS | Effect.REDIRECT:
                self._finish(Response(fault.status, fault.body, fault.content_type, dict(fault.headers)))
            case Effect.STATUS_AFTER:
                self._answered()
                self._finish(Response(fault.status, fault.body, fault.content_type, dict(fault.headers)))
            case _:
                self._finish(self._accompanied(fault))

    def _accompanied(self, fault: Fault) -> Response:
        """The answer, with something else happening around it."""
        match fault.effect:
            case Effect.EXPIRE_TOKENS:
                self._tenant.gate.expire_tokens()
            case Effect.FORGET_CSRF:
                self._tenant.gate.forget_csrf()
            case Effect.RUN if fault.run:
                fault.run()
        response = self._answered()
        if fault.effect is Effect.RUN_AFTER and fault.run:
            fault.run()
        return response

    def _truncated(self, response: Response) -> None:
        self._record.status = response.status
        self._exchange.send(response, cut=len(response.body) // 2)
        self._exchange.drop()

    def _answered(self) -> Response:
        with self._tenant.lock:
            before = {name: self._tenant.keystore(name) for name in ("system", "backup_admin_system", "KeyRenewal")}
            self._record.protected = protected(self._tenant, self._record.aliases)
            response = self._response()
            self._record.took_effect = any(self._tenant.keystore(name) is not old for name, old in before.items())
            return response

    def _response(self) -> Response:
        peer = self._exchange.peer()
        if self._is_token:
            return self._tenant.gate.token(self._request, peer)
        if not self._is_api:
            return Response(404)
        try:
            account = self._tenant.gate.account(self._request, peer)
            self._record.user = account.name
            self._tenant.gate.check_rate(account.name)
            return answer(self._tenant, replace(self._request, user=account.name), account)
        except ServiceError as error:
            return Renderer(self._request, self._tenant.switches).error(error)

    def _finish(self, response: Response) -> None:
        self._record.status = response.status
        accepts = self._request.headers.get("accept-encoding", "")
        if self._tenant.switches.gzip and "gzip" in accepts and response.body:
            response.headers["Content-Encoding"] = "gzip"
            response.body = gzip.compress(response.body)
        self._exchange.send(response)
