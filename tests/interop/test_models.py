"""The types, and what is made from them, through node-opcua: it must find its way, and understand what it finds."""

from __future__ import annotations

from typing import Any

import pytest

from .documented import JOB_ORDERS, JOB_RESULTS, OBJECTS, UNITS, WAYS, text
from .node_client import NodeClient
from .shop import Shop, node

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

SERVER = "ns=0;i=2253"
# What clients are known to stumble over when it is null.
SERVER_VARIABLES = {
    "i=2254": "ServerArray",
    "i=2255": "NamespaceArray",
    "i=2256": "ServerStatus",
    "i=2257": "ServerStatus/StartTime",
    "i=2258": "ServerStatus/CurrentTime",
    "i=2259": "ServerStatus/State",
    "i=2260": "ServerStatus/BuildInfo",
    "i=2261": "BuildInfo/ProductName",
    "i=2262": "BuildInfo/ProductUri",
    "i=2263": "BuildInfo/ManufacturerName",
    "i=2264": "BuildInfo/SoftwareVersion",
    "i=2265": "BuildInfo/BuildNumber",
    "i=2266": "BuildInfo/BuildDate",
    "i=2267": "ServiceLevel",
    "i=2269": "ServerProfileArray",
    "i=2271": "LocaleIdArray",
    "i=2272": "MinSupportedSampleRate",
    "i=2735": "MaxBrowseContinuationPoints",
    "i=2736": "MaxQueryContinuationPoints",
    "i=2737": "MaxHistoryContinuationPoints",
    "i=2992": "SecondsTillShutdown",
    "i=2993": "ShutdownReason",
    "i=2994": "Auditing",
    "i=3704": "SoftwareCertificates",
    "i=11705": "OperationLimits/MaxNodesPerRead",
    "i=11707": "OperationLimits/MaxNodesPerWrite",
    "i=11709": "OperationLimits/MaxNodesPerMethodCall",
    "i=11710": "OperationLimits/MaxNodesPerBrowse",
    "i=11712": "OperationLimits/MaxNodesPerTranslateBrowsePathsToNodeIds",
    "i=11714": "OperationLimits/MaxMonitoredItemsPerCall",
    "i=12166": "OperationLimits/MaxNodesPerHistoryReadEvents",
    "i=24095": "MaxSessions",
    "i=24096": "MaxSubscriptions",
}


async def test_every_way_of_the_specifications_leads_to_one_node(mes: NodeClient) -> None:
    starts = ["printing", "idle", "unplugged", "locked", "missing"]
    for machine in starts:
        ways = [way for way in WAYS if machine == "printing" or "Tool0Temperature" not in way]
        found = await mes.command("translateAll", start=node(machine), paths=[f"/{way}" for way in ways])
        for way, result in zip(ways, found, strict=True):
            assert (result["statusCode"], len(result["targets"])) == ("Good", 1), (machine, way)


