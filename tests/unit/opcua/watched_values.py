"""What tests of items that watch a value ask for and look at."""

from __future__ import annotations

import asyncio
from typing import cast

from asyncua import ua
from asyncua.ua import DataChangeTrigger as Trigger
from asyncua.ua import DeadbandType as Deadband
from asyncua.ua.ua_binary import extensionobject_from_binary, extensionobject_to_binary

from tests.opcua_space import of_machine
from tests.unit.opcua.subscriber import Session

NUMBERS = of_machine("MesIds")
OVERFLOW = 0x480


def changes(
    trigger: Trigger = Trigger.StatusValue, kind: Deadband = Deadband.None_, value: float = 0.0
) -> ua.DataChangeFilter:
    """A filter as it comes from the wire, which is of another class than the one that a client makes."""
    made = ua.DataChangeFilter(trigger, cast("ua.UInt32", int(kind)), cast("ua.Double", value))
    wire = extensionobject_to_binary(made)
    return cast("ua.DataChangeFilter", extensionobject_from_binary(ua.utils.Buffer(wire)))


async def cycle(session: Session, cycles: float = 1) -> None:
    session.publish()
    await asyncio.sleep(0.1 * cycles + 0.01)


def codes(session: Session) -> list[int]:
    return [told.Value.StatusCode.value for told in session.notifications]
