"""OctoPrints on the network: a program listens while somebody looks, and what it hears is looked at here.

What strangers announce is text of theirs: it becomes a line of plain letters, and the address of a host on the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import re
import sys
from collections.abc import Collection, Sequence

import msgspec

from ..config.url import UrlError, parse_url
from ..sinks.http.setting_up import Found
from ..sources.octoprint import plain
from .announced import Announced

log = logging.getLogger(__name__)

STOP_AFTER_S = 20.0
MOST_FOUND = 64
_LONGEST_LINE = 16 * 1024
_LISTEN = (sys.executable, "-I", "-m", "edge_agent.setup.listen")
_INSTANCE = re.compile(r'OctoPrint instance (?:on (?P<host>[^"].*)|"(?P<name>.*)")')
_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)*/?")
_LONGEST_NAME = 80


class Discovery:
    """Looks while it is asked what it has found, and for 20 s after that.

    Args:
        command: the program that listens.
        stop_after_s: seconds after the last question.
        loopback: this computer's own inner addresses count, too; for tests.

    Attributes:
        trouble: why nothing can be heard; empty if nothing is known to be wrong.
    """

    def __init__(
        self, *, command: Sequence[str] = _LISTEN, stop_after_s: float = STOP_AFTER_S, loopback: bool = False
    ) -> None:
        self._command = command
        self._stop_after_s = stop_after_s
        self._loopback = loopback
        self._heard: dict[str, Announced] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopping: asyncio.TimerHandle | None = None
        self.trouble = ""

    @property
    def looking(self) -> bool:
        """The program runs."""
        return self._task is not None and not self._task.done()

    async def found(self, configured: Collection[str]) -> tuple[Found, ...]:
        """What has been found so far, by name; starts looking, or goes on.

        Args:
            configured: urls of the machines there are.
        """
        if not self.looking:
            if self._stopping is None:  # it was ended because nobody looked; what was heard then may be gone
                self._heard.clear()
            self._task = asyncio.create_task(self._listen(), name="looking for OctoPrints")
        if self._stopping is not None:
            self._stopping.cancel()
        self._stopping = asyncio.get_running_loop().call_later(self._stop_after_s, self._stop)
        return self.now(configured)

    def now(self, configured: Collection[str] = ()) -> tuple[Found, ...]:
        """What has been found so far, without looking any further."""
        rows = [read(heard, configured, loopback=self._loopback) for heard in self._heard.values()]
        by_url = {row.url: row for row in rows if row is not None}
        return tuple(sorted(by_url.values(), key=lambda row: (row.name.casefold(), row.url)))

    def name_of(self, url: str) -> str:
        """What the OctoPrint at an address calls itself; empty if it was not heard."""
        for heard in self._heard.values():
            if url in urls(heard, loopback=self._loopback):
                return name(heard)
        return ""

    async def close(self) -> None:
        """Stop looking now."""
        self._stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _stop(self) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None
        if self._task is not None:
            self._task.cancel()

    async def _listen(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "LC_ALL"}},
                limit=_LONGEST_LINE,
            )
        except OSError as error:
            self._note(f"cannot look for printers: {error.strerror or error}")
            return
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            while line := await process.stdout.readline():
                self._take(line)
            await self._ended(process)
        except ValueError:
            self._note("the search was ended: somebody on the network announces too much")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()  # what is left in its pipes; they stay open otherwise

    def _take(self, line: bytes) -> None:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            heard = msgspec.json.decode(line, type=Announced)
            if heard.name in self._heard or len(self._heard) < MOST_FOUND:
                self._heard[heard.name] = heard
                self.trouble = ""

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101 - as above
        said = (await process.stderr.read(_LONGEST_LINE)).decode("utf-8", "replace").strip().splitlines()
        if await process.wait():
            self._note(f"the search for printers ended: {plain(said[-1]) if said else 'it does not say why'}")

    def _note(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.warning("%s; their addresses can be typed all the same", trouble)
        self.trouble = trouble


def read(heard: Announced, configured: Collection[str] = (), *, loopback: bool = False) -> Found | None:
    """What was heard as it may be shown; ``None`` if it names no address that can be used."""
    choices = urls(heard, loopback=loopback)
    if not choices:
        return None
    return Found(
        name=name(heard),
        url=choices[0],
        version=_line(heard.version),
        model=_line(heard.model),
        configured=not set(choices).isdisjoint(configured),
    )


def name(heard: Announced) -> str:
    """The name a person gave it, else its host's."""
    said = _line(heard.name)
    if found := _INSTANCE.fullmatch(said):
        return (found["name"] or found["host"] or "").strip()
    return said


def urls(heard: Announced, *, loopback: bool = False) -> list[str]:
    """The addresses of it, the best one first: a name stays when an address does not."""
    hosts = [*([heard.host] if heard.host else []), *_addresses(heard.addresses, loopback=loopback)]
    if not _PATH.fullmatch(heard.path or "/"):
        return []
    scheme = "https" if heard.port == 443 else "http"
    found = []
    for host in hosts:
        with contextlib.suppress(UrlError):
            found.append(parse_url(f"{scheme}://{host}:{heard.port}{heard.path or '/'}").text)
    return found


def _addresses(texts: Collection[str], *, loopback: bool) -> list[str]:
    """Those of a host on the network, IPv4 first. Nobody there may send us to this computer itself."""
    found = []
    for text in texts:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(text)
            if address.is_multicast or address.is_unspecified or (address.version == 6 and address.is_link_local):
                continue
            if address.is_loopback and not loopback:
                continue
            found.append(address)
    found.sort(key=lambda address: address.version)
    return [f"[{address}]" if address.version == 6 else str(address) for address in found]


def _line(text: str) -> str:
    return " ".join(plain(text[:_LONGEST_NAME]).split())
