"""A machine at a glance: the tile of it, whose parts its own page shows as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

from ...model import MachineState, Quality, StackLight
from .html import clock, duration, english, escaped, foreign
from .report import HeaterReport, MachineReport, PrintReport
from .words import Words

_COLOURS = {
    StackLight.OFF: "grey",
    StackLight.GREEN: "green",
    StackLight.GREEN_BLINKING: "busy",
    StackLight.YELLOW: "yellow",
    StackLight.RED: "red",
}
_SIGNS = {
    "grey": "&#9675;",
    "green": "&#10003;",
    "busy": "&#9654;",
    "yellow": "&#8214;",
    "red": "&#10007;",
    "lost": "?",
}
"""Beside the words and the colour, for who sees neither well from afar."""


def tile(machine: MachineReport, drawn: Mapping[str, str], now: datetime, words: Words) -> str:
    """An item of the list of all machines; ``drawn`` are its heaters' curves."""
    return "".join(
        (
            f'<li id="m-{escaped(machine.id)}" class="tile {colour(machine)}">',
            f'<h2><a href="{path_of(machine)}">{foreign(machine.name)}</a></h2>',
            *glance(machine, now, words),
            *_heaters(machine.heaters, drawn, words),
            "</li>",
        )
    )


def path_of(machine: MachineReport) -> str:
    """Its own page."""
    return f"/machines/{quote(machine.id, safe='')}"


def glance(machine: MachineReport, now: datetime, words: Words) -> Iterator[str]:
    """What it does, since when, why not, and what it prints."""
    yield (
        f'<p class="state"><span class="sign" aria-hidden="true">{_SIGNS[colour(machine)]}</span> '
        f"{_state(machine, words)}</p>"
    )
    yield from _when(machine, now, words)
    yield from _why(machine, words)
    yield from _print(machine.print, now, words)


def colour(machine: MachineReport) -> str:
    """The class of its tile."""
    return _COLOURS[machine.stack_light] if machine.quality.usable else "lost"


def _state(machine: MachineReport, words: Words) -> str:
    state = words.states[machine.state] if machine.state else ""
    if machine.quality.usable:
        return escaped(state)
    # One that never answered, and about which it is known why, is not waited for.
    failed = machine.quality is Quality.WAITING and machine.reason
    held = Quality.NO_COMMUNICATION if failed else machine.quality
    last = f" <small>({escaped(words.last_state.format(state=state))})</small>" if state else ""
    return escaped(words.qualities[held]) + last


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
    if machine.failure is not None:
        yield f'<p class="why">{remedy(machine, words)}</p>'
    elif machine.reason:
        yield f'<p class="why">{english(machine.reason)}</p>'
    if machine.advice:
        yield f'<p class="why">{english(machine.advice)}</p>'
    known = words.states[machine.state] if machine.state else ""
    if machine.state is MachineState.FAULT and machine.state_text not in {"", known, machine.reason}:
        yield f'<p class="why">{english(machine.state_text)}</p>'


def remedy(machine: MachineReport, words: Words) -> str:
    """Why a machine cannot be reached and what to do: one sentence, as HTML; empty for one that can be."""
    if machine.failure is None:
        return ""
    before, _, after = words.remedies[machine.failure].partition("{host}")
    host = foreign(_host(machine.url) or machine.name)
    return f"{escaped(before)}{host}{escaped(after)}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


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


def _heaters(heaters: Mapping[str, HeaterReport], drawn: Mapping[str, str], words: Words) -> Iterator[str]:
    """Those that tell something now, and those that did within the hour."""
    names = dict.fromkeys((*heaters, *drawn))
    if not names:
        return
    yield '<dl class="heat">'
    for name in names:
        now = temperature(heaters[name], words) if name in heaters else ""
        curve = drawn.get(name, "")
        if now or curve:
            yield f"<div><dt>{foreign(name)}</dt><dd>{now}{curve}</dd></div>"
    yield "</dl>"


def temperature(heater: HeaterReport, words: Words) -> str:
    """The temperature, and the set point if there is one."""
    actual = "-" if heater.actual_celsius is None else f"{heater.actual_celsius:.0f}"
    target = heater.target_celsius
    goal = "" if target is None else f" / {words.off if not target else f'{target:.0f} °C'}"
    unit = "" if goal.endswith("C") else " °C"
    return escaped(f"{actual}{unit}{goal}")
