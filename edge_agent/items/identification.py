"""Who the machine is: what the file says, and words that stand for "it does not say"."""

from __future__ import annotations

from collections.abc import Callable

from ..model import Identification
from ..observation import Observation
from .item import DataItem, Kind, Scope, Value


def _of_plate(read_plate: Callable[[Identification], Value | None], otherwise: Value) -> Callable[[Observation], Value]:
    """What the file says on the machine's identification, or what stands for "it does not say"."""

    def found(observation: Observation) -> Value:
        value = read_plate(observation.machine.identification)
        return otherwise if value is None else value

    return found


def _serial_number(observation: Observation) -> str:
    """Without one on the type plate the machine's id: unique on this device, and nobody takes it for the maker's."""
    return observation.machine.identification.serial_number or observation.machine.id


def _software(observation: Observation) -> str:
    return (observation.snapshot.software_version if observation.snapshot else None) or ""


IDENTIFICATION: tuple[DataItem, ...] = (
    DataItem(
        id="Identification/Manufacturer",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Who made the machine, as configured; empty if nobody wrote it down.",
        read=_of_plate(lambda plate: plate.manufacturer, ""),
    ),
    DataItem(
        id="Identification/SerialNumber",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="The serial number as configured, else the machine's id.",
        read=_serial_number,
    ),
    DataItem(
        id="Identification/ProductInstanceUri",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="The machine's name that no other in the world has.",
        read=lambda observation: observation.machine.instance_uri,
    ),
    DataItem(
        id="Identification/Model",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="The machine's model, as configured; empty if nobody wrote it down.",
        read=_of_plate(lambda plate: plate.model, ""),
    ),
    DataItem(
        id="Identification/ProductCode",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="What to order the same machine by, as configured; empty if nobody wrote it down.",
        read=_of_plate(lambda plate: plate.product_code, ""),
    ),
    DataItem(
        id="Identification/SoftwareRevision",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="What the printer's server calls itself, also while it does not answer; empty before it has said so.",
        read=_software,
    ),
    DataItem(
        id="Identification/YearOfConstruction",
        kind=Kind.COUNT,
        scope=Scope.AGENT,
        sentence="The year the machine was built, as configured; 0 if nobody wrote it down.",
        read=_of_plate(lambda plate: plate.year_of_construction, 0),
    ),
    DataItem(
        id="Identification/Location",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Where the machine stands, as configured; empty if nobody wrote it down.",
        read=_of_plate(lambda plate: plate.location, ""),
    ),
    DataItem(
        id="Identification/ComponentName",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="The machine's name for people.",
        read=lambda observation: observation.display_name,
    ),
    DataItem(
        id="Identification/DeviceClass",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="What kind of device it is.",
        read=lambda _: "Additive Manufacturing machine",
    ),
    DataItem(
        id="Identification/AMTechnologyIdentifier",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="How it makes things, by ISO/ASTM 52900: MEX, material extrusion.",
        read=lambda _: "MEX",
    ),
)
