"""Where clients stopped reading: continuation points (OPC 10000-4, 7.9), each good for one use by its own session."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Generic, TypeVar

from asyncua import ua

PER_SESSION = 10
TOTAL = 200

T = TypeVar("T")


class ContinuationPoints(Generic[T]):
    """What is left to read, by the bytes a client names it with. At a limit the oldest one is forgotten."""

    def __init__(self, *, per_session: int = PER_SESSION, total: int = TOTAL) -> None:
        self._per_session = per_session
        self._total = total
        self._points: OrderedDict[bytes, tuple[ua.NodeId | None, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._points)

    def keep(self, session_id: ua.NodeId | None, rest: T) -> bytes:
        """Name what a session has yet to read."""
        own = [point for point, (owner, _) in self._points.items() if owner == session_id]
        if len(own) >= self._per_session:
            del self._points[own[0]]
        if len(self._points) >= self._total:
            self._points.popitem(last=False)
        point = secrets.token_bytes(16)
        self._points[point] = (session_id, rest)
        return point

    def take(self, session_id: ua.NodeId | None, point: bytes) -> T | None:
        """What a session has yet to read, which is forgotten by that; ``None`` if it has no such point."""
        owner, rest = self._points.get(point, (None, None))
        if rest is None or owner != session_id:
            return None
        del self._points[point]
        return rest

    def forget(self, session_id: ua.NodeId | None) -> None:
        """Forget what a session has left."""
        for point in [point for point, (owner, _) in self._points.items() if owner == session_id]:
            del self._points[point]
