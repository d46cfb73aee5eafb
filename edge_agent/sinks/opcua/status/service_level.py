"""ServiceLevel: how much of what there is to tell can be told (OPC 10000-4, 6.6.2.4.2).

A client that has several servers to choose from takes the one with the highest. The ranges are the standard's:
0 maintenance (`sessions.shutdown` says it), 1 no data, 2 to 199 degraded, 200 to 255 healthy.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from asyncua import ua

from ....store import Store
from ..space.address_space import AddressSpace
from ..space.nodeset import Key

NO_DATA, WORST_DEGRADED, BEST_DEGRADED, HEALTHY = 1, 2, 199, 255
_NODE = Key(0, ua.ObjectIds.Server_ServiceLevel)


def service_level(*, reachable: int, machines: int, recorded: bool) -> int:
    """The level for so many machines that answer, of so many.

    Args:
        reachable: how many answered when last asked.
        machines: how many there are.
        recorded: what happens is safe on the disk; if not, history may end with the next power cut.
    """
    if machines and not reachable:
        return NO_DATA
    if reachable < machines:
        return WORST_DEGRADED + (BEST_DEGRADED - WORST_DEGRADED) * reachable // machines
    return HEALTHY if recorded else BEST_DEGRADED


class ServiceLevel:
    """Keeps the Server object's variable in step with the store."""

    def __init__(self, space: AddressSpace, *, recorded: Callable[[], bool]) -> None:
        """Nothing is told yet.

        Args:
            space: where it is shown.
            recorded: asked each time; see `service_level`.
        """
        self._space = space
        self._recorded = recorded
        self._told: int | None = None

    async def follow(self, store: Store) -> None:
        """Write it if it has changed."""
        machines = store.observations()
        reachable = sum(observation.reachable for observation in machines)
        level = service_level(reachable=reachable, machines=len(machines), recorded=self._recorded())
        if level != self._told:
            self._told = level
            at = cast("ua.DateTime", datetime.now(UTC))
            await self._space.write(_NODE, ua.DataValue(ua.Variant(level, ua.VariantType.Byte), SourceTimestamp=at))
