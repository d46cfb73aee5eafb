"""A simulated printer: it prints for ever.

For the demo, the smoke test of an image and soak runs. Nothing is behind it: no server, no task, no file.

Datasheet:

    endpoints    none; ``fetch`` answers at once
    permission   none
    sentinels    no file: every field of the job ``None``; no answer of the printer itself: no temperatures
    versions     one

What it shows is a pure function of the options and the elapsed time, so two printers with the same seed are twins and
a test may jump a day ahead. Time is cut into cycles of one print each, cycles into phases, each phase at one `Stage`.
How a cycle goes is drawn from a shuffled deck and not thrown with dice: every stage is sure to turn up in every deck,
about an hour and a half at time scale 1. Stages follow each other like this:

    idle -> selected -> heating -> printing -> finishing -> done -> idle, or off
    heating, printing -> fault -> off, or connecting
    printing -> pausing -> paused -> resuming -> printing
    printing, paused -> cancelling -> selected -> idle
    off -> connecting -> idle
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from random import Random

from msgspec import Struct

from ..errors import Unreachable
from ..model import Job, MachineState, Snapshot, Temperature


class Stage(enum.StrEnum):
    """Where in a print the printer is; finer than `MachineState`, which has one word for idle and selected."""

    OFF = "off"
    CONNECTING = "connecting"
    IDLE = "idle"
    SELECTED = "selected"
    HEATING = "heating"
    PRINTING = "printing"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"
    CANCELLING = "cancelling"
    FAULT = "fault"
    FINISHING = "finishing"
    DONE = "done"


class SimulatedOptions(Struct, frozen=True, kw_only=True):
    """What to simulate.

    ``start`` is where the printer stands when it is made: a fraction, 0 to 1, of the first deck of cycles, a `Stage`,
    or ``None`` for a place that the seed chooses. At ``time_scale`` 10 everything runs ten times as fast, and the times
    it tells (elapsed, remaining) run ten times as fast, too. ``network_trouble``: now and then it does not answer.

    Raises:
        ValueError: ``start``, ``time_scale`` or ``tools`` is out of range.
    """

    seed: int = 0
    start: Stage | float | None = None
    time_scale: float = 1.0
    tools: int = 1
    chamber: bool = False
    network_trouble: bool = True
    profile_name: str = "Simulated printer"
    software_version: str = "simulated 1.0"

    def __post_init__(self) -> None:
        if not (0 < self.time_scale < math.inf):
            raise ValueError(f"time_scale must be above 0, not {self.time_scale}")
        if self.tools < 1:
            raise ValueError(f"tools must be 1 or more, not {self.tools}")
        if isinstance(self.start, int | float) and not 0 <= self.start <= 1:
            raise ValueError(f"start must be a fraction from 0 to 1 or a stage, not {self.start}")


class _File(Struct, frozen=True):
    """A sliced file, as the slicer and the server know it."""

    path: str
    print_s: float
    size_bytes: int
    filament_mm: float
    tool_celsius: float
    bed_celsius: float


class _Heater(Struct, frozen=True):
    """One heater or sensor; it nears its target with these time constants."""

    heating_s: float
    cooling_s: float


class _Run(Struct, frozen=True, kw_only=True):
    """One print as the dice have it. ``hot`` are the temperatures while it is on."""

    file: _File
    user: str
    print_s: float
    unevenness: float
    firmware_error: str
    hot: Mapping[str, float]


class _Phase(Struct, frozen=True, kw_only=True):
    """A span of simulated time at one stage. ``celsius`` and ``printed_s`` are those at its beginning."""

    stage: Stage
    begins_s: float
    ends_s: float
    run: _Run
    celsius: Mapping[str, float]
    printed_s: float

    @property
    def targets(self) -> Mapping[str, float]:
        """What each heater is set to, in degrees Celsius; 0 is off."""
        return self.run.hot if self.stage in _HOT else dict.fromkeys(self.run.hot, 0.0)

    def celsius_at(self, time_s: float) -> dict[str, float]:
        """The true temperatures at an instant of this phase."""
        targets, seconds = self.targets, time_s - self.begins_s
        return {name: _temper(_heater(name), now, targets[name], seconds) for name, now in self.celsius.items()}

    def printed_s_at(self, time_s: float) -> float:
        """For how long the print has run at an instant of this phase; heating and pauses do not count."""
        return self.printed_s + (time_s - self.begins_s if self.stage is Stage.PRINTING else 0.0)


class _Cycle(Struct, frozen=True):
    """One print from idle to what becomes of it. ``outage`` is a span of network trouble within it."""

    phases: tuple[_Phase, ...]
    outage: tuple[float, float] | None

    @property
    def begins_s(self) -> float:
        return self.phases[0].begins_s

    @property
    def ends_s(self) -> float:
        return self.phases[-1].ends_s


_STATES: Mapping[Stage, tuple[MachineState, str]] = {
    Stage.OFF: (MachineState.OFF, "Offline"),
    Stage.CONNECTING: (MachineState.CONNECTING, "Opening serial connection"),
    Stage.IDLE: (MachineState.READY, "Operational"),
    Stage.SELECTED: (MachineState.READY, "Operational"),
    Stage.HEATING: (MachineState.STARTING, "Starting"),
    Stage.PRINTING: (MachineState.PRINTING, "Printing"),
    Stage.PAUSING: (MachineState.PAUSING, "Pausing"),
    Stage.PAUSED: (MachineState.PAUSED, "Paused"),
    Stage.RESUMING: (MachineState.RESUMING, "Resuming"),
    Stage.CANCELLING: (MachineState.CANCELLING, "Cancelling"),
    Stage.FAULT: (MachineState.FAULT, "Offline after error"),
    Stage.FINISHING: (MachineState.FINISHING, "Finishing"),
    Stage.DONE: (MachineState.DONE, "Operational"),
}
_HOT = {Stage.HEATING, Stage.PRINTING, Stage.PAUSING, Stage.PAUSED, Stage.RESUMING, Stage.FINISHING}
_WITHOUT_FILE = {Stage.OFF, Stage.CONNECTING, Stage.IDLE}

# Shortest and longest length of a stage; heating and printing take as long as they take.
_LENGTHS_S: Mapping[Stage, tuple[float, float]] = {
    Stage.OFF: (15, 40),
    Stage.CONNECTING: (3, 6),
    Stage.IDLE: (8, 25),
    Stage.SELECTED: (5, 15),
    Stage.PAUSING: (2, 4),
    Stage.PAUSED: (12, 30),
    Stage.RESUMING: (2, 4),
    Stage.CANCELLING: (4, 8),
    Stage.FAULT: (20, 45),
    Stage.FINISHING: (3, 6),
    Stage.DONE: (20, 40),
}

_BEGIN = (Stage.IDLE, Stage.SELECTED, Stage.HEATING)
_PAUSE = (Stage.PAUSING, Stage.PAUSED)
_FINISH = (Stage.FINISHING, Stage.DONE)
_FINISHED = (*_BEGIN, Stage.PRINTING, *_FINISH)
_FINISHED_AFTER_PAUSE = (*_BEGIN, Stage.PRINTING, *_PAUSE, Stage.RESUMING, Stage.PRINTING, *_FINISH)
_SWITCHED_OFF = (*_FINISHED, Stage.OFF, Stage.CONNECTING)
_CANCELLED = (*_BEGIN, Stage.PRINTING, Stage.CANCELLING, Stage.SELECTED)
_CANCELLED_IN_PAUSE = (*_BEGIN, Stage.PRINTING, *_PAUSE, Stage.CANCELLING, Stage.SELECTED)
_FAULT_IN_PRINT = (*_BEGIN, Stage.PRINTING, Stage.FAULT, Stage.OFF, Stage.CONNECTING)
_FAULT_WHILE_HEATING = (*_BEGIN, Stage.FAULT, Stage.CONNECTING)
_DECK: tuple[tuple[Stage, ...], ...] = (
    *[_FINISHED] * 4,
    *[_FINISHED_AFTER_PAUSE] * 3,
    _SWITCHED_OFF,
    _CANCELLED,
    _CANCELLED_IN_PAUSE,
    _FAULT_IN_PRINT,
    _FAULT_WHILE_HEATING,
)

_FILES = (
    _File("brackets/motor_bracket_v3.gcode", 312.0, 1_482_113, 1_240.0, 210.0, 60.0),
    _File("brackets/cable_clip_x12.gcode", 205.0, 967_402, 655.0, 210.0, 60.0),
    _File("gears/gear_m1_z24.gcode", 268.0, 1_733_950, 890.0, 240.0, 80.0),
    _File("gears/planetary_carrier.gcode", 447.0, 3_120_874, 1_910.0, 240.0, 80.0),
    _File("housings/sensor_housing_lid.gcode", 356.0, 2_048_391, 1_505.0, 245.0, 90.0),
    _File("Gehäuse/Lüfterdüse_40mm.gcode", 389.0, 2_514_006, 1_388.0, 245.0, 90.0),
    _File("歯車_20T.gcode", 234.0, 1_105_668, 720.0, 210.0, 60.0),
    _File("calibration_cube_20mm.gcode", 198.0, 512_340, 560.0, 215.0, 60.0),
)
_USERS = ("anna", "jürgen", "workshop", "mes")
_FIRMWARE_ERRORS = (
    "Thermal Runaway, system stopped! Heater_ID: 0",
    "Thermal Runaway, system stopped! Heater_ID: bed",
    "Heating failed, system stopped! Heater_ID: 0",
    "MINTEMP triggered, system stopped! Heater_ID: 0",
)

_AMBIENT_CELSIUS = 22.0
_POWER_RESERVE = 1.25  # a heater at full power would end this much above its target, so it gets there in finite time
_TOOL = _Heater(24.0, 45.0)
_BED = _Heater(27.0, 120.0)
_CHAMBER = _Heater(150.0, 200.0)
_CHAMBER_SHARE = 0.3  # of the bed's warmth that reaches a closed chamber
_FILAMENT_MM2 = math.pi * (1.75 / 2) ** 2
_PRINT_S = (180.0, 480.0)
_UNTROUBLED_S = 30.0  # so that a demo does not open with printers that cannot be reached


def _heater(name: str) -> _Heater:
    return {"bed": _BED, "chamber": _CHAMBER}.get(name, _TOOL)


def _temper(heater: _Heater, celsius: float, target: float, seconds: float) -> float:
    """The temperature after some seconds, first order, stopping at the target as a regulated heater does."""
    if target > celsius:
        aim = _AMBIENT_CELSIUS + (target - _AMBIENT_CELSIUS) * _POWER_RESERVE
        return min(target, aim + (celsius - aim) * math.exp(-seconds / heater.heating_s))
    fallen = _AMBIENT_CELSIUS + (celsius - _AMBIENT_CELSIUS) * math.exp(-seconds / heater.cooling_s)
    return max(target, fallen)


def _heating_s(heater: _Heater, celsius: float, target: float) -> float:
    """How long until the target is reached; the inverse of `_temper`."""
    if celsius >= target:
        return 0.0
    aim = _AMBIENT_CELSIUS + (target - _AMBIENT_CELSIUS) * _POWER_RESERVE
    return heater.heating_s * math.log((aim - celsius) / (aim - target))


def _throw_run(options: SimulatedOptions, dice: Random) -> _Run:
    file = dice.choice(_FILES)
    hot = {f"tool{number}": file.tool_celsius for number in range(options.tools)}
    for tool in list(hot)[1:]:
        hot[tool] = dice.choice((0.0, file.tool_celsius))  # not every print needs every tool
    hot["bed"] = file.bed_celsius
    if options.chamber:
        hot["chamber"] = _AMBIENT_CELSIUS + _CHAMBER_SHARE * (file.bed_celsius - _AMBIENT_CELSIUS)
    return _Run(
        file=file,
        user=dice.choice(_USERS),
        print_s=min(max(file.print_s * dice.uniform(0.93, 1.07), _PRINT_S[0]), _PRINT_S[1]),
        unevenness=dice.uniform(-0.06, 0.06),
        firmware_error=dice.choice(_FIRMWARE_ERRORS),
        hot=hot,
    )


def _stages(seed: int, number: int) -> tuple[Stage, ...]:
    """The course of a cycle: the next card of this seed's deck."""
    deck_number, card = divmod(number, len(_DECK))
    deck = list(_DECK)
    Random(f"{seed}:deck:{deck_number}").shuffle(deck)
    return deck[card]


