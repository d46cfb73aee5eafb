"""Two MES instances over one endpoint, by a C stack: what is the other's does not exist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.interop.documented import JOB_RESULTS
from tests.interop.shop import Shop, node, password_of

from .c_client import CClient, status_name
from .test_happenings import SERVER, call, events, history, item, shown
from .test_nodes import MACHINES, OBJECT, browse, translate

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

UNKNOWN = "BadNodeIdUnknown"


@pytest_asyncio.fixture(loop_scope="module")
async def seven(shop: Shop, mes: CClient) -> AsyncIterator[CClient]:
    """MES instance 7 as the session ``mes``, whose only machine is the printing one, beside instance 1 as ``one``."""
    await mes.close()
    for session, user in (("mes", "mes-7"), ("one", "mes-1")):
        await mes.open(shop.agent, session, user=user, password=await password_of(shop.agent, user))
    yield mes


async def test_its_machines_are_all_there_is(seven: CClient) -> None:
    [result] = await browse(seven, MACHINES)
    machines = [told["NodeId"] for told in result["References"] if told["NodeClass"] == OBJECT]
    assert machines == [node("printing")]
    [instances] = await browse(seven, node("Agent/MesInstances"))
    assert [told["NodeId"] for told in instances["References"]] == [node("Agent/MesInstances/7")]


async def test_the_other_one_sees_what_it_does_not(seven: CClient) -> None:
    ids = [node(f"{name}/MesStatus") for name in ("printing", "idle", "unplugged", "locked")]
    assert [told.status for told in await seven.read(*ids)] == ["Good", UNKNOWN, UNKNOWN, UNKNOWN]
    assert [told.status for told in await seven.read(*ids, session="one")] == ["Good"] * 4


async def test_no_service_leads_to_a_machine_of_another(seven: CClient) -> None:
    for attribute in (1, 2, 3, 4, 12, 13):
        [told] = await seven.read(node("idle"), attribute=attribute)
        assert (told.status, told.value) == (UNKNOWN, None)
    [result] = await browse(seven, node("idle"))
    assert (status_name(result["StatusCode"]), result["References"]) == (UNKNOWN, [])
    assert await translate(seven, "i=85", "4:Machines/13:idle") == [("BadNoMatch", [])]
    assert (await translate(seven, node("idle"), "12:MesStatus"))[0][0] == UNKNOWN
    owner = node(f"idle/{JOB_RESULTS}")
    answer = await call(seven, f"{owner}/RequestJobResponseByJobOrderID", {"Type": 12, "Body": "x"}, owner=owner)
    assert answer == (UNKNOWN, [])
    subscription = await seven.subscribe()
    for refused in (
        await seven.watch(subscription, item("idle/MesStatus")),
        await seven.watch(subscription, events(node("idle"))),
    ):
        assert [told["StatusCode"] for told in refused] == [UNKNOWN]


async def test_it_is_told_of_its_own_machine_only_now_and_later(shop: Shop, seven: CClient) -> None:
    [watched] = await seven.watch(await seven.subscribe(), events(SERVER))
    assert watched["StatusCode"] == "Good"
    shop.idle.printer.fault("Jam")
    await asyncio.sleep(1)  # the other machine's fault has long been told by then
    shop.printing.printer.pause()
    try:
        await seven.until(lambda told: "paused" in shown(told)["Message"]["Text"])
    finally:
        shop.printing.printer.print(0.25, elapsed_s=150, left_s=450)
        shop.idle.printer.idle()
    assert {shown(told)["SourceName"] for told in seven.told} == {"Printing Ä"}
    period: dict[str, Any] = {"StartTime": "2020-01-01T00:00:00Z", "EndTime": "2100-01-01T00:00:00Z"}
    kept = await history(seven, SERVER, **period)
    assert {fields[2] for fields in kept} == {"Printing Ä"}


async def test_a_session_of_one_does_not_become_that_of_the_other(shop: Shop, seven: CClient) -> None:
    await seven.open(shop.agent, "taker", user="mes-7", password=await password_of(shop.agent, "mes-7"), channelOnly=1)
    assert await seven.command("move", "one", "taker") != "Good"
    [still] = await seven.read(node("idle/MesStatus"), session="one")
    assert still.status == "Good"
