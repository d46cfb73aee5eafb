"""What a check finds: how bad it is, a sentence, and what to do."""

from __future__ import annotations

import enum

from msgspec import Struct


class Level(enum.StrEnum):
    """How much somebody should care. Unseen: it could not be looked at, and says why."""

    OK = "ok"
    UNSEEN = "unseen"
    LOOK = "look"
    BAD = "bad"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. ``remedy`` is empty where nothing need be done."""

    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    """It is as it should be."""
    return Finding(level=Level.OK, text=text)


def unseen(text: str, remedy: str = "") -> Finding:
    """It could not be looked at; no reason to worry by itself."""
    return Finding(level=Level.UNSEEN, text=text, remedy=remedy)


def look(text: str, remedy: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(level=Level.LOOK, text=text, remedy=remedy)


def bad(text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(level=Level.BAD, text=text, remedy=remedy)


def parted(text: str) -> tuple[str, str]:
    """An error's text, "what failed; what to do", as a sentence and a remedy."""
    found, _, remedy = text.partition("; ")
    return found, remedy
