"""Bytes to decode that become no more objects than was agreed on.

A request of a megabyte may say that it holds a million empty values. asyncua would make an object of each, a hundred
times as large as the request; there every one of them is read from this buffer, so it is here that they are counted.
"""

from __future__ import annotations

import math
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.ua import ua_binary


def bound_decoding() -> None:
    """Have asyncua's decoder count what takes no bytes, which it would make any number of.

    An array of a thousand million nulls, and a matrix of a million elements of which none is there, are each a dozen
    bytes.
    """
    if ua_binary._reshape is _exactly:  # noqa: SLF001 - asyncua has no other way to it
        return
    null: Any = _CountedNull
    ua_binary.Primitives.Null = null
    exactly: Any = _exactly
    ua_binary._reshape = exactly  # noqa: SLF001
    caches: Any = (ua_binary._create_uatype_deserializer, ua_binary._create_uatype_array_deserializer)  # noqa: SLF001
    for cached in caches:
        cached.cache_clear()


class _CountedNull:
    @staticmethod
    def pack(_: object) -> bytes:
        return b""

    @staticmethod
    def unpack(body: Buffer) -> None:
        body.read(0)


_their_reshape = ua_binary._reshape  # noqa: SLF001


def _exactly(flat: list[Any], dimensions: list[int]) -> list[Any]:
    """A matrix, all of whose elements are there."""
    if math.prod(dimensions) != len(flat) or min(dimensions, default=0) < 0:
        raise ua.UaError(f"{len(flat)} elements for a matrix of {dimensions[:8]}")
    return _their_reshape(flat, dimensions)


class CountedBuffer(Buffer):
    """asyncua's buffer, good for so many reads, those of its copies included."""

    def __init__(self, data: bytes, start_pos: int = 0, size: int = -1, *, reads_left: list[int]) -> None:
        super().__init__(data, start_pos, size)
        self._reads_left = reads_left

    @classmethod
    def of(cls, message: Any, reads: int) -> CountedBuffer:  # noqa: ANN401 - asyncua's has no types
        """A request's body."""
        return cls(bytes(message.body()), reads_left=[reads])

    def allow(self, reads: int) -> None:
        """Good for so many reads from now on."""
        self._reads_left[0] = reads

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            ServiceError: BadEncodingLimitsExceeded.
        """
        if size < 0:
            raise ServiceError(ua.StatusCodes.BadDecodingError)  # a negative size would go back, and never end
        self._reads_left[0] -= 1
        if self._reads_left[0] < 0:
            raise ServiceError(ua.StatusCodes.BadEncodingLimitsExceeded)
        return super().read(size)

    def copy(self, size: int = -1) -> CountedBuffer:
        """The same bytes, counted together with these."""
        if size == -1 or size > self._size:
            size = self._size
        return CountedBuffer(self._data, self._cur_pos, size, reads_left=self._reads_left)
