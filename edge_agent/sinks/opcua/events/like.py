r"""The patterns of the operator Like (OPC 10000-4, 7.7.3).

``%`` is any text, ``_`` any character, ``[a-c5]`` one of a list, ``[^a-c5]`` one not in it; after ``\`` a character
stands for itself.

Matched in time that grows with the pattern's length times the text's, whatever a client sends: a regular expression
made of many ``%`` would not be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_Fits = Callable[[str], bool]
_ANY_TEXT = None


def is_like(text: str, pattern: str) -> bool:
    """Does the whole text match the pattern."""
    tokens = _parse(pattern)
    at = token = 0
    retry: tuple[int, int] | None = None
    while at < len(text):
        fits = tokens[token] if token < len(tokens) else _nothing
        if fits is _ANY_TEXT:
            retry = (token, at)
            token += 1
        elif fits(text[at]):
            token, at = token + 1, at + 1
        elif retry is not None:  # the last % takes one character more
            retry = (retry[0], retry[1] + 1)
            token, at = retry[0] + 1, retry[1]
        else:
            return False
    return all(fits is _ANY_TEXT for fits in tokens[token:])


def _parse(pattern: str) -> Sequence[_Fits | None]:
    tokens: list[_Fits | None] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "%":
            tokens.append(_ANY_TEXT)
        elif character == "_":
            tokens.append(_anything)
        elif character == "[" and "]" in pattern[at:]:
            end = pattern.index("]", at)
            tokens.append(_one_of(pattern[at:end]))
            at = end + 1
        elif character == "\\" and at < len(pattern):
            tokens.append(pattern[at].__eq__)
            at += 1
        else:
            tokens.append(character.__eq__)
    return tokens


def _one_of(listed: str) -> _Fits:
    negated = listed.startswith("^")
    listed = listed[1:] if negated else listed
    single: set[str] = set()
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(listed):
        if listed[at + 1 : at + 2] == "-" and at + 2 < len(listed):
            ranges.append((listed[at], listed[at + 2]))
            at += 3
        else:
            single.add(listed[at])
            at += 1
    return lambda character: (
        (character in single or any(low <= character <= high for low, high in ranges)) is not negated
    )


def _anything(_: str) -> bool:
    return True


def _nothing(_: str) -> bool:
    return False
