"""The status page, whole on every request: readable without a script, and by one that cannot see.

Names and texts come from printers, and so from anybody who can reach one: each is escaped, and isolated (``bdi``) so
that it cannot turn the direction of what stands beside it.
"""

from __future__ import annotations

import html
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta

from ...model import MachineState, Quality, StackLight
from .about import Endpoint
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
    host = socket.gethostname()
    counts = {"reachable": agent.machines_reachable, "machines": agent.machines}
    tiles = "".join(_tile(machine, agent.time, words) for machine in machines)
    return f"""<!doctype html>
<html lang="{words.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(words.title.format(host=host, **counts))}</title>
<link rel="stylesheet" href="/page.css?{_text(agent.version)}">
<link rel="icon" href="/icon.svg">
<script src="/page.js?{_text(agent.version)}" defer></script>
<noscript><meta http-equiv="refresh" content="15"></noscript>
</head>
<body>
<header id="head">
<h1>edge-agent <small>{_text(host)}</small></h1>
<p>{_text(words.reachable.format(**counts))}, {words.as_of.format(time=_clock(agent.time, agent.time))}</p>
</header>
<p id="stale" class="alarm" role="alert" hidden>{_text(words.stale)}</p>
<div id="alarms">{_alarms(agent, words)}</div>
<main>
<ul id="tiles">{tiles}</ul>
{"" if machines else f"<p>{_text(words.no_machines)}</p>"}
</main>
<footer id="foot">
{_footer(agent, endpoint, words)}
</footer>
</body>
</html>
"""


def _text(text: str) -> str:
    return html.escape(text)


def _foreign(text: str) -> str:
    return f"<bdi>{html.escape(text)}</bdi>"


def _english(text: str) -> str:
    return f'<bdi lang="en">{html.escape(text)}</bdi>'


def _alarms(agent: AgentReport, words: Words) -> str:
    told = [*agent.complaints, *agent.warnings]
    if agent.config_refused:
        told.append(f"config.json: {agent.config_status}")
    if agent.journal is not None and not agent.journal.durable:
        told.append(f"journal: {agent.journal.reason}")
    if not told:
        return ""
    lines = "".join(f"<li>{_english(text)}</li>" for text in told)
    return f'<section class="alarm" role="alert"><h2>{_text(words.trouble)}</h2><ul>{lines}</ul></section>'


def _tile(machine: MachineReport, now: datetime, words: Words) -> str:
    return "".join(
        (
            f'<li id="m-{_text(machine.id)}" class="tile {_colour(machine)}">',
            f'<h2><a href="/api/v1/machines/{_text(machine.id)}" ',
            f'title="{_text(words.details.format(name=machine.name))}">{_foreign(machine.name)}</a></h2>',
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
        return _text(state)
    # One that never answered, and about which it is known why, is not waited for.
    failed = machine.quality is Quality.WAITING and machine.reason
    held = Quality.NO_COMMUNICATION if failed else machine.quality
    quality = words.qualities.get(held, held.value)
    last = f" <small>({_text(words.last_state.format(state=state))})</small>" if state else ""
    return _text(quality) + last


def _when(machine: MachineReport, now: datetime, words: Words) -> Iterator[str]:
    if machine.reachable:
        if machine.since is not None:
            text = words.began if machine.state is not None and machine.state.busy else words.since
            yield f'<p class="when">{text.format(time=_clock(machine.since, now))}</p>'
    elif machine.last_seen is not None:
        yield f'<p class="when">{words.last_seen.format(time=_clock(machine.last_seen, now))}</p>'
    elif machine.reason:
        yield f'<p class="when">{_text(words.never_seen)}</p>'
    if machine.quality is Quality.UNCERTAIN:
        yield f'<p class="when">{_text(words.old_values)}</p>'


def _why(machine: MachineReport, words: Words) -> Iterator[str]:
    if machine.reason:
        yield f'<p class="why">{_english(machine.reason)}</p>'
    if machine.advice:
        yield f'<p class="why">{_english(machine.advice)}</p>'
    known = words.states[machine.state] if machine.state else ""
    if machine.state is MachineState.FAULT and machine.state_text not in {"", known, machine.reason}:
        yield f'<p class="why">{_english(machine.state_text)}</p>'


def _print(job: PrintReport | None, now: datetime, words: Words) -> Iterator[str]:
    if job is None:
        return
    yield f'<p class="file">{_foreign(job.file_name or "")}</p>'
    parts = []
    if job.progress_ratio is not None:
        # Rounded down: 100 % is for a print that has ended.
        percent = int(job.progress_ratio * 100 + 1e-9)
        yield f'<progress max="100" value="{percent}" aria-label="{_text(words.progress)}">{percent} %</progress>'
        parts.append(f"{percent} %")
    if job.remaining_s is not None:
        parts.append(_text(words.left.format(time=duration(job.remaining_s, words))))
    if job.ends_at is not None:
        parts.append(words.ends_at.format(time=_clock(job.ends_at, now)))
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
        yield f"<div><dt>{_foreign(name)}</dt><dd>{actual}{unit}{_text(goal)}</dd></div>"
    yield "</dl>"


def duration(seconds: float, words: Words) -> str:
    """In words, to the minute."""
    minutes = int(seconds // 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return words.days.format(days=hours // 24, hours=hours % 24)
    if hours:
        return words.hours.format(hours=hours, minutes=minute)
    return words.minutes.format(minutes=minute) if minute else words.under_a_minute


def _clock(at: datetime, now: datetime) -> str:
    """The time of day where the agent is, with the date unless that is today; the script makes it the reader's."""
    local = at.astimezone()
    near = abs(now - at) < timedelta(hours=18) and local.date() == now.astimezone().date()
    shown = f"{local:%H:%M}" if near else f"{local:%Y-%m-%d %H:%M}"
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'


def _footer(agent: AgentReport, endpoint: Endpoint, words: Words) -> str:
    urls = "<br>".join(f"<code>{_text(url)}</code>" for url in endpoint.urls)
    if endpoint.waits_for:
        urls += f"<br>{_english(words.endpoint_closed.format(reason=endpoint.waits_for))}"
    fingerprint = endpoint.fingerprint
    certificate = f"<code>{_text(fingerprint)}</code>" if fingerprint else _text(words.no_fingerprint)
    return f"""<h2>{_text(words.connect)}</h2>
<dl>
<dt>{_text(words.endpoint)}</dt><dd>{urls}</dd>
<dt>{_text(words.fingerprint)}</dt><dd>{certificate}</dd>
</dl>
<p>{_text(words.credentials)}</p>
<p>{_text(words.for_machines)}: <a href="/api/v1/machines">JSON</a>, <a href="/api/v1/openapi.json">OpenAPI</a>,
<a href="/metrics">Prometheus</a>, <a href="/healthz">health</a></p>
<p>{_text(words.configuration)}: {_english(agent.config_status)}</p>
<p>{_text(words.version)}: {_text(agent.version)}</p>
{f"<p>{_text(words.last_restart)}: {_english(agent.last_restart)}</p>" if agent.last_restart else ""}"""
