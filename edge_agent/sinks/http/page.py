"""The status page, whole on every request: readable without a script, and by one that cannot see.

Names and texts come from printers, and so from anybody who can reach one: each is escaped, and isolated (``bdi``) so
that it cannot turn the direction of what stands beside it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import datetime

from ...model import MachineState, Quality, StackLight
from .about import Endpoint
from .html import clock, document, duration, english, escaped, foreign
from .report import AgentReport, HeaterReport, MachineReport, PrintReport
from .words import Words

_COLOURS = {
    StackLight.OFF: "grey",
    StackLight.GREEN: "green",
    StackLight.GREEN_BLINKING: "busy",
    StackLight.YELLOW: "yellow",
    StackLight.RED: "red",
}


def page(machines: list[MachineReport], agent: AgentReport, endpoint: Endpoint, words: Words) -> str:
    """The page.

    Args:
        machines: in the order they are shown.
        agent: what it says of itself; its ``time`` is now.
        endpoint: where an MES connects.
        words: the language.
    """
    counts = {"reachable": agent.machines_reachable, "machines": agent.machines}
    tiles = "".join(_tile(machine, agent.time, words) for machine in machines)
    nobody = f'<p>{escaped(words.no_machines)} <a href="/setup">{escaped(words.frame.setup)}</a></p>'
    main = f"""<h1>{escaped(words.frame.machines)}</h1>
<p id="counts" role="status">{escaped(words.reachable.format(**counts))}</p>
<p id="as-of" data-live>{words.as_of.format(time=clock(agent.time, agent.time))}</p>
<div id="alarms" data-live>{_alarms(agent, words)}</div>
<ul id="tiles" data-live data-list>{tiles}</ul>
{"" if machines else nobody}
<section id="connect" data-live>
{_connect(agent, endpoint, words)}
</section>"""
    title = words.title.format(host=socket.gethostname(), **counts)
    return document(title=title, words=words, main=main, here="machines", watch="all", every_s=60, reload_s=15)


def _alarms(agent: AgentReport, words: Words) -> str:
    told = [*agent.complaints, *agent.warnings]
    if agent.config_refused:
        told.append(f"config.json: {agent.config_status}")
    if agent.journal is not None and not agent.journal.durable:
        told.append(f"journal: {agent.journal.reason}")
    if not told:
        return ""
    lines = "".join(f"<li>{english(text)}</li>" for text in told)
    return f'<section class="alarm" role="alert"><h2>{escaped(words.trouble)}</h2><ul>{lines}</ul></section>'


def _tile(machine: MachineReport, now: datetime, words: Words) -> str:
    return "".join(
        (
            f'<li id="m-{escaped(machine.id)}" class="tile {_colour(machine)}">',
            f'<h2><a href="/api/v1/machines/{escaped(machine.id)}" ',
            f'title="{escaped(words.details.format(name=machine.name))}">{foreign(machine.name)}</a></h2>',
            f'<p class="state">{_state(machine, words)}</p>',
            *_when(machine, now, words),
            *_why(machine, words),
            *_print(machine.print, now, words),
            *_heaters(machine.heaters, words),
            "</li>",
        )
    )


def _colour(machine: MachineReport) -> str:
    return _COLOURS[machine.stack_light] if machine.quality.usable else "lost"


def _state(machine: MachineReport, words: Words) -> str:
    state = words.states[machine.state] if machine.state else ""
    if machine.quality.usable:
        return escaped(state)
    # One that never answered, and about which it is known why, is not waited for.
    failed = machine.quality is Quality.WAITING and machine.reason
    held = Quality.NO_COMMUNICATION if failed else machine.quality
    quality = words.qualities.get(held, held.value)
    last = f" <small>({escaped(words.last_state.format(state=state))})</small>" if state else ""
    return escaped(quality) + last


def _when(machine: MachineReport, now: datetime, words: Words) -> Iterator[str]:
    if machine.reachable:
        if machine.since is not None:
            text = words.began if machine.state is not None and machine.state.busy else words.since
            yield f'<p class="when">{text.format(time=clock(machine.since, now))}</p>'
    elif machine.last_seen is not None:
        yield f'<p class="when">{words.last_seen.format(time=clock(machine.last_seen, now))}</p>'
    elif machine.reason:
        yield f'<p class="when">{escaped(words.never_seen)}</p>'
    if machine.quality is Quality.UNCERTAIN:
        yield f'<p class="when">{escaped(words.old_values)}</p>'


def _why(machine: MachineReport, words: Words) -> Iterator[str]:
    if machine.reason:
        yield f'<p class="why">{english(machine.reason)}</p>'
    if machine.advice:
        yield f'<p class="why">{english(machine.advice)}</p>'
    known = words.states[machine.state] if machine.state else ""
    if machine.state is MachineState.FAULT and machine.state_text not in {"", known, machine.reason}:
        yield f'<p class="why">{english(machine.state_text)}</p>'


def _print(job: PrintReport | None, now: datetime, words: Words) -> Iterator[str]:
    if job is None:
        return
    yield f'<p class="file">{foreign(job.file_name or "")}</p>'
    parts = []
    if job.progress_ratio is not None:
        # Rounded down: 100 % is for a print that has ended.
        percent = int(job.progress_ratio * 100 + 1e-9)
        yield f'<progress max="100" value="{percent}" aria-label="{escaped(words.progress)}">{percent} %</progress>'
        parts.append(f"{percent} %")
    if job.remaining_s is not None:
        parts.append(escaped(words.left.format(time=duration(job.remaining_s, words))))
    if job.ends_at is not None:
        parts.append(words.ends_at.format(time=clock(job.ends_at, now)))
    if parts:
        yield f'<p class="left">{" &middot; ".join(parts)}</p>'


def _heaters(heaters: dict[str, HeaterReport], words: Words) -> Iterator[str]:
    if not heaters:
        return
    yield '<dl class="heat">'
    for name, heater in heaters.items():
        actual = "-" if heater.actual_celsius is None else f"{heater.actual_celsius:.0f}"
        target = heater.target_celsius
        goal = "" if target is None else f" / {words.off if not target else f'{target:.0f} °C'}"
        unit = "" if goal.endswith("C") else " °C"
        yield f"<div><dt>{foreign(name)}</dt><dd>{actual}{unit}{escaped(goal)}</dd></div>"
    yield "</dl>"


def _connect(agent: AgentReport, endpoint: Endpoint, words: Words) -> str:
    urls = "<br>".join(f"<code>{escaped(url)}</code>" for url in endpoint.urls)
    if endpoint.waits_for:
        urls += f"<br>{english(words.endpoint_closed.format(reason=endpoint.waits_for))}"
    fingerprint = endpoint.fingerprint
    certificate = f"<code>{escaped(fingerprint)}</code>" if fingerprint else escaped(words.no_fingerprint)
    return f"""<h2>{escaped(words.connect)}</h2>
<dl>
<dt>{escaped(words.endpoint)}</dt><dd>{urls}</dd>
<dt>{escaped(words.fingerprint)}</dt><dd>{certificate}</dd>
</dl>
<p>{escaped(words.credentials)}</p>
<p>{escaped(words.configuration)}: {english(agent.config_status)}</p>
{f"<p>{escaped(words.last_restart)}: {english(agent.last_restart)}</p>" if agent.last_restart else ""}"""
