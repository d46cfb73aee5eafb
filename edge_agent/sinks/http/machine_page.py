"""A machine's own page: what it does, its last hour, its last prints, and every value with the node that has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf
from urllib.parse import urlsplit

from ...items import DataItem, Reading, Value, read
from ...jobs import JobRun
from ...model import Choice
from ...observation import Observation
from ...units import BYTE, SECOND
from .about import NodeId
from .drawing import large
from .html import clock, copy_button, document, duration, english, escaped, foreign, number, size, table
from .report import CurvesReport, items_of, machine_report
from .tile import colour, glance, temperature
from .words import Words

_NOTHING = "-"
_HOST = re.compile(r"[\w.:%-]+")
_AT_ONCE_S = 5
"""A print's time runs, and temperatures change all the while: more often than that nobody reads it."""


def machine_page(
    observation: Observation,
    *,
    runs: Sequence[JobRun],
    curves: CurvesReport,
    node_id: NodeId,
    now: datetime,
    words: Words,
    admin: bool = False,
) -> str:
    """The page of one machine.

    Args:
        observation: what is known of it.
        runs: its last prints, the newest first.
        curves: its last hour.
        node_id: names the nodes of its values.
        now: the wall clock.
        words: the language.
        admin: whoever reads may change things.
    """
    machine, said = machine_report(observation), words.machine
    main = f"""<h1>{foreign(machine.name)}</h1>
<p id="who" class="faint" data-live>{_who(observation)}</p>
{_own_page(machine.url, words)}
<section id="now" class="tile {colour(machine)}" data-live aria-label="{escaped(said.now)}">
{"".join(glance(machine, now, words))}
</section>
<section id="curves" data-live>
<h2>{escaped(said.curves)}</h2>
{_curves(observation, curves, words)}
</section>
<section id="jobs" data-live>
<h2>{escaped(said.jobs)}</h2>
{_jobs(runs, now, words)}
</section>
<section>
<h2>{escaped(said.values)}</h2>
{_items(observation, node_id, now, words)}
</section>"""
    return document(
        title=said.title.format(name=machine.name),
        words=words,
        main=main,
        here="machines",
        admin=admin,
        watch="machine",
        machine_id=machine.id,
        every_s=_AT_ONCE_S,
        reload_s=15,
    )


def no_machine_page(words: Words, *, admin: bool = False) -> str:
    """What is said of an id that no machine has."""
    main = f"""<h1>{escaped(words.frame.machines)}</h1>
<p>{escaped(words.machine.not_there)} <a href="/">{escaped(words.show_all)}</a></p>"""
    return document(title=words.frame.machines, words=words, main=main, here="", admin=admin)


def _who(observation: Observation) -> str:
    machine = observation.machine
    plate = machine.identification
    told = [plate.manufacturer, plate.model, plate.location, machine.id]
    return " &middot; ".join(foreign(text) for text in told if text)


