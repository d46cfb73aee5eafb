"""Prometheus' text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/.

Names are the items' ids in snake case without the groups that only order them, in base units: `Job/ElapsedTime` is
``edge_agent_job_elapsed_time_seconds``. A value whose quality is bad has no sample: a graph shows a gap and not a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from math import isfinite

from msgspec import Struct

from ...items import ITEMS, DataItem, Kind, Value, heater_items, heaters, read
from ...model import MachineState, MesStatus, Quality
from ...observation import Observation
from ...store import Store
from .about import About
from .process import Process, this_process

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "edge_agent"
# A year is no measurement, and the place in a list of one is always 0.
_NOT_MEASURED = {"Identification/YearOfConstruction", "Production/ActiveProgram/NumberInList"}
_GROUPS = {
    "MachineryBuildingBlocks": "",
    "OperationCounters": "",
    "Monitoring": "",
    "Production": "",
    "Source": "Machine",
}
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class _Family(Struct, frozen=True):
    """All samples of one name; ``samples`` are pairs of labels, as they are written, and values."""

    name: str
    kind: str
    sentence: str
    samples: Iterable[tuple[str, float]]


class _Measure(Struct, frozen=True):
    """An item that is exported: its name there, and what its values become."""

    item: DataItem
    name: str
    kind: str


def metrics(store: Store, about: About) -> Iterator[str]:
    """Everything, name by name: of many machines it takes a while, and others want the event loop in between.

    All of it is of the moment when it began.
    """
    machines = [_Machine(_pair("machine", each.machine.id), each) for each in store.observations()]
    agent = list(_of_agent(store, machines, about))
    agent += [*_of_computer(about), *_of_process(this_process())]
    for family in (*_of_machines(machines), *agent):
        yield _written(family)


class _Machine(Struct, frozen=True):
    """One machine; ``label`` is the one that all its samples have, as it is written."""

    label: str
    observation: Observation


def metric_name(item: DataItem) -> str:
    """The name of an item's samples, of one that has any."""
    parts = [_GROUPS.get(part, part) for part in item.id.split("/")]
    name = "_".join(_WORDS.sub("_", part).lower() for part in (_PREFIX, *parts) if part)
    if item.kind is Kind.TIME:
        return f"{name.removesuffix('_time')}_timestamp_seconds"
    if item.unit is not None:
        name = f"{name}_{item.unit.prometheus}"
    return f"{name.removesuffix('_counter')}_total" if _is_counter(item) else name


def _is_counter(item: DataItem) -> bool:
    return "/OperationCounters/" in item.id


_NUMERIC = (Kind.NUMBER, Kind.COUNT, Kind.FLAG, Kind.TIME)
_MEASURES = tuple(
    _Measure(item, metric_name(item), "counter" if _is_counter(item) else "gauge")
    for item in ITEMS
    if item.kind in _NUMERIC and item.id not in _NOT_MEASURED
)
_CHOICES = tuple(_Measure(item, metric_name(item), "gauge") for item in ITEMS if item.kind is Kind.CHOICE)


def _of_machines(machines: Sequence[_Machine]) -> Iterator[_Family]:
    yield _Family(
        f"{_PREFIX}_machine_info", "gauge", "Who the machine is; always 1.", ((_who(each), 1) for each in machines)
    )
    files = ((each.label, _file(each.observation)) for each in machines)
    yield _Family(
        f"{_PREFIX}_job_info",
        "gauge",
        "The selected file; always 1.",
        ((f"{{{label},{_pair('file', file)}}}", 1) for label, file in files if file),
    )
    for measure in _MEASURES:
        yield _Family(measure.name, measure.kind, measure.item.sentence, _samples(measure.item, machines))
    for choice in _CHOICES:
        sentence = f"{choice.item.sentence} 1 for the one that holds."
        members = [(member, member.label) for member in choice.item.choices or ()]
        held = partial(_chosen, choice.item)
        yield _Family(choice.name, "gauge", sentence, _one_of(members, machines, held))
    yield from _states(machines)
    yield from _temperatures(machines)
    yield from _polls(machines)


