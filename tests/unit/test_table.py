from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cli.grid import cut, plain, width_of
from edge_agent.cli.table import LiveTable, render
from edge_agent.errors import UnavailableError
from edge_agent.model import (
    DEFAULT_STATE_TABLE,
    Job,
    Machine,
    MachineState,
    MesStatus,
    Quality,
    Snapshot,
    StackLight,
    Temperature,
)
from edge_agent.observation import Observation
from edge_agent.sinks import Sink
from edge_agent.store import Store

NOW = datetime(2026, 5, 24, 12, 0, 30, tzinfo=UTC)
HOT = {"tool0": Temperature(204.96, 205.0), "bed": Temperature(60.04, 60.0)}
COLD = {"tool0": Temperature(24.1, 0.0), "chamber": Temperature(23.0)}
HALF = Job(file_name="bracket.gcode", progress_ratio=0.429, remaining_s=245.0)


def observe(
    name: str,
    state: MachineState = MachineState.READY,
    *,
    job: Job | None = None,
    temperatures: Mapping[str, Temperature] | None = None,
    fault: str = "",
    quality: Quality = Quality.GOOD,
    error: str = "",
) -> Observation:
    known = quality is not Quality.WAITING
    row = DEFAULT_STATE_TABLE.rows[state] if quality.usable else DEFAULT_STATE_TABLE.unreachable
    snapshot = Snapshot(
        state=state,
        state_text=state.value.title(),
        observed_at=NOW,
        response_time_s=0.02,
        error=fault,
        job=job or Job(),
        temperatures=temperatures or {},
    )
    return Observation(
        machine=Machine(id=name.lower(), name=name, address="h:80", url="http://h", kind="simulated", mes_ids=(1,)),
        quality=quality,
        temperature_quality=quality if state.connected or not quality.usable else Quality.NOT_CONNECTED,
        reachable=not error,
        mes_status=row.mes_status,
        stack_light=row.stack_light,
        poll_interval_s=1.0,
        error=error,
        snapshot=snapshot if known else None,
        last_seen=NOW - timedelta(seconds=75) if known else None,
    )


PRINTING = observe("Bench", MachineState.PRINTING, job=HALF, temperatures=HOT)
SHOP = [
    PRINTING,
    observe("Delta", temperatures=COLD),
    observe("Twin", MachineState.FAULT, fault="Thermal Runaway, system stopped! Heater_ID: 0"),
    observe("Silent", MachineState.PRINTING, job=HALF, quality=Quality.NO_COMMUNICATION, error="connection refused"),
    observe("New", quality=Quality.WAITING),
]


def table(observations: list[Observation], width: int = 200, *, colour: bool = False) -> list[str]:
    return render(observations, width=width, colour=colour, now=NOW)


def test_a_wide_terminal_shows_everything() -> None:
    assert "\n".join(table(SHOP, 130)) == (
        """
MACHINE   STATE       MES      FILE           PROGRESS         LEFT   TEMPERATURES             QUALITY
Bench     printing    Running  bracket.gcode  ████░░░░░░  42%  4:05   tool0 205/205 bed 60/60  good
Delta     ready       Idle                                            tool0 24 chamber 23      good
Twin      fault       Stopped                                         not connected            Thermal Runaway, system stopped! H…
Silent    (printing)  Offline                                                                  no communication for 1 min: connec…
New       -           Offline                                                                  waiting for the first answer
""".strip()  # noqa: E501 - a table as wide as it is
    )


def test_eighty_columns_keep_every_column() -> None:
    assert table(SHOP, 80) == [
        "MACHINE   STATE       MES      FILE      %     LEFT   TEMPERATURES  QUALITY",
        "Bench     printing    Running  bracket…   42%  4:05   tool0 205/2…  good",
        "Delta     ready       Idle                            tool0 24 ch…  good",
        "Twin      fault       Stopped                         not connect…  Thermal Run…",
        "Silent    (printing)  Offline                                       no communic…",
        "New       -           Offline                                       waiting for…",
    ]


def test_a_tiny_terminal_cuts_at_the_edge() -> None:
    assert table([PRINTING], 20) == ["MACHINE   STATE", "Bench     printing"]
    assert table([PRINTING], 14) == ["MACHINE   STA…", "Bench     pri…"]
    assert table([PRINTING], 1) == ["…", "…"]