def _length_s(
    stage: Stage, after: Sequence[Stage], *, run: _Run, celsius: Mapping[str, float], printed_s: float, dice: Random
) -> float:
    """How long a stage lasts; ``after`` are the stages that follow it in its cycle."""
    if stage is Stage.HEATING:
        # Nobody waits for the chamber: it is only warmed by the bed.
        heaters = [name for name in celsius if name != "chamber"]
        whole = max(_heating_s(_heater(name), celsius[name], run.hot[name]) for name in heaters) + dice.uniform(2, 5)
        return whole * (0.6 if after[0] is Stage.FAULT else 1.0)
    if stage is Stage.PRINTING:
        if after[0] is Stage.FINISHING:
            return run.print_s - printed_s
        return run.print_s * dice.uniform(0.2, 0.6)
    return dice.uniform(*_LENGTHS_S[stage])


def _outage(dice: Random, begins_s: float, ends_s: float) -> tuple[float, float] | None:
    """Network trouble in a third of the cycles, some of it long enough to be told from a hiccup."""
    if dice.random() > 1 / 3:
        return None
    begin = dice.uniform(begins_s, ends_s)
    return begin, min(begin + dice.choice((6.0, 12.0, 25.0, 90.0)), ends_s)


def _throw_cycle(options: SimulatedOptions, number: int, begins_s: float, celsius: Mapping[str, float]) -> _Cycle:
    dice = Random(f"{options.seed}:cycle:{number}")
    run = _throw_run(options, dice)
    stages = _stages(options.seed, number)
    phases: list[_Phase] = []
    time_s, printed_s = begins_s, 0.0
    for position, stage in enumerate(stages, start=1):
        length_s = _length_s(stage, stages[position:], run=run, celsius=celsius, printed_s=printed_s, dice=dice)
        ends_s = time_s + length_s
        phase = _Phase(stage=stage, begins_s=time_s, ends_s=ends_s, run=run, celsius=celsius, printed_s=printed_s)
        phases.append(phase)
        time_s, celsius, printed_s = ends_s, phase.celsius_at(ends_s), phase.printed_s_at(ends_s)
    return _Cycle(tuple(phases), _outage(dice, begins_s, time_s))