def _who(machine: _Machine) -> str:
    observation = machine.observation
    plate = observation.machine.identification
    told = {
        "name": observation.display_name,
        "kind": observation.machine.kind,
        "manufacturer": plate.manufacturer or "",
        "model": plate.model or "",
        "location": plate.location or "",
        "software": (observation.snapshot.software_version if observation.snapshot else None) or "",
    }
    return f"{{{','.join((machine.label, *(_pair(name, text) for name, text in told.items())))}}}"


def _file(observation: Observation) -> str:
    if observation.snapshot is None or not observation.quality.usable:
        return ""
    return observation.snapshot.job.file_name or ""


def _samples(item: DataItem, machines: Iterable[_Machine]) -> Iterator[tuple[str, float]]:
    per_base = item.unit.per_base if item.unit else 1
    for machine in machines:
        value = read(item, machine.observation).value
        if value is not None:
            yield f"{{{machine.label}}}", _number(value) / per_base


def _number(value: Value) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    assert isinstance(value, int | float)  # noqa: S101 - of the kinds that are measured
    return value


def _chosen(item: DataItem, observation: Observation) -> object:
    return read(item, observation).value


def _one_of(
    members: Iterable[tuple[object, str]], machines: Iterable[_Machine], held: Callable[[Observation], object]
) -> Iterator[tuple[str, float]]:
    """A sample for each member, 1 for the one that holds; none if none does."""
    endings = [(member, f',state="{text}"}}') for member, text in members]
    for machine in machines:
        value = held(machine.observation)
        if value is not None:
            for member, ending in endings:
                yield f"{{{machine.label}{ending}", 1 if member is value else 0


def _states(machines: Sequence[_Machine]) -> Iterator[_Family]:
    def state(observation: Observation) -> MachineState | None:
        return observation.snapshot.state if observation.snapshot and observation.quality.usable else None

    yield _Family(
        f"{_PREFIX}_machine_state",
        "gauge",
        "What the machine does. 1 for the state that holds.",
        _one_of([(member, member.value) for member in MachineState], machines, state),
    )
    yield _Family(
        f"{_PREFIX}_machine_mes_status",
        "gauge",
        "The state in the four words of an MES. 1 for the one that holds.",
        _one_of([(each, each.value) for each in MesStatus], machines, lambda observation: observation.mes_status),
    )
    yield _Family(
        f"{_PREFIX}_machine_quality",
        "gauge",
        "May the machine's values be trusted. 1 for the quality that holds.",
        _one_of([(each, each.value) for each in Quality], machines, lambda observation: observation.quality),
    )


def _temperatures(machines: Sequence[_Machine]) -> Iterator[_Family]:
    items = {name: heater_items(name) for each in machines for name in heaters(each.observation.snapshot)}
    rows = [
        (f"{{{each.label},{_pair('heater', name)}}}", each.observation, items[name])
        for each in machines
        for name in heaters(each.observation.snapshot)
    ]
    actual = [(labels, observation, pair[0]) for labels, observation, pair in rows]
    target = [(labels, observation, pair[1]) for labels, observation, pair in rows]
    yield _Family(f"{_PREFIX}_heater_temperature_celsius", "gauge", "Temperature of a heater.", _degrees(actual))
    yield _Family(f"{_PREFIX}_heater_setpoint_celsius", "gauge", "Set point of a heater; 0 is off.", _degrees(target))


def _degrees(rows: Iterable[tuple[str, Observation, DataItem]]) -> Iterator[tuple[str, float]]:
    for labels, observation, item in rows:
        value = read(item, observation).value
        if value is not None:
            yield labels, _number(value)


def _polls(machines: Sequence[_Machine]) -> Iterator[_Family]:
    polls = [(f"{{{each.label}}}", each.observation.polls) for each in machines]
    yield _Family(
        f"{_PREFIX}_machine_polls_total",
        "counter",
        "How often the machine was asked.",
        ((labels, of.cycles) for labels, of in polls),
    )
    yield _Family(
        f"{_PREFIX}_machine_poll_failures_total",
        "counter",
        "How often the machine was asked in vain.",
        ((labels, of.failures) for labels, of in polls),
    )
    yield _Family(
        f"{_PREFIX}_machine_poll_duration_seconds",
        "gauge",
        "How long it took to ask the machine the last time, with or without success.",
        ((labels, of.duration_s) for labels, of in polls if of.duration_s is not None),
    )


