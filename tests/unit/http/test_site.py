"""What is answered to which path, and to whom."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from edge_agent.items import ITEMS
from edge_agent.jobs import JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.model import Job, Quality
from edge_agent.secret import Secret
from edge_agent.sinks.http import metrics, server, site
from edge_agent.sinks.http.guard import host_of, is_ours, may_read
from edge_agent.sinks.http.openapi import openapi
from edge_agent.sinks.http.options import HttpOptions, HttpUser
from tests.observations import AT, PRINTING, observation

from .bench import FINGERPRINT, Bench, observed

PATHS = ("/", "/metrics", "/healthz", "/api/v1/machines", "/api/v1/machines/machine-1", "/api/v1/agent", "/api/v1/jobs",
         "/api/v1/machines/machine-1/curves", "/machines/machine-1", "/agent", "/?show=ready&q=x",
         "/api/v1/openapi.json", "/page.css", "/page.js", "/icon.svg")  # fmt: skip
USER = HttpUser(name="wall", password=Secret("screen in the hall"))


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def run(number: int) -> JobRun:
    return JobRun(
        id=f"machine-{number}-run",
        machine_id=f"machine-{number}",
        started_at=AT,
        updated_at=AT,
        ended_at=AT,
        outcome=Outcome.COMPLETED,
        file_name="gear.gcode",
    )


async def test_every_path_answers_and_nothing_runs_but_what_is_ours() -> None:
    bench = Bench()
    bench.store.publish(observed(1))
    async with bench.running() as client:
        for path in PATHS:
            async with client.get(path) as answer:
                assert answer.status == 200, path
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["Server"] == "edge-agent"
                assert "Set-Cookie" not in answer.headers
                body = await answer.read()
            async with client.head(path) as answer:
                assert (answer.status, await answer.read()) == (200, b"")
                assert int(answer.headers["Content-Length"]) > 0
            assert body


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v1/nothing",
        "/api/v1/machines/gone",
        "/api/v1/machines/gone/curves",
        "/../options.py",
        "/page.py",
    ],
)
async def test_what_is_not_there_is_not_found_and_says_what_is(path: str) -> None:
    bench = Bench()
    async with bench.running() as client, client.get(path) as answer:
        assert answer.status == 404
        assert "/api/v1/" in await answer.text()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_nothing_can_be_changed(method: str) -> None:
    bench = Bench()
    async with bench.running() as client, client.request(method, "/api/v1/machines", data=b"x" * 100_000) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"


async def test_a_machine_is_told_with_all_its_items() -> None:
    bench = Bench()
    bench.store.publish(observation(run=run(1)))
    async with bench.running() as client:
        found = await bench.json(client, "/api/v1/machines/mark-one")
    assert set(found["items"]) == {item.id for item in ITEMS} | {
        f"Monitoring/Process/{heater}{kind}" for heater in ("Tool0", "Bed") for kind in ("Temperature", "Setpoint")
    }
    assert found["items"]["Job/Progress"] == {
        "value": 25.0,
        "unit": "%",
        "quality": "good",
        "time": "2026-03-04T05:06:07Z",
        "node_id": "nsu=urn:edge-agent:0:machines;s=mark-one/Job/Progress",
    }
    assert found["node_id"] == "nsu=urn:edge-agent:0:machines;s=mark-one"
    assert found["items"]["Monitoring/Process/Tool0Temperature"]["time"] == "2026-03-04T05:06:05Z"
    assert found["items"]["MachineryBuildingBlocks/MachineryItemState"]["value"] == "Executing"
    assert found["items"]["MesIds"]["value"] == [1, 2]
    assert found["items"]["Job/RemainingTime"] == {
        "value": None,
        "unit": "s",
        "quality": "no data",
        "time": "2026-03-04T05:06:07Z",
        "node_id": "nsu=urn:edge-agent:0:machines;s=mark-one/Job/RemainingTime",
    }
    assert (found["state"], found["print"]["file_name"], found["job"]["outcome"]) == (
        "printing",
        "gear.gcode",
        "completed",
    )


async def test_what_cannot_be_trusted_is_not_told() -> None:
    bench = Bench()
    bench.store.publish(observation(quality=Quality.NO_COMMUNICATION, error="no answer; check the host"))
    async with bench.running() as client:
        found = await bench.json(client, "/api/v1/machines/mark-one")
    assert (found["reachable"], found["quality"], found["reason"]) == (
        False,
        "no communication",
        "no answer; check the host",
    )
    assert (found["print"], found["heaters"]) == (None, {})
    assert found["since"] == found["last_seen"] == "2026-03-04T05:06:07Z"
    values = {item["value"] for name, item in found["items"].items() if name.startswith(("Job/", "Monitoring/Process"))}
    assert values == {None}


async def test_the_agent_tells_how_it_is() -> None:
    bench = Bench()
    bench.store.publish(observed(1))
    bench.store.publish(observed(2, quality=Quality.NO_COMMUNICATION))
    bench.endpoint = replace(bench.endpoint, anonymous=True, warning="everybody gets in")
    async with bench.running() as client:
        found = await bench.json(client, "/api/v1/agent")
        assert (found["version"], found["machines"], found["machines_reachable"]) == ("1.2.3", 2, 1)
        assert found["endpoint"] == {
            "urls": ["opc.tcp://pi:4840"],
            "open": True,
            "anonymous": True,
            "certificate_sha256": FINGERPRINT,
        }
        assert (found["warnings"], found["complaints"]) == (["everybody gets in"], [])


async def test_health_says_why_it_is_bad() -> None:
    bench = Bench()
    bench.health.register("poller of a", deadline_s=10)
    async with bench.running() as client:
        assert await bench.text(client, "/healthz") == "ok\n"
        bench.seconds = 11
        bench.endpoint = replace(bench.endpoint, waits_for="the clock")
        async with client.get("/healthz") as answer:
            assert answer.status == 503
            assert (await answer.text()).splitlines() == [
                "OPC UA endpoint not open: the clock",
                "poller of a made no progress for 11 s (deadline 10 s)",
            ]


async def test_the_last_jobs_are_told_newest_first(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    for number in (1, 2, 1):
        await journal.record([replace(run(number), id=f"machine-{number}-{len(await journal.runs())}")])
    bench = Bench(journal=journal)
    async with bench.running() as client:
        jobs = (await bench.json(client, "/api/v1/jobs"))["jobs"]
        assert len(jobs) == 3
        mine = (await bench.json(client, "/api/v1/jobs?machine=machine-1&limit=1"))["jobs"]
        assert [job["machine_id"] for job in mine] == ["machine-1"]
        for wrong in ("0", "1001", "-1", "x", "1e2", "٣", "99999999999"):
            async with client.get("/api/v1/jobs", params={"limit": wrong}) as answer:
                assert answer.status == 400
                assert "1 to 1000" in (await answer.json())["error"]
    await journal.close()


async def test_the_json_is_what_the_openapi_file_says(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    await journal.record([run(1)])
    bench = Bench(journal=journal)
    bench.store.publish(observed(1, run=run(1)))
    bench.store.publish(observed(2, snapshot=None, quality=Quality.WAITING))
    async with bench.running() as client:
        described = await bench.json(client, "/api/v1/openapi.json")
        for path, told in described["paths"].items():
            asked = path.replace("{id}", "machine-1")
            if asked == "/api/v1/events":
                continue
            async with client.get(asked) as answer:
                content = told["get"]["responses"]["200"].get("content", {"text/plain": {}})
                assert answer.content_type in content
                if answer.content_type == "application/json":
                    schema = {**content["application/json"]["schema"], "components": described["components"]}
                    jsonschema.Draft202012Validator(schema).validate(await answer.json())
    await journal.close()


def test_the_openapi_file_names_every_path_and_describes_every_field() -> None:
    described = openapi()
    served = set(described["paths"])
    assert served == {"/api/v1/machines", "/api/v1/machines/{id}", "/api/v1/machines/{id}/curves",
                      "/api/v1/agent", "/api/v1/jobs", "/api/v1/events",
                      "/api/v1/openapi.json", "/metrics", "/healthz"}  # fmt: skip
    for name, schema in described["components"]["schemas"].items():
        assert schema.get("description") or "enum" in schema, name
    text = str(described)
    for reference in re.findall(r"#/components/schemas/(\w+)", text):
        assert reference in described["components"]["schemas"]
    operations = [told["get"]["operationId"] for told in described["paths"].values()]
    assert len(operations) == len(set(operations))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "192.168.1.20", "LOCALHOST:1", "localhost.", "page.example:80", "pi"],
)
async def test_addresses_and_own_names_are_answered(host: str) -> None:
    bench = Bench()
    bench.options = replace(bench.options, hostnames=("page.example",))
    async with bench.running() as client:
        await bench.text(client, "/api/v1/agent", headers={"Host": host})


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
async def test_a_name_that_anybody_may_own_is_refused_with_what_to_do(host: str) -> None:
    bench = Bench()
    async with bench.running() as client, client.get("/", headers={"Host": host}) as answer:
        assert answer.status == 421
        assert "http.hostnames" in await answer.text()


def test_this_computers_names_are_its_own() -> None:
    name = socket.gethostname()
    assert is_ours(name, ()) and is_ours(f"{name.partition('.')[0]}.local:8080", ())  # noqa: PT018
    assert not is_ours(f"{name}.evil.example", ())
    assert [host_of(text) for text in ("A.b:80", "[FE80::1]:80", "::1", "a.", "")] == ["a.b", "fe80::1", ":", "a", ""]


async def test_reading_can_be_closed_and_health_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_WRONG_PASSWORD_S", 0.05)
    bench = Bench()
    bench.store.publish(observed(1))
    async with bench.running() as client:
        await bench.text(client, "/")
        bench.options = replace(bench.options, users=(USER,))  # as a reload does
        for path in (*PATHS, "/api/v1/events", "/nothing"):
            async with client.get(path) as answer:
                assert answer.status == (200 if path == "/healthz" else 401)
                assert path == "/healthz" or answer.headers["WWW-Authenticate"].startswith("Basic ")
        await bench.text(client, "/", headers=basic("wall", "screen in the hall"))
        before = time.monotonic()
        for wrong in (
            basic("wall", "screen"),
            basic("", ""),
            {"Authorization": "Basic !"},
            {"Authorization": "Bearer x"},
        ):
            async with client.get("/", headers=wrong) as answer:
                assert answer.status == 401
        assert time.monotonic() - before >= 0.2


def test_an_empty_password_lets_nobody_in() -> None:
    nobody = HttpUser(name="wall", password=Secret(""))
    assert not may_read(basic("wall", "")["Authorization"], (nobody,))


async def test_a_bug_costs_one_answer_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> str:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(metrics, "metrics", broken)
    bench = Bench()
    async with bench.running() as client:
        for _ in range(3):
            async with client.get("/metrics") as answer:
                assert answer.status == 500
                assert "secret" not in await answer.text()
        await bench.text(client, "/")
    assert len([record for record in caplog.records if "/metrics" in record.getMessage()]) == 1


async def test_a_taken_port_is_waited_for(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_RETRY_S", 0.02)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        bench = Bench()
        bench.options = replace(bench.options, port=other.getsockname()[1])
        serving = asyncio.ensure_future(bench.sink.run(bench.store))
        await asyncio.sleep(0.1)
        assert not bench.sink.ready.is_set()
        assert re.fullmatch(r"no status page: HTTP port \d+ is in use .* http\.port .*", bench.sink.trouble)
        assert [record.getMessage() for record in caplog.records] == [bench.sink.trouble]
        assert bench.health.awaited() == []
    async with asyncio.timeout(5):
        await bench.sink.ready.wait()
    assert bench.sink.trouble == ""
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_an_address_that_is_not_ours_is_said() -> None:
    bench = Bench()
    bench.options = HttpOptions(port=0, bind="192.0.2.1")
    serving = asyncio.ensure_future(bench.sink.run(bench.store))
    await asyncio.sleep(0.1)
    assert re.match(r"no status page: HTTP port 0 on 192\.0\.2\.1 cannot be opened", bench.sink.trouble)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_the_sink_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HEARTBEAT_S", 0.01)
    bench = Bench()
    async with bench.running():
        bench.seconds = 61
        await asyncio.sleep(0.1)
        assert bench.health.late() == []
    bench.seconds = 1000
    assert bench.health.late() == []  # it ended on purpose


async def test_numbers_that_are_none_and_names_that_are_no_text_break_nothing() -> None:
    bench = Bench()
    job = Job(file_name="half \ud800 a character \u202e", progress_ratio=float("nan"), remaining_s=float("inf"))
    bench.store.publish(observation(snapshot=replace(PRINTING, job=job)))
    async with bench.running() as client:
        for path in (*PATHS[:4], "/api/v1/machines/mark-one", "/machines/mark-one", "/agent"):
            await bench.text(client, path)