def test_no_machine_is_said() -> None:
    assert table([])[1:] == ["no machines yet"]


@given(width=st.integers(0, 220), name=st.text(max_size=30), file=st.text(max_size=60), colour=st.booleans())
def test_no_line_is_longer_than_the_terminal(width: int, name: str, file: str, colour: bool) -> None:
    job = Job(file_name=file, progress_ratio=1.0, remaining_s=0.0)
    lines = table([*SHOP, observe(name, job=job)], width, colour=colour)
    assert len(lines) == 7
    for line in lines:
        assert width_of(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= width
        assert "\n" not in line


def test_colour_repeats_the_words() -> None:
    titles, printing, ready, fault, silent, _ = table(SHOP, colour=True)
    assert titles.startswith("\x1b[1mMACHINE\x1b[0m")
    assert "\x1b[1;32mprinting\x1b[0m" in printing
    assert "\x1b[32mready\x1b[0m" in ready
    assert "\x1b[31mfault\x1b[0m" in fault
    assert "\x1b[31mThermal Runaway" in fault
    assert "\x1b[2m(printing)\x1b[0m" in silent
    colourless = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in table(SHOP, colour=True)]
    assert colourless == table(SHOP)


def test_the_light_colours_the_state_even_where_the_file_overrides_it() -> None:
    shut = msgspec.structs.replace(PRINTING, mes_status=MesStatus.STOPPED, stack_light=StackLight.YELLOW)
    assert "\x1b[33mprinting\x1b[0m    Stopped" in table([shut], colour=True)[1]


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (observe("A", quality=Quality.UNCERTAIN, error="timed out"), "no fresh answer for 1 min: timed out"),
        (observe("A", quality=Quality.ACCESS_DENIED, error="wrong key"), "access denied for 1 min: wrong key"),
        (observe("A", error="timed out"), "good; trying again: timed out"),
        (msgspec.structs.replace(observe("A", quality=Quality.NO_COMMUNICATION), last_seen=None), "no communication"),
    ],
)
def test_quality_is_said_in_words(observation: Observation, words: str) -> None:
    assert table([observation])[1].endswith(f"  {words}")


@pytest.mark.parametrize(
    ("silent_s", "words"), [(-5, "0 s"), (4.9, "4 s"), (60, "1 min"), (7300, "2 h"), (90_000, "1 d")]
)
def test_ages(silent_s: float, words: str) -> None:
    late = msgspec.structs.replace(observe("A", quality=Quality.UNCERTAIN), last_seen=NOW - timedelta(seconds=silent_s))
    assert table([late])[1].endswith(f"no fresh answer for {words}")


@pytest.mark.parametrize(
    ("remaining_s", "words"), [(0.0, "0:00"), (59.9, "0:59"), (3599, "59:59"), (3661, "1:01:01"), (97_300, "1 d 3 h")]
)
def test_time_left(remaining_s: float, words: str) -> None:
    assert f" {words} " in table([observe("A", job=Job(remaining_s=remaining_s), temperatures=COLD)])[1]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.0, "░░░░░░░░░░   0%"),
        (0.29, "██░░░░░░░░  29%"),
        (0.999, "█████████░  99%"),
        (1.0, "██████████ 100%"),
    ],
)
def test_progress(ratio: float, words: str) -> None:
    assert words in table([observe("A", job=Job(progress_ratio=ratio))])[1]


