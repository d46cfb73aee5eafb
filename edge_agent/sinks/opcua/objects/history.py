"""What happened, read later: HistoryRead of events (OPC 10000-11, 6.5.2) from the journal.

In place of asyncua's history, which holds what it saw since its start, gives no continuation point where a client asked
for a number of events, and otherwise goes on at a time (so that events of one time come twice).

A period begins with its first time and ends before its last, so that periods which follow each other tell every event
once. Events come in the order in which they were recorded, which is that of their times unless the clock was set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

from asyncua import ua
from asyncua.common.utils import ServiceError

from ....events import Event
from ..events.event_filter import Occurrence, Supertypes, check, passes, select
from ..monitoring.subscriptions import MaySee
from ..space.continuation import ContinuationPoints
from ..space.wire import status
from .machine_events import notifiers, occurrence

MOST_NODES = 100
MOST_EVENTS = 1_000
"""The most events one answer holds, over all nodes: it has to fit into one message."""
PAGE = 100
MOST_SCANNED = 2_000
"""The most events looked at for one node; a filter few of them pass is gone on with at a continuation point."""

_UNSPECIFIED = datetime(1601, 1, 1, tzinfo=UTC)
_FOREVER = datetime.max.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)

MachinesAt = Callable[[ua.NodeId], Collection[str] | None]
"""The machines of whose events a node tells; ``None`` if of none. Raises `KeyError` if there is no such node."""


class Past(Protocol):
    """What is needed of the journal."""

    async def events(
        self,
        machine_id: str | None = None,
        *,
        since: datetime,
        until: datetime,
        limit: int,
        after: str | None = None,
        newest_first: bool,
    ) -> Sequence[Event]:
        """A page of events; ``after`` is the id of the last one of the page before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From ``since`` to before ``until``."""

    since: datetime
    until: datetime
    newest_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a client wants to know of a node's past, from ``after`` on."""

    node: ua.NodeId
    machine_ids: frozenset[str]
    period: Period
    wanted: ua.EventFilter
    most: int
    after: str | None = None


