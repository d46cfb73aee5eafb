"""aiohttp's server side. The session's room comes first: it imports aiohttp without the system's certificates."""

from __future__ import annotations

from ...session import library as library  # noqa: PLC0414 - see above

# isort: split
from aiohttp import web as web  # noqa: PLC0414 - handed on
