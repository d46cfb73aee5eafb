"""A machine's page in English."""

from __future__ import annotations

from ....jobs import Outcome
from .texts import MachineWords

MACHINE = MachineWords(
    title="{name} - edge-agent",
    not_there="There is no machine with this id. It may have been taken out of the configuration.",
    own_page="Open the printer's own page",
    now="Now",
    curves="Temperatures of the last hour",
    curves_of="{heater}, in °C",
    no_curves="Nothing has been measured yet.",
    goal="dashed: set point",
    jobs="Last prints",
    no_jobs="None is known yet.",
    file="File",
    started="Began",
    duration="Took",
    outcome="Outcome",
    goes_on="goes on",
    outcomes={
        Outcome.COMPLETED: "completed",
        Outcome.CANCELLED: "cancelled",
        Outcome.FAILED: "failed",
        Outcome.LOST: "ended unseen",
    },
    values="All values",
    of_node_ids="NodeIds name their namespace by its URI: its index can differ between computers. Clients that know "
    "only "
    "ns=...;s=... look the URI up in NamespaceArray. Times are when a value was measured or told.",
    own_node_id="The machine's own node",
    item="Item",
    value="Value",
    quality="Quality",
    time="Time",
    node_id="NodeId",
    groups={
        "MesStatus": "For the MES",
        "Identification": "Identification",
        "MachineryBuildingBlocks": "State and counters",
        "Monitoring": "Monitoring",
        "Production": "Program",
        "Job": "Print",
        "Source": "Source",
    },
    temperature_of="Temperature of {heater}.",
    setpoint_of="Set point of {heater}; 0 is off.",
    sentences={},
)
