"""The guide's pages for finding a printer and being let in by it, and the frame of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit

from msgspec import Struct

from .fields import alarm, button, field, form
from .guide_words import GuideWords
from .html import document, english, escaped, foreign
from .setting_up import Found, Pairing, PairingState
from .words import Words

OVERVIEW, ADD, STATES, WRITTEN = "/setup", "/setup/add", "/setup/states", "/setup/written"
PAIR, PAIRING, FORGET = "/setup/pair", "/setup/pairing", "/setup/forget"
MACHINE, REMOVE = "/setup/machine", "/setup/remove"

_FOUND_EVERY_S = 3
_PAIRING_EVERY_S = 2
_RELOAD_S = 5


class Reader(Struct, frozen=True, kw_only=True):
    """Whom a page is for: in which language, and with which token in its forms."""

    words: Words
    guide: GuideWords
    token: str


def guide_page(reader: Reader, title: str, content: str, *, every_s: int = 0, reload_s: int = 0) -> str:
    """A page of the guide: where else one can go, then ``content`` as HTML."""
    guide = reader.guide
    places = (
        (OVERVIEW, guide.overview),
        (ADD, guide.add.title),
        (STATES, guide.states),
        (WRITTEN, guide.written),
        ("/password", guide.access.change),
    )
    links = "".join(f'<li><a href="{path}">{escaped(name)}</a></li>' for path, name in places)
    leave = form("/logout", button(guide.access.log_out, quiet=True), token=reader.token)
    ways = f'<nav class="guide" aria-label="{escaped(guide.pages)}"><ul>{links}</ul>{leave}</nav>'
    return document(
        title=f"{title} - edge-agent",
        words=reader.words,
        main=f"<h1>{foreign(title)}</h1>{content}{ways}",
        here="setup",
        admin=True,
        every_s=every_s,
        reload_s=reload_s,
    )


def link(path: str, text: str, **query: str) -> str:
    """A link to one of our pages."""
    return f'<a href="{escaped(at(path, **query))}">{escaped(text)}</a>'


def at(path: str, **query: str) -> str:
    """One of our paths with something behind the question mark; what is empty is left out."""
    asked = "&".join(f"{name}={quote(text, safe='')}" for name, text in query.items() if text)
    return f"{path}?{asked}" if asked else path


def add_page(
    reader: Reader,
    found: Iterable[Found],
    *,
    url: str = "",
    machine: str = "",
    complaints: Mapping[str, str] | None = None,
) -> str:
    """What was found in the network, and a form for an address.

    Args:
        reader: whom it is for.
        found: as far as it is known; the page asks again.
        url: as it was typed.
        machine: id of the machine that needs another key; empty for a new one.
        complaints: by field of the form.
    """
    add, wrong = reader.guide.add, complaints or {}
    fields = (
        field("url", add.url, text=url, hint=add.url_hint, complaints=_of(wrong, "url"), required="", inputmode="url")
        + field("key", add.key, hint=add.key_hint, complaints=_of(wrong, "key"), kind="password", autocomplete="off")
        + button(add.go_on)
    )
    by_hand = form(PAIR, fields, token=reader.token, hidden={"machine": machine})
    content = alarm(add.states[PairingState.FAILED], wrong.values())
    content += f"""<section><h2>{escaped(add.found_title)}</h2>
