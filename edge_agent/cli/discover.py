"""``edge-agent discover``: the OctoPrints that announce themselves on the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import msgspec

from ..config import ConfigFileError, load
from ..errors import ExitCode, UnavailableError
from ..setup.discovery import Discovery
from ..sinks.http.setting_up import Found

_HEAD = ("name", "url", "version", "model")


def discover(
    *,
    config_path: Path,
    state_dir: Path,
    seconds: float,
    as_json: bool,
    out: TextIO,
    make: Callable[[], Discovery] = Discovery,
) -> ExitCode:
    """Listen for a while and print what was heard.

    Args:
        config_path: config.json; only for which printers are in it. It need not be there.
        state_dir: as for every command; only read.
        seconds: how long.
        as_json: a list of objects instead of lines.
        out: takes the report.
        make: makes the search.

    Raises:
        UnavailableError: nothing can be heard.
    """
    found, trouble = asyncio.run(_search(make, _configured(config_path, state_dir), seconds))
    if trouble:
        raise UnavailableError(f"{trouble}; type addresses instead: edge-agent pair URL")
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode(), file=out)
        return ExitCode.OK
    rows = [_HEAD, *((row.name, row.url, row.version, row.model) for row in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, told in zip(rows, [None, *found], strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print(f"{line}  (in config.json)" if told is not None and told.configured else line, file=out)
    if not found:
        print(f"no OctoPrint was heard within {seconds:g} s; it announces itself only to its own network", file=out)
    else:
        print("to ask one for a key: sudo edge-agent pair URL", file=out)
    return ExitCode.OK


async def _search(make: Callable[[], Discovery], configured: set[str], seconds: float) -> tuple[tuple[Found, ...], str]:
    discovery = make()
    try:
        await discovery.found(configured)
        end = asyncio.get_running_loop().time() + seconds
        while discovery.looking and asyncio.get_running_loop().time() < end:
            await discovery.found(configured)
            await asyncio.sleep(0.2)
        return discovery.now(configured), discovery.trouble
    finally:
        await discovery.close()


def _configured(config_path: Path, state_dir: Path) -> set[str]:
    try:
        config = load(config_path, state_dir=state_dir, remember=False)
    except ConfigFileError:
        return set()
    return {entry.machine.url for entry in config.machines}
