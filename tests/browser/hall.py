"""The status page with a hall of machines, and everything else there is to show, without anything behind it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
from msgspec.structs import replace

from edge_agent.computer import Computer, Disk
from edge_agent.journal import Journal
from edge_agent.observation import Observation
from edge_agent.secret import Secret
from edge_agent.sinks.http.about import ConfigProblem, MesUser, OpcUaSession, PastStart
from edge_agent.sinks.http.curves import SLOTS, STEP_S
from edge_agent.sinks.http.setting_up import Found, MachineForm, PairingState, Written
from tests.observations import AT
from tests.unit.http.bench import NOW, Bench
from tests.unit.http.person import PASSWORD
from tests.unit.http.set_up_double import GRANTED, SetUpDouble

from .machines import hall, warmed


def fill(bench: Bench, machines: int = 12) -> None:
    """Publish them."""
    for each in hall(machines):
        bench.store.publish(each)


class Hall(Bench):
    """A status page with everything there is to show: all machines, a computer, a guide half way through.

    Attributes:
        guided: what the guide knows.
    """

    def __init__(
        self, folder: Path, *, machines: list[Observation] | None = None, journal: Journal | None = None
    ) -> None:
        self.guided = guided()
        super().__init__(
            state_dir=folder,
            set_up=self.guided,
            journal=journal,
            mes_users=lambda: (MesUser(name="mes-1", mes_ids=(1,)), MesUser(name="scada")),
            sessions=lambda: (_SESSION,),
            config_problems=lambda: (_PROBLEM,),
            starts=lambda: (PastStart(at=AT, reason="stopped by SIGTERM"),),
            computer=lambda: _COMPUTER,
            disks=lambda: (_DISK,),
        )
        shown = hall() if machines is None else machines
        for each in shown:
            self.store.publish(each)
        self._remember(shown)

    def _remember(self, observations: list[Observation]) -> None:
        """An hour in which printers got warm, and swung around what they were told."""
        began_s = asyncio.get_running_loop().time() - SLOTS * STEP_S
        for slot in range(SLOTS + 1):
            then = [warmed(each, slot, phase=number) for number, each in enumerate(observations)]
            self.sink.curves.note(then, monotonic_s=began_s + slot * STEP_S, at=NOW)

    async def set_password(self) -> None:
        """As if somebody had been here before."""
        assert self.admin is not None
        await asyncio.to_thread(self.admin.set_first, Secret(PASSWORD))


def guided() -> SetUpDouble:
    """A guide with printers found, and requests in every state."""
    double = SetUpDouble()
    double.octoprints = (
        Found(name="OctoPi in the corner", url="http://octopi.local", version="1.11.8", model="Raspberry Pi 4"),
        Found(name="octopi-2", url="http://192.168.1.42:5000", configured=True),
    )
    states = (
        replace(GRANTED, id="granted"),
        replace(GRANTED, id="waiting", state=PairingState.WAITING, dialog_url="http://octopi.local/#appkeys"),
        replace(GRANTED, id="too-much", permissions=("ADMIN", "STATUS", "CONTROL"), more_than_needed=True),
        replace(GRANTED, id="denied", state=PairingState.DENIED, reason="nobody may; ask the one who may"),
    )
    double.pairings = {each.id: each for each in states}
    machines = tuple(
        MachineForm(
            id=f"machine-{number}", url=f"http://printer-{number}.local", custom_name=f"Machine {number}", mes_id="1"
        )
        for number in range(3)
    )
    double.file = Written(
        path="/etc/edge-agent/config.json",
        exists=True,
        text=json.dumps({"machines": [msgspec.to_builtins(machine) for machine in machines]}, indent=2),
        previous="/etc/edge-agent/config.json.previous",
        machines=machines,
        states={"paused": {"mes_status": "Idle"}},
        problems=("config.json:7:12: machines[1].url: expected a web address",),
    )
    return double


_SESSION = OpcUaSession(
    client="urn:mes.example:client",
    session="MES line 1",
    user="mes-1",
    address="192.168.1.20",
    encrypted=True,
    since=AT,
    subscriptions=1,
    monitored_items=142,
)
_PROBLEM = ConfigProblem(
    file="/etc/edge-agent/config.json",
    line=7,
    column=12,
    path="machines[1].url",
    text="expected a web address",
    refused=True,
)
_COMPUTER = Computer(
    model="Raspberry Pi 4 Model B Rev 1.5",
    os="Debian GNU/Linux 13 (trixie)",
    python="3.13.5",
    temperature_celsius=51.6,
    under_voltage_now=False,
    under_voltage_since_boot=True,
    throttled=False,
    clock_synchronised=True,
    memory_total_bytes=1_910_000_000,
    memory_available_bytes=1_240_000_000,
    uptime_s=345_678.0,
)
_DISK = Disk(path="/var/lib/edge-agent", total_bytes=31_000_000_000, free_bytes=24_500_000_000, read_only=False)
