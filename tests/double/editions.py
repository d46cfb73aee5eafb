"""What distinguishes the OctoPrint versions as their clients see them."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class UnknownKey(enum.Enum):
    """How a key that nobody has is answered."""

    TEXT_401 = enum.auto()
    """Plain text, 401, everywhere."""
    JSON_403 = enum.auto()
    """``{"error": "Invalid API key"}``, 403, everywhere."""
    GUEST = enum.auto()
    """As if no key had been sent: a guest, who may nothing."""


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One version's manners. The defaults are those of 1.11.8."""

    version: str
    unknown_key: UnknownKey = UnknownKey.GUEST
    closes: bool = False
    """The connection ends after each answer, unannounced."""
    json_errors: bool = True
    passing_flags: bool = True
    """Flags for cancelling, pausing, resuming, finishing; ``job.user``; ``file.display``."""
    error_apart: bool = True
    """The text of a fault has a key of its own; before 1.6 it stood in the state's text."""
    error_endpoint: bool = True
    server_endpoint: bool = True
    users: bool = True
    """There are permissions and /api/currentuser; before, a key was a key."""
    second: bool = False
    """The shapes of 2.0, as it gives them to clients that do not ask for its own."""


EDITIONS = {
    edition.version: edition
    for edition in (
        # file.display exists in 1.3.6 already; it is left out to have the poorest answer of all in one edition.
        Edition(
            version="1.3.6",
            unknown_key=UnknownKey.TEXT_401,
            closes=True,
            json_errors=False,
            passing_flags=False,
            error_apart=False,
            error_endpoint=False,
            server_endpoint=False,
            users=False,
        ),
        Edition(version="1.9.3", unknown_key=UnknownKey.JSON_403, closes=True, error_endpoint=False),
        Edition(version="1.11.8"),
        Edition(version="2.0.0rc7", second=True),
    )
}
