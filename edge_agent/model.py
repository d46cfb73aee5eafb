"""The neutral record between sources and sinks.

Frozen structs, no I/O. A source fills a `Snapshot`; the poller wraps it into an `edge_agent.observation`.

Numbers carry their unit in their name; a ratio is 0 to 1; times are UTC. ``None`` always means "the machine does not
say", never zero.

State table: what each state means to an MES (MesStatus, stack light), to OPC 40001-1 (item state, operation mode) and
to OPC 40501-1 (the tool's mode, the program's state). The file's ``states`` key overrides single cells.

    state        from OctoPrint                         MesStatus  light           item          mode
    off          printer switched off or not connected  Offline    off             NotAvailable  None
    connecting   OctoPrint is opening the serial port   Offline    off             NotAvailable  None
    fault        "Error", "Offline after error"         Stopped    red             OutOfService  None
    failed       fault, and it ended a print            Stopped    red             OutOfService  Processing
    ready        operational                            Idle       green           NotExecuting  Processing
    cancelled    ready, the last print was cancelled    Idle       green           NotExecuting  Processing
                 and its file is still selected
    done         operational, last print at 100 %       Idle       green           NotExecuting  Processing
    starting ... printing, pausing, resuming,           Running    green blinking  Executing     Processing
                 finishing, cancelling
    paused       paused                                 Running    yellow          NotExecuting  Processing
    unreachable  no answer (a quality, not a state)     Offline    off             the last one, with bad quality

    state                              tool mode                   program
    off, connecting, fault             Other                       Initializing
    failed                             Other                       Aborted
    ready                              Manual                      Initializing
    cancelled                          Manual                      Aborted
    done                               Manual                      Ended
    starting ... cancelling            Automatic                   Running
    paused                             AutoWithManualIntervention  Interrupted
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace


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

    @property
    def busy(self) -> bool:
        """The printer has been given work, and is not at its end."""
        return self.connected and self not in {MachineState.READY, MachineState.DONE}


class Aftermath(enum.StrEnum):
    """What a state means once it is known how the last print ended."""

    FAILED = "failed"
    """`MachineState.FAULT`, and it ended a print."""
    CANCELLED = "cancelled"
    """`MachineState.READY`, with the file still selected whose print was cancelled."""

    @property
    def of(self) -> MachineState:
        """The state it refines."""
        return MachineState.FAULT if self is Aftermath.FAILED else MachineState.READY


Situation = MachineState | Aftermath


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


class Choice(enum.IntEnum):
    """One of several numbered names of a companion specification."""

    @property
    def label(self) -> str:
        """The name as the specification writes it, like ``NotAvailable``."""
        return self.name.title().replace("_", "")


class ItemState(Choice):
    """MachineryItemState of OPC 40001-1."""

    NOT_AVAILABLE = 0
    OUT_OF_SERVICE = 1
    NOT_EXECUTING = 2
    EXECUTING = 3


class OperationMode(Choice):
    """MachineryOperationMode of OPC 40001-1."""

    NONE = 0
    MAINTENANCE = 1
    SETUP = 2
    PROCESSING = 3


class ToolMode(Choice):
    """MachineOperationMode of OPC 40501-1."""

    MANUAL = 0
    AUTOMATIC = 1
    SETUP = 2
    AUTO_WITH_MANUAL_INTERVENTION = 3
    SERVICE = 4
    OTHER = 5


class ProgramState(Choice):
    """State of the active program of OPC 40501-1."""

    INITIALIZING = 0
    RUNNING = 1
    ENDED = 2
    INTERRUPTED = 3
    ABORTED = 4


class UnreachableRow(Struct, frozen=True, kw_only=True):
    """What is said of a machine that cannot be reached."""

    mes_status: MesStatus
    stack_light: StackLight


class StateRow(Struct, frozen=True, kw_only=True):
    """What one situation means."""

    mes_status: MesStatus
    stack_light: StackLight
    item_state: ItemState
    operation_mode: OperationMode
    tool_mode: ToolMode
    program_state: ProgramState


class StateTable(Struct, frozen=True, kw_only=True):
    """The state table in force: one row per `Situation`, and one for a machine that cannot be reached."""

    rows: Mapping[Situation, StateRow]
    unreachable: UnreachableRow


_OFF = StateRow(
    mes_status=MesStatus.OFFLINE,
    stack_light=StackLight.OFF,
    item_state=ItemState.NOT_AVAILABLE,
    operation_mode=OperationMode.NONE,
    tool_mode=ToolMode.OTHER,
    program_state=ProgramState.INITIALIZING,
)
_FAULT = replace(_OFF, mes_status=MesStatus.STOPPED, stack_light=StackLight.RED, item_state=ItemState.OUT_OF_SERVICE)
_READY = StateRow(
    mes_status=MesStatus.IDLE,
    stack_light=StackLight.GREEN,
    item_state=ItemState.NOT_EXECUTING,
    operation_mode=OperationMode.PROCESSING,
    tool_mode=ToolMode.MANUAL,
    program_state=ProgramState.INITIALIZING,
)
_BUSY = StateRow(
    mes_status=MesStatus.RUNNING,
    stack_light=StackLight.GREEN_BLINKING,
    item_state=ItemState.EXECUTING,
    operation_mode=OperationMode.PROCESSING,
    tool_mode=ToolMode.AUTOMATIC,
    program_state=ProgramState.RUNNING,
)
_PAUSED = replace(
    _BUSY,
    stack_light=StackLight.YELLOW,
    item_state=ItemState.NOT_EXECUTING,
    tool_mode=ToolMode.AUTO_WITH_MANUAL_INTERVENTION,
    program_state=ProgramState.INTERRUPTED,
)

DEFAULT_STATE_TABLE = StateTable(
    rows={
        MachineState.OFF: _OFF,
        MachineState.CONNECTING: _OFF,
        MachineState.FAULT: _FAULT,
        MachineState.READY: _READY,
        MachineState.DONE: replace(_READY, program_state=ProgramState.ENDED),
        MachineState.STARTING: _BUSY,
        MachineState.PRINTING: _BUSY,
        MachineState.PAUSING: _BUSY,
        MachineState.PAUSED: _PAUSED,
        MachineState.RESUMING: _BUSY,
        MachineState.FINISHING: _BUSY,
        MachineState.CANCELLING: _BUSY,
        Aftermath.FAILED: replace(_FAULT, operation_mode=OperationMode.PROCESSING, program_state=ProgramState.ABORTED),
        Aftermath.CANCELLED: replace(_READY, program_state=ProgramState.ABORTED),
    },
    unreachable=UnreachableRow(mes_status=MesStatus.OFFLINE, stack_light=StackLight.OFF),
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

    ``address`` is ``host:port``, the name of last resort. ``url`` has no credentials in it. ``instance_uri`` is unique
    in the world: it has the device's identity in it, so whoever polls the machine puts it there.
    """

    id: str
    name: str | None
    address: str
    url: str
    kind: str
    mes_ids: tuple[int, ...]
    identification: Identification = field(default_factory=Identification)
    instance_uri: str = ""


class Temperature(Struct, frozen=True):
    """One heater or sensor. A target of 0 means switched off; ``None`` a sensor without a target."""

    actual_celsius: float | None
    target_celsius: float | None = None


class Job(Struct, frozen=True, kw_only=True):
    """The selected or running print, as the machine tells it."""

    file_name: str | None = None
    file_path: str | None = None
    file_size_bytes: int | None = None
    file_date: datetime | None = None
    user: str | None = None
    progress_ratio: float | None = None
    elapsed_s: float | None = None
    remaining_s: float | None = None
    remaining_origin: str | None = None
    estimated_s: float | None = None
    filament_length_mm: float | None = None
    filament_volume_cm3: float | None = None

    @property
    def has_file(self) -> bool:
        """A file is selected."""
        return bool(self.file_path or self.file_name)


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
