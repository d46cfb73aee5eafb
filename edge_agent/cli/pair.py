"""``edge-agent pair URL``: ask an OctoPrint for a key, and put it into config.json."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from msgspec import Struct
from msgspec.structs import replace

from ..config import Config, ConfigFileError, load
from ..config.url import UrlError, parse_url
from ..errors import ExitCode, UnavailableError
from ..session import open_session
from ..setup.pairing import NEEDED
from ..setup.room import Room
from ..sinks.http.setting_up import MachineForm, Outcome, Pairing, PairingState

_LONGEST_KEY_FILE = 4096


class Texts(Struct, frozen=True, kw_only=True):
    """What to write of the machine; ``None`` leaves what is there."""

    custom_name: str | None = None
    mes_id: str | None = None
    location: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial_number: str | None = None


def pair(
    *,
    url: str,
    texts: Texts,
    key_file: Path | None,
    config_path: Path,
    state_dir: Path,
    yes: bool,
    out: TextIO,
    ask: Callable[[str], str] | None = None,
) -> ExitCode:
    """Ask, wait for somebody to press Allow, write.

    Args:
        url: of the OctoPrint. A machine that is there already gets the new key.
        texts: what else to write of it.
        key_file: holds a key to be used instead of asking for one; ``-`` is standard input.
        config_path: config.json, which is made if it is not there.
        state_dir: its owner will own the key.
        yes: a key that may do more than read the status is taken without a question.
        out: takes what is going on; never a key.
        ask: puts a question to a person; by default to the terminal, if there is one.

    Returns:
        UNAVAILABLE if there is no key, CONFIG if config.json cannot be written so, else OK.

    Raises:
        UnavailableError: the key file cannot be read.
    """
    key = _read_key(key_file) if key_file is not None else ""
    if ask is None and sys.stdin.isatty():
        ask = input
    return asyncio.run(_pair(url, texts, key, config_path=config_path, state_dir=state_dir, yes=yes, out=out, ask=ask))


async def _pair(
    url: str,
    texts: Texts,
    key: str,
    *,
    config_path: Path,
    state_dir: Path,
    yes: bool,
    out: TextIO,
    ask: Callable[[str], str] | None,
) -> ExitCode:
    async with open_session() as session:
        config = _config(config_path, state_dir)
        room = Room(config_path=config_path, state_dir=state_dir, session=session, in_force=lambda: config)
        try:
            pairing = await _granted(room, url, key, out)
            if pairing.state is not PairingState.GRANTED:
                print(f"edge-agent: no key: {pairing.reason}", file=out)
                return ExitCode.UNAVAILABLE
            _tell(pairing, out)
            if pairing.more_than_needed and not yes and not await _agreed(ask, out):
                return ExitCode.UNAVAILABLE
            outcome = await room.save(await _form(room, pairing, texts))
            return _told(outcome, config_path, out)
        finally:
            await room.close()


async def _granted(room: Room, url: str, key: str, out: TextIO) -> Pairing:
    pairing = await room.pair(url, key)
    if pairing.state is PairingState.WAITING:
        print(f"open {pairing.dialog_url}", file=out)
        print("log in to OctoPrint there, and press Allow. Waiting for it; Ctrl-C ends it.", file=out, flush=True)
    return await room.pairings.settled(pairing.id) or pairing


def _tell(pairing: Pairing, out: TextIO) -> None:
    whose = f"key of {pairing.user}" if pairing.user else "key"
    print(f"{pairing.version}: {whose}, which may: {', '.join(pairing.permissions) or 'read'}", file=out)
    if pairing.more_than_needed:
        needed = ", ".join(sorted(NEEDED))
        print(f"The agent needs {needed} and nothing else. To give it no more: make a user in OctoPrint", file=out)
        print(
            f"(Settings > Access Control) with the permission {needed} alone, generate an application key for it",
            file=out,
        )
        print("(Settings > Application Keys) and run this again with --key-file.", file=out)


async def _agreed(ask: Callable[[str], str] | None, out: TextIO) -> bool:
    if ask is None:
        print("edge-agent: nothing was written: the key may do more than is needed; --yes takes it", file=out)
        return False
    answer = await asyncio.to_thread(ask, "Use this key all the same? [y/N] ")
    if answer.strip().lower() in {"y", "yes"}:
        return True
    print("nothing was written; the key can be deleted in OctoPrint (Settings > Application Keys)", file=out)
    return False


async def _form(room: Room, pairing: Pairing, texts: Texts) -> MachineForm:
    """The machine there is at this address, or a new one, with what is to be written of it."""
    known = (form for form in (await room.written()).machines if _same(form.url, pairing.url))
    form = next(known, MachineForm(custom_name=pairing.name, mes_id="1"))
    given = {name: getattr(texts, name) for name in texts.__struct_fields__ if getattr(texts, name) is not None}
    return replace(form, pairing=pairing.id, url=pairing.url, **given)


def _same(left: str, right: str) -> bool:
    try:
        return parse_url(left).text == right
    except UrlError:
        return False


def _told(outcome: Outcome, config_path: Path, out: TextIO) -> ExitCode:
    if not outcome.complaints:
        print(f"{config_path}: machine {outcome.machine_id} is written; a running agent takes it over", file=out)
        return ExitCode.OK
    for complaint in outcome.complaints:
        place = f":{complaint.line}:{complaint.column}" if complaint.line else ""
        field = f"{complaint.field}: " if complaint.field else ""
        print(f"{config_path}{place}: {field}{complaint.text}", file=out)
    print("nothing was written", file=out)
    return ExitCode.CONFIG


def _config(config_path: Path, state_dir: Path) -> Config | None:
    try:
        return load(config_path, state_dir=state_dir, remember=False)
    except ConfigFileError:
        return None  # what is wrong is told when it is to be changed


def _read_key(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.readline(_LONGEST_KEY_FILE).strip()
        with file.open(encoding="utf-8-sig") as opened:
            return opened.read(_LONGEST_KEY_FILE).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text"
        raise UnavailableError(
            f"the key file {file} cannot be read: {reason}; name the file that holds the key"
        ) from None
