"""Everything that the guide needs in one place: the search, the pairings, and config.json."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from ..config import Config, ConfigFileError, jsonc, load
from ..config.ids import Identity, IdTakenError, assign
from ..config.load import machine_values
from ..config.newest import file_for, pretty, redacted
from ..config.url import parse_url
from ..session import ClientSession, Tls
from ..sinks.http.setting_up import Complaint, Found, MachineForm, Outcome, Pairing, Written
from ..sources.octoprint import OctoPrintOptions
from .discovery import Discovery
from .edit import (
    Cells,
    form_complaints,
    form_of,
    ours,
    overrides,
    place_of,
    state_complaints,
    with_machine,
    with_states,
    without_machine,
)
from .pairing import Granted, Pairings
from .writing import Change, ConfigFile, Current, Edit

_GONE = Complaint(field="id", text="config.json has no such machine any more; look at the list again")


class Room:
    """Looks for OctoPrints, asks them for keys, and changes config.json: `edge_agent.sinks.http.setting_up.SetUp`.

    Args:
        config_path: config.json, which need not be there yet.
        state_dir: where machine ids are remembered; only read.
        session: asks OctoPrints.
        in_force: the configuration that is, for what is there already.
        on_written: called after a change, so that nobody has to wait for the file to be noticed.
        discovery: of the search.
    """

    def __init__(
        self,
        *,
        config_path: Path,
        state_dir: Path,
        session: ClientSession,
        in_force: Callable[[], Config | None],
        on_written: Callable[[], None] = lambda: None,
        discovery: Discovery | None = None,
    ) -> None:
        self._file = ConfigFile(config_path, state_dir=state_dir)
        self._state_dir = state_dir
        self._in_force = in_force
        self._on_written = on_written
        self._one_at_a_time = asyncio.Lock()
        self.discovery = discovery or Discovery()
        self.pairings = Pairings(session, app=app_name(), name_of=self.discovery.name_of, tls=self._tls)

    async def found(self) -> tuple[Found, ...]:
        """What has been found so far. The first call starts looking; it ends by itself 20 s after the last one."""
        return await self.discovery.found({options.url for options in self._sources()})

    async def pair(self, url: str, key: str = "") -> Pairing:
        """Ask an OctoPrint for a key; one that was typed is checked instead."""
        return await self.pairings.pair(url, key)

    def pairing(self, id: str) -> Pairing | None:  # noqa: A002 - named as the field is
        """How far it is; ``None`` if there is no such pairing, or no longer."""
        return self.pairings.pairing(id)

    async def forget(self, id: str) -> None:  # noqa: A002 - as above
        """End a pairing, and forget its key."""
        await self.pairings.forget(id)

    async def written(self) -> Written:
        """What config.json says now."""
        return await asyncio.to_thread(written, self._file, self._state_dir)

    async def save(self, form: MachineForm) -> Outcome:
        """Check and write one machine."""
        granted = self.pairings.granted(form.pairing) if form.pairing else None
        complaints = form_complaints(form) or _key_complaints(form, granted)
        if complaints:
            return Outcome(complaints=complaints)
        outcome = await self._change(machine_edit(self._file, form, granted))
        if not outcome.complaints:
            await self.pairings.forget(form.pairing)
        return outcome

    async def remove(self, machine_id: str) -> Outcome:
        """Take a machine out of config.json."""

        def edit(current: Current) -> Change | tuple[Complaint, ...]:
            if place_of(current.value, machine_id) is None:
                return (_GONE,)
            value = without_machine(current.value, machine_id)
            return Change(value=value, secrets=current.secrets, machine_id=machine_id)

        return await self._change(edit)

    async def save_states(self, cells: Mapping[str, Mapping[str, str]]) -> Outcome:
        """Replace the overrides of the state table; a complaint's ``field`` is ``row.column``."""
        return await self._change(states_edit(cells))

    async def close(self) -> None:
        """Stop looking, and every pairing."""
        await self.pairings.close()
        await self.discovery.close()

    async def _change(self, edit: Edit) -> Outcome:
        async with self._one_at_a_time:
            # Shielded: who closes the browser meanwhile must not leave half of it to the next one.
            outcome = await asyncio.shield(asyncio.to_thread(self._file.change, edit))
        if not outcome.complaints:
            self._on_written()
        return outcome

    def _sources(self) -> list[OctoPrintOptions]:
        config = self._in_force()
        sources = [entry.source for entry in config.machines] if config is not None else []
        return [source for source in sources if isinstance(source, OctoPrintOptions)]

    def _tls(self, url: str) -> Tls:
        """A machine that is there already is trusted as before."""
        return next((source.tls for source in self._sources() if source.url == url), Tls())


