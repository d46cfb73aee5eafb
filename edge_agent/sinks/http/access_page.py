"""The pages before the door: log in, set the password, change it."""

from __future__ import annotations

from collections.abc import Mapping

from .access import Why
from .fields import button, form, new_password, old_password
from .guide_words import GuideWords
from .html import document, escaped
from .words import Words

COMMAND = "sudo edge-agent credentials --admin"


def log_in_page(words: Words, guide: GuideWords, *, why: Why | None = None, ended: bool = False) -> str:
    """Asks for the password.

    Args:
        words: the language.
        guide: the same language.
        why: the last try failed; ``None`` if there was none.
        ended: somebody meant to change something without being logged in.
    """
    access = guide.access
    complaints = [access.refused[why]] if why is not None else []
    note = f'<p class="alarm" role="alert">{escaped(access.ended)}</p>' if ended else ""
    fields = old_password("password", access.password, complaints=complaints) + button(access.log_in)
    return _page(
        access.log_in_title,
        words,
        f"<p>{escaped(access.log_in_why)}</p>{note}{form('/login', fields)}{_command(access.forgotten)}",
    )


def first_page(words: Words, guide: GuideWords, *, minutes: int, complaints: Mapping[str, str] | None = None) -> str:
    """Asks for the first password. ``complaints`` are by field, ``minutes`` what is left of the time."""
    access = guide.access
    return _page(
        access.first_title,
        words,
        f"<p>{escaped(access.first_why.format(minutes=minutes))}</p>"
        + form("/password", _twice(guide, complaints or {}) + button(access.set_it)),
    )


def change_page(words: Words, guide: GuideWords, *, token: str, complaints: Mapping[str, str] | None = None) -> str:
    """Asks for the old password and a new one."""
    access, wrong = guide.access, complaints or {}
    old = old_password("old", access.old, complaints=_of(wrong, "old"))
    return _page(
        access.change_title,
        words,
        f"<p>{escaped(access.change_why)}</p>"
        + form("/password", old + _twice(guide, wrong) + button(access.change), token=token),
        admin=True,
    )


def too_late_page(words: Words, guide: GuideWords) -> str:
    """Nobody can set the first password here any more."""
    return _page(guide.access.first_title, words, _command(guide.access.too_late))


def note_page(words: Words, title: str, text: str, *, link: tuple[str, str] | None = None) -> str:
    """One sentence that says why not, and a link on."""
    on = f'<p><a href="{escaped(link[0])}">{escaped(link[1])}</a></p>' if link else ""
    return _page(title, words, f'<p class="alarm" role="alert">{escaped(text)}</p>{on}')


def _page(title: str, words: Words, content: str, *, admin: bool = False) -> str:
    main = f'<h1>{escaped(title)}</h1><div class="narrow">{content}</div>'
    return document(title=f"{title} - edge-agent", words=words, main=main, here="setup", admin=admin)


def _twice(guide: GuideWords, wrong: Mapping[str, str]) -> str:
    access = guide.access
    first = new_password("new", access.new, hint=access.rule, complaints=_of(wrong, "new"))
    return first + new_password("again", access.again, complaints=_of(wrong, "again"))


def _of(complaints: Mapping[str, str], name: str) -> list[str]:
    return [complaints[name]] if name in complaints else []


def _command(sentence: str) -> str:
    return f"<p>{escaped(sentence)} <code>{escaped(COMMAND)}</code></p>"
