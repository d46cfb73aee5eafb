"""A real OctoPrint becomes a machine on an OPC UA endpoint: each situation asserted at the far end.

One OctoPrint of each series, one agent and one encrypted client session serve the whole module; the tests run in the
order they stand in, each leaving the printer idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct

from .agent import AgentProcess, machine
from .endpoint import Endpoint
from .octoprint import ADMIN, AGENT, LEAVER, NOBODY, SERIES, OctoPrintServer
from .printing import gcode

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


class Shop(Struct):
    """An OctoPrint, the agent beside it, and the MES."""

    octoprint: OctoPrintServer
    agent: AgentProcess
    mes: Endpoint


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=SERIES)
async def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("shop")
    async with OctoPrintServer(folder / "octoprint", series=request.param, linger_s=2) as octoprint:
        agent = AgentProcess(folder / "agent")
        secret = agent.secret("printer", octoprint.keys[AGENT])
        agent.configure([machine(octoprint.url, secret, custom_name="Mark One")], polling={"timeout_s": 2})
        async with agent, Endpoint(agent) as mes:
            await octoprint.upload("long.gcode", gcode(60))
            await octoprint.upload("short.gcode", gcode(4))
            await mes.client.load_data_type_definitions()  # as any client learns the structures
            await mes.watch("mark-one")
            yield Shop(octoprint, agent, mes)


ITEM_STATE = "mark-one/MachineryBuildingBlocks/MachineryItemState/CurrentState/Number"
PROGRAM_STATE = "mark-one/Production/ActiveProgram/State/CurrentState/Number"
TOOL_MODE = "mark-one/Monitoring/MachineTool/OperationMode"
JOB_RESULTS = "mark-one/MachineryBuildingBlocks/JobManagement/JobOrderResults"
JOB_ORDERS = "mark-one/MachineryBuildingBlocks/JobManagement/JobOrderControl/JobOrderList"
JOB_EVENT = "ns=5;i=1006"


async def shows(shop: Shop, *, item: int, program: int, tool: int, job: int | None = None) -> None:
    """The state machines of OPC 40001-1 and 40501-1, and the newest entry of the job list, by their numbers."""
    await shop.mes.until(ITEM_STATE, item)
    await shop.mes.until(PROGRAM_STATE, program)
    await shop.mes.until(TOOL_MODE, tool)
    if job is not None:
        await shop.mes.until(JOB_ORDERS, lambda orders: orders and orders[0].State[0].StateNumber == job)


async def with_key(shop: Shop, key: str) -> None:
    """The technician puts another key into the secret file; the agent notices by itself or by SIGHUP."""
    shop.agent.secret("printer", key)
    shop.agent.reload()


async def test_an_idle_printer_is_idle_with_a_green_light(shop: Shop) -> None:
    await shop.mes.until("mark-one/MesStatus", "Idle")
    await shop.mes.until("mark-one/Monitoring/Stacklight/Green/SignalOn", wanted=True)
    await shop.mes.until("mark-one/Source/State", "Operational")
    await shop.mes.until("mark-one/Source/Version", lambda text: text.startswith("OctoPrint "))
    await shows(shop, item=2, program=0, tool=0)
    await shop.mes.until("mark-one/Job/Progress", None, status="BadNoData")


async def test_a_print_is_running_with_its_file_progress_and_temperatures(shop: Shop) -> None:
    await shop.octoprint.start_print("long.gcode")
    await shop.mes.until("mark-one/MesStatus", "Running")
    await shop.mes.until("mark-one/Job/FileName", "long.gcode")
    await shop.mes.until("mark-one/Job/Progress", lambda percent: percent is not None and percent > 2.0)
    await shop.mes.until("mark-one/Job/ElapsedTime", lambda seconds: seconds is not None and seconds > 0)
    await shows(shop, item=3, program=1, tool=1, job=3)
    await shop.mes.watch("mark-one")  # heaters appear when first reported
    await shop.mes.until("mark-one/Monitoring/Process/Tool0Temperature/ProcessValueSetpoint", 205.0)
    await shop.mes.until("mark-one/Job/Id", lambda text: text is not None and text.startswith("mark-one-"))
    await shop.mes.until("mark-one/Job/Outcome", None, status="BadNoData")
    warm = await shop.mes.until(
        "mark-one/Monitoring/Process/Tool0Temperature/AnalogSignal", lambda celsius: celsius > 25.0
    )
    assert warm.source_time is not None


async def test_a_pause_is_yellow_and_still_running(shop: Shop) -> None:
    await shop.octoprint.pause()
    await shop.mes.until("mark-one/Source/State", "Pausing")
    await shop.mes.until("mark-one/Source/State", "Paused")
    await shop.mes.until("mark-one/Monitoring/Stacklight/Yellow/SignalOn", wanted=True)
    await shop.mes.until("mark-one/MesStatus", "Running")
    await shows(shop, item=2, program=3, tool=3, job=4)


async def test_a_restarted_agent_knows_the_print_by_the_same_id(shop: Shop, tmp_path: Path) -> None:
    before = await shop.mes.until("mark-one/Job/Id", lambda text: text is not None)
    twin = AgentProcess(tmp_path / "twin")
    twin.configure([machine(shop.octoprint.url, twin.secret("printer", shop.octoprint.keys[AGENT]), id="mark-one")])
    await twin.start()
    async with Endpoint(twin) as mes:
        await mes.watch("mark-one")
        first = await mes.until("mark-one/Job/Id", lambda text: text is not None)
    await twin.kill()
    async with twin, Endpoint(twin) as mes:
        await mes.watch("mark-one")
        again = await mes.until("mark-one/Job/Id", lambda text: text is not None)
    assert again.value == first.value
    assert first.value != before.value  # another agent's journal, another id


async def test_a_resumed_print_is_green_again(shop: Shop) -> None:
    await shop.octoprint.resume()
    await shop.mes.until("mark-one/Source/State", "Resuming")
    await shop.mes.until("mark-one/Source/State", "Printing")
    await shop.mes.until("mark-one/Monitoring/Stacklight/Yellow/SignalOn", wanted=False)
    await shop.mes.until("mark-one/Monitoring/Stacklight/Green/SignalOn", wanted=True)


async def test_a_cancelled_print_leaves_an_idle_printer_without_progress(shop: Shop) -> None:
    await shop.octoprint.cancel()
    await shop.mes.until("mark-one/Source/State", "Cancelling")
    await shop.mes.until("mark-one/MesStatus", "Idle", within_s=20)
    await shop.mes.until("mark-one/Job/Progress", None, status="BadNoData")
    await shop.mes.until("mark-one/Job/FileName", "long.gcode")
    await shop.mes.until("mark-one/Job/Outcome", "cancelled")
    await shows(shop, item=2, program=4, tool=0, job=6)


async def test_a_finished_print_ends_at_100_percent(shop: Shop) -> None:
    await shop.octoprint.start_print("short.gcode")
    await shop.mes.until("mark-one/MesStatus", "Running")
    await shop.mes.until("mark-one/Source/State", "Finishing", within_s=30)
    await shop.mes.until("mark-one/MesStatus", "Idle", within_s=20)
    await shop.mes.until("mark-one/Job/Progress", 100.0)
    await shop.mes.until("mark-one/Job/RemainingTime", 0.0)
    await shop.mes.until("mark-one/Job/Outcome", "completed")
    await shows(shop, item=2, program=2, tool=0, job=5)
    began = await shop.mes.until("mark-one/Job/StartTime", lambda time: time is not None)
    ended = await shop.mes.until("mark-one/Job/EndTime", lambda time: time is not None)
    assert 3 < (ended.value - began.value).total_seconds() < 15


async def test_a_firmware_fault_is_stopped_and_red_with_its_text(shop: Shop) -> None:
    await shop.octoprint.start_print("long.gcode")
    await shop.mes.until("mark-one/MesStatus", "Running")
    await shop.octoprint.firmware_fault()
    await shop.mes.until("mark-one/MesStatus", "Stopped")
    await shop.mes.until("mark-one/Monitoring/Stacklight/Red/SignalOn", wanted=True)
    await shop.mes.until("mark-one/Source/Error", lambda text: text != "")
    await shop.mes.until("mark-one/Job/Outcome", "failed")
    await shows(shop, item=1, program=4, tool=5, job=6)
    await shop.mes.until("mark-one/Monitoring/Process/Tool0Temperature/AnalogSignal", None, status="BadNotConnected")
    await shop.mes.until("mark-one/Source/Reachable", wanted=True)
    await shop.octoprint.connect()
    await shop.mes.until("mark-one/MesStatus", "Idle", within_s=20)
    await shop.mes.until("mark-one/Source/Error", "")


async def test_a_dropped_serial_line_stops_the_machine(shop: Shop) -> None:
    await shop.octoprint.start_print("long.gcode")
    await shop.mes.until("mark-one/MesStatus", "Running")
    await shop.octoprint.drop_serial()
    await shop.mes.until("mark-one/MesStatus", "Stopped", within_s=20)
    await shop.octoprint.connect()
    await shop.mes.until("mark-one/MesStatus", "Idle", within_s=20)


async def test_a_disconnected_printer_is_offline_and_its_states_are_good(shop: Shop) -> None:
    await shop.octoprint.disconnect()
    await shop.mes.until("mark-one/MesStatus", "Offline")
    await shop.mes.until("mark-one/Source/State", lambda text: text.startswith("Offline"))
    await shows(shop, item=0, program=0, tool=5)
    await shop.mes.until("mark-one/Source/Error", "")
    await shop.mes.until("mark-one/Monitoring/Process/BedTemperature/AnalogSignal", None, status="BadNotConnected")
    await shop.octoprint.connect()
    await shop.mes.until("mark-one/MesStatus", "Idle", within_s=20)


async def test_a_wrong_key_is_named_and_live_values_are_denied(shop: Shop) -> None:
    await with_key(shop, "0" * 32)
    await shop.mes.until("mark-one/Source/Error", lambda text: "does not know the API key" in text)
    await shop.mes.until("mark-one/Source/State", None, status="BadUserAccessDenied")
    await shop.mes.until("mark-one/MesStatus", "Offline")
    await shop.mes.until("mark-one/Source/Reachable", wanted=False)


async def test_a_key_without_permission_is_told_from_a_wrong_one(shop: Shop) -> None:
    await with_key(shop, shop.octoprint.keys[NOBODY])
    await shop.mes.until("mark-one/Source/Error", lambda text: "lacks the STATUS permission" in text)


async def test_a_deactivated_user_is_told_from_both(shop: Shop) -> None:
    await with_key(shop, shop.octoprint.keys[LEAVER])
    await shop.mes.until("mark-one/MesStatus", "Idle")
    await shop.octoprint.deactivate_user(LEAVER)
    await shop.mes.until("mark-one/Source/Error", lambda text: "is deactivated" in text)
    await shop.octoprint.activate_user(LEAVER)


async def test_the_right_key_brings_the_machine_back_at_once(shop: Shop) -> None:
    await with_key(shop, shop.octoprint.keys[AGENT])
    await shop.mes.until("mark-one/MesStatus", "Idle", within_s=3)
    await shop.mes.until("mark-one/Source/Error", "")


async def test_a_server_restarted_in_mid_print_comes_back_by_itself(shop: Shop) -> None:
    await shop.octoprint.start_print("long.gcode")
    await shop.mes.until("mark-one/MesStatus", "Running")
    await shop.octoprint.restart()
    await shop.mes.until("mark-one/Source/Reachable", wanted=False)
    await shop.mes.until("mark-one/Source/Reachable", wanted=True, within_s=20)
    await shop.mes.until("mark-one/MesStatus", "Idle", within_s=20)
    await shop.mes.until("mark-one/Job/Outcome", lambda text: text in {"lost", "failed"})


async def test_a_frozen_server_makes_values_uncertain_and_then_good_again(shop: Shop) -> None:
    before = await shop.mes.until("mark-one/Source/State", "Operational")
    shop.octoprint.freeze()
    try:
        stale = await shop.mes.until("mark-one/Source/State", "Operational", status="UncertainLastUsableValue")
        assert stale.source_time is not None
        assert before.source_time is not None
        assert stale.source_time >= before.source_time  # the time it was true, not the time it was doubted
        await shop.mes.until("mark-one/Source/Error", lambda text: "no answer" in text)
    finally:
        shop.octoprint.thaw()
    await shop.mes.until("mark-one/Source/State", "Operational", within_s=30)


async def test_an_mes_that_was_away_reads_what_it_missed(shop: Shop) -> None:
    client = shop.mes.client
    results = client.get_node(await shop.mes.node_id(JOB_RESULTS))
    listed: Any = await client.get_node(await shop.mes.node_id(JOB_ORDERS)).read_value()
    happened: Any = await results.read_event_history(
        datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC), evtypes=[client.get_node(JOB_EVENT)]
    )
    told = [
        event.Message.Text.split(": ")[1]
        for event in happened
        if event.JobOrder.JobOrderID == listed[-1].JobOrder.JobOrderID
    ]
    assert told == ["started", "paused", "resumed", "cancelled"]
    assert len({event.EventId for event in happened}) == len(happened)
    for entry in listed:
        response, status = await results.call_method("5:RequestJobResponseByJobOrderID", entry.JobOrder.JobOrderID)
        assert (status, response.JobOrderID) == (1, entry.JobOrder.JobOrderID)
        assert response.JobState == entry.State
    counted = "mark-one/MachineryBuildingBlocks/OperationCounters"
    cycles = await shop.mes.read(f"{counted}/OperationCycleCounter")
    operation = await shop.mes.read(f"{counted}/OperationDuration")
    power_on = await shop.mes.read(f"{counted}/PowerOnDuration")
    assert cycles.Value is not None
    assert cycles.Value.Value == 1
    assert operation.Value is not None
    assert power_on.Value is not None
    assert 4_000 < operation.Value.Value < power_on.Value.Value < 180_000  # milliseconds


async def test_no_secret_is_in_the_log(shop: Shop) -> None:
    await asyncio.sleep(0)
    for user in (ADMIN, AGENT, NOBODY, LEAVER):
        assert shop.octoprint.keys[user] not in shop.agent.log
    assert "Traceback" not in shop.agent.log
