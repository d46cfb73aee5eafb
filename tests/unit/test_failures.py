"""Each way in which a machine cannot be asked has a word of its own, for those who say it in other languages."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from unittest.mock import Mock

import aiohttp
import pytest

from edge_agent import errors
from edge_agent.errors import Failure, SourceError
from edge_agent.session.failures import proxy_fault, translate

URL = "http://printer.local"


def kinds() -> list[type[SourceError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SourceError)]


def connecting(error: OSError) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(Mock(ssl=False, host="h", port=1), error)


def test_only_a_bug_is_called_a_bug() -> None:
    for kind in kinds():
        assert (kind("text").failure is Failure.BUG) is (kind in {SourceError, errors.AccessDenied}), kind


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (TimeoutError(), Failure.SILENT),
        (connecting(ConnectionRefusedError()), Failure.REFUSED),
        (connecting(OSError(113, "No route to host")), Failure.NO_WAY),
        (aiohttp.ClientConnectorDNSError(Mock(ssl=False), socket.gaierror()), Failure.UNKNOWN_NAME),
        (ConnectionResetError(), Failure.CLOSED),
        (aiohttp.ServerFingerprintMismatch(b"1" * 32, b"2" * 32, "h", 1), Failure.UNTRUSTED),
        (aiohttp.ClientPayloadError(), Failure.UNEXPECTED_ANSWER),
        (ValueError(), Failure.CLOSED),
    ],
)
def test_what_a_failed_request_is_called(error: Exception, failure: Failure) -> None:
    assert translate(error, URL).failure is failure


def test_a_proxy_is_not_the_printer() -> None:
    assert proxy_fault(502, URL).failure is Failure.PROXY


def test_every_word_is_documented() -> None:
    document = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
    listed = document.partition("`failure` is one word")[2].partition("`reason`")[0]
    assert set(re.findall(r"`([a-z ]+)`", listed)) == set(Failure)
