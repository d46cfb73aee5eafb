"""Boxes in which the agent is installed, by the installer, from a release archive; and how it is configured there."""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from tests.integration.endpoint import CLIENT_URI, client_certificate

from .archives import Archives
from .box import Box

UNIT = "edge-agent.service"
ETC = "/etc/edge-agent"
STATE = "/var/lib/edge-agent"
PASSWORD = "reader's password"


@cache
def release_archives() -> Archives:
    """The archives that all tests of a run share, each made once."""
    folder = mkdtemp(prefix="edge-agent-archives-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Archives(Path(folder))


@contextmanager
def installed_box(suite: str) -> Iterator[Box]:
    """A box of its own, switched on, with the agent installed, neither enabled nor started."""
    with Box(suite, on=_installed(suite)) as box:
        yield box


@cache
def _installed(suite: str) -> Box:
    box = Box(suite).boot()
    try:
        box.copy_in(release_archives().build(), "/root/release.tar.gz")
        box.sh("mkdir /root/release; tar -C /root/release --strip-components 1 -xf /root/release.tar.gz")
        box.run("/root/release/install.sh", "--no-start")
        box.sh(f"rm -r /root/release*; systemctl disable {UNIT}")  # each test says when
        box.power_off()
        atexit.register(box.close)
    except BaseException:
        box.close()
        raise
    return box


def configure(
    box: Box, machines: Sequence[Mapping[str, Any]], *, port: int = 4840, polling: Mapping[str, float] | None = None
) -> None:
    """Write config.json with these machines, and a user ``reader`` who sees all of them."""
    box.write(f"{ETC}/reader.password", PASSWORD, mode="600", owner="edge-agent:edge-agent")
    opcua = {"port": port, "users": [{"name": "reader", "password_file": "reader.password"}]}
    write_config(box, json.dumps({"machines": machines, "opcua": opcua, "polling": polling or {}}, indent=2))


def write_config(box: Box, text: str) -> None:
    """Write config.json as it should be: root's, and the agent may read it."""
    box.write(f"{ETC}/config.json", text, mode="640", owner="root:edge-agent")


def machine(box: Box, name: str, url: str, key: str) -> dict[str, Any]:
    """A machine object; its key is put beside config.json."""
    box.write(f"{ETC}/{name}.key", key, mode="600", owner="edge-agent:edge-agent")
    return {
        "type": "OCTOPRINT",
        "url": url,
        "custom_name": name,
        "authentication_file_path": f"{name}.key",
        "mes_id": [1],
    }


def drop_in(box: Box, name: str, text: str) -> None:
    """Add settings to the unit, as an administrator does."""
    box.write(f"/etc/systemd/system/{UNIT}.d/{name}.conf", text)
    box.run("systemctl", "daemon-reload")


@asynccontextmanager
async def client(folder: Path, *, port: int = 4840) -> AsyncIterator[Client]:
    """An OPC UA client as an MES is one: encrypted, with a user. Its own files are in ``folder``."""
    certificate, key = client_certificate(folder)
    session = Client(f"opc.tcp://127.0.0.1:{port}", timeout=10)
    session.application_uri = CLIENT_URI
    session.set_user("reader")
    session.set_password(PASSWORD)
    await session.set_security(
        SecurityPolicyBasic256Sha256, str(certificate), str(key), mode=ua.MessageSecurityMode.SignAndEncrypt
    )
    async with session:
        yield session
