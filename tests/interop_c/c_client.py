"""open62541 as a client: a process of its own (client.c), spoken to in lines, services in OPC UA's JSON."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from asyncua.ua.status_codes import get_name_and_doc
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct

from tests.certificates import issue
from tests.integration.agent import PASSWORD, AgentProcess
from tests.interop.shop import POLICIES, url

_INSTALL = Path(__file__).parents[2] / "scripts" / "install-open62541"
_ANSWER_S = 15.0
_LINE_BYTES = 64 << 20
_POLICY = "http://opcfoundation.org/UA/SecurityPolicy#"
_DEFINITION = 23  # the attribute DataTypeDefinition
NONE_MODE, SIGN_AND_ENCRYPT = 1, 3
URI = "urn:tests:open62541"


class RefusedError(Exception):
    """A service failed as a whole, or no session came about; the text is the status."""


class CValue(Struct, frozen=True):
    """A DataValue as open62541 decoded it: the number of its built-in type (0: null), and the value in JSON."""

    type: int
    value: Any
    status: str
    source_timestamp: datetime | None
    server_timestamp: datetime | None


class Told(Struct, frozen=True):
    """One notification: a value, or the fields of an event."""

    item: int
    value: CValue | None = None
    fields: tuple[Any, ...] = ()


class CClient:
    """One process with any number of sessions, each by a name; runs inside ``async with``.

    Args:
        folder: for its certificate and its log.

    Attributes:
        told: what its subscriptions have told since the last `forget`, oldest first.
        ended: subscriptions that the server has ended since then, and why.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.told: list[Told] = []
        self.ended: list[tuple[int, str]] = []
        self._news = asyncio.Event()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._sessions: set[str] = set()
        self._count = 0
        own = issue("open62541", at=datetime.now(UTC) - timedelta(days=1), uri=URI)
        (folder / "certificate.der").write_bytes(own.der)
        key = own.key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        (folder / "key.der").write_bytes(key)

    async def __aenter__(self) -> Self:
        program = await asyncio.to_thread(_installed)
        with self._log_path.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, limit=_LINE_BYTES
            )
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._listening

    @property
    def log(self) -> str:
        """What open62541 had to say."""
        return self._log_path.read_text(errors="replace")

    async def command(self, name: str, session: str, *arguments: str) -> Any:
        """Have a command of client.c done."""
        assert self._process.stdin is not None
        self._count += 1
        answer = self._answers[self._count] = asyncio.get_running_loop().create_future()
        self._process.stdin.write("\t".join((str(self._count), name, session, *arguments)).encode() + b"\n")
        try:
            return await asyncio.wait_for(answer, _ANSWER_S)
        except TimeoutError:
            raise AssertionError(f"no answer to {name} in {_ANSWER_S} s; the log:\n{self.log[-3000:]}") from None

    async def open(
        self, agent: AgentProcess, session: str = "mes", *, policy: str = POLICIES[0], **options: object
    ) -> None:
        """Open a session over an encrypted channel, trusting the agent's certificate and no other.

        Args:
            agent: whose endpoint to use.
            session: what to call it.
            policy: its short name; ``None`` is no encryption at all.
            options: other arguments of client.c, such as ``user`` and ``password``; None leaves one out.

        Raises:
            RefusedError: the server, or the client on seeing what the server offers, said no.
        """
        status = await self.command("open", session, *self._options(agent, policy, options))
        if status != "Good":
            raise RefusedError(status)
        self._sessions.add(session)

    def _options(self, agent: AgentProcess, policy: str, more: dict[str, object]) -> list[str]:
        folder = self._folder
        encrypted = {
            "mode": SIGN_AND_ENCRYPT,
            "certificate": folder / "certificate.der",
            "key": folder / "key.der",
            "uri": URI,
            "trusted": agent.state_dir / "pki" / "certificate.der",
        }
        chosen: dict[str, object] = {"url": url(agent), "policy": _POLICY + policy}
        chosen |= encrypted if policy != "None" else {"mode": NONE_MODE}
        chosen |= {"user": "reader", "password": PASSWORD} | more
        return [f"{name}={value}" for name, value in chosen.items() if value is not None]

    async def endpoints(self, agent: AgentProcess) -> list[dict[str, Any]]:
        """What is offered, as a client learns it before it has a session."""
        options = self._options(agent, POLICIES[0], {})
        response = _without_header(await self.command("discover", "finder", *options))
        return list(response["Endpoints"])

    async def close(self, session: str = "mes") -> None:
        """Close the session and its channel."""
        self._sessions.remove(session)
        assert await self.command("close", session) == "Good"

    async def close_all(self) -> None:
        """Close all sessions that are open."""
        for session in sorted(self._sessions):
            await self.close(session)

    async def ask(self, service: str, session: str = "mes", /, **request: Any) -> dict[str, Any]:
        """Call a service; the response without its header.

        Raises:
            RefusedError: the service failed as a whole.
        """
        return _without_header(await self.command("ask", session, service, json.dumps(request)))

    async def many(self, count: int, service: str, /, **request: Any) -> list[dict[str, Any]]:
        """Send a request many times before the first answer is read; all responses."""
        responses = await self.command("flood", "mes", str(count), service, json.dumps(request))
        return [_without_header(response) for response in responses]

    async def read(self, *node_ids: str, attribute: int = 13, session: str = "mes") -> list[CValue]:
        """An attribute of each node, by default the value, with both timestamps."""
        nodes = [{"NodeId": node_id, "AttributeId": attribute} for node_id in node_ids]
        response = await self.ask("Read", session, NodesToRead=nodes, TimestampsToReturn=2)
        return [to_value(told) for told in response["Results"]]

    async def learn(self, *data_types: str) -> None:
        """Have structures decoded from now on, as the server defines them; those of the fields come first."""
        for data_type in data_types:
            [told] = await self.read(data_type, attribute=_DEFINITION)
            definition = json.dumps(told.value["Body"])
            assert await self.command("learn", "mes", f"of {data_type}", data_type, definition) == "Good"

    async def subscribe(self, *, interval_ms: float = 50, **more: Any) -> int:
        """A new subscription's id."""
        request = {"RequestedPublishingInterval": interval_ms, "PublishingEnabled": True} | more
        request = {"RequestedLifetimeCount": 1000, "RequestedMaxKeepAliveCount": 10} | request
        response = _without_header(await self.command("subscribe", "mes", json.dumps(request)))
        return int(response["SubscriptionId"])

    async def watch(self, subscription: int, *items: dict[str, Any]) -> list[dict[str, Any]]:
        """Monitored items in an existing subscription; what the server answers to each."""
        request = {"SubscriptionId": subscription, "TimestampsToReturn": 2, "ItemsToCreate": list(items)}
        response = _without_header(await self.command("watch", "mes", json.dumps(request)))
        return [result | {"StatusCode": status_name(result["StatusCode"])} for result in response["Results"]]

    def forget(self) -> None:
        """Begin `told` and `ended` anew."""
        self.told.clear()
        self.ended.clear()

    async def until(self, fits: Callable[[Told], bool], within_s: float = 15.0) -> Told:
        """Wait for a notification, or take one that has come already."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for told in self.told:
                        if fits(told):
                            return told
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"in {within_s} s there was only {self.told}") from None

    async def until_value(self, node_id: str, value: object, within_s: float = 15.0) -> None:
        """Wait until a variable has a value, by asking again and again."""
        async with asyncio.timeout(within_s):
            while (await self.read(node_id))[0].value != value:  # noqa: ASYNC110 - it stands for a person who looks
                await asyncio.sleep(0.05)

    @property
    def _log_path(self) -> Path:
        return self._folder / "open62541.log"

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if not answer.done():
                    answer.set_result(told["result"])
                continue
            if "change" in told:
                self.told.append(Told(told["item"], to_value(told["change"])))
            elif "event" in told:
                self.told.append(Told(told["item"], fields=tuple(map(_body, told["event"]))))
            else:
                self.ended.append((told["subscription"], told["ended"]))
            self._news.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(AssertionError(f"the client ended:\n{self.log[-3000:]}"))


def to_value(told: dict[str, Any]) -> CValue:
    """A DataValue in JSON."""
    variant = told["Value"]
    return CValue(
        type=variant.get("Type", 0),
        value=_body(variant),
        status=status_name(told["Status"]),
        source_timestamp=_time(told.get("SourceTimestamp")),
        server_timestamp=_time(told.get("ServerTimestamp")),
    )


def status_name(code: int) -> str:
    """Of a status without its info bits."""
    return str(get_name_and_doc(code & 0xFFFF0000)[0])


def _body(variant: dict[str, Any]) -> Any:
    return variant.get("Body")


def _time(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)


def _without_header(response: dict[str, Any]) -> dict[str, Any]:
    status = status_name(response["ResponseHeader"]["ServiceResult"])
    if status != "Good":
        raise RefusedError(status)
    return {name: value for name, value in response.items() if name != "ResponseHeader"}


def _installed() -> str:
    done = subprocess.run([_INSTALL], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
