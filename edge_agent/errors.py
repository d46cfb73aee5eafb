"""The exception tree, and the exit codes the exceptions mean.

Imports nothing of ours. A foreign error (aiohttp, ssl, msgspec, asyncua) is translated into one of these
once, where it enters, and nowhere else. Texts are one line: what failed, why, what to do. No secret is ever in one.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every command; numbers after ``sysexits.h`` where it has one."""

    OK = 0
    BUG = 1
    ATTENTION = 1
    """Of ``status`` only: it works, and tells of something that somebody should look at."""
    USAGE = 2
    UNAVAILABLE = 69
    CONFIG = 78


class EdgeAgentError(Exception):
    """Base of everything this package raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG


class UnavailableError(EdgeAgentError):
    """A port or another thing of this host that the agent needs cannot be had."""

    exit_code = ExitCode.UNAVAILABLE


class ConfigError(EdgeAgentError):
    """The configuration cannot be used; the text holds one problem per line."""

    exit_code = ExitCode.CONFIG


class Failure(StrEnum):
    """Why a machine's status could not be fetched, by what a person has to do: for those who put it in other words."""

    SILENT = "silent"
    """No answer in time."""
    REFUSED = "refused"
    """The host is there, and nothing listens at this port."""
    NO_WAY = "no way"
    """The network has no way to the host."""
    UNKNOWN_NAME = "unknown name"
    CLOSED = "closed"
    """The connection ended before the answer did."""
    BUSY = "busy"
    STARTING = "starting"
    PROXY = "proxy"
    SERVER_FAULT = "server fault"
    WRONG_KEY = "wrong key"
    NO_PERMISSION = "no permission"
    DEACTIVATED_USER = "deactivated user"
    WRONG_TARGET = "wrong target"
    """Something else answers at this address."""
    REDIRECTED = "redirected"
    UNTRUSTED = "untrusted"
    """Its TLS certificate is not one that was agreed on."""
    NO_TLS = "no tls"
    UNEXPECTED_ANSWER = "unexpected answer"
    BUG = "bug"
    """Of the agent."""


class SourceError(EdgeAgentError):
    """A machine's status could not be fetched in this cycle; the text says why and what to do.

    ``access_denied``: the answer was a refusal, so live values are BadUserAccessDenied and not merely old.
    ``patient``: trying again soon is pointless (a wrong key, a wrong address): back off from the first failure on.
    ``failure`` says why in one of a few words; ``usual`` is the one of an error that is raised without it.
    """

    access_denied: ClassVar[bool] = False
    patient: ClassVar[bool] = False
    usual: ClassVar[Failure] = Failure.BUG

    def __init__(self, text: str, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.failure = failure or self.usual


class Unreachable(SourceError):
    """No usable answer from the host: refused, timed out, reset, or its name is unknown."""

    usual = Failure.SILENT


class Starting(SourceError):
    """The printer's server is up but still starting; it is worth asking again soon."""

    usual = Failure.STARTING


class ProxyFault(SourceError):
    """A proxy answers, the server behind it does not (502, 503, 504)."""

    usual = Failure.PROXY


class ServerFault(SourceError):
    """The server answered with an internal error (500)."""

    usual = Failure.SERVER_FAULT


class AccessDenied(SourceError):
    """The server is well and refuses us."""

    access_denied = True
    patient = True


class WrongKey(AccessDenied):
    """The server does not know the API key."""

    usual = Failure.WRONG_KEY


class NoPermission(AccessDenied):
    """The key's user exists but may not read the status."""

    usual = Failure.NO_PERMISSION


class DeactivatedUser(AccessDenied):
    """The key's user exists and is switched off."""

    usual = Failure.DEACTIVATED_USER


class WrongTarget(SourceError):
    """Something answers at the url, and it is not what ``type`` says."""

    patient = True
    usual = Failure.WRONG_TARGET


class UnexpectedAnswer(SourceError):
    """The answer is JSON of a shape that no known version sends, or is cut off or too large."""

    usual = Failure.UNEXPECTED_ANSWER
