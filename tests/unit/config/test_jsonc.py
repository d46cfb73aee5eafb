"""JSON as people write it: same values as without the comments, and every value's place."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import jsonc
from edge_agent.config.problem import JsonPath, Position

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
COMMENTS = ["", "", " ", "\n", "\t", '// a "comment", }\n', "/* [ \n { , */", "\r\n", "/**/", "/* // */"]


def written(value: Any, dice: random.Random, path: JsonPath, places: dict[JsonPath, int], before: int) -> str:
    """``value`` with comments and trailing commas strewn in; ``places`` gets the offset of each value."""

    def gap() -> str:
        return dice.choice(COMMENTS)

    text = gap()
    places[path] = before + len(text)
    if isinstance(value, dict | list):
        text += "{" if isinstance(value, dict) else "["
        pairs: list[tuple[str | int, Any]] = list(value.items() if isinstance(value, dict) else enumerate(value))
        for number, (key, item) in enumerate(pairs):
            if isinstance(value, dict):
                text += gap() + json.dumps(key, ensure_ascii=dice.random() < 0.5) + gap() + ":"
            text += written(item, dice, (*path, key), places, before + len(text)) + gap()
            text += "," if number + 1 < len(pairs) or dice.random() < 0.3 else ""
        text += gap() + ("}" if isinstance(value, dict) else "]")
    else:
        text += json.dumps(value, ensure_ascii=dice.random() < 0.5)
    return text + (gap() if not path else "")


@given(JSON, st.integers(0, 2**32))
def test_value_and_places_hold_whatever_comments_are_strewn_in(value: Any, seed: int) -> None:
    places: dict[JsonPath, int] = {}
    text = written(value, random.Random(seed), (), places, 0)
    document = jsonc.parse(text.encode())
    assert document.value == json.loads(json.dumps(value))
    assert set(document.paths) == set(places)
    for path, offset in places.items():
        line = text.count("\n", 0, offset) + 1
        column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        assert document.position(path) == Position(line, column)


@given(st.text(st.sampled_from("{}[]\",:/*\\ \n\ta1-.eu0tn+N'#é\ud7ff")))
def test_agrees_with_json_on_what_is_json(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=pytest.fail)
    except (json.JSONDecodeError, pytest.fail.Exception):
        return
    try:
        assert jsonc.parse(text.encode()).value == expected
    except jsonc.JsonError as error:
        assert "too large" in error.text or "half a character" in error.text or "nested" in error.text  # noqa: PT017


@given(st.binary())
def test_any_bytes_decode_or_raise_json_error(raw: bytes) -> None:
    try:
        jsonc.parse(raw)
    except jsonc.JsonError as error:
        assert error.position is not None  # noqa: PT017


def test_byte_order_mark_does_not_count_as_a_column() -> None:
    assert jsonc.parse(b"\xef\xbb\xbf[1]").position((0,)) == Position(1, 2)


def test_slashes_in_a_text_are_no_comment() -> None:
    assert jsonc.parse(b'{"url": "http://x /* y */", // z\n}').value == {"url": "http://x /* y */"}


def test_a_missing_value_stands_where_its_object_does() -> None:
    assert jsonc.parse(b'[\n {"a": 1}]').position((0, "b", 3)) == Position(2, 2)


def test_a_million_brackets_need_no_stack() -> None:
    with pytest.raises(jsonc.JsonError, match="nested deeper than 32"):
        jsonc.parse(b"[" * 1_000_000)


def test_just_under_the_depth_limit() -> None:
    assert jsonc.parse(b"[" * 32 + b"]" * 32).value


def test_a_device_is_not_read() -> None:
    with pytest.raises(jsonc.JsonError, match="not a regular file"):
        jsonc.read(Path("/dev/zero"))
