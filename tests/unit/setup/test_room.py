"""The room as the guide uses it: a key that was granted ends in a file, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config import Config, load
from edge_agent.secret import Secret
from edge_agent.session import Tls, open_session
from edge_agent.setup.room import Room, app_name
from edge_agent.sinks.http.setting_up import MachineForm, Outcome, PairingState, SetUp
from tests import virtual_time
from tests.double import KEY, OctoPrintDouble

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(main, start=NOW)


class Written:
    """How often somebody was told that config.json has changed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@asynccontextmanager
async def room(
    folder: Path, *, config: Config | None = None, on_written: Callable[[], None] = lambda: None
) -> AsyncIterator[Room]:
    async with open_session() as session:
        made = Room(
            config_path=folder / "config.json",
            state_dir=folder,
            session=session,
            in_force=lambda: config,
            on_written=on_written,
        )
        checked: SetUp = made  # it is what the sink knows
        assert checked is made
        yield made
        await made.close()


def test_key_that_was_granted_is_written_once_and_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        told = Written()
        async with OctoPrintDouble() as octoprint, room(tmp_path, on_written=told) as guide:
            octoprint.printer.idle()
            pairing = await guide.pair(octoprint.url, KEY)
            assert pairing.state is PairingState.GRANTED
            form = MachineForm(pairing=pairing.id, url=f"{octoprint.url}/", mes_id="1", custom_name="Mark One")
            assert await guide.save(form) == Outcome(machine_id="mark-one")
            assert guide.pairing(pairing.id) is None
            assert told.times == 1
            (again,) = (await guide.save(form)).complaints
            assert again.field == "pairing"
            assert told.times == 1
            assert [machine.id for machine in (await guide.written()).machines] == ["mark-one"]
            assert await guide.remove("mark-one") == Outcome(machine_id="mark-one")
            (gone,) = (await guide.remove("mark-one")).complaints
            assert gone.field == "id"
        config = load(tmp_path / "config.json", state_dir=tmp_path, remember=False)
        assert config.machines == ()

    run(main)


def test_form_about_a_machine_that_is_gone_makes_no_new_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with room(tmp_path) as guide:
            outcome = await guide.save(MachineForm(id="gone", url="http://a", mes_id="1"))
            assert [complaint.field for complaint in outcome.complaints] == ["id"]
        assert not (tmp_path / "config.json").exists()

    run(main)


def test_key_of_one_printer_is_never_written_for_another(tmp_path: Path) -> None:
    async def main() -> None:
        async with OctoPrintDouble() as octoprint, room(tmp_path) as guide:
            octoprint.printer.idle()
            pairing = await guide.pair(octoprint.url, KEY)
            outcome = await guide.save(MachineForm(pairing=pairing.id, url="http://evil.example", mes_id="1"))
            assert [complaint.field for complaint in outcome.complaints] == ["url"]
        assert not (tmp_path / "config.json").exists()

    run(main)


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (MachineForm(), {"url", "pairing"}),
        (MachineForm(url="printer", mes_id="x"), {"url", "mes_id", "pairing"}),
        (MachineForm(id="one", url="http://a", mes_id="1.5"), {"mes_id"}),
        (MachineForm(id="one", url="http://a", mes_id="99999999999"), {"mes_id"}),
        (MachineForm(id="one", url="http://a", mes_id=str(2**31)), {"mes_id"}),
    ],
)
def test_what_is_wrong_in_a_form_is_told_all_at_once(tmp_path: Path, form: MachineForm, fields: set[str]) -> None:
    async def main() -> None:
        async with room(tmp_path) as guide:
            outcome = await guide.save(form)
            assert {complaint.field for complaint in outcome.complaints} == fields
            assert all(complaint.text for complaint in outcome.complaints)

    run(main)


def test_machine_that_is_there_is_trusted_as_before(tmp_path: Path) -> None:
    tls = {"verify": False}
    machine = {"type": "OCTOPRINT", "url": "https://a", "api_key": KEY, "mes_id": [1], "tls": tls}
    (tmp_path / "config.json").write_text(json.dumps([machine]))
    config = load(tmp_path / "config.json", state_dir=tmp_path, remember=False)

    async def main() -> None:
        async with room(tmp_path, config=config) as guide:
            assert guide._tls("https://a") == Tls(verify=False)
            assert guide._tls("https://b") == Tls()

    run(main)


def test_two_changes_at_once_both_count(tmp_path: Path) -> None:
    async def main() -> None:
        async with OctoPrintDouble() as octoprint, OctoPrintDouble() as other, room(tmp_path) as guide:
            forms = []
            for printer in (octoprint, other):
                printer.printer.idle()
                pairing = await guide.pair(printer.url, KEY)
                forms.append(
                    MachineForm(pairing=pairing.id, url=printer.url, mes_id="1", custom_name=str(printer.port))
                )
            outcomes = await asyncio.gather(*map(guide.save, forms))
            assert [outcome.complaints for outcome in outcomes] == [(), ()]
        config = load(tmp_path / "config.json", state_dir=tmp_path, remember=False)
        assert [entry.key for entry in config.machines] == [Secret(KEY)] * 2

    run(main)


def test_name_in_octoprint_is_this_computers() -> None:
    assert app_name().startswith("edge-agent on ")
    assert len(app_name()) <= 60
