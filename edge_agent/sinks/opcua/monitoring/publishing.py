"""A session's Publish requests, and who answers them (OPC 10000-4, 5.14.5).

asyncua keeps them with the connection: a subscription that was transferred, or whose session came back over another
connection, went on answering the old one's. A request that nobody can answer any more stayed unanswered.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from asyncua import ua

log = logging.getLogger(__name__)

MOST_NOTICES = 64


@dataclass(slots=True, kw_only=True)
class PublishRequest:
    """One request; ``answer`` and ``refuse`` send over the connection it came by, unless that ``is_gone``."""

    answer: Callable[[ua.PublishResult], None]
    refuse: Callable[[int], None]
    is_gone: Callable[[], bool] = lambda: False
    handle: int = 0
    """What the client calls it by, to cancel it."""
    expires_s: float | None = None
    """By the loop's clock."""
    results: list[ua.StatusCode] = field(default_factory=list)
    """Of the acknowledgements that came with it."""


class Publishes(Protocol):
    """A subscription, as far as its turn to answer goes."""

    @property
    def priority(self) -> int:
        """The highest goes first."""

    def message(self) -> ua.PublishResult:
        """What it has to say."""

    def has_more(self) -> bool:
        """It has not said everything."""


class Publisher:
    """The requests of one session that wait for something to tell, or the subscriptions that wait for a request."""

    def __init__(self) -> None:
        self._requests: deque[PublishRequest] = deque()
        self._late: dict[Publishes, None] = {}
        self._notices: deque[ua.PublishResult] = deque(maxlen=MOST_NOTICES)

    @property
    def has_notices(self) -> bool:
        """There is something to tell of a subscription that is no longer the session's."""
        return bool(self._notices)

    @property
    def waiting(self) -> int:
        """Requests not answered yet."""
        return len(self._requests)

    def take(self, request: PublishRequest, *, most: int) -> None:
        """Answer a request, now or later; of more than ``most`` that wait the oldest is refused."""
        self._requests.append(request)
        self._serve()
        while len(self._requests) > most:
            _refuse(self._requests.popleft(), ua.StatusCodes.BadTooManyPublishRequests)

    def publish(self, subscription: Publishes) -> bool:
        """Have a subscription say what it has to, as soon as there is a request for it; is it late from now on."""
        was_late = subscription in self._late
        self._late[subscription] = None
        self._serve()
        return not was_late and subscription in self._late

    def forget(self, subscription: Publishes) -> None:
        """It has nothing more to say."""
        self._late.pop(subscription, None)

    def notify(self, notice: ua.PublishResult) -> None:
        """Tell something of a subscription that is no longer the session's, before anything else."""
        self._notices.append(notice)
        self._serve()

    def dismiss(self, code: int) -> None:
        """Refuse every request: nothing is left to answer them."""
        while self._requests:
            _refuse(self._requests.popleft(), code)

    def cancel(self, handle: int) -> int:
        """Refuse the requests that the client calls so; how many there were."""
        meant = [request for request in self._requests if request.handle == handle]
        self._requests = deque(request for request in self._requests if request.handle != handle)
        for request in meant:
            _refuse(request, ua.StatusCodes.BadRequestCancelledByClient)
        return len(meant)

    def _serve(self) -> None:
        while self._notices or self._late:
            request = self._next()
            if request is None:
                return
            _answer(request, self._notices.popleft if self._notices else self._turn)

    def _turn(self) -> ua.PublishResult:
        """The message of whoever has waited longest among the most important."""
        subscription = max(self._late, key=lambda waiting: waiting.priority)
        del self._late[subscription]
        message = subscription.message()
        if subscription.has_more():
            self._late[subscription] = None
        return message

    def _next(self) -> PublishRequest | None:
        now = asyncio.get_running_loop().time()
        while self._requests:
            request = self._requests.popleft()
            if request.is_gone():
                continue
            if request.expires_s is None or now < request.expires_s:
                return request
            _refuse(request, ua.StatusCodes.BadTimeout)
        return None


def _answer(request: PublishRequest, find: Callable[[], ua.PublishResult]) -> None:
    try:
        result = find()
        result.Results = request.results
        request.answer(result)
    except Exception:
        log.exception("a subscription's message could not be sent")
        _refuse(request, ua.StatusCodes.BadInternalError)


def _refuse(request: PublishRequest, code: int) -> None:
    if not request.is_gone():
        request.refuse(code)
