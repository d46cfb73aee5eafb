"""What every page is made of: the document around it, and how texts, times and durations are written.

Names and texts come from printers, and so from anybody who can reach one: each is escaped, and isolated (``bdi``) so
that it cannot turn the direction of what stands beside it.

The script (``assets/page.js``) does nothing for a page that does not ask for it:

- ``data-every`` of ``main`` is how many seconds apart the page is asked for anew; ``data-watch`` names the events after
  which it is asked for at once: ``all``, ``machine`` or ``agent``; with ``data-machine`` only those of this machine.
- An element with ``data-live`` and an id is exchanged when it differs from the fresh page's; ``data-list`` beside it
  exchanges its children one by one, as long as they are the same ones. Nothing that a person types into may be inside.
- A button of `copy_button` copies; without a script it is not shown.
"""

from __future__ import annotations

import html
import socket
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ... import __version__
from .words import Words

PAGES = {"machines": "/", "agent": "/agent", "setup": "/setup"}


def document(
    *,
    title: str,
    words: Words,
    main: str,
    here: str,
    admin: bool = False,
    watch: str = "",
    machine_id: str = "",
    every_s: int = 0,
    reload_s: int = 0,
) -> str:
    """A whole page.

    Args:
        title: of the window, as text.
        words: the language.
        main: the content as HTML, beginning with its ``h1``.
        here: which of `PAGES` this belongs to; empty for none.
        admin: whoever reads may change things.
        watch: ``data-watch``, see above; empty for a page that hears of no events.
        machine_id: ``data-machine``.
        every_s: ``data-every``; 0 for a page that does not ask by itself.
        reload_s: after how many seconds a browser without script loads the page anew; 0 for never, as for each page
            with something to type in.
    """
    frame = words.frame
    asks = f' data-every="{every_s}"' if every_s else ""
    asks += f' data-watch="{escaped(watch)}"' if watch else ""
    asks += f' data-machine="{escaped(machine_id)}"' if machine_id else ""
    reload = f'<noscript><meta http-equiv="refresh" content="{reload_s}"></noscript>\n' if reload_s else ""
    sign = f'<p class="admin">{escaped(frame.sign_of_admin)}</p>' if admin else ""
    return f"""<!doctype html>
<html lang="{words.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<link rel="stylesheet" href="/page.css?{__version__}">
<link rel="icon" href="/icon.svg">
<script src="/page.js?{__version__}" defer></script>
{reload}</head>
<body>
<a class="skip" href="#main">{escaped(frame.skip)}</a>
<header>
<p class="brand">edge-agent <small>{escaped(socket.gethostname())}</small></p>
<nav aria-label="{escaped(frame.navigation)}"><ul>{_links(words, here)}</ul></nav>
{sign}</header>
<p id="stale" class="alarm" role="alert" hidden>{escaped(frame.stale)}</p>
<main id="main" tabindex="-1"{asks}>
{main}
</main>
<footer>
<p>{escaped(frame.for_machines)}: <a href="/api/v1/machines">JSON</a>, <a href="/api/v1/openapi.json">OpenAPI</a>,
<a href="/metrics">Prometheus</a>, <a href="/healthz">health</a></p>
<p>{escaped(frame.version)} {__version__}</p>
</footer>
</body>
</html>
"""


def _links(words: Words, here: str) -> str:
    return "".join(
        f'<li><a href="{path}"{_current(name, here)}>{escaped(getattr(words.frame, name))}</a></li>'
        for name, path in PAGES.items()
    )


def _current(name: str, here: str) -> str:
    return ' aria-current="page"' if name == here else ""


def escaped(raw: str) -> str:
    """Escaped, for an element or for an attribute in double quotes."""
    return html.escape(raw)


def foreign(raw: str) -> str:
    """What somebody else has said or typed, in whatever language and direction."""
    return f"<bdi>{html.escape(raw)}</bdi>"


def english(raw: str) -> str:
    """What is English on every page."""
    return f'<bdi lang="en">{html.escape(raw)}</bdi>'


def copy_button(target: str, words: Words, *, of: str) -> str:
    """A button that copies the text of the element with the id ``target``; ``of`` says what that is."""
    frame = words.frame
    return (
        f'<button type="button" class="copy" data-copy="{escaped(target)}" data-done="{escaped(frame.copied)}" '
        f'aria-label="{escaped(frame.copy)}: {escaped(of)}">{escaped(frame.copy)}</button>'
    )


def duration(seconds: float, words: Words) -> str:
    """In words, to the minute."""
    minutes = int(seconds // 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return words.days.format(days=hours // 24, hours=hours % 24)
    if hours:
        return words.hours.format(hours=hours, minutes=minute)
    return words.minutes.format(minutes=minute) if minute else words.under_a_minute


def clock(at: datetime, now: datetime) -> str:
    """The time of day where the agent is, with the date unless that is today; the script makes it the reader's."""
    local = at.astimezone()
    near = abs(now - at) < timedelta(hours=18) and local.date() == now.astimezone().date()
    shown = f"{local:%H:%M}" if near else f"{local:%Y-%m-%d %H:%M}"
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'


def table(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls on its own where it has little room, and stands row by row where it has none.

    Args:
        name: of the table, for those who do not see it.
        heads: of the columns, as text.
        rows: their cells, as HTML; the first one of a row is its name.
    """
    head = "".join(f'<th scope="col">{escaped(each)}</th>' for each in heads)
    body = "".join(f'<tr><th scope="row">{first}</th>{_cells(heads[1:], others)}</tr>' for first, *others in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(name)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(heads: Sequence[str], cells: Sequence[str]) -> str:
    named = zip(heads, cells, strict=True)
    return "".join(f'<td data-label="{escaped(head)}">{cell}</td>' for head, cell in named)


def number(value: float, words: Words, *, digits: int) -> str:
    """With so many digits behind the decimal point, or comma; a printer may tell what is no number at all."""
    return f"{value:.{digits}f}".replace(".", words.decimal) if abs(value) < 1e15 else f"{value:g}"


def size(size_bytes: float, words: Words) -> str:
    """In the unit that leaves few digits."""
    units = iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while abs(size_bytes) >= 999.5 and unit != "TB":
        size_bytes, unit = size_bytes / 1000, next(units)
    digits = 1 if unit != "B" and size_bytes < 99.95 else 0
    return f"{number(size_bytes, words, digits=digits)} {unit}"
