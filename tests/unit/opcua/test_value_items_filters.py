"""Items that watch a value: which changes count, and how far they must go. asyncua's: test_subscriptions_of_asyncua."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.ua import DataChangeTrigger as Trigger
from asyncua.ua import DeadbandType as Deadband

from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key
from tests.opcua_space import of_machine
from tests.unit.opcua.subscriber import AT, TEMPERATURE, TEXT, Codes, Session, run, service, write
from tests.unit.opcua.watched_values import NUMBERS, changes, cycle

# --- triggers ---


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Trigger.Status, [(1.0, "Good"), (2.0, "UncertainLastUsableValue")]),
        (Trigger.StatusValue, [(1.0, "Good"), (2.0, "Good"), (2.0, "UncertainLastUsableValue")]),
        (
            Trigger.StatusValueTimestamp,
            [(1.0, "Good"), (2.0, "Good"), (2.0, "Good"), (2.0, "UncertainLastUsableValue")],
        ),
    ],
)
def test_what_counts_as_a_change(space: AddressSpace, trigger: Trigger, expected: list[Any]) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 1.0)
        session.watch(session.begin(), TEMPERATURE, wanted=changes(trigger), queue=10)
        await write(space, 2.0)
        await write(space, 2.0, at=AT + timedelta(seconds=1))
        await write(space, 2.0, at=AT + timedelta(seconds=1), code=Codes.UncertainLastUsableValue)
        await cycle(session)
        assert [(told.Value.Value.Value, told.Value.StatusCode.name) for told in session.notifications] == expected

    run(main)


# --- deadbands ---


def test_an_absolute_deadband_is_exceeded_from_the_last_value_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 10.0)
        session.watch(session.begin(), TEMPERATURE, wanted=changes(kind=Deadband.Absolute, value=2.0), queue=10)
        await write(space, 11.0, 12.0, 12.5, 11.0, 10.0)
        await cycle(session)
        assert session.values == [10.0, 12.5, 10.0]

    run(main)


def test_a_percent_deadband_is_of_the_range(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 10.0)  # the bed has an EURange of 0 to 120
        session.watch(session.begin(), TEMPERATURE, wanted=changes(kind=Deadband.Percent, value=10.0), queue=10)
        await write(space, 22.0, 22.5, 11.0, 10.0)
        await cycle(session)
        assert session.values == [10.0, 22.5, 10.0]

    run(main)


def test_a_deadband_lets_other_changes_through(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 10.0)
        wanted = changes(Trigger.StatusValueTimestamp, Deadband.Absolute, 5.0)
        session.watch(session.begin(), TEMPERATURE, wanted=wanted, queue=10)
        await write(space, 11.0, at=AT + timedelta(seconds=1))  # timestamps do not count beside a deadband
        await write(space, 11.0, code=Codes.UncertainLastUsableValue)
        await write(space, None, 12.0, float("nan"), float("nan"), 13.0)
        await cycle(session)
        assert str(session.values) == "[10.0, 11.0, None, 12.0, nan, 13.0]"

    run(main)


def test_one_element_of_an_array_is_enough_for_a_deadband(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, [10, 20], node=NUMBERS)
        session.watch(session.begin(), NUMBERS, wanted=changes(kind=Deadband.Absolute, value=5.0), queue=10)
        await write(space, [11, 21], [11, 26], [11, 26, 26], node=NUMBERS)
        await cycle(session)
        assert session.values == [[10, 20], [11, 26], [11, 26, 26]]

    run(main)


@pytest.mark.parametrize(
    ("node", "attribute", "wanted", "code"),
    [
        (TEXT, 13, changes(kind=Deadband.Absolute, value=1.0), "BadFilterNotAllowed"),
        (TEXT, 13, changes(kind=Deadband.Percent, value=1.0), "BadFilterNotAllowed"),
        (of_machine("Job/FileSize"), 13, changes(kind=Deadband.Percent, value=1.0), "BadFilterNotAllowed"),
        (of_machine("Job/FileSize"), 13, changes(kind=Deadband.Absolute, value=1.0), "Good"),
        (TEMPERATURE, 17, changes(kind=Deadband.Absolute, value=1.0), "BadFilterNotAllowed"),
        (TEMPERATURE, 13, changes(kind=Deadband.Absolute, value=-1.0), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Absolute, value=float("nan")), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Percent, value=100.1), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Percent, value=-0.1), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=cast("Any", 3), value=1.0), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Percent, value=100.0), "Good"),
        (TEMPERATURE, 13, ua.AggregateFilter(), "BadMonitoredItemFilterUnsupported"),
        (TEMPERATURE, 13, ua.EventFilter([ua.SimpleAttributeOperand()]), "BadFilterNotAllowed"),
    ],
)
def test_filters_that_fit(space: AddressSpace, node: Key, attribute: int, wanted: Any, code: str) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        assert session.watch(subscription, node, wanted=wanted, attribute=attribute).StatusCode.name == code
        item = session.watch(subscription, node, attribute=attribute)
        assert session.rewatch(subscription, item.MonitoredItemId, wanted=wanted).StatusCode.name == code

    run(main)
