"""The neutral record between sources and sinks.

Frozen structs, no I/O. A source fills a `Snapshot`; the poller wraps it into an `edge_agent.observation`.

Numbers carry their unit in their name; a ratio is 0 to 1; times are UTC. ``None`` always means "the machine does not
say", never zero.

State table (what each state means to an MES; the file's ``states`` key overrides single cells):

    state        from OctoPrint                              MesStatus   stack light
    unreachable  no answer (a quality, not a state)          Offline     off
    off          printer switched off or not connected       Offline     off
    connecting   OctoPrint is opening the serial port        Offline     off
    fault        "Error", "Offline after error"              Stopped     red
    ready        operational                                 Idle        green
    done         operational, the last print is at 100 %     Idle        green
    starting ... printing, pausing, resuming, finishing,
                 cancelling                                  Running     green blinking
    paused       paused                                      Running     yellow
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field


class MachineState(enum.StrEnum):
    """What a machine is doing. That we cannot reach it is not a state: see `Quality`."""

    OFF = "off"
    CONNECTING = "connecting"
    FAULT = "fault"
    READY = "ready"
    DONE = "done"
    STARTING = "starting"
    PRINTING = "printing"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"
    FINISHING = "finishing"
    CANCELLING = "cancelling"

    @property
    def connected(self) -> bool:
        """The printer itself answers its controller, so its sensors mean something."""
        return self not in {MachineState.OFF, MachineState.CONNECTING, MachineState.FAULT}


class Quality(enum.StrEnum):
    """May a value be trusted now, and if not, why."""

    WAITING = "waiting"
    """Nothing has been heard since the agent started."""
    GOOD = "good"
    UNCERTAIN = "uncertain"
    """The last usable value, no longer fresh."""
    NO_COMMUNICATION = "no communication"
    ACCESS_DENIED = "access denied"
    NOT_CONNECTED = "not connected"
    """The API is fine; the printer behind it is off or disconnected."""
    NO_DATA = "no data"
    """The machine does not report this value."""

    @property
    def usable(self) -> bool:
        """A value may be shown beside this quality."""
        return self in {Quality.GOOD, Quality.UNCERTAIN}


class MesStatus(enum.StrEnum):
    """The four states an Agile MES knows."""

    IDLE = "Idle"
    RUNNING = "Running"
    OFFLINE = "Offline"
    STOPPED = "Stopped"


class StackLight(enum.StrEnum):
    """What the machine's light would show."""

    OFF = "off"
    GREEN = "green"
    GREEN_BLINKING = "green blinking"
    YELLOW = "yellow"
    RED = "red"


class StateRow(Struct, frozen=True):
    """What one state means to an MES."""

    mes_status: MesStatus
    stack_light: StackLight


class StateTable(Struct, frozen=True, kw_only=True):
    """The state table in force: one row per `MachineState`, and one for a machine that cannot be reached."""

    rows: Mapping[MachineState, StateRow]
    unreachable: StateRow


_OFFLINE = StateRow(MesStatus.OFFLINE, StackLight.OFF)
_IDLE = StateRow(MesStatus.IDLE, StackLight.GREEN)
_RUNNING = StateRow(MesStatus.RUNNING, StackLight.GREEN_BLINKING)

DEFAULT_STATE_TABLE = StateTable(
    rows={
        MachineState.OFF: _OFFLINE,
        MachineState.CONNECTING: _OFFLINE,
        MachineState.FAULT: StateRow(MesStatus.STOPPED, StackLight.RED),
        MachineState.READY: _IDLE,
        MachineState.DONE: _IDLE,
        MachineState.STARTING: _RUNNING,
        MachineState.PRINTING: _RUNNING,
        MachineState.PAUSING: _RUNNING,
        MachineState.PAUSED: StateRow(MesStatus.RUNNING, StackLight.YELLOW),
        MachineState.RESUMING: _RUNNING,
        MachineState.FINISHING: _RUNNING,
        MachineState.CANCELLING: _RUNNING,
    },
    unreachable=_OFFLINE,
)


class Identification(Struct, frozen=True, kw_only=True):
    """What a person wrote on the machine's type plate; ``None`` where the file does not say."""

    manufacturer: str | None = None
    model: str | None = None
    serial_number: str | None = None
    product_code: str | None = None
    year_of_construction: int | None = None
    location: str | None = None


class Machine(Struct, frozen=True, kw_only=True):
    """Who a machine is. ``id`` is stable for ever: it is in NodeIds and labels.

    ``address`` is ``host:port``, the name of last resort. ``url`` has no credentials in it.
    """

    id: str
    name: str | None
    address: str
    url: str
    kind: str
    mes_ids: tuple[int, ...]
    identification: Identification = field(default_factory=Identification)


class Temperature(Struct, frozen=True):
    """One heater or sensor. A target of 0 means switched off; ``None`` a sensor without a target."""

    actual_celsius: float | None
    target_celsius: float | None = None


class Job(Struct, frozen=True, kw_only=True):
    """The selected or running print, as the machine tells it."""

    file_name: str | None = None
    file_path: str | None = None
    file_size_bytes: int | None = None
    user: str | None = None
    progress_ratio: float | None = None
    elapsed_s: float | None = None
    remaining_s: float | None = None
    remaining_origin: str | None = None
    estimated_s: float | None = None
    filament_length_mm: float | None = None
    filament_volume_cm3: float | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """One machine at one instant, in our words.

    ``state_text`` is the machine's own wording. ``error`` is the text of a fault, empty when there is none.
    ``temperatures`` is keyed by the machine's heater names (``tool0``, ``bed``, ``chamber``, ...) and stamped with
    ``temperatures_at``, the printer's own time, where it gives one. ``response_time_s`` is one request's, not the
    whole cycle's. ``advice`` is something its owner should change although it works.
    """

    state: MachineState
    state_text: str
    observed_at: datetime
    response_time_s: float
    error: str = ""
    job: Job = field(default_factory=Job)
    temperatures: Mapping[str, Temperature] = field(default_factory=dict)
    temperatures_at: datetime | None = None
    profile_name: str | None = None
    software_version: str | None = None
    advice: str = ""
