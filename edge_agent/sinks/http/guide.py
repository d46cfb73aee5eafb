"""The guide: from an OctoPrint in the network to a machine in config.json, and what can be changed afterwards.

Only who is logged in gets here. What is read and written is done by the `SetUp`; the guide knows no more of it than
texts. Looking for printers goes on only while the page that shows them is open.

A form with something wrong in it comes back with 200: it is what a person is to read next, and to a browser's console
anything else would be a fault of the page.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from math import ceil

from msgspec.structs import fields, replace

from .about import About
from .access_page import note_page
from .guide_page import (
    ADD,
    FORGET,
    MACHINE,
    OVERVIEW,
    PAIR,
    PAIRING,
    REMOVE,
    STATES,
    WRITTEN,
    Reader,
    add_page,
    at,
    guide_page,
    pairing_page,
)
from .html import escaped
from .library import web
from .setting_up import PAIRING_WAIT_S, MachineForm, Pairing, PairingState, SetUp
from .visit import Act, Visit, see
from .written_page import ROWS, columns_of, machine_page, overview_page, remove_page, states_page, written_page

log = logging.getLogger(__name__)

_MOST_REMEMBERED = 16
_MACHINE_FIELDS = tuple(one.name for one in fields(MachineForm))


Errand = Callable[[Visit, SetUp], Awaitable[web.Response]]


class Guide:
    """``acts`` by path; each is for a session only."""

    def __init__(self, about: About) -> None:
        self._set_up = about.set_up
        self._monotonic = about.admin.monotonic if about.admin is not None else time.monotonic
        self._asked_at: dict[str, float] = {}
        errands: Mapping[str, Errand] = {
            OVERVIEW: self._overview,
            ADD: self._add,
            PAIR: self._pair,
            PAIRING: self._pairing,
            FORGET: self._forget,
            MACHINE: self._machine,
            REMOVE: self._remove,
            STATES: self._states,
            WRITTEN: self._written,
        }
        self.acts: Mapping[str, Act] = {path: partial(self._act, errand) for path, errand in errands.items()}

    async def _act(self, errand: Errand, visit: Visit) -> web.Response:
        if self._set_up is not None:
            return await errand(visit, self._set_up)
        content = f"<p>{escaped(visit.guide.not_here)}</p>"
        status = HTTPStatus.OK if visit.form is None else HTTPStatus.NOT_FOUND
        return visit.page(guide_page(_reader(visit), visit.guide.title, content), status=status)

    async def _overview(self, visit: Visit, set_up: SetUp) -> web.Response:
        return visit.page(overview_page(_reader(visit), await set_up.written()))

    async def _written(self, visit: Visit, set_up: SetUp) -> web.Response:
        return visit.page(written_page(_reader(visit), await set_up.written(), saved="saved" in visit.query))

    async def _add(self, visit: Visit, set_up: SetUp) -> web.Response:
        machine = visit.query.get("machine", "")
        return visit.page(add_page(_reader(visit), await set_up.found(), machine=machine))

    async def _pair(self, visit: Visit, set_up: SetUp) -> web.Response:
        """Ask for a key, or have one checked; a failure stands beside what was typed, and the key is not sent back."""
        if visit.form is None:
            return see(ADD)
        url, key, machine = (visit.form.get(name, "").strip() for name in ("url", "key", "machine"))
        pairing = await set_up.pair(url, key)
        if pairing.state is PairingState.FAILED:
            await set_up.forget(pairing.id)
            complaints = {"key" if key else "url": pairing.reason}
            page = add_page(_reader(visit), await set_up.found(), url=url, machine=machine, complaints=complaints)
            return visit.page(page)
        if instead := visit.form.get("instead", ""):
            await set_up.forget(instead)
        self._left_s(pairing.id)
        return see(at(PAIRING, id=pairing.id, machine=machine))

    async def _pairing(self, visit: Visit, set_up: SetUp) -> web.Response:
        pairing = set_up.pairing(visit.query.get("id", ""))
        machine = visit.query.get("machine", "")
        if pairing is None:
            return _gone(visit, machine)
        minutes = ceil(self._left_s(pairing.id) / 60)
        return visit.page(pairing_page(_reader(visit), pairing, minutes=minutes, machine=machine))

    async def _forget(self, visit: Visit, set_up: SetUp) -> web.Response:
        if visit.form is None:
            return see(ADD)
        await set_up.forget(visit.form.get("id", ""))
        return see(at(ADD, machine=visit.form.get("machine", "")))

    async def _machine(self, visit: Visit, set_up: SetUp) -> web.Response:
        if visit.form is not None:
            return await self._save(visit, visit.form, set_up)
        pairing = _granted(set_up, asked := visit.query.get("pairing", ""))
        if asked and pairing is None:
            return _gone(visit, visit.query.get("id", ""))
        if machine_id := visit.query.get("id", ""):
            typed = await _machine_of(set_up, machine_id)
            if typed is None:
                return _no_such_machine(visit)
        elif pairing is not None:
            typed = MachineForm(custom_name=pairing.name)
        else:
            return see(ADD)
        if pairing is not None:
            typed = replace(typed, pairing=pairing.id, url=pairing.url)
        return visit.page(machine_page(_reader(visit), typed, pairing=pairing))

    async def _save(self, visit: Visit, form: Mapping[str, str], set_up: SetUp) -> web.Response:
        typed = MachineForm(**{name: form.get(name, "").strip() for name in _MACHINE_FIELDS})
        outcome = await set_up.save(typed)
        if outcome.complaints:
            pairing = _granted(set_up, typed.pairing)
            page = machine_page(_reader(visit), typed, pairing=pairing, complaints=outcome.complaints)
            return visit.page(page)
        log.info("machine %r was written to config.json, as somebody at %s wanted", outcome.machine_id, visit.address)
        return see(at(WRITTEN, saved=outcome.machine_id or "1"))

    async def _remove(self, visit: Visit, set_up: SetUp) -> web.Response:
        machine_id = (visit.query if visit.form is None else visit.form).get("id", "")
        machine = await _machine_of(set_up, machine_id)
        if machine is None:
            return _no_such_machine(visit)
        if visit.form is None:
            return visit.page(remove_page(_reader(visit), machine))
        outcome = await set_up.remove(machine_id)
        if outcome.complaints:
            page = remove_page(_reader(visit), machine, complaints=outcome.complaints)
            return visit.page(page)
        log.info("machine %r was taken out of config.json, as somebody at %s wanted", machine_id, visit.address)
        return see(at(WRITTEN, saved=machine_id))

    async def _states(self, visit: Visit, set_up: SetUp) -> web.Response:
        if visit.form is None:
            return visit.page(states_page(_reader(visit), (await set_up.written()).states))
        cells = {
            row: {column: text for column in columns_of(row) if (text := visit.form.get(f"{row}.{column}", ""))}
            for row in ROWS
        }
        cells = {row: said for row, said in cells.items() if said}
        outcome = await set_up.save_states(cells)
        if outcome.complaints:
            page = states_page(_reader(visit), cells, complaints=outcome.complaints)
            return visit.page(page)
        log.info("the state table was written to config.json, as somebody at %s wanted", visit.address)
        return see(at(WRITTEN, saved="states"))

    def _left_s(self, pairing_id: str) -> float:
        """How long it is waited at most, from when the pairing was first seen."""
        now = self._monotonic()
        asked_at = self._asked_at.setdefault(pairing_id, now)
        while len(self._asked_at) > _MOST_REMEMBERED:
            del self._asked_at[next(iter(self._asked_at))]
        return max(0.0, asked_at + PAIRING_WAIT_S - now)


def _reader(visit: Visit) -> Reader:
    return Reader(words=visit.words, guide=visit.guide, token=visit.token)


def _granted(set_up: SetUp, pairing_id: str) -> Pairing | None:
    found = set_up.pairing(pairing_id) if pairing_id else None
    return found if found is not None and found.state is PairingState.GRANTED else None


async def _machine_of(set_up: SetUp, machine_id: str) -> MachineForm | None:
    machines = (await set_up.written()).machines
    return next((machine for machine in machines if machine.id == machine_id), None)


def _gone(visit: Visit, machine: str) -> web.Response:
    link = (at(ADD, machine=machine), visit.guide.add.title)
    return visit.page(note_page(visit.words, visit.guide.add.title, visit.guide.add.gone, link=link), status=404)


def _no_such_machine(visit: Visit) -> web.Response:
    link = (OVERVIEW, visit.guide.overview)
    return visit.page(note_page(visit.words, visit.guide.title, visit.guide.no_such_machine, link=link), status=404)