def _of_agent(store: Store, machines: Sequence[_Machine], about: About) -> Iterator[_Family]:
    endpoint = about.endpoint()

    def one(name: str, kind: str, sentence: str, value: float, labels: str = "") -> _Family:
        return _Family(f"{_PREFIX}_{name}", kind, sentence, [(labels, value)])

    if store.agent is not None:
        yield one(
            "build_info", "gauge", "The agent's version; always 1.", 1, f"{{{_pair('version', store.agent.version)}}}"
        )
    yield one("machines", "gauge", "How many machines are configured.", len(machines))
    reachable = sum(each.observation.reachable for each in machines)
    yield one("machines_reachable", "gauge", "How many machines answered when last asked.", reachable)
    yield one("healthy", "gauge", "1 while every part of the agent does its work.", int(not about.complaints()))
    yield one("opcua_open", "gauge", "1 while the OPC UA endpoint is open.", int(not endpoint.waits_for))
    yield one("opcua_anonymous", "gauge", "1 if everybody may read the OPC UA endpoint.", int(endpoint.anonymous))
    yield one("opcua_sessions", "gauge", "How many clients are logged in to it.", len(about.sessions()))
    if about.journal is not None:
        status = about.journal.status
        yield one("journal_durable", "gauge", "1 while what happens is safe on the disk.", int(status.durable))
        yield one("journal_waiting_runs", "gauge", "How many runs are only in memory.", status.waiting)
        size_bytes = about.journal.size_bytes
        if size_bytes is not None:
            yield one("journal_size_bytes", "gauge", "Size of the journal's files.", size_bytes)


def _of_computer(about: About) -> Iterator[_Family]:
    """What the computer tells, and no more."""
    computer = about.computer()
    if computer is not None:
        for name, sentence, value in (
            ("temperature_celsius", "Temperature of the processor.", computer.temperature_celsius),
            ("under_voltage", "1 while the power supply is too weak.", computer.under_voltage_now),
            ("throttled", "1 while the processor is slowed down.", computer.throttled),
            ("clock_synchronised", "1 while the clock is set by the network.", computer.clock_synchronised),
            ("memory_available_bytes", "Memory that programs can still have.", computer.memory_available_bytes),
        ):
            if value is not None:
                yield _Family(f"{_PREFIX}_computer_{name}", "gauge", sentence, [("", float(value))])
    disks = [(f"{{{_pair('path', disk.path)}}}", disk) for disk in about.disks()]
    free = [(label, disk.free_bytes) for label, disk in disks]
    total = [(label, disk.total_bytes) for label, disk in disks]
    yield _Family(f"{_PREFIX}_disk_free_bytes", "gauge", "Room on the file system of a folder.", free)
    yield _Family(f"{_PREFIX}_disk_size_bytes", "gauge", "Size of the file system of a folder.", total)


def _of_process(process: Process | None) -> Iterator[_Family]:
    if process is None:
        return
    for name, kind, sentence, value in (
        ("cpu_seconds_total", "counter", "CPU time of user and system.", process.cpu_s),
        ("resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes),
        ("open_fds", "gauge", "Open files and sockets.", process.open_files),
        ("start_time_seconds", "gauge", "When the process started, by today's clock.", process.started_at_s),
    ):
        yield _Family(f"process_{name}", kind, sentence, [("", value)])


def _pair(name: str, text: str) -> str:
    return f'{name}="{_escaped(text)}"'


_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def _escaped(text: str) -> str:
    """As a label's value; what is no Unicode text is left out."""
    return text.translate(_ESCAPES).encode("utf-8", "ignore").decode()


def _written(family: _Family) -> str:
    name = family.name
    lines = [f"{name}{labels} {value!r}\n" for labels, value in family.samples if isfinite(value)]
    if not lines:
        return ""
    return f"# HELP {family.name} {family.sentence}\n# TYPE {family.name} {family.kind}\n{''.join(lines)}"
