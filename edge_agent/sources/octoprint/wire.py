"""The answers as they come; every field optional, unknown keys ignored."""
# ruff: noqa: D101 - wire structs are named for the key they stand for

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from ...errors import UnexpectedAnswer

Wire = TypeVar("Wire", bound=Struct)


class FileWire(Struct):
    name: str | None = None
    path: str | None = None
    display: str | None = None  # >= 1.3.6; null for files on the printer's SD card
    size: int | float | None = None
    date: float | None = None  # unix seconds of the upload or the last change; null on SD cards


class FilamentWire(Struct):
    length: float | None = None
    volume: float | None = None


class JobWire(Struct, rename="camel"):
    file: FileWire | None = None
    user: str | None = None  # >= 1.3.9
    estimated_print_time: float | None = None
    filament: dict[str, FilamentWire | float | None] | None = None


class ProgressWire(Struct, rename="camel"):
    completion: float | None = None
    print_time: float | None = None
    print_time_left: float | None = None
    print_time_left_origin: str | None = None


class JobAnswer(Struct):
    state: str | None = None
    error: str | None = None  # >= 1.6; 2.0 always sends it
    job: JobWire | None = None
    progress: ProgressWire | None = None


class FlagsWire(Struct, rename="camel"):
    operational: bool | None = None
    printing: bool | None = None
    paused: bool | None = None
    ready: bool | None = None
    error: bool | None = None
    closed_or_error: bool | None = None
    pausing: bool | None = None  # this and the next three: >= 1.3.9
    resuming: bool | None = None
    cancelling: bool | None = None
    finishing: bool | None = None


class StateWire(Struct):
    text: str | None = None
    flags: FlagsWire | None = None
    error: str | None = None


class HeaterWire(Struct):
    actual: float | None = None
    target: float | None = None


class HistoryWire(Struct):
    time: float | None = None  # unix seconds of the printer's host


class PrinterAnswer(Struct):
    state: StateWire | None = None
    temperature: dict[str, HeaterWire | list[HistoryWire] | None] | None = None


class VersionAnswer(Struct):
    server: str | None = None
    text: str | None = None  # "OctoPrint 1.11.8"


class ProfileWire(Struct):
    id: str | None = None
    name: str | None = None


class ConnectionCurrentWire(Struct, rename="camel"):
    printer_profile: str | None = None  # 2.0: null while offline


class ConnectionOptionsWire(Struct, rename="camel"):
    printer_profiles: list[ProfileWire] | None = None
    printer_profile_preference: str | None = None


class ConnectionAnswer(Struct):
    current: ConnectionCurrentWire | None = None
    options: ConnectionOptionsWire | None = None


class UserAnswer(Struct):
    name: str | None = None
    permissions: list[str] | None = None


JOB = msgspec.json.Decoder(JobAnswer)
PRINTER = msgspec.json.Decoder(PrinterAnswer)
VERSION = msgspec.json.Decoder(VersionAnswer)
CONNECTION = msgspec.json.Decoder(ConnectionAnswer)
USER = msgspec.json.Decoder(UserAnswer)


def decode(decoder: msgspec.json.Decoder[Wire], body: bytes, path: str) -> Wire:
    """Read an answer's body.

    Raises:
        UnexpectedAnswer: it is no JSON, or a field has another type than every OctoPrint gives it.
    """
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        detail = str(error) if isinstance(error, msgspec.ValidationError) else "it is not valid JSON"
        raise UnexpectedAnswer(f"{path}: unexpected answer: {detail}; the agent may need an update") from error