def _own_page(url: str, words: Words) -> str:
    """A link for people; not to where a browser would not find a page, and never with somebody's password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host) or "@" in parts.netloc:
        return ""
    return f'<p><a href="{escaped(url)}" rel="noreferrer">{escaped(words.machine.own_page)}</a></p>'


def _curves(observation: Observation, curves: CurvesReport, words: Words) -> str:
    said, heaters = words.machine, machine_report(observation).heaters
    drawn = []
    for name in dict.fromkeys((*heaters, *curves.heaters)):
        before, _, after = said.curves_of.partition("{heater}")
        now = f" {temperature(heaters[name], words)}" if name in heaters else ""
        drawing = large(name, curves.heaters[name], curves.step_s, words) if name in curves.heaters else ""
        if now or drawing:
            title = f"{escaped(before)}{foreign(name)}{escaped(after)}"
            drawn.append(f'<h3>{title}<span class="now">{now}</span></h3>{drawing}')
    if not drawn:
        return f"<p>{escaped(said.no_curves)}</p>"
    return f'{"".join(drawn)}<p class="faint">{escaped(said.goal)}</p>'


def _jobs(runs: Sequence[JobRun], now: datetime, words: Words) -> str:
    said = words.machine
    if not runs:
        return f"<p>{escaped(said.no_jobs)}</p>"
    heads = (said.file, said.started, said.duration, said.outcome)
    return table(said.jobs, heads, [_job(run, now, words) for run in runs])


def _job(run: JobRun, now: datetime, words: Words) -> tuple[str, ...]:
    said = words.machine
    took = duration(((run.ended_at or now) - run.started_at).total_seconds(), words)
    outcome = said.outcomes[run.outcome] if run.outcome is not None else said.goes_on
    reason = f" <small>{english(run.reason)}</small>" if run.reason else ""
    return foreign(run.file_name or ""), clock(run.started_at, now), escaped(took), f"{escaped(outcome)}{reason}"


def _items(observation: Observation, node_id: NodeId, now: datetime, words: Words) -> str:
    """All items, in groups; the times of a group's rows run, so rows are exchanged one by one."""
    said = words.machine
    groups: dict[str, list[tuple[int, DataItem]]] = {}
    for place, item in enumerate(items_of(observation)):
        group = item.id.partition("/")[0]
        groups.setdefault(group if group in said.groups else "MesStatus", []).append((place, item))
    names = (said.item, said.value, said.quality, said.time, said.node_id)
    heads = "".join(f'<th scope="col">{escaped(name)}</th>' for name in names)
    bodies = []
    for group, items in groups.items():
        rows = "".join(
            _row(place, item, observation=observation, node_id=node_id, now=now, words=words) for place, item in items
        )
        head = f'<tr id="h-{group}"><th colspan="5" scope="rowgroup">{escaped(said.groups[group])}</th></tr>'
        bodies.append(f'<tbody id="g-{group}" data-live data-list>{head}{rows}</tbody>')
    return f"""<p>{escaped(said.of_node_ids)}</p>
{_own_node(node_id(observation.machine.id, None), words)}
<table class="items"><thead><tr>{heads}</tr></thead>{"".join(bodies)}</table>"""


def _own_node(node_id: str, words: Words) -> str:
    if not node_id:
        return ""
    said = words.machine.own_node_id
    button = copy_button("own-node", words, of=said)
    return f'<p>{escaped(said)}: <code id="own-node">{escaped(node_id)}</code> {button}</p>'


def _row(place: int, item: DataItem, *, observation: Observation, node_id: NodeId, now: datetime, words: Words) -> str:
    reading, node = read(item, observation), node_id(observation.machine.id, item)
    name = item.id.partition("/")[2] or item.id
    button = copy_button(f"n-{place}", words, of=item.id) if node else ""
    code = f'<code id="n-{place}">{foreign(node)}</code> {button}' if node else _NOTHING
    time = clock(reading.at, now) if reading.at is not None else _NOTHING
    return (
        f'<tr id="i-{place}"{"" if reading.quality.usable else " class=bad"}>'
        f'<th scope="row">{foreign(name)} <small>{_sentence(item, words)}</small></th>'
        f"<td>{''.join(_value(item, reading, now, words))}</td><td>{escaped(words.qualities[reading.quality])}</td>"
        f"<td>{time}</td><td>{code}</td></tr>"
    )


def _sentence(item: DataItem, words: Words) -> str:
    """What an item is; of heaters the languages know only the pattern."""
    said = words.machine
    if item.id in said.sentences:
        return escaped(said.sentences[item.id])
    if item.id.startswith("Monitoring/Process/"):
        name = item.id.rpartition("/")[2]
        pattern = said.setpoint_of if name.endswith("Setpoint") else said.temperature_of
        before, _, after = pattern.partition("{heater}")
        heater = name.removesuffix("Setpoint").removesuffix("Temperature")
        return f"{escaped(before)}{foreign(heater)}{escaped(after)}"
    return english(item.sentence)


def _value(item: DataItem, reading: Reading, now: datetime, words: Words) -> Iterator[str]:
    value = reading.value
    if value is None or value in ("", ()):
        yield _NOTHING
        return
    yield _plain(value, now, words)
    if item.unit is not None:
        yield f" {escaped(item.unit.symbol)}"
    in_words = {SECOND: (duration, 60), BYTE: (size, 1000)}.get(item.unit) if item.unit is not None else None
    if in_words is not None and isinstance(value, int | float) and in_words[1] <= value < inf:
        yield f" <small>({escaped(in_words[0](value, words))})</small>"


def _plain(value: Value, now: datetime, words: Words) -> str:
    match value:
        case bool():
            return escaped(words.yes if value else words.no)
        case Choice():
            return english(value.label)
        case int():
            return str(value)
        case float():
            return escaped(number(value, words, digits=1))
        case datetime():
            return clock(value, now)
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return foreign(value)
