"""Every field that somebody else fills in, filled in with an attack, on every page that can be read."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from edge_agent.errors import Failure
from edge_agent.jobs import JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.model import Identification, Job, MachineState, Quality, Temperature
from edge_agent.observation import Observation
from edge_agent.sinks.http.about import ConfigProblem, MesUser, OpcUaSession, PastStart
from edge_agent.sinks.http.curves import STEP_S, Curves
from edge_agent.sinks.http.drawing import large, small
from edge_agent.sinks.http.report import CurveReport
from edge_agent.sinks.http.words import DE, EN
from tests.observations import AT, PRINTING, observation

from .bench import COMPUTER, DISK, NOW, STATUS, Bench, machine
from .reader import Reader

ATTACKS = (
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title></textarea></svg><svg onload=alert(1)>",
    "&lt;b&gt;{name}{0}%s${x}",
    "javascript:alert(1)",
    "\u202e\u2066<!--\x00\ud800]]>",
    "{host} {heater} {reason}",
)
PAGES = ("/", "/?show=attention", "/?show=all&q=", "/machines/machine-1", "/machines/machine-2", "/agent")


def filled(struct: Struct, attack: str, **more: Any) -> Any:
    """The same with every text in it replaced."""
    texts = {name: attack for name in struct.__struct_fields__ if isinstance(getattr(struct, name), str)}
    return replace(struct, **(texts | more))


def attacking(attack: str) -> list[Observation]:
    plate = Identification(
        manufacturer=attack, model=attack, serial_number=attack, product_code=attack, location=attack
    )
    one = machine(1, identification=plate)
    job = Job(file_name=attack, file_path=attack, user=attack, remaining_origin=attack, progress_ratio=0.5)
    told = filled(
        PRINTING,
        attack,
        state=MachineState.FAULT,
        job=job,
        profile_name=attack,
        temperatures={attack: Temperature(1.0, 2.0), "ok": Temperature(1.0, 2.0)},
    )
    run = JobRun(
        id=attack, machine_id="machine-1", started_at=AT, updated_at=AT, ended_at=AT, file_name=attack,
        file_path=attack, user=attack, outcome=Outcome.FAILED, reason=attack,
    )  # fmt: skip
    fault = observation(
        snapshot=told,
        machine=filled(one, attack, id="machine-1"),
        run=run,
        recent=(run,),
    )
    lost = replace(
        fault,
        machine=filled(one, attack, id="machine-2", url=f"http://{attack}/"),
        quality=Quality.NO_COMMUNICATION,
        reachable=False,
        error=attack,
        failure=Failure.SILENT,
    )
    return [fault, lost]


def telling(attack: str) -> dict[str, Any]:
    session = OpcUaSession(
        client=attack, session=attack, user=attack, address=attack, encrypted=True, since=NOW, subscriptions=1,
        monitored_items=1,
    )  # fmt: skip
    problem = ConfigProblem(file=attack, line=1, column=1, path=attack, text=attack, refused=True)
    return {
        "mes_users": lambda: (MesUser(name=attack), MesUser(name=f"2{attack}", mes_ids=(1,))),
        "sessions": lambda: (session,),
        "config_problems": lambda: (problem, replace(problem, refused=False)),
        "starts": lambda: (PastStart(at=NOW, reason=attack),),
        "computer": lambda: filled(COMPUTER, attack),
        "disks": lambda: (filled(DISK, attack),),
        "node_id": lambda _machine, _item: attack,
    }


def safe(reader: Reader) -> None:
    """Nothing but what we wrote: one script, no handler, no style, no address of somebody else's."""
    assert reader.tags.count("script") == 1
    assert reader.tags.count("title") == 1
    assert set(reader.tags).isdisjoint({"img", "iframe", "object", "embed", "base", "style", "textarea", "b"})
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"style", "srcdoc", "formaction"}
        if name in {"href", "src", "action"}:
            assert value.startswith(("/", "#")), (tag, value)
            assert not value.startswith("//")


@pytest.mark.parametrize("language", [EN.language, DE.language])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_text_of_anybody_becomes_part_of_a_page(attack: str, language: str, tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    bench = Bench(journal=journal, **telling(attack))
    bench.endpoint = filled(bench.endpoint, attack, urls=(attack,))
    bench.store.publish_agent(filled(STATUS, attack, config_refused=True))
    for each in attacking(attack):
        bench.store.publish(each)
        assert each.run is not None
        await journal.record([replace(each.run, id=each.machine.id, machine_id=each.machine.id)])
    host = {"Accept-Language": language, "Accept": "text/html"}
    async with bench.running() as client:
        for path in PAGES:
            reader = Reader(await bench.text(client, path, headers=host))
            safe(reader)
            shown = " ".join(attack.replace("\ud800", "?").replace("\x00", "").split())
            assert shown in reader.text.replace("\ufffd", "").replace("\x00", ""), path
    await journal.close()


async def test_what_is_typed_into_the_filter_is_only_text() -> None:
    bench = Bench()
    async with bench.running() as client:
        for attack in ATTACKS:
            if "\ud800" in attack:
                continue  # no browser can send it
            async with client.get("/", params={"q": attack, "show": attack}) as answer:
                reader = Reader(await answer.text())
            safe(reader)
            assert reader.values("value", "input") == [attack.strip()]
            async with client.get(f"/machines/{attack.replace('/', '')}") as answer:
                assert answer.status in {404, 400}
                body = await answer.text()
                assert "<script>alert" not in body
                assert "<img" not in body


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_heater_s_name_is_only_text_in_a_drawing(attack: str) -> None:
    curve = CurveReport(actual_celsius=(1.0, 2.0), target_celsius=(3.0, 3.0))
    for draw in (small, large):
        reader = Reader(draw(attack, curve, STEP_S, EN))
        assert [value.partition(", last")[0] for value in reader.values("aria-label")] == [
            attack.replace("\x00", "\x00")
        ]
        assert set(reader.tags) <= {"svg", "path", "text"}
        assert not [name for _, name, _ in reader.attributes if name.startswith("on")]


def test_a_printers_numbers_draw_nothing_that_is_no_number() -> None:
    curves = Curves()
    values = (1e308, -1e308, float("inf"), float("nan"), 9_999.0, -273.0, 1e-300)
    for turn, value in enumerate(values):
        heaters = {"tool0": Temperature(value, value)}
        told = observation(snapshot=replace(PRINTING, temperatures=heaters))
        curves.note([told], monotonic_s=turn * STEP_S, at=datetime.now(AT.tzinfo))
    curve = curves.of("mark-one").heaters["tool0"]
    for draw in (small, large):
        drawing = draw("tool0", curve, STEP_S, EN)
        assert drawing
        assert "nan" not in drawing.lower().replace("last", "")
        assert "inf" not in drawing
    assert json.dumps(curve.actual_celsius)