def _cycles(options: SimulatedOptions) -> Iterator[_Cycle]:
    """All cycles from simulated second 0 on, without end; each begins as warm as the one before left it."""
    names = [f"tool{number}" for number in range(options.tools)] + ["bed"] + ["chamber"] * options.chamber
    begins_s, celsius = 0.0, dict.fromkeys(names, _AMBIENT_CELSIUS)
    for number in itertools.count():
        cycle = _throw_cycle(options, number, begins_s, celsius)
        yield cycle
        begins_s, celsius = cycle.ends_s, cycle.phases[-1].celsius_at(cycle.ends_s)


def _start_s(options: SimulatedOptions) -> float:
    """The simulated second at which a printer with these options begins."""
    dice = Random(f"{options.seed}:start")
    deck = list(itertools.islice(_cycles(options), len(_DECK)))
    if isinstance(options.start, Stage):
        phase = next(phase for cycle in deck for phase in cycle.phases if phase.stage is options.start)
        return phase.begins_s + (phase.ends_s - phase.begins_s) * dice.uniform(0, 0.6)
    return deck[-1].ends_s * (dice.random() if options.start is None else options.start)


def _job(phase: _Phase, time_s: float) -> Job:
    if phase.stage in _WITHOUT_FILE:
        return Job()
    run, file = phase.run, phase.run.file
    ratio = elapsed_s = remaining_s = None
    if phase.stage in {Stage.FINISHING, Stage.DONE}:
        ratio, elapsed_s, remaining_s = 1.0, float(int(run.print_s)), 0.0
    elif phase.stage is not Stage.SELECTED:
        printed_s = phase.printed_s_at(time_s)
        done = printed_s / run.print_s
        # Progress is a place in the file, and files are not equally dense: hence the bow in the line.
        ratio = min(max(round(done + run.unevenness * math.sin(math.pi * done), 4), 0.0), 1.0)
        elapsed_s = float(int(printed_s))
        remaining_s = float(int(printed_s * (1 - ratio) / ratio)) if ratio else None
    return Job(
        file_name=file.path.rpartition("/")[2],
        file_path=file.path,
        file_size_bytes=file.size_bytes,
        user=run.user,
        progress_ratio=ratio,
        elapsed_s=elapsed_s,
        remaining_s=remaining_s,
        remaining_origin=None if remaining_s is None else "linear",
        estimated_s=file.print_s,
        filament_length_mm=file.filament_mm,
        filament_volume_cm3=round(file.filament_mm * _FILAMENT_MM2 / 1000, 2),
    )


