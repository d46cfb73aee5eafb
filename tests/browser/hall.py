"""A hall of machines in every state, on the status page, without anything behind it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from math import exp, sin
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from edge_agent.computer import Computer, Disk
from edge_agent.jobs import JobRun
from edge_agent.journal import Journal
from edge_agent.model import Identification, Job, MachineState, Quality, Snapshot, Temperature
from edge_agent.observation import Observation
from edge_agent.secret import Secret
from edge_agent.sinks.http.about import ConfigProblem, MesUser, OpcUaSession, PastStart
from edge_agent.sinks.http.curves import SLOTS, STEP_S
from edge_agent.sinks.http.setting_up import Found, MachineForm, PairingState, Written
from tests.observations import AT, PRINTING, observation
from tests.unit.http.bench import NOW, Bench, machine
from tests.unit.http.person import PASSWORD
from tests.unit.http.set_up_double import GRANTED, SetUpDouble

_FILES = ("motor_bracket_v3.gcode", "cable_clip_x12.gcode", "gear_m1_z24.gcode", "Gehäuse_für_Kunde_№1.gcode")
_FAULT = "Thermal runaway of heater tool0"
_LOST = "http://printer-5.local: connection refused; is OctoPrint running, and is the port right?"
_DENIED = "http://printer-6.local: 403, the API key is wrong or was deleted; make a new one in OctoPrint"


def hall(machines: int = 12) -> list[Observation]:
    """So many machines, the same each time."""
    return [_one(number) for number in range(machines)]


def busy_hall(machines: int) -> list[Observation]:
    """All of them print: the most there is to tell."""
    return [printing(number, ratio=number / machines) for number in range(machines)]


def fill(bench: Bench, machines: int = 12) -> None:
    """Publish them."""
    for each in hall(machines):
        bench.store.publish(each)


def printing(number: int, *, ratio: float) -> Observation:
    """One that prints."""
    file = _FILES[number % len(_FILES)]
    job = Job(
        file_name=file,
        file_path=f"orders/{file}",
        file_size_bytes=2_050_000,
        progress_ratio=ratio,
        elapsed_s=9000 * ratio,
        remaining_s=9000 * (1 - ratio),
        user="anna",
    )
    run = JobRun(
        id=f"run-{number}",
        machine_id=f"machine-{number}",
        started_at=AT - timedelta(seconds=9000 * ratio),
        updated_at=AT,
        file_name=file,
    )
    return _known(number, replace(PRINTING, job=job, temperatures=_hot()), run=run)


def _known(number: int, snapshot: Snapshot, **more: Any) -> Observation:
    identity = Identification(manufacturer="Prusa Research", model="MK4S", location=f"Hall {1 + number % 3}")
    return observation(snapshot, machine=machine(number, identification=identity), **more)


def _in(number: int, state: MachineState, text: str, **more: Any) -> Observation:
    return _known(number, replace(PRINTING, state=state, state_text=text, job=Job(), **more))


def _unknown(number: int, quality: Quality, reason: str = "") -> Observation:
    return observation(None, quality, machine=machine(number), error=reason, reachable=False)


def _one(number: int) -> Observation:
    match number % 8:
        case 1:
            return _in(number, MachineState.READY, "Operational", temperatures=_cold())
        case 2:
            return _in(number, MachineState.OFF, "Offline", temperatures={})
        case 3:
            return _in(number, MachineState.FAULT, "Offline after error", error=_FAULT, temperatures={})
        case 4:
            paused = printing(number, ratio=0.72)
            assert paused.snapshot is not None
            return _known(
                number, replace(paused.snapshot, state=MachineState.PAUSED, state_text="Paused"), run=paused.run
            )
        case 5:
            return _unknown(number, Quality.NO_COMMUNICATION, _LOST)
        case 6:
            return _unknown(number, Quality.ACCESS_DENIED, _DENIED)
        case 7:
            return _unknown(number, Quality.WAITING)
        case _:
            return printing(number, ratio=0.41 + number / 200)


def _hot() -> dict[str, Temperature]:
    return {"tool0": Temperature(214.8, 215.0), "bed": Temperature(59.6, 60.0), "chamber": Temperature(38.5, None)}


def _cold() -> dict[str, Temperature]:
    return {"tool0": Temperature(24.1, 0.0), "bed": Temperature(23.4, 0.0)}


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
            warmed = [_warmed(each, slot, phase=number) for number, each in enumerate(observations)]
            self.sink.curves.note(warmed, monotonic_s=began_s + slot * STEP_S, at=NOW)

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


def _warmed(now: Observation, slot: int, *, phase: int) -> Observation:
    """As it was: cold at first, then after some minutes at its set points."""
    if now.snapshot is None:
        return now
    share = 1 - exp(-max(slot - 10 - phase % 40, 0) / 8)
    then = {
        name: Temperature(
            22 + (each.actual_celsius - 22) * share + 0.4 * sin(slot * 1.7 + phase)
            if each.actual_celsius is not None
            else None,
            each.target_celsius if share else each.target_celsius and 0.0,
        )
        for name, each in now.snapshot.temperatures.items()
    }
    return replace(now, snapshot=replace(now.snapshot, temperatures=then))


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
