"""The agent with five machines, and how a client comes to see them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.double import KEY, OctoPrintDouble
from tests.double.printer import Heater
from tests.integration.agent import PASSWORD, AgentProcess, free_port, machine

from .node_client import NodeClient

POLICIES = ["Aes256_Sha256_RsaPss", "Aes128_Sha256_RsaOaep", "Basic256Sha256"]
QUICK = {"interval_s": 0.3, "idle_interval_s": 0.3}


class Shop:
    """An agent with a printing, an idle, an unplugged, a locked and a missing printer."""

    def __init__(self, folder: Path) -> None:
        self.agent = AgentProcess(folder / "agent")
        self.printing, self.idle, self.unplugged, self.locked = (OctoPrintDouble() for _ in range(4))

    def prepare(self) -> None:
        """Put the printers into their states, and write config.json."""
        printer = self.printing.printer
        printer.select("Gehäuse für Ärger №1.gcode", size=5_000_000_000, path="kunde/Gehäuse.gcode")
        printer.job["filament"] = {"tool0": {"length": 1234.5, "volume": 3.25}}
        printer.heaters["tool0"] = Heater(204.8, 210.0)
        printer.heaters["bed"] = Heater(60.1, 0.0)
        printer.heaters["chamber"] = Heater(38.5, None)
        printer.print(0.25, elapsed_s=150, left_s=450)
        self.idle.printer.idle()
        self.unplugged.printer.power_off()
        key, wrong = self.agent.secret("key", KEY), self.agent.secret("wrong", "W" * 32)
        self.agent.configure(
            [
                machine(self.printing.url, key, custom_name="Printing Ä", id="printing", mes_id=[1, 7]),
                machine(self.idle.url, key, custom_name="Idle"),
                machine(self.unplugged.url, key, custom_name="Unplugged"),
                machine(self.locked.url, wrong, custom_name="Locked"),
                machine(f"http://127.0.0.1:{free_port()}", key, custom_name="Missing"),
            ],
            polling=QUICK,
        )


async def log_in(client: NodeClient, agent: AgentProcess, policy: str = POLICIES[0], **credentials: str) -> None:
    """Open a session over an encrypted channel."""
    await client.command(
        "connect",
        url=url(agent),
        policy=policy,
        mode="SignAndEncrypt",
        **(credentials or {"user": "reader", "password": PASSWORD}),
    )


async def all_asked(client: NodeClient) -> bool:
    """Every machine has answered or failed to."""
    paths = ("Agent/MachinesReachable", "locked/Source/Error", "missing/Source/Error")
    reachable, *errors = await client.read(*map(node, paths))
    return reachable.value == 3 and all(error.value for error in errors)


async def password_of(agent: AgentProcess, user: str) -> str:
    """As its operator asks for it."""
    paths = ("--config", str(agent.config_path), "--state-dir", str(agent.state_dir))
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge_agent", "credentials", "--json", *paths, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asked.communicate()
    return str(next(entry["password"] for entry in json.loads(told) if entry["user"] == user))


def url(agent: AgentProcess) -> str:
    """The agent's endpoint."""
    return f"opc.tcp://127.0.0.1:{agent.port}"


def node(path: str) -> str:
    """A node of the machines' namespace."""
    return f"ns=13;s={path}"
