"""The data items: every value that leaves the agent, named, typed and with its unit, in one table.

A sink walks `ITEMS` (the same for every machine) and `heater_items` (one pair per heater a machine reports);
one more value is one more row here. `read` answers what a value is now and how far to trust it, in our words; what
that means in OPC UA or Prometheus is the sink's business.
"""

from __future__ import annotations

from .heaters import heater_items, heaters
from .identification import IDENTIFICATION
from .item import DataItem, Kind, Reading, Scope, Value, read
from .job import JOB
from .machinery import MACHINERY
from .source import SOURCE

__all__ = ["ITEMS", "DataItem", "Kind", "Reading", "Scope", "Value", "heater_items", "heaters", "read"]

_MES = (
    DataItem(
        id="MesStatus",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Idle, Running, Offline or Stopped: the state in the four words of an MES.",
        read=lambda observation: observation.mes_status.value,
    ),
    DataItem(
        id="MesIds",
        kind=Kind.NUMBERS,
        scope=Scope.AGENT,
        sentence="The MES instances that this machine belongs to.",
        read=lambda observation: observation.machine.mes_ids,
    ),
)

ITEMS: tuple[DataItem, ...] = (*_MES, *IDENTIFICATION, *MACHINERY, *JOB, *SOURCE)
