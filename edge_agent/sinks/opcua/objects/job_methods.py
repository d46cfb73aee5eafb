"""The job methods, answered from the journal: an MES that was away asks for what it missed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from asyncua import ua

from ....jobs import JobRun, Outcome
from ..space.methods import Methods, argument
from ..space.nodeset import Key
from ..space.structures import ISA95JobResponseDataType, ISA95StateDataType
from .job_orders import ReturnStatus, response_by_id, responses_by_state

LIMIT = 1_000
"""The most responses one answer holds; it has to fit into one message."""


class Runs(Protocol):
    """What is needed of the journal."""

    async def runs(
        self, machine_id: str | None = None, *, outcomes: Collection[Outcome | None] | None = None, limit: int = 100
    ) -> list[JobRun]:
        """A machine's runs, newest first."""

    async def run(self, run_id: str) -> JobRun | None:
        """One run by its id."""


class JobMethods:
    """``RequestJobResponseByJobOrderID`` and ``...State`` of each machine's JobOrderResults."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def serve(self, methods: Methods) -> None:
        """Answer both from now on."""
        methods.serve("5:RequestJobResponseByJobOrderID", self.by_id)
        methods.serve("5:RequestJobResponseByJobOrderState", self.by_state)

    async def by_id(self, owner: Key, arguments: Sequence[ua.Variant]) -> list[ua.Variant]:
        """One response; only of the machine whose method is called."""
        [wanted] = arguments
        run = await self._runs.run(str(wanted.Value or ""))
        found = response_by_id([run] if run and run.machine_id == _machine_id(owner) else [], wanted.Value)
        if isinstance(found, ReturnStatus):
            none = ISA95JobResponseDataType(JobResponseID="", JobOrderID=str(wanted.Value or ""), JobState=[])
            return _answer(none, found)
        return _answer(found, ReturnStatus.NO_ERROR)

    async def by_state(self, owner: Key, arguments: Sequence[ua.Variant]) -> list[ua.Variant]:
        """All responses in a state, newest first."""
        [wanted] = arguments
        states = list(wanted.Value or ())
        if not all(isinstance(state, ISA95StateDataType) for state in states):
            return _answer([], ReturnStatus.INVALID_REQUEST)
        found = responses_by_state(await self._runs.runs(_machine_id(owner), limit=LIMIT), states)
        return _answer([], found) if isinstance(found, ReturnStatus) else _answer(found, ReturnStatus.NO_ERROR)


def _machine_id(owner: Key) -> str:
    return str(owner.identifier).partition("/")[0]


def _answer(result: object, status: ReturnStatus) -> list[ua.Variant]:
    return [argument(result, ua.VariantType.ExtensionObject), argument(int(status), ua.VariantType.UInt64)]
