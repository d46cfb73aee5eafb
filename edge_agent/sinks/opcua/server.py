"""The sink: listeners, and the loop from the store to the nodes."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never, cast

from asyncua import Server, ua

from ... import __version__
from ...errors import UnavailableError
from ...health import Health, prove
from ...items import DataItem
from ...journal import Journal
from ...store import Store
from .access import Access
from .objects.job_methods import JobMethods
from .objects.machine import node_path
from .objects.machine_type import MachineType
from .objects.metadata import describe_namespaces
from .objects.mirror import Mirror
from .options import OpcUaOptions
from .security import policies
from .sessions import shutdown
from .sessions.door import Door
from .sessions.inner import InnerServer
from .space import structures
from .space.address_space import AddressSpace
from .space.namespaces import application_uri, machines_uri, namespaces
from .space.nodeset import Nodeset
from .status import server_object
from .status.audit import Audit
from .status.clients import Client, clients
from .status.counts import Counts
from .status.service_level import ServiceLevel
from .transport.counted_buffer import bound_decoding
from .transport.listener import Listener
from .transport.loopback import Loopback
from .transport.reception import Reception

log = logging.getLogger(__name__)

PRODUCT_URI = "urn:edge-agent"
_NEXT_PORTS = 50
_HEARTBEAT_S = 5.0
_DEADLINE_S = 60.0
_ASKED_EVERY_S = 10.0
_STATE = 2259


class OpcUaSink:
    """Serves the store on one OPC UA endpoint.

    Attributes:
        ready: it is open.
        settled: it is open, or will be as soon as the clock is set.
    """

    def __init__(
        self,
        options: OpcUaOptions,
        *,
        device_uuid: str,
        state_dir: Path,
        health: Health,
        journal: Journal | None = None,
    ) -> None:
        self._options = options
        self._device_uuid = device_uuid
        self._health = health
        self._journal = journal
        self._hostname = options.hostname or socket.gethostname()
        self._access = Access(
            lambda: self._options,
            state_dir=state_dir,
            application_uri=application_uri(device_uuid),
            hostname=self._hostname,
        )
        self.ready = asyncio.Event()
        self.settled = asyncio.Event()
        self.port = options.port
        self._ask_port: Callable[[], Awaitable[str]] | None = None
        self._inner: InnerServer | None = None

    @property
    def url(self) -> str:
        """The endpoint's URL; its port is final once `ready` is set."""
        return f"opc.tcp://{self._hostname}:{self.port}"

    @property
    def urls(self) -> tuple[str, ...]:
        """One for every port."""
        return tuple(f"opc.tcp://{self.hostname}:{port}" for port in (self.port, *self._options.extra_ports))

    @property
    def hostname(self) -> str:
        """The one in the endpoint's URLs."""
        return self._hostname

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the endpoint's certificate, in hex; ``None`` while there is none."""
        return self._access.fingerprint

    @property
    def open_to_all(self) -> bool:
        """Everybody gets in, without password and encryption."""
        return self._options.anonymous

    @property
    def clients(self) -> tuple[Client, ...]:
        """Who is logged in, the oldest first."""
        return clients(self._inner) if self._inner is not None else ()

    @property
    def users(self) -> dict[str, frozenset[int] | None]:
        """Who may log in by name, and the MES instances whose machines they see; ``None`` sees all."""
        return self._access.users.sight()

    def node_id(self, machine_id: str, item: DataItem | None) -> str:
        """The node that has an item's value, without an item the machine's own; the namespace is named by its URI."""
        path = f"{machine_id}/{node_path(item)}" if item is not None else machine_id
        return f"nsu={machines_uri(self._device_uuid)};s={path}"

    async def prove(self) -> Never:
        """Ask our own ports, once they are open, whether they answer; `Health` hears of it."""
        await self.ready.wait()
        assert self._ask_port is not None  # noqa: S101 - made before ready is set
        heartbeat = self._health.register("OPC UA port", deadline_s=_DEADLINE_S)
        try:
            await prove(heartbeat, self._ask_port, every_s=_ASKED_EVERY_S)
        finally:
            self._health.forget("OPC UA port")

    async def apply(self, options: OpcUaOptions) -> None:
        """Take over from a reloaded file who gets in; what would let more in than users needs a restart."""
        self._options = self._options.reloaded(options)
        await self._access.users_changed()

    async def run(self, store: Store) -> Never:
        """Serve until cancelled.

        Raises:
            UnavailableError: a port is taken.
        """
        began_s = asyncio.get_running_loop().time()
        self.port = self._free_port()
        space, machine_type = await asyncio.to_thread(_load_models)
        inner = InnerServer(space, policies.Nobody(), limits=self._options.limits, names=self._access.users.names)
        self._inner = inner
        mirror = Mirror(space, machine_type, inner.events)
        inner.served.mes_ids_of = mirror.mes_ids_of
        if self._journal is not None:
            JobMethods(self._journal).serve(inner.methods)
            inner.remember(self._journal, machines_at=mirror.machines_at, name_of=mirror.name_of)
        server = await self._prepare(inner, space)
        self._watch_door(inner, space)
        level = ServiceLevel(space, recorded=self._recorded)
        started_in_s = 0.0
        heartbeat = self._health.register("OPC UA endpoint", deadline_s=_DEADLINE_S)
        listener = self._listener(server, inner.served.door)
        try:
            with store.watch() as watch:
                await mirror.follow(store, watch)
                await level.follow(store)
                await self._listen(server, listener)
                heartbeat.beat()  # what there was is taken over; with no machines nothing else comes to wait for
                started_in_s = asyncio.get_running_loop().time() - began_s
                log.info("OPC UA endpoint: %s", self.url)
                loopback = listener.loopback(url=self.url, application_uri=application_uri(self._device_uuid))
                self._ask_port = lambda: _ask(loopback, server)
                self.ready.set()
                self.settled.set()
                while True:
                    try:
                        async with asyncio.timeout(_HEARTBEAT_S):
                            await watch.wait()
                    except TimeoutError:
                        pass
                    else:
                        await mirror.follow(store, watch)
                    await level.follow(store)
                    await self._access.look_after(server)
                    heartbeat.beat()
        finally:
            self._health.forget("OPC UA endpoint")
            await shutdown.announce(inner, started_in_s=started_in_s)
            await listener.close()
            self._access.users.close()
            await server.stop()

    def _recorded(self) -> bool:
        """Is what happens safe on the disk; without a journal nothing is promised."""
        return self._journal is None or self._journal.status.durable

    def _watch_door(self, inner: InnerServer, space: AddressSpace) -> None:
        counts, audit = Counts(inner), Audit(inner.events, server_id=application_uri(self._device_uuid))
        counts.show(space)
        inner.served.door.listen(counts.note)
        inner.served.door.listen(audit.note)

    async def _prepare(self, inner: InnerServer, space: AddressSpace) -> Server:
        server = Server(iserver=inner)
        server.set_endpoint(self.url)
        server.socket_address = (self._options.bind, self.port)
        server.set_server_name("edge-agent")
        server.manufacturer_name = "edge-agent"
        server.product_uri = PRODUCT_URI
        server.application_type = ua.ApplicationType.Server
        policies.restrict(server, self._options)
        uris = namespaces(space.nodeset, self._device_uuid)
        server_object.describe(space, inner, uris)
        describe_namespaces(space, uris)
        await server.init()
        uri = application_uri(self._device_uuid)
        await server.set_application_uri(uri)
        await server.set_build_info(PRODUCT_URI, "edge-agent", "edge-agent", __version__, __version__, _installed_at())
        await self._access.prepare(server, self.settled.set)
        return server

    def _listener(self, server: Server, door: Door) -> Listener:
        bound_decoding()
        reception = Reception(
            server.iserver,
            limits=self._options.limits,
            policies=server._policies,  # noqa: SLF001 - asyncua fills it in when it starts
            users=self._access.users,
            check_certificate=self._access.trust.check,
            door=door,
        )
        return Listener(reception)

    async def _listen(self, server: Server, listener: Listener) -> None:
        """Open every port, all on the same address space."""
        await server._setup_server_nodes()  # noqa: SLF001 - its start opens a port, with a listener of its own
        policies.ask_no_password_in_the_clear(server.iserver.endpoints)
        await server.iserver.start()
        for port in (self.port, *self._options.extra_ports):
            try:
                await listener.open(self._options.bind, port)
            except OSError as error:
                raise _port_error(self._options.bind, port, error) from error

    def _free_port(self) -> int:
        """The port to listen on.

        Raises:
            UnavailableError: it is taken, and no other may be used.
        """
        candidates = range(self._options.port, self._options.port + (_NEXT_PORTS if self._options.port_or_next else 1))
        failure: UnavailableError | None = None
        for port in candidates:
            try:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((self._options.bind, port))
                    return int(probe.getsockname()[1])
            except OSError as error:
                failure = failure or _port_error(self._options.bind, port, error)
        assert failure is not None  # noqa: S101 - there is at least one candidate
        raise failure


def _load_models() -> tuple[AddressSpace, MachineType]:
    structures.register()
    nodeset = Nodeset()
    return AddressSpace(nodeset), MachineType(nodeset)


async def _ask(loopback: Loopback, server: Server) -> str:
    """Do the ports answer, and do the nodes behind them; empty, or what is wrong."""
    if complaint := await loopback.ask():
        return complaint
    state = await server.get_node(ua.NodeId(cast("Any", _STATE))).read_value()
    return "" if state == ua.ServerState.Running else f"ServerStatus/State is {state}"


def _installed_at() -> datetime:
    """The nearest thing to a build date that an installed package has."""
    return datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)


def _port_error(bind: str, port: int, error: OSError) -> UnavailableError:
    if error.errno == errno.EADDRINUSE:
        return UnavailableError(
            f"OPC UA port {port} is in use by another program; stop it, or set opcua.port in config.json"
        )
    reason = error.strerror or str(error)
    return UnavailableError(f"OPC UA port {port} on {bind} cannot be opened: {reason}; check opcua.bind and opcua.port")
