"""Recorded answers of OctoPrint, made wrong in ways that a parser, a clock, a table or a screen may trip over."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from tests.double import recorded, situations

ENDPOINTS = ("version", "currentuser", "connection", "job", "printer")
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Raw(str):
    """JSON, or nearly, as it stands."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """A JSON object that may have a key twice."""


NUMBERS = [
    "0", "-0.0", "-1", "1", "99.99999999999999", "100", "100.00000000000001", "101", "2147483648", "4294967296",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e22", "-1e22", "1e300", "-1e300",
    "1.7976931348623157e308", "5e-324", "0." + "0" * 400 + "1", "253402300799", "253402300800", "-62135596801",
    "-11644473601",
]  # fmt: skip
NO_NUMBERS = ["1e999", "9" * 400, "NaN", "Infinity", "1e", "0x10", "01", "+1", ".5"]
TEXTS = [
    "", " ", "x" * 5000, "\0", "\n", "\r\nm: fault", "\x1b[2J", "\u202egpj", "\u2028", "ß" * 300, "\U0001f9d1" * 300,
    "../../etc/passwd", "'; DROP TABLE runs; --", "<script>alert(1)</script>", "%s%n{0}", "Printing", "Paused",
    "Operational", "Offline", "Error: x", "Offline after error", "Starting print from SD", "Sending file to SD",
    "Cancelling", "Finishing", "Resuming", "Pausing", "tool0", "bed", "OctoPrint", "PrusaLink", "_api", "Default",
]  # fmt: skip
HUGE_HEATER = Pairs([("actual", Raw("1e308")), ("target", Raw("-1e308"))])
OBJECTS: list[Any] = [
    Pairs(),
    HUGE_HEATER,
    Pairs((f"sensor{number}", Pairs([("actual", number)])) for number in range(200)),
    Pairs((text, HUGE_HEATER) for text in TEXTS),
    Pairs((f"tool{number}", Pairs([("length", Raw("1.7e308")), ("volume", Raw("1.7e308"))])) for number in range(3)),
]
ODDITIES: list[Any] = [
    *map(Raw, NO_NUMBERS), True, False, [], [[]], Raw('"\\ud800"'), Raw("{"), Raw("[" * 3000 + "]" * 3000),
    [Pairs([("time", Raw("1e12"))]), Pairs([("time", -1)])],
]  # fmt: skip
NAMES_OF_NUMBERS = {
    "actual", "target", "completion", "printTime", "printTimeLeft", "estimatedPrintTime", "date", "size", "length",
    "volume", "time",
}  # fmt: skip
NAMES_OF_OBJECTS = {"filament", "job", "file", "progress", "temperature", "flags", "tool0", "bed", "chamber"}
FITTING: dict[type, list[Any]] = {
    bool: [True, False],
    int: list(map(Raw, NUMBERS)),
    float: list(map(Raw, NUMBERS)),
    str: [*TEXTS],
    Pairs: OBJECTS,
    list: [[], [Pairs([("time", Raw(number))]) for number in NUMBERS]],
}
ANY = [None, *map(Raw, NUMBERS), *TEXTS, *OBJECTS, *ODDITIES]


def dumped(value: Any) -> str:
    """JSON of a mutated tree."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{dumped(below)}" for key, below in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumped, value)) + "]"
    return json.dumps(value)


def _containers(tree: Any) -> Iterator[list[Any]]:
    """Every object and list that is not empty."""
    if isinstance(tree, list) and tree:
        yield tree
        for entry in tree:
            yield from _containers(entry[1] if isinstance(tree, Pairs) else entry)


def _put(container: list[Any], index: int, value: Any) -> None:
    container[index] = (container[index][0], value) if isinstance(container, Pairs) else value


def _fitting(key: str, value: Any) -> list[Any]:
    if value is not None:
        return FITTING.get(type(value), ANY)
    if key in NAMES_OF_NUMBERS:
        return FITTING[float]
    return OBJECTS if key in NAMES_OF_OBJECTS else TEXTS


def _replacement(draw: Draw, key: str, value: Any) -> Any:
    """Mostly of the same type: what is of another ends the reading before it has begun."""
    choices = ANY if draw(st.integers(0, 14)) == 0 else _fitting(key, value)
    return copy.deepcopy(draw(st.sampled_from(choices)))


def _mutate(draw: Draw, tree: Any) -> None:
    containers = list(_containers(tree))
    if not containers:
        return
    container = draw(st.sampled_from(containers))
    index = draw(st.integers(0, len(container) - 1))
    key, value = container[index] if isinstance(container, Pairs) else ("", container[index])
    match draw(st.sampled_from(["put"] * 8 + ["drop", "again", "rename"])):
        case "put":
            _put(container, index, _replacement(draw, key, value))
        case "drop":
            del container[index]
        case "rename" if isinstance(container, Pairs):
            container[index] = (draw(st.sampled_from(TEXTS)), value)
        case _:
            container.append(container[index])
            _put(container, index, _replacement(draw, key, value))


def _cut(draw: Draw, body: bytes) -> Any:
    """A wrong byte, a missing end, an end too many."""
    at = draw(st.integers(0, max(len(body) - 1, 0)))
    match draw(st.sampled_from(["end", "byte", "more", "twice"])):
        case "end":
            return body[:at]
        case "byte":
            return body[:at] + draw(st.binary(min_size=1, max_size=2)) + body[at + 1 :]
        case "more":
            return body + draw(st.sampled_from([b"}", b"\0", b"{}", b"\xff", b" " * 100, b"\n,"]))
        case _:
            return body[:at] + body


def _recorded(situation: str, endpoint: str) -> bytes:
    for name in (endpoint, f"{endpoint}_history"):
        try:
            status, body = recorded(situation, name)
        except KeyError:
            continue
        if status == 200:
            return body
    return recorded("11_paused", "printer_history" if endpoint == "printer" else endpoint)[1]


@st.composite
def answers(draw: Draw) -> dict[str, bytes]:
    """One situation's answers, some of them mutated."""
    situation = draw(st.sampled_from(situations()))
    found = {endpoint: _recorded(situation, endpoint) for endpoint in ENDPOINTS}
    for endpoint in draw(st.lists(st.sampled_from(["job", "printer"] * 6 + [*ENDPOINTS]), min_size=1, max_size=3)):
        tree = json.loads(found[endpoint], object_pairs_hook=Pairs) if _is_json(found[endpoint]) else Pairs()
        for _ in range(draw(st.integers(1, 6))):
            _mutate(draw, tree)
        found[endpoint] = dumped(tree).encode()
        if draw(st.integers(0, 29)) == 0:
            found[endpoint] = _cut(draw, found[endpoint])
    return found


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
