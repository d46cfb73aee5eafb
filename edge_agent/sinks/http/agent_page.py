"""The agent's own page: what an integrator needs, who is connected, and how the agent and its computer are."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ...computer import Computer, Disk
from .about import ConfigProblem, Endpoint, MesUser, OpcUaSession, PastStart
from .agent_detail import AgentDetail
from .html import clock, document, duration, english, escaped, foreign, number, size, table
from .page import alarms, connect
from .report import JournalReport, MachineReport
from .tile import path_of
from .words import Words

_EVERY_S = 10


def agent_page(
    agent: AgentDetail, endpoint: Endpoint, machines: Sequence[MachineReport], words: Words, *, admin: bool = False
) -> str:
    """The page.

    Args:
        agent: what it tells of itself; its ``time`` is now.
        endpoint: where an MES connects.
        machines: all of them, to say who sees which.
        words: the language.
        admin: whoever reads may change things.
    """
    said = words.about
    main = f"""<h1>{escaped(words.frame.agent)}</h1>
<div id="alarms" data-live>{alarms(agent, words)}</div>
<section id="connect" data-live>
{connect(endpoint, words)}
<p class="faint">{escaped(said.trust)}</p>
</section>
<section id="users" data-live>
<h2>{escaped(said.users)}</h2>
{_users(agent.users, machines, words)}
<p class="faint">{escaped(said.passwords)}</p>
</section>
<section id="sessions" data-live>
<h2>{escaped(said.sessions)}</h2>
{_sessions(agent.sessions, agent.time, words)}
</section>
<section id="configuration" data-live>
<h2>{escaped(said.configuration)}</h2>
<p>{english(agent.config_status)}</p>
{_problems(agent.config_problems, words)}
</section>
{_starts(agent.starts, agent.time, words)}
<section id="computer" data-live>
<h2>{escaped(said.computer)}</h2>
<dl class="facts">{_rows((*_computer(agent.computer, words), *_disks(agent.disks, words)))}</dl>
</section>
<section id="process" data-live>
<h2>{escaped(said.process)}</h2>
<dl class="facts">{_rows(_process(agent, words))}</dl>
</section>"""
    return document(
        title=said.title.format(host=socket.gethostname()),
        words=words,
        main=main,
        here="agent",
        admin=admin,
        watch="agent",
        every_s=_EVERY_S,
        reload_s=30,
    )


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    """Names, as text, and what there is to say, as HTML."""
    return "".join(f"<dt>{escaped(name)}</dt><dd>{told}</dd>" for name, told in rows)


def _users(users: Iterable[MesUser], machines: Sequence[MachineReport], words: Words) -> str:
    said = words.about
    rows = [(foreign(user.name), _seen(user, machines, words)) for user in users]
    return table(said.users, (said.user, said.sees), rows) if rows else f"<p>{escaped(said.no_users)}</p>"


def _seen(user: MesUser, machines: Sequence[MachineReport], words: Words) -> str:
    if user.mes_ids is None:
        return escaped(words.about.sees_all)
    seen = [each for each in machines if not set(user.mes_ids).isdisjoint(each.mes_ids)]
    links = ", ".join(f'<a href="{path_of(each)}">{foreign(each.name)}</a>' for each in seen)
    return links or escaped(words.about.sees_none)


def _sessions(sessions: Iterable[OpcUaSession], now: datetime, words: Words) -> str:
    said = words.about
    rows = [
        (
            " ".join(foreign(text) for text in dict.fromkeys((each.client, each.session)) if text),
            foreign(each.user) if each.user else escaped(said.anonymous),
            foreign(each.address),
            clock(each.since, now) if each.since is not None else "",
            escaped(words.yes if each.encrypted else words.no),
            escaped(said.subscribed.format(items=each.monitored_items, subscriptions=each.subscriptions)),
        )
        for each in sessions
    ]
    heads = (said.client, said.user, said.address, said.since, said.encrypted, said.reads)
    return table(said.sessions, heads, rows) if rows else f"<p>{escaped(said.no_sessions)}</p>"


def _problems(problems: Sequence[ConfigProblem], words: Words) -> str:
    said = words.about
    parts = []
    for title, refused in ((said.refused, True), (said.in_force, False)):
        lines = "".join(f"<li>{english(_place(each))}</li>" for each in problems if each.refused is refused)
        if lines:
            parts.append(f"<p>{escaped(title)}</p><ul>{lines}</ul>")
    return "".join(parts) or f"<p>{escaped(said.no_problems)}</p>"


def _place(problem: ConfigProblem) -> str:
    where = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part is not None)
    return ": ".join(part for part in (where, problem.path, problem.text) if part)


def _starts(starts: Iterable[PastStart], now: datetime, words: Words) -> str:
    said = words.about
    rows = [(clock(each.at, now), english(each.reason)) for each in starts]
    if not rows:
        return ""
    return f"<section><h2>{escaped(said.starts)}</h2>{table(said.starts, (said.time, said.reason), rows)}</section>"


def _computer(computer: Computer | None, words: Words) -> Iterator[tuple[str, str]]:
    said = words.about
    if computer is None:
        return
    yield said.model, foreign(computer.model) if computer.model else escaped(said.not_told)
    yield said.system, f"{foreign(computer.os or '')} Python {escaped(computer.python)}"
    celsius = computer.temperature_celsius
    hot = f" {escaped(said.throttled)}" if computer.throttled else ""
    warmth = escaped(said.not_told) if celsius is None else f"{escaped(number(celsius, words, digits=0))} °C"
    yield said.temperature, warmth + hot
    yield said.supply, escaped(_supply(computer, words))
    clocks = {True: said.clock_set, False: said.clock_not_set, None: said.not_told}
    yield said.clock, escaped(clocks[computer.clock_synchronised])
    if computer.uptime_s is not None:
        yield said.uptime, escaped(duration(computer.uptime_s, words))
    if computer.memory_available_bytes is not None and computer.memory_total_bytes is not None:
        available, total = size(computer.memory_available_bytes, words), size(computer.memory_total_bytes, words)
        yield said.memory, escaped(said.of_memory.format(available=available, total=total))


def _supply(computer: Computer, words: Words) -> str:
    said = words.about
    if computer.under_voltage_now:
        return said.supply_bad
    if computer.under_voltage_since_boot:
        return said.supply_was_bad
    return said.not_told if computer.under_voltage_now is None else said.supply_good


def _disks(disks: Iterable[Disk], words: Words) -> Iterator[tuple[str, str]]:
    said = words.about
    for disk in disks:
        told = said.of_disk.format(free=size(disk.free_bytes, words), total=size(disk.total_bytes, words))
        yield said.disk.format(path=disk.path), escaped(f"{told}, {said.read_only}" if disk.read_only else told)


def _process(agent: AgentDetail, words: Words) -> Iterator[tuple[str, str]]:
    said = words.about
    yield words.frame.version, escaped(agent.version)
    if agent.started_at is not None:
        yield said.started, clock(agent.started_at, agent.time)
    if agent.process is not None:
        yield said.used_memory, escaped(size(agent.process.resident_bytes, words))
        yield said.processor_time, escaped(duration(agent.process.cpu_s, words))
    if agent.journal is not None:
        yield said.journal, _journal(agent.journal, words)
        if agent.journal.size_bytes is not None:
            yield said.journal_size, escaped(size(agent.journal.size_bytes, words))


def _journal(journal: JournalReport, words: Words) -> str:
    said = words.about
    if journal.durable:
        return escaped(said.journal_safe)
    before, _, after = said.journal_waits.format(waiting=journal.waiting, reason="{reason}").partition("{reason}")
    return f"{escaped(before)}{english(journal.reason)}{escaped(after)}"