<div id="found" data-live>{_found(found, reader, machine)}</div>
<noscript><p>{link(ADD, add.reload, machine=machine)}</p></noscript></section>
<section class="narrow"><h2>{escaped(add.by_hand_title)}</h2>{by_hand}</section>"""
    return guide_page(reader, add.title, content, every_s=_FOUND_EVERY_S)


def _found(found: Iterable[Found], reader: Reader, machine: str) -> str:
    add = reader.guide.add
    lines = []
    for one in found:
        version = f"OctoPrint {one.version}" if one.version else ""
        about = "".join(f" <small>{foreign(text)}</small>" for text in (one.url, version, one.model) if text)
        ask = form(PAIR, button(add.ask), token=reader.token, hidden={"url": one.url, "key": "", "machine": machine})
        act = f"<p>{escaped(add.known)}</p>" if one.configured and not machine else ask
        lines.append(f'<li class="tile"><strong>{foreign(one.name)}</strong>{about}{act}</li>')
    return f'<ul class="found">{"".join(lines)}</ul>' if lines else f"<p>{escaped(add.looking)}</p>"


def pairing_page(reader: Reader, pairing: Pairing, *, minutes: int, machine: str = "") -> str:
    """How far it is with one OctoPrint.

    Args:
        reader: whom it is for.
        pairing: how it is now.
        minutes: how long it is waited at most.
        machine: id of the machine that needs another key; empty for a new one.
    """
    add = reader.guide.add
    waits = pairing.state is PairingState.WAITING
    how_far = add.states[pairing.state]
    if waits:
        content = _waiting(reader, pairing, minutes, machine)
    elif pairing.state is PairingState.GRANTED:
        content = _granted(reader, pairing, machine)
    else:
        how_far = ""  # an alarm says it
        again = {"url": pairing.url, "key": "", "machine": machine}
        content = alarm(add.states[pairing.state], [pairing.reason or pairing.url])
        content += form(PAIR, button(add.ask_again), token=reader.token, hidden=again)
        content += f"<p>{link(ADD, add.title, machine=machine)}</p>"
    # It is said to who cannot see as it changes; a heading would not be.
    status = f'<p id="how-far" role="status">{escaped(how_far)}</p>'
    name = pairing.name or host_in(pairing.url)
    return guide_page(
        reader,
        f"{add.title}: {name}",
        f'{status}<div id="pairing" class="narrow" data-live>{content}</div>',
        every_s=_PAIRING_EVERY_S if waits else 0,
        reload_s=_RELOAD_S if waits else 0,
    )


def _waiting(reader: Reader, pairing: Pairing, minutes: int, machine: str) -> str:
    add = reader.guide.add
    cancel = form(
        FORGET, button(add.cancel, quiet=True), token=reader.token, hidden={"id": pairing.id, "machine": machine}
    )
    return f"""<p>{escaped(add.open_it)} {_outside(pairing.dialog_url or pairing.url)}</p>
<p>{escaped(add.press_allow)}</p>
<p>{escaped(add.minutes_left.format(minutes=minutes))}</p>{cancel}"""


def _granted(reader: Reader, pairing: Pairing, machine: str) -> str:
    add = reader.guide.add
    known = [(add.user, pairing.user), (add.version, pairing.version), (add.may, ", ".join(pairing.permissions))]
    facts = "".join(f"<dt>{escaped(name)}</dt><dd>{foreign(text)}</dd>" for name, text in known if text)
    on = escaped(at(MACHINE, pairing=pairing.id, id=machine))
    text = f'<dl class="facts">{facts}</dl>'
    if not pairing.more_than_needed:
        return f'{text}<p>{escaped(add.only_reads)}</p><p><a class="go" href="{on}">{escaped(add.go_on)}</a></p>'
    least = "".join(f"<li>{escaped(line)}</li>" for line in add.least)
    paste = field("key", add.paste, kind="password", autocomplete="off", required="") + button(add.use_pasted)
    hidden = {"url": pairing.url, "machine": machine, "instead": pairing.id}
    return f"""{text}<p>{escaped(add.more_than_needed)}</p><ol>{least}</ol>
{form(PAIR, paste, token=reader.token, hidden=hidden)}<p><a href="{on}">{escaped(add.use_anyway)}</a></p>"""


def _outside(url: str) -> str:
    """A link to a page of a printer's, if it is one."""
    if host_in(url) == "":
        return english(url)
    return f'<a href="{escaped(url)}" target="_blank" rel="noopener noreferrer">{foreign(url)}</a>'


def host_in(url: str) -> str:
    """The host of a web address; empty if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""


def _of(complaints: Mapping[str, str], name: str) -> list[str]:
    return [complaints[name]] if name in complaints else []
