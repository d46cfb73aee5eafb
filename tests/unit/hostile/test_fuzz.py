"""Mutated answers through everything that an answer goes through: source, poller, jobs, journal, items, the wire.

Whatever comes, there is either a usable value or a sentence, and never a bug. What once was one is kept in ``corpus``.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from edge_agent.chronicle import Chronicle
from edge_agent.health import Health
from edge_agent.items import ITEMS, heater_items, heaters, read
from edge_agent.jobs import JobTracker
from edge_agent.journal import Journal
from edge_agent.model import DEFAULT_STATE_TABLE, Machine, Snapshot
from edge_agent.observation import Observation
from edge_agent.poller import Poller, Polling
from edge_agent.secret import Secret
from edge_agent.session import Answer, HttpHost, open_session
from edge_agent.sinks.opcua.objects.folder import Folder
from edge_agent.sinks.opcua.objects.machine_type import MachineType
from edge_agent.sinks.opcua.space import structures
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Nodeset
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from edge_agent.store import Store
from tests.double.recordings import FOLDER
from tests.unit.hostile.mutation import ENDPOINTS, answers

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
EXAMPLES = int(os.environ.get("EDGE_AGENT_FUZZ_EXAMPLES", "400"))
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Host:
    """Stands for the network: says what it was given."""

    def __init__(self) -> None:
        self.bodies: Mapping[str, bytes] = {}

    async def get(self, path: str) -> Answer:
        """The answer to a path."""
        body = self.bodies[path.partition("?")[0].removeprefix("/api/")]
        return Answer(200, "application/json", body, "", 0.01)

    def forget_habits(self) -> None:
        """It has none."""


class Clock:
    """A wall clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Line:
    """From a host to the nodes of an endpoint, with everything between but timers and sockets."""

    def __init__(self, source: OctoPrint, journal: Journal, folder: Folder, clock: Clock) -> None:
        self._host = Host()
        source._host = cast(HttpHost, self._host)
        self._clock = clock
        self._store = Store()
        self._folder = folder
        url = "http://printer.local"
        self._poller = Poller(
            machine=Machine(id="m", name=None, address="printer.local:80", url=url, kind="octoprint", mes_ids=(1,)),
            source=source,
            store=self._store,
            health=Health(monotonic=asyncio.get_running_loop().time),
            polling=Polling(),
            states=DEFAULT_STATE_TABLE,
            now=clock,
            dice=random.Random(1),
            chronicle=Chronicle("m", now=clock, jobs=JobTracker("m"), journal=journal),
        )

    async def show(self, bodies: Mapping[str, bytes]) -> Observation:
        """One cycle of the poller, and what it published, which an endpoint could send."""
        self._host.bodies = bodies
        self._clock.now += timedelta(seconds=1)
        await self._poller._cycle()
        observation = self._store.observations()[0]
        machine = self._folder.get("m")
        if machine is None:
            machine = await self._folder.add(observation)
        else:
            await machine.update(observation)
        for item in (*ITEMS, *(item for heater in heaters(observation.snapshot) for item in heater_items(heater))):
            read(item, observation)
        for node in list(machine.instance.keys()):
            value = machine.instance.value(node)
            if value is not None:
                struct_to_binary(value)
        return observation

    def close(self) -> None:
        """Let its timer go."""
        if self._poller._ageing is not None:
            self._poller._ageing.cancel()


def assert_sound(observation: Observation) -> None:
    """It can be shown, logged and reckoned with."""
    assert "a bug of the agent" not in observation.error
    assert len(observation.error) < 500
    assert not UNPRINTABLE.search(observation.error)
    assert observation.error or observation.snapshot
    if observation.snapshot is not None:
        for value in values(observation.snapshot):
            assert not isinstance(value, float) or math.isfinite(value)
            assert not isinstance(value, str) or (len(value) <= 1024 and not UNPRINTABLE.search(value))
            assert not isinstance(value, datetime) or value.year >= 1970
        ratio = observation.snapshot.job.progress_ratio
        assert ratio is None or 0 <= ratio <= 1


def values(snapshot: Snapshot) -> Iterator[object]:
    """Every value of a snapshot, its parts' included."""
    for part in (snapshot, snapshot.job, *snapshot.temperatures.values()):
        yield from (getattr(part, name) for name in part.__struct_fields__)


class Lines:
    """Makes new lines, over one journal and one set of models."""

    def __init__(self, folder: Path) -> None:
        structures.register()
        self._nodeset = Nodeset()
        self._type = MachineType(self._nodeset)
        self._runner = asyncio.Runner()
        self._journal = self._runner.run(Journal.open(folder / "journal.db"))

    def run(self, rounds: Iterable[Mapping[str, bytes]]) -> list[Observation]:
        """What a new line shows, answer by answer."""
        return self._runner.run(self._run(rounds))

    async def _run(self, rounds: Iterable[Mapping[str, bytes]]) -> list[Observation]:
        options = OctoPrintOptions(url="http://printer.local", api_key=Secret("a key of a printer"))
        async with open_session() as session:
            clock = Clock()
            source = OctoPrint(options, session=session, now=clock, monotonic=asyncio.get_running_loop().time)
            line = Line(source, self._journal, Folder(AddressSpace(self._nodeset), self._type), clock)
            try:
                return [await line.show(bodies) for bodies in rounds]
            finally:
                line.close()

    def close(self) -> None:
        """Close the journal."""
        self._runner.run(self._journal.close())
        self._runner.close()


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    made = Lines(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.close()


def test_a_recorded_answer_goes_all_the_way(lines: Lines) -> None:
    """Otherwise the others would show nothing."""
    paused = {name: (FOLDER / "11_paused" / f"{name}.200.json").read_bytes() for name in ENDPOINTS}
    observation = lines.run([paused])[0]
    assert_sound(observation)
    assert observation.snapshot
    assert observation.snapshot.job.file_name
    assert observation.snapshot.temperatures
    assert observation.run


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_a_bug_once_is_none(path: Path, lines: Lines) -> None:
    rounds = [
        {name: body.encode("latin-1") for name, body in bodies.items()} for bodies in json.loads(path.read_text())
    ]
    for observation in lines.run(rounds):
        assert_sound(observation)


@settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize="EDGE_AGENT_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(st.lists(answers(), min_size=1, max_size=4))
def test_whatever_comes_there_is_a_value_or_a_sentence(lines: Lines, rounds: list[dict[str, bytes]]) -> None:
    try:
        for observation in lines.run(rounds):
            assert_sound(observation)
    except Exception:
        found = [{name: body.decode("latin-1") for name, body in bodies.items()} for bodies in rounds]
        note("for the corpus: " + json.dumps(found))
        raise