def _key_complaints(form: MachineForm, granted: Granted | None) -> tuple[Complaint, ...]:
    """Why a form, good in itself, does not go with its pairing."""
    if form.pairing and granted is None:
        text = "this key was not granted, or is forgotten by now; ask the printer again"
        return (Complaint(field="pairing", text=text),)
    if granted is not None and parse_url(form.url).text != granted.url:
        text = f"the key is of {granted.url}; ask the printer at the new address for one"
        return (Complaint(field="url", text=text),)
    return ()


def app_name() -> str:
    """What OctoPrint shows of us beside Allow, and in its list of keys: each computer has a key of its own."""
    return f"edge-agent on {socket.gethostname().partition('.')[0][:40]}"


def machine_edit(file: ConfigFile, form: MachineForm, granted: Granted | None) -> Edit:
    """The change that a form about a machine asks for."""

    def edit(current: Current) -> Change | tuple[Complaint, ...]:
        if form.id and place_of(current.value, form.id) is None:
            return (_GONE,)
        secrets = dict(current.secrets)
        try:
            machine_id = form.id or _new_id(file, current, form)
        except IdTakenError:
            text = "another machine had this name before, and keeps its id; choose another name"
            return (Complaint(field="custom_name", text=text),)
        key_file = file_for(granted.key, f"{machine_id}.key", file.folder, secrets) if granted is not None else None
        value = with_machine(current.value, form, machine_id=machine_id, key_file=key_file)
        return Change(value=value, secrets=secrets, machine_id=machine_id)

    return edit


def states_edit(cells: Cells) -> Edit:
    """The change that a form about the state table asks for."""

    def edit(current: Current) -> Change | tuple[Complaint, ...]:
        complaints = state_complaints(cells)
        return complaints or Change(value=with_states(current.value, cells), secrets=current.secrets)

    return edit


def _new_id(file: ConfigFile, current: Current, form: MachineForm) -> str:
    """The id that the loader would give the machine: the one it had before, if it was here before."""
    identities = []
    for machine in ours(current.value):
        url = parse_url(machine["url"])
        name = machine.get("custom_name")
        identities.append(Identity(id=machine["id"], name=name, url=url.text, address=url.address))
    url = parse_url(form.url)
    identities.append(Identity(id=None, name=form.custom_name.strip() or None, url=url.text, address=url.address))
    return assign(identities, file.remembered_ids().read())[-1]


def written(file: ConfigFile, state_dir: Path) -> Written:
    """What config.json says now; blocks."""
    path = str(file.path)
    previous = str(file.previous) if file.previous.is_file() else ""
    try:
        value = jsonc.read(file.path).value
    except jsonc.JsonError as error:
        exists = file.path.exists() or file.path.is_symlink()
        place = f":{error.position}" if error.position else ""
        unread = (f"{path}{place}: {error.text}",) if exists else ()
        return Written(path=path, exists=exists, text="", previous=previous, states={}, problems=unread)
    ids: list[str] = []
    problems: tuple[str, ...]
    try:
        config = load(file.path, state_dir=state_dir, remember=False)
    except ConfigFileError as error:
        problems = tuple(map(str, error.problems))
    else:
        problems = tuple(map(str, config.warnings))
        ids = [entry.machine.id for entry in config.machines]
    return Written(
        path=path,
        exists=True,
        text=pretty(redacted(value)).decode(),
        previous=previous,
        machines=_forms(value, ids),
        states=overrides(value),
        problems=problems,
    )


def _forms(value: object, ids: list[str]) -> tuple[MachineForm, ...]:
    """The machines of a file in any form; without ``ids``, which are in file order, those that say their own."""
    machines = [item for _, item in machine_values(value) or () if isinstance(item, dict)]
    mine = [machine for machine in machines if str(machine.get("type", "")).strip().upper() == "OCTOPRINT"]
    if len(ids) == len(mine):
        return tuple(form_of(machine, id_) for machine, id_ in zip(mine, ids, strict=True))
    return tuple(form_of(machine, machine["id"]) for machine in mine if isinstance(machine.get("id"), str))