async def test_a_shared_node_is_reached_by_both_its_ways(mes: NodeClient) -> None:
    for name in ("4:MachineryItemState", "4:MachineryOperationMode"):
        ways = [f"/4:MachineryBuildingBlocks/{name}", f"/10:Monitoring/10:MachineTool/{name}"]
        one, other = await mes.command("translateAll", start=node("printing"), paths=ways)
        assert one["targets"] == other["targets"] == [node(f"printing/MachineryBuildingBlocks/{name[2:]}")]


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_node_is_browsed_in_pages_of_any_size(mes: NodeClient, size: int) -> None:
    whole = [child["nodeId"] for child in await mes.command("browse", nodeId=node("printing"))]
    pages = await mes.command("browsePages", nodeId=node("printing"), size=size)
    assert {page["statusCode"] for page in pages} == {"Good"}
    assert [len(page["nodeIds"]) <= size for page in pages] == [True] * -(-len(whole) // size)
    assert [node_id for page in pages for node_id in page["nodeIds"]] == whole


async def test_a_part_of_a_list_is_had_by_its_range(mes: NodeClient) -> None:
    for span, part, status in (("0", [1], "Good"), ("0:1", [1, 7], "Good"), ("5", None, "BadIndexRangeNoData")):
        [told] = await mes.command("read", nodeIds=[node("printing/MesIds")], indexRange=span)
        assert (told["statusCode"], told["value"]) == (status, part), span


async def test_every_type_of_a_machine_is_there_with_its_supertypes(mes: NodeClient) -> None:
    names = await mes.attributes("BrowseName", *OBJECTS.values())
    assert all(name["name"].endswith("Type") for name in names)
    [abstract] = await mes.attributes("IsAbstract", OBJECTS[""])
    assert abstract is False
    subtypes = [child["nodeId"] for child in await mes.command("browse", nodeId="ns=10;i=13")]
    assert OBJECTS[""] in subtypes  # below MachineToolType, which umati.app knows


async def test_a_job_order_is_understood_with_its_structures(mes: NodeClient) -> None:
    [told] = await mes.read(node(f"printing/{JOB_ORDERS}/JobOrderList"))
    assert told.status_code == "Good"
    [entry] = told.value
    assert entry["type"] == "ISA95JobOrderAndStateDataType"
    [state] = entry["state"]
    assert (state["type"], state["stateNumber"]) == ("ISA95StateDataType", 3)
    assert state["stateText"] == text("Running", "en")
    assert state["browsePath"]["elements"] == []
    order = entry["jobOrder"]
    [run_id] = await mes.read(node("printing/Job/Id"))
    assert order["jobOrderID"] == run_id.value
    assert order["description"] == [text("Gehäuse für Ärger №1.gcode")]
    absent = {"startTime", "endTime", "priority", "personnelRequirements", "equipmentRequirements"}
    assert not absent & set(order)  # optional, and not there
    [master] = order["workMasterID"]
    assert master["ID"] == "kunde/Gehäuse.gcode"
    assert parameters(master["parameters"])["FileSize"] == 5_000_000_000
    assert parameters(order["jobOrderParameters"]) == {
        "JobName": [text("Gehäuse für Ärger №1.gcode")],
        "RunsPlanned": 1,
    }


async def test_material_is_understood_with_its_units(mes: NodeClient) -> None:
    [told] = await mes.read(node(f"printing/{JOB_ORDERS}/JobOrderList"))
    [material] = told.value[0]["jobOrder"]["materialRequirements"]
    assert (material["materialClassID"], material["quantity"]) == ("Filament", "1234.5")
    assert material["engineeringUnits"]["unitId"] == UNITS["mm"]
    [volume] = material["properties"]
    assert (volume["ID"], volume["value"], volume["engineeringUnits"]["unitId"]) == ("Volume", 3.25, UNITS["cm³"])


async def test_a_job_response_is_understood_with_the_run_of_opc_40540(mes: NodeClient) -> None:
    [told] = await mes.read(node(f"printing/{JOB_RESULTS}/JobOrderResponseList"))
    [response] = told.value
    assert response["type"] == "ISA95JobResponseDataType"
    assert response["jobResponseID"] == response["jobOrderID"]
    assert response["startTime"]
    assert "endTime" not in response
    said = parameters(response["jobResponseData"])
    assert (said["JobResult"], said["PauseCount"]) == (0, 0)
    [run] = said["Runs"]
    assert (run["type"], run["identifier"]) == ("RunInfoDataType", response["jobOrderID"])
    assert run["state"]["stateNumber"] == 3
    assert not {"currentLayer", "remainingTime"} & set(run)
    assert [person["ID"] for person in response["personnelActuals"]] == ["admin"]


def parameters(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {parameter["ID"]: parameter["value"] for parameter in found}


async def test_the_lists_of_a_machine_that_never_printed_are_empty_lists(mes: NodeClient) -> None:
    paths = (f"idle/{JOB_ORDERS}/JobOrderList", f"idle/{JOB_RESULTS}/JobOrderResponseList")
    for told in await mes.read(*map(node, paths)):
        assert (told.status_code, told.data_type, told.is_array, told.value) == ("Good", "ExtensionObject", True, [])


async def test_no_variable_of_the_server_that_clients_need_is_null(mes: NodeClient) -> None:
    for (node_id, name), told in zip(SERVER_VARIABLES.items(), await mes.read(*SERVER_VARIABLES), strict=True):
        assert told.status_code == "Good", (node_id, name)
        assert told.value is not None, (node_id, name)


async def test_no_variable_below_the_server_is_null_and_good(mes: NodeClient) -> None:
    seen: dict[str, str] = {}

    async def look(start: str) -> None:
        for child in await mes.command("browse", nodeId=start):
            if child["nodeId"] not in seen and not child["nodeId"].startswith("ns=13;s=printing"):
                seen[child["nodeId"]] = child["nodeClass"]
                await look(child["nodeId"])

    for start in (SERVER, "ns=4;i=1001"):
        await look(start)
    variables = [node_id for node_id, node_class in seen.items() if node_class == "Variable"]
    assert len(variables) > 200
    null = [told.node_id for told in await mes.read(*variables) if told.status_code == "Good" and told.value is None]
    assert null == []


async def test_the_server_says_what_it_is(mes: NodeClient) -> None:
    [uris, info, state] = await mes.read("i=2255", "i=2260", "i=2259")
    assert len(uris.value) == 14
    assert info.value["type"] == "BuildInfo"
    assert info.value["productUri"] == "urn:edge-agent"
    assert info.value["softwareVersion"]
    assert state.value == 0  # running


async def test_node_opcua_has_nothing_to_complain_of_in_our_models(shop: Shop, mes: NodeClient) -> None:
    """It has read the structures' definitions by now, and logs what it cannot make sense of."""
    await mes.read(node(f"printing/{JOB_ORDERS}/JobOrderList"))
    of_itself = ("certificate", "node version", "PKCS#1")  # it warns of the version of Node.js it runs on
    assert [line for line in mes.log.splitlines() if not any(words in line for words in of_itself)] == []
    assert "Traceback" not in shop.agent.log