def _temperatures(phase: _Phase, time_s: float, dice: Random) -> dict[str, Temperature]:
    """What the sensors read: the truth with a little noise, in tenths of a degree."""
    targets = phase.targets
    return {
        name: Temperature(
            actual_celsius=round(celsius + dice.gauss(0, 0.12), 1),
            target_celsius=None if name == "chamber" else targets[name],
        )
        for name, celsius in phase.celsius_at(time_s).items()
    }


def to_snapshot(phase: _Phase, time_s: float, *, options: SimulatedOptions, observed_at: datetime) -> Snapshot:
    """What the printer says at a simulated second of a phase."""
    state, text = _STATES[phase.stage]
    # Noise changes once a second, as a printer's own temperature reports do.
    dice = Random(f"{options.seed}:noise:{int(time_s)}")
    response_time_s = round(dice.uniform(0.012, 0.060), 3)
    connected = state.connected
    return Snapshot(
        state=state,
        state_text=text,
        observed_at=observed_at,
        response_time_s=response_time_s,
        error=phase.run.firmware_error if state is MachineState.FAULT else "",
        job=_job(phase, time_s),
        temperatures=_temperatures(phase, time_s, dice) if connected else {},
        temperatures_at=observed_at.replace(microsecond=0) if connected else None,
        profile_name=options.profile_name,
        software_version=options.software_version,
    )