class Refusal(Exception):
    """A node's history cannot be read; ``code`` is the status code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class EventHistory:
    """The history of events, as asyncua's servers ask for it."""

    def __init__(
        self,
        past: Past,
        *,
        machines_at: MachinesAt,
        name_of: Callable[[str], str],
        supertypes: Supertypes,
        may_see: MaySee,
    ) -> None:
        """Read from ``past``; ``name_of`` is what people call a machine."""
        self._past = past
        self._machines_at = machines_at
        self._name_of = name_of
        self._supertypes = supertypes
        self._may_see = may_see
        self.points: ContinuationPoints[Question] = ContinuationPoints()

    async def read_history(
        self, params: ua.HistoryReadParameters, session_id: ua.NodeId | None = None
    ) -> list[ua.HistoryReadResult]:
        """A result for each node.

        Args:
            params: the request.
            session_id: who asks; ``None`` is the agent itself, which may see everything.

        Raises:
            ServiceError: there is nothing to read, or too much.
        """
        nodes = params.NodesToRead or []
        if not nodes:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        if len(nodes) > MOST_NODES:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        if params.ReleaseContinuationPoints:
            return [self._release(value.ContinuationPoint, session_id) for value in nodes]
        most = MOST_EVENTS // len(nodes)
        return [await self._read(value, params.HistoryReadDetails, session_id, most) for value in nodes]

    def _release(self, point: bytes | None, session_id: ua.NodeId | None) -> ua.HistoryReadResult:
        if point and self.points.take(session_id, point) is None:
            return _refused(ua.StatusCodes.BadContinuationPointInvalid)
        return ua.HistoryReadResult()

    async def _read(
        self, value: ua.HistoryReadValueId, details: object, session_id: ua.NodeId | None, most: int
    ) -> ua.HistoryReadResult:
        try:
            if value.ContinuationPoint:
                question = self._go_on(value, session_id)
            else:
                question = self._ask(value.NodeId, details, session_id, most)
            found, after = await self._answer(question)
        except Refusal as refusal:
            return _refused(refusal.code)
        point = None if after is None else self.points.keep(session_id, replace(question, after=after))
        code = ua.StatusCodes.Good if found or point else ua.StatusCodes.GoodNoData
        events = [
            ua.HistoryEventFieldList(select(event, question.wanted.SelectClauses, self._supertypes)) for event in found
        ]
        return ua.HistoryReadResult(
            StatusCode=status(code),
            ContinuationPoint=cast("ua.ByteString", point),
            HistoryData=cast("ua.ExtensionObject", ua.HistoryEvent(events)),
        )

    def _go_on(self, value: ua.HistoryReadValueId, session_id: ua.NodeId | None) -> Question:
        question = self.points.take(session_id, cast("bytes", value.ContinuationPoint))
        if question is None or question.node != value.NodeId:
            raise Refusal(ua.StatusCodes.BadContinuationPointInvalid)
        return question

    def _ask(self, node: ua.NodeId, details: object, session_id: ua.NodeId | None, most: int) -> Question:
        try:
            machine_ids = self._machines_at(node)
        except KeyError:
            raise Refusal(ua.StatusCodes.BadNodeIdUnknown) from None
        if machine_ids is None or not _is_supported(details):
            raise Refusal(ua.StatusCodes.BadHistoryOperationUnsupported)
        asked = cast("ua.ReadEventDetails", details)
        if not check(asked.Filter, self._supertypes).status.is_good():
            raise Refusal(ua.StatusCodes.BadEventFilterInvalid)
        return Question(
            node=node,
            machine_ids=frozenset(
                machine_id for machine_id in machine_ids if session_id is None or self._may_see(session_id, machine_id)
            ),
            period=period(asked.StartTime, asked.EndTime, asked.NumValuesPerNode),
            wanted=asked.Filter,
            most=min(asked.NumValuesPerNode or most, most),
        )

    async def _answer(self, question: Question) -> tuple[list[Occurrence], str | None]:
        """The events, and the id of the last one looked at if there is more to read."""
        found: list[Occurrence] = []
        after, scanned = question.after, 0
        if not question.machine_ids:
            return found, None
        while scanned < MOST_SCANNED:
            page = await self._page(question, after)
            for event in page:
                matching = self._matching(event, question)
                if matching is not None and len(found) == question.most:
                    return found, after
                found += [] if matching is None else [matching]
                after = event.id
            if len(page) < PAGE:
                return found, None
            scanned += len(page)
        return found, after

    async def _page(self, question: Question, after: str | None) -> Sequence[Event]:
        return await self._past.events(
            next(iter(question.machine_ids)) if len(question.machine_ids) == 1 else None,
            since=question.period.since,
            until=question.period.until,
            limit=PAGE,
            after=after,
            newest_first=question.period.newest_first,
        )

    def _matching(self, event: Event, question: Question) -> Occurrence | None:
        """The event as it is told, if it is told at this node and passes the filter."""
        if event.machine_id not in question.machine_ids or question.node not in notifiers(event):
            return None
        told = occurrence(event, source_name=self._name_of(event.machine_id))
        return told if passes(told, question.wanted.WhereClause, self._supertypes) else None


def period(start: datetime, end: datetime, count: int) -> Period:
    """Which events are meant, and in which order: backwards if the end is before the start, or only the end is given.

    Raises:
        Refusal: fewer than two of the three are given.
    """
    has_start, has_end = start > _UNSPECIFIED, end > _UNSPECIFIED
    if has_start + has_end + (count > 0) < 2:
        raise Refusal(ua.StatusCodes.BadHistoryOperationInvalid)
    if has_start and not has_end:
        return Period(since=start, until=_FOREVER, newest_first=False)
    if not has_start:
        return Period(since=_UNSPECIFIED, until=_after(end), newest_first=True)
    if end < start:
        return Period(since=_after(end), until=_after(start), newest_first=True)
    return Period(since=start, until=max(end, _after(start)), newest_first=False)


def _after(instant: datetime) -> datetime:
    """The next instant, but for the last one there is."""
    return instant + _INSTANT if instant < _FOREVER else instant


def _is_supported(details: object) -> bool:
    """Are events wanted, and as they were, not as they were changed; values have no history here."""
    if type(details) is ua.ReadEventDetails2:
        return not details.ReadModified
    return type(details) is ua.ReadEventDetails  # not its subtype that sorts


def _refused(code: int) -> ua.HistoryReadResult:
    return ua.HistoryReadResult(StatusCode=status(code))
