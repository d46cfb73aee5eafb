"""Forms as HTML: each field with its name, a hint and what is wrong with it, tied together for who cannot see.

Everything that was typed, or came from elsewhere, is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .html import english, escaped, foreign
from .setting_up import Complaint

TOKEN = "form-token"  # noqa: S105 - the name of a field


def form(action: str, content: str, *, token: str = "", hidden: Mapping[str, str] | None = None) -> str:
    """A form.

    Args:
        action: our own path it is sent to.
        content: its fields and buttons as HTML.
        token: of the session, if there is one.
        hidden: further fields that nobody types.
    """
    quiet = {**({TOKEN: token} if token else {}), **(hidden or {})}
    fields = "".join(
        f'<input type="hidden" name="{escaped(name)}" value="{escaped(text)}">' for name, text in quiet.items()
    )
    return f'<form method="post" action="{escaped(action)}" accept-charset="utf-8">{fields}{content}</form>'


def button(text: str, *, quiet: bool = False) -> str:
    """What sends a form; a ``quiet`` one is not what is usually wanted."""
    kind = "" if quiet else ' class="go"'
    return f"<p><button{kind}>{escaped(text)}</button></p>"


def field(
    name: str,
    label: str,
    *,
    text: str = "",
    hint: str = "",
    kind: str = "text",
    complaints: Iterable[str] = (),
    **attributes: str,
) -> str:
    """One line to type into.

    Args:
        name: of the field, also its id.
        label: what it is.
        text: what is in it already; never of a password.
        hint: how it is meant.
        kind: ``text`` or ``password``.
        complaints: what is wrong with it.
        attributes: of the element; an underscore stands for a hyphen, and an empty text for an attribute without one.
    """
    wrong = [*complaints]
    told = [f"{name}-{what}" for what, there in (("hint", hint), ("wrong", wrong)) if there]
    more = "".join(f' {key.replace("_", "-")}="{escaped(value)}"' for key, value in attributes.items())
    more += f' aria-describedby="{" ".join(told)}"' if told else ""
    more += ' aria-invalid="true"' if wrong else ""
    lines = [f'<p class="field"><label for="{name}">{escaped(label)}</label>']
    if hint:
        lines.append(f'<small id="{name}-hint">{escaped(hint)}</small>')
    lines.append(f'<input type="{kind}" id="{name}" name="{name}" value="{escaped(text)}" maxlength="2000"{more}>')
    if wrong:
        lines.append(f'<span class="wrong" id="{name}-wrong">{"<br>".join(map(foreign, wrong))}</span>')
    return "".join((*lines, "</p>"))


def new_password(name: str, label: str, *, hint: str = "", complaints: Iterable[str] = ()) -> str:
    """A line for a password that is made up now."""
    return field(
        name, label, hint=hint, kind="password", complaints=complaints, autocomplete="new-password", required=""
    )


def old_password(name: str, label: str, *, complaints: Iterable[str] = ()) -> str:
    """A line for a password there is."""
    return field(name, label, kind="password", complaints=complaints, autocomplete="current-password", required="")


def complaint_text(complaint: Complaint) -> str:
    """A complaint in one line, with where in the file it is about."""
    if complaint.line is None:
        return complaint.text
    return f"config.json:{complaint.line}:{complaint.column or 1}: {complaint.text}"


def alarm(title: str, lines: Iterable[str]) -> str:
    """What went wrong, said at once to who cannot see; empty if nothing did."""
    items = "".join(f"<li>{english(line)}</li>" for line in lines)
    return f'<div class="alarm" role="alert"><h2>{escaped(title)}</h2><ul>{items}</ul></div>' if items else ""