class SimulatedPrinter:
    """A source that needs no printer."""

    def __init__(
        self, *, options: SimulatedOptions, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._options = options
        self._now = now
        self._monotonic = monotonic
        self._made_at = monotonic()
        self._start_s = _start_s(options)
        self._cycles = _cycles(options)
        self._cycle = next(self._cycles)

    async def fetch(self) -> Snapshot:
        """What the printer says now.

        Raises:
            Unreachable: the simulated network is in trouble.
        """
        time_s = self._start_s + (self._monotonic() - self._made_at) * self._options.time_scale
        cycle = self._cycle_at(time_s)
        if self._options.network_trouble and cycle.outage is not None:
            begins_s, ends_s = cycle.outage
            if begins_s <= time_s < ends_s and begins_s >= self._start_s + _UNTROUBLED_S:
                raise Unreachable("no answer: the simulated network is down; wait, it comes back by itself")
        phase = next(phase for phase in cycle.phases if time_s < phase.ends_s)
        return to_snapshot(phase, time_s, options=self._options, observed_at=self._now())

    def _cycle_at(self, time_s: float) -> _Cycle:
        # Only the present cycle is kept, so a printer that runs for a year holds as much as one that just began.
        while time_s >= self._cycle.ends_s:
            self._cycle = next(self._cycles)
        return self._cycle


# What somebody should see who starts a demo for the first time, most telling first.
_FIRST_STARTS = (Stage.PRINTING, Stage.HEATING, Stage.PAUSED, Stage.DONE, Stage.FAULT, Stage.IDLE, Stage.OFF)
_FIRST_SEED = 39  # seven in a row that print seven different files at these starts
_PROFILES = ("Bench 1", "Delta 200", "Twin 300", "Bench 2", "Large 400", "Mini", "Delta 300")


def demo_options(count: int, *, time_scale: float = 1.0) -> tuple[SimulatedOptions, ...]:
    """Options of ``count`` printers that differ in equipment and stand at different stages."""
    return tuple(
        SimulatedOptions(
            seed=_FIRST_SEED + number,
            start=_FIRST_STARTS[number] if number < len(_FIRST_STARTS) else None,
            time_scale=time_scale,
            tools=2 if number % 3 == 2 else 1,
            chamber=number % 3 == 1,
            profile_name=_PROFILES[number % len(_PROFILES)],
        )
        for number in range(count)
    )
