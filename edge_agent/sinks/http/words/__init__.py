"""The page's texts, one `Words` for each language. What printers and the agent say of a failure is English in both."""

from __future__ import annotations

from .de import DE
from .en import EN
from .texts import AgentWords, FrameWords, MachineWords, Words

__all__ = ["DE", "EN", "AgentWords", "FrameWords", "MachineWords", "Words", "words_for"]


def words_for(accept_language: str) -> Words:
    """The language that an Accept-Language header asks for most, of those there are; else English."""
    best, words = 0.0, EN
    for part in accept_language.split(",")[:20]:
        tag, _, weight = part.strip().lower().partition(";q=")
        found = {"en": EN, "de": DE}.get(tag.partition("-")[0])
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if found is not None and quality > best:
            best, words = quality, found
    return words