def test_a_sensor_without_a_value_is_a_dash() -> None:
    assert "tool0 -/205" in table([observe("A", temperatures={"tool0": Temperature(None, 205.0)})])[1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]52;c;AAAA\x1b\\name", "name"),
        ("\x1b]0;never ended", ""),
        ("\x9b2Jname", "name"),
        ("\x1bcreset", "reset"),
        ("two\nlines\tand\x00 a zero", "two lines and a zero"),
        ("line\u2028end", "line end"),
        ("evil\u202eedocg.exe", "eviledocg.exe"),
        ("lone \ud800 half", "lone half"),
        ("Gehäuse 歯車", "Gehäuse 歯車"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_nothing_of_a_printer_controls_the_terminal(text: str) -> None:
    hostile = observe(
        text or "x",
        job=Job(file_name=text),
        temperatures={text: Temperature(1.0)},
        fault=text,
        error=text,
    )
    for observation in (hostile, msgspec.structs.replace(hostile, quality=Quality.UNCERTAIN)):
        assert all(line == "".join(c for c in line if c.isprintable()) for line in table([observation], 4000))


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert (width_of("歯車"), width_of("u\u0308"), width_of("ü")) == (4, 1, 1)
    assert cut("歯車_20T", 4) == "歯…"
    assert cut("歯車_20T", 5) == "歯車…"
    assert cut("u\u0308ber", 3) == "u\u0308b…"
    lines = table([observe("A", job=Job(file_name="歯車_20T.gcode", progress_ratio=0.0))])
    assert lines[1].startswith("A         ready       Idle     歯車_20T.gcode  ░")


class Terminal(io.StringIO):
    """A terminal that obeys the few sequences the table uses; ``rows`` is what a person sees."""

    def __init__(self, columns: int = 120, lines: int = 24) -> None:
        super().__init__()
        self.size = os.terminal_size((columns, lines))
        self.rows = [""]
        self.row = 0
        self.cursor = True
        self.drawings = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self.drawings += "\x1b[?7l" in text
        for piece in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", text):
            self._obey(piece)
        return super().write(text)

    def _obey(self, piece: str) -> None:
        if piece == "\n":
            self.row += 1
            self.rows += [""] * (self.row - len(self.rows) + 1)
        elif piece == "\x1b[J":
            self.rows[self.row :] = [""]
        elif piece == "\x1b[2J":
            self.rows = [""] * len(self.rows)
        elif piece == "\x1b[H":
            self.row = 0
        elif piece in {"\x1b[?25l", "\x1b[?25h"}:
            self.cursor = piece.endswith("h")
        elif piece.startswith("\x1b[") and piece.endswith("A"):
            self.row -= int(piece[2:-1])
            assert self.row >= 0
        elif not piece.startswith(("\x1b", "\r")):
            self.rows[self.row] = piece


class Stepper:
    """A pause that lasts until the test asks for the next drawing."""

    def __init__(self) -> None:
        self._steps = asyncio.Semaphore(0)
        self._rests = asyncio.Semaphore(0)
        self.asked: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._rests.release()
        await self._steps.acquire()

    async def drawn(self) -> None:
        await self._rests.acquire()

    async def next(self) -> None:
        self._steps.release()
        await self.drawn()


async def shown(
    stream: io.StringIO, store: Store, play: Callable[[Stepper, LiveTable], object], environ: Mapping[str, str]
) -> None:
    stepper = Stepper()
    live = LiveTable(
        stream=stream,
        now=lambda: NOW,
        header=["endpoint opc.tcp://localhost:4840"],
        environ=environ,
        size=(lambda: stream.size) if isinstance(stream, Terminal) else None,
        pause=stepper.pause,
    )
    sink: Sink = live
    running = asyncio.create_task(sink.run(store))
    await stepper.drawn()
    played = play(stepper, live)
    if asyncio.iscoroutine(played):
        await played
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def store_of(*observations: Observation) -> Store:
    store = Store()
    for observation in observations:
        store.publish(observation)
    return store


async def test_draws_in_place_and_only_on_change() -> None:
    terminal, store = Terminal(), store_of(PRINTING)

    async def play(stepper: Stepper, _: LiveTable) -> None:
        assert not terminal.cursor
        assert terminal.rows == ["endpoint opc.tcp://localhost:4840", *table([PRINTING], 120), ""]
        store.publish(PRINTING)
        await stepper.next()
        assert terminal.drawings == 1
        store.publish(SHOP[1])
        await stepper.next()
        assert terminal.rows[1:] == [*table(SHOP[:2], 120), ""]
        store.remove("delta")
        await stepper.next()
        assert terminal.rows[1:] == [*table([PRINTING], 120), ""]
        assert terminal.drawings == 3
        assert stepper.asked == [0.25] * 4

    await shown(terminal, store, play, {"NO_COLOR": "1"})
    assert terminal.cursor
    assert terminal.rows[1:] == [*table([PRINTING], 120), ""]
    assert terminal.getvalue().endswith("\x1b[?25h")


async def test_a_new_window_size_draws_all_anew() -> None:
    terminal, store = Terminal(), store_of(*SHOP)

    async def play(stepper: Stepper, _: LiveTable) -> None:
        terminal.size = os.terminal_size((80, 24))
        store.publish(PRINTING)
        await stepper.next()
        assert terminal.rows[:2] == ["endpoint opc.tcp://localhost:4840", table(SHOP, 80)[0]]
        terminal.size = os.terminal_size((80, 4))
        store.publish(PRINTING)
        await stepper.next()
        assert terminal.rows[1:4] == [*table(SHOP, 80)[:2], "… and 4 more"]

    await shown(terminal, store, play, {"NO_COLOR": "1"})


async def test_a_log_line_scrolls_by_above_the_table() -> None:
    terminal = Terminal()

    async def play(_: Stepper, live: LiveTable) -> None:
        live.say("warning: Bench\x1b[2J\nis slow")
        assert terminal.rows[1:] == ["warning: Bench", "is slow", *table([PRINTING], 120), ""]

    await shown(terminal, store_of(PRINTING), play, {"NO_COLOR": "1"})


async def test_colours_unless_nobody_wants_them() -> None:
    for environ, colourful in (({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)):
        terminal = Terminal()
        await shown(terminal, store_of(PRINTING), lambda *_: None, environ)
        assert ("\x1b[1;32mprinting" in terminal.getvalue()) is colourful


async def test_a_pipe_gets_a_line_per_change() -> None:
    pipe, store = io.StringIO(), store_of(PRINTING, SHOP[3])

    async def play(stepper: Stepper, live: LiveTable) -> None:
        further = msgspec.structs.replace(HALF, progress_ratio=0.5, remaining_s=1.0)
        for observation in (
            observe("Bench", MachineState.PRINTING, job=further, temperatures=COLD),
            observe("Bench", MachineState.DONE, job=further),
            observe("Bench", MachineState.DONE, job=msgspec.structs.replace(HALF, file_name="other.gcode")),
            observe("Bench", MachineState.FAULT, fault="Thermal Runaway"),
        ):
            store.publish(observation)
            await stepper.next()
        live.say("warning: slow")
        store.remove("bench")
        await stepper.next()

    await shown(pipe, store, play, {})
    assert pipe.getvalue().splitlines() == [
        "endpoint opc.tcp://localhost:4840",
        "2026-05-24T12:00:30Z Bench: printing, Running, bracket.gcode, good",
        "2026-05-24T12:00:30Z Silent: (printing), Offline, no communication for 1 min: connection refused",
        "2026-05-24T12:00:30Z Bench: done, Idle, bracket.gcode, good",
        "2026-05-24T12:00:30Z Bench: done, Idle, other.gcode, good",
        "2026-05-24T12:00:30Z Bench: fault, Stopped, Thermal Runaway",
        "warning: slow",
        "2026-05-24T12:00:30Z Bench: removed",
    ]


async def test_a_dumb_terminal_is_a_pipe() -> None:
    terminal = Terminal()
    await shown(terminal, store_of(PRINTING), lambda *_: None, {"TERM": "dumb"})
    assert "\x1b" not in terminal.getvalue()


async def test_an_old_encoding_gets_plain_bars() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    live = LiveTable(stream=stream, now=lambda: NOW)
    live.say("██░ 歯車 …")
    assert raw.getvalue() == b"##. ?? ~\n"


async def test_a_reader_that_went_away_is_said_and_the_terminal_is_restored() -> None:
    class Broken(Terminal):
        def flush(self) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    live = LiveTable(stream=Broken(), now=lambda: NOW)
    with pytest.raises(UnavailableError, match="Broken pipe"):
        await live.run(Store())


async def test_the_size_of_no_terminal_is_the_usual_one() -> None:
    class Sizeless(Terminal):
        def fileno(self) -> int:
            raise io.UnsupportedOperation("fileno")

    terminal, stepper = Sizeless(), Stepper()
    live = LiveTable(stream=terminal, now=lambda: NOW, environ={"NO_COLOR": "1"}, pause=stepper.pause)
    running = asyncio.create_task(live.run(store_of(PRINTING)))
    await stepper.drawn()
    running.cancel()
    await asyncio.wait({running})
    assert terminal.rows[:2] == table([PRINTING], 80)
