"""The units used here.

A unit is named once: its symbol for people, its UNECE Recommendation 20 code for OPC UA (OPC 10000-8,
5.6.3.4), its suffix for Prometheus. Inside the agent a ratio is 0 to 1; percent exists only at the edges.
"""

from __future__ import annotations

from msgspec import Struct


class Unit(Struct, frozen=True):
    """One unit of measure.

    ``unece`` is the common code; OPC UA's numeric UnitId is its bytes, big-endian (``CEL`` is 4408652). Prometheus has
    base units only: ``prometheus`` is the one a value is in once it was divided by ``per_base``.
    """

    symbol: str
    unece: str
    name: str
    prometheus: str
    per_base: int = 1

    @property
    def opcua_id(self) -> int:
        """The UnitId of ``EUInformation``."""
        return int.from_bytes(self.unece.encode("ascii"), "big")


CELSIUS = Unit("°C", "CEL", "degree Celsius", "celsius")
PERCENT = Unit("%", "P1", "percent", "ratio", 100)
SECOND = Unit("s", "SEC", "second [unit of time]", "seconds")
MILLISECOND = Unit("ms", "C26", "millisecond", "seconds", 1000)
MILLIMETRE = Unit("mm", "MMT", "millimetre", "meters", 1000)
CUBIC_CENTIMETRE = Unit("cm³", "CMQ", "cubic centimetre", "cubic_meters", 1_000_000)
BYTE = Unit("B", "AD", "byte", "bytes")
