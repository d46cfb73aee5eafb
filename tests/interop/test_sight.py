"""A user of an MES instance sees its machines, and of the others not even that they exist: through node-opcua."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .documented import JOB_RESULTS
from .node_client import NodeClient, RefusedError
from .shop import Shop, log_in, node, password_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

MACHINES, SERVER = "ns=4;i=1001", "ns=0;i=2253"
FIELDS = ["SourceName", "Message"]


@pytest_asyncio.fixture(loop_scope="module")
async def seven(shop: Shop, mes: NodeClient) -> AsyncIterator[NodeClient]:
    """MES instance 7, whose only machine is the printing one; every machine has been asked."""
    await log_in(mes, shop.agent, user="mes-7", password=await password_of(shop.agent, "mes-7"))
    mes.forget()
    yield mes


async def test_its_machines_are_all_there_is(seven: NodeClient) -> None:
    machines = [child for child in await seven.command("browse", nodeId=MACHINES) if child["nodeClass"] == "Object"]
    assert [child["nodeId"] for child in machines] == [node("printing")]
    [instances] = await seven.command("browse", nodeId=node("Agent/MesInstances"))
    assert instances["nodeId"] == node("Agent/MesInstances/7")
    of_server = [child["nodeId"] for child in await seven.command("browse", nodeId=SERVER)]
    assert node("idle") not in of_server


async def test_what_is_its_own_is_read_and_what_is_not_is_unknown(seven: NodeClient) -> None:
    own, other, folder = await seven.read(
        node("printing/MesStatus"), node("idle/MesStatus"), node("Agent/MesInstances/1")
    )
    assert (own.value, own.status_code) == ("Running", "Good")
    assert (other.value, other.status_code) == (None, "BadNodeIdUnknown")
    assert folder.status_code == "BadNodeIdUnknown"
    way = await seven.command("translate", start="i=85", path="/4:Machines/13:idle")
    assert way["statusCode"] == "BadNoMatch"
    with pytest.raises(RefusedError, match="BadNodeIdUnknown"):
        await seven.command("browse", nodeId=node("idle"))
    answer = await seven.command(
        "call",
        objectId=node(f"idle/{JOB_RESULTS}"),
        methodId=node(f"idle/{JOB_RESULTS}/RequestJobResponseByJobOrderID"),
        argument={"dataType": "String", "value": "x"},
    )
    assert answer["statusCode"] == "BadNodeIdUnknown"


async def test_it_cannot_watch_the_others(seven: NodeClient) -> None:
    nodes = [node("printing/MesStatus"), node("idle/MesStatus")]
    assert await seven.command("subscribe", nodeIds=nodes, interval=100) == ["Good", "BadNodeIdUnknown"]
    watched = await seven.command("subscribeEvents", nodeId=node("idle"), fields=FIELDS, interval=50)
    assert watched == "BadNodeIdUnknown"


async def test_it_is_told_of_its_own_machines_only_now_and_later(shop: Shop, seven: NodeClient) -> None:
    assert await seven.command("subscribeEvents", nodeId=SERVER, fields=FIELDS, interval=50) == "Good"
    shop.idle.printer.fault("Jam")
    await asyncio.sleep(1)  # the other machine's fault has long been told by then
    shop.printing.printer.pause()
    try:
        await seven.event(lambda event: "paused" in event["Message"]["text"])
    finally:
        shop.printing.printer.print(0.25, elapsed_s=150, left_s=450)
        shop.idle.printer.idle()
    assert {event["SourceName"] for event in seven.events} == {"Printing Ä"}
    page = await seven.command("history", nodeId=SERVER, fields=FIELDS, start="2026-01-01T00:00:00Z", limit=100)
    assert page["statusCode"] == "Good"
    assert {event["SourceName"] for event in page["events"]} == {"Printing Ä"}
    hidden = await seven.command("history", nodeId=node("idle"), fields=FIELDS, start="2026-01-01T00:00:00Z", limit=1)
    assert hidden["statusCode"] == "BadNodeIdUnknown"
