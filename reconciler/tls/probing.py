"""Many receivers asked side by side: one connection each, without a client certificate, within one time-out."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from reconciler.model import Probe
from reconciler.names import canonical_name
from reconciler.tls.address import parse_address
from reconciler.tls.distinguished_names import readable_name
from reconciler.tls.failures import CLIENT_CERT_REQUIRED
from reconciler.tls.observing import Destination, client_context, observe
from reconciler.tls.proxy import proxy_of_environment
from reconciler.words import one_line
from reconciler.x509 import certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.model import Receiver
    from reconciler.tls.observing import Observation

    Key = tuple[str, str | None, str | None]

# A thread mostly waits: two hundred connections cost less than one keystore.
DEFAULT_JOBS = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


def probe_receivers(
    receivers: Iterable[Receiver], *, timeout: float, environment: Mapping[str, str], jobs: int = DEFAULT_JOBS
) -> dict[Key, Probe]:
    """What every receiver shows now, by `Receiver.destination`; the same server is asked once.

    Args:
        receivers: Whom to ask.
        timeout: Seconds for each connection, from the look-up of the name to the end of the handshake.
        environment: Where the proxy stands (HTTPS_PROXY and its kin).
        jobs: How many connections at once.
    """
    wanted = {one.destination: one for one in receivers}
    found = side_by_side(lambda one: probe(destination_of(one, timeout, environment)), list(wanted.values()), jobs)
    return dict(zip(wanted, found, strict=True))


def destination_of(receiver: Receiver, timeout: float, environment: Mapping[str, str]) -> Destination:
    """Where a receiver is reached, and by which way."""
    address = parse_address(receiver.address)
    proxy = proxy_of_environment(address, environment)
    return Destination(address, receiver.server_name, proxy, receiver.starttls, timeout)


def probe(destination: Destination) -> Probe:
    """One connection without a client certificate; what the peer does is the result, never an exception."""
    seen = observe(destination, client_context())
    request = seen.request
    failure = seen.failure
    return Probe(
        chain=tuple(certificate(der) for der in seen.chain),
        code=failure.code if failure else "ok",
        message=failure.message if failure else "",
        asks=_asks(seen),
        accepts=tuple(sorted({one_line(readable_name(name)) for name in request.authorities})) if request else (),
        accepted_keys=frozenset(key for name in request.authorities if (key := canonical_name(name)))
        if request
        else frozenset(),
    )


def _asks(seen: Observation) -> bool | None:
    """Whoever turns away without a client certificate has asked for one, also where that was not seen."""
    if seen.requested is None and seen.failure is not None and seen.failure.code == CLIENT_CERT_REQUIRED:
        return True
    return seen.requested


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> list[Result]:
    """The results of `work` in the order of the items, at most `jobs` of them at a time.

    The threads are daemons and the wait can be interrupted: Ctrl-C does not wait for servers that never answer.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    for place in range(len(items)):
        waiting.put(place)
    results: dict[int, Result] = {}
    errors: list[BaseException] = []

    def take() -> None:
        try:
            while not errors:
                place = waiting.get_nowait()
                results[place] = work(items[place])
        except Empty:
            return
        except BaseException as error:  # noqa: BLE001  # handed on to whoever waits
            errors.append(error)

    threads = [threading.Thread(target=take, daemon=True) for _ in range(min(jobs, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[place] for place in range(len(items))]
