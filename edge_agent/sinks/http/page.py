"""The page of all machines, whole on every request: readable without a script, and by one that cannot see."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence

from .about import Endpoint
from .filters import LONGEST_TEXT, Filter, Group
from .html import clock, copy_button, document, english, escaped
from .report import AgentReport, MachineReport
from .tile import tile
from .words import Words

FILTERED_FROM = 9
"""With as many machines one looks for some of them."""


def page(
    machines: Sequence[MachineReport],
    agent: AgentReport,
    endpoint: Endpoint,
    words: Words,
    *,
    drawn: Callable[[str], Mapping[str, str]] = lambda _: {},
    wanted: Filter | None = None,
    admin: bool = False,
) -> str:
    """The page.

    Args:
        machines: in the order they are shown.
        agent: what it says of itself; its ``time`` is now.
        endpoint: where an MES connects.
        words: the language.
        drawn: the curves of a machine's heaters, by its id.
        wanted: which of the machines are shown.
        admin: whoever reads may change things.
    """
    wanted = wanted or Filter()
    counts = {"reachable": agent.machines_reachable, "machines": agent.machines}
    shown = wanted.of_all(machines)
    tiles = "".join(tile(machine, drawn(machine.id), agent.time, words) for machine in shown)
    with_form = len(machines) >= FILTERED_FROM or not wanted.shows_all
    main = f"""<h1>{escaped(words.frame.machines)}</h1>
<p id="counts" role="status">{escaped(_counted(counts, shown, wanted, words))}</p>
<p id="as-of" data-live>{words.as_of.format(time=clock(agent.time, agent.time))}</p>
<div id="alarms" data-live>{alarms(agent, words)}</div>
{_form(wanted, words) if with_form else ""}
<ul id="tiles" data-live data-list>{tiles}</ul>
<div id="none" data-live>{_nothing(machines, shown, words)}</div>
<section id="connect" data-live>
{connect(endpoint, words)}
<p><a href="/agent">{escaped(words.more)}</a></p>
</section>"""
    title = words.title.format(host=socket.gethostname(), **counts)
    # Where somebody may be typing a page reloads less often.
    reload_s = 60 if with_form else 15
    return document(
        title=title, words=words, main=main, here="machines", admin=admin, watch="all", every_s=60, reload_s=reload_s
    )


def _counted(counts: dict[str, int], shown: Sequence[MachineReport], wanted: Filter, words: Words) -> str:
    answer = words.reachable.format(**counts)
    return answer if wanted.shows_all else f"{answer}; {words.shown_of.format(shown=len(shown), **counts)}"


def _nothing(machines: Sequence[MachineReport], shown: Sequence[MachineReport], words: Words) -> str:
    if not machines:
        return f'<p>{escaped(words.no_machines)} <a href="/setup">{escaped(words.frame.setup)}</a></p>'
    return "" if shown else f"<p>{escaped(words.none_found)}</p>"


def _form(wanted: Filter, words: Words) -> str:
    options = "".join(
        f'<option value="{group}"{" selected" if group is wanted.group else ""}>{escaped(words.groups[group])}</option>'
        for group in Group
    )
    everything = "" if wanted.shows_all else f' <a href="/">{escaped(words.show_all)}</a>'
    return f"""<form class="filter" role="search" action="/" method="get">
<label for="show">{escaped(words.show)}</label> <select id="show" name="show">{options}</select>
<label for="q">{escaped(words.search)}</label>
<input id="q" name="q" type="search" maxlength="{LONGEST_TEXT}" value="{escaped(wanted.text)}">
<button>{escaped(words.apply)}</button>{everything}
</form>"""


def alarms(agent: AgentReport, words: Words) -> str:
    """What somebody should look at; empty if there is nothing."""
    open_to_all = [escaped(words.open_to_all)] if agent.endpoint.anonymous else []
    told = [*agent.complaints, *([] if open_to_all else agent.warnings)]
    if agent.config_refused:
        told.append(f"config.json: {agent.config_status}")
    if agent.journal is not None and not agent.journal.durable:
        told.append(f"journal: {agent.journal.reason}")
    if not (told or open_to_all):
        return ""
    lines = "".join(f"<li>{line}</li>" for line in (*map(english, told), *open_to_all))
    return f'<section class="alarm" role="alert"><h2>{escaped(words.trouble)}</h2><ul>{lines}</ul></section>'


def connect(endpoint: Endpoint, words: Words) -> str:
    """How an MES gets to the endpoint: its addresses and its certificate's fingerprint, to copy."""
    said = words.about
    urls = "".join(
        f'<dd><code id="url-{number}">{escaped(url)}</code> {copy_button(f"url-{number}", words, of=url)}</dd>'
        for number, url in enumerate(endpoint.urls)
    )
    if endpoint.waits_for:
        urls += f"<dd>{english(said.closed.format(reason=endpoint.waits_for))}</dd>"
    certificate = escaped(said.no_fingerprint)
    if endpoint.fingerprint:
        button = copy_button("fingerprint", words, of=said.fingerprint)
        certificate = f'<code id="fingerprint">{escaped(endpoint.fingerprint)}</code> {button}'
    return f"""<h2>{escaped(said.endpoint)}</h2>
<dl class="facts">
<dt>{escaped(said.urls)}</dt>{urls}
<dt>{escaped(said.fingerprint)}</dt><dd>{certificate}</dd>
</dl>"""
