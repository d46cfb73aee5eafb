"""schemathesis asks the agent, over the wire, whatever its OpenAPI file allows and forbids; the answers must fit it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from msgspec.structs import replace

from edge_agent.jobs import JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.secret import Secret
from edge_agent.sinks.http import reading
from edge_agent.sinks.http.openapi import openapi
from edge_agent.sinks.http.options import HttpUser
from tests.browser.hall import Hall
from tests.observations import AT

pytestmark = pytest.mark.timeout(300)

PROGRAM = Path(sys.executable).with_name("schemathesis")
EXAMPLES = os.environ.get("EDGE_AGENT_API_EXAMPLES", "60")
PASSWORD = "screen in the hall"


@asynccontextmanager
async def history(folder: Path) -> AsyncIterator[Hall]:
    """Machines in every state, and prints that ended in every way."""
    journal = await Journal.open(folder / "journal.db")
    await journal.record([_run(number, outcome) for number, outcome in enumerate((None, *Outcome))])
    hall = Hall(folder, journal=journal)
    try:
        async with hall.running():
            yield hall
    finally:
        await journal.close()


def _run(number: int, outcome: Outcome | None) -> JobRun:
    return JobRun(
        id=f"run-{number}",
        machine_id=f"machine-{number}",
        started_at=AT,
        updated_at=AT,
        ended_at=AT + timedelta(minutes=number) if outcome else None,
        outcome=outcome,
        file_name="gear.gcode",
        reason="why" if outcome else "",
    )


async def asked(hall: Hall, folder: Path, *arguments: str) -> tuple[int, str]:
    """Have schemathesis ask all that has an end; the result is its exit code and what it has to say."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        "run",
        f"{hall.url}/api/v1/openapi.json",
        "--checks=all",
        "--phases=coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        "--seed=7",
        "--exclude-path=/api/v1/events",
        "--request-timeout=10",
        "--no-color",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    told, _ = await process.communicate()
    return process.returncode or 0, told.decode()


async def test_the_answers_are_as_described(tmp_path: Path) -> None:
    async with history(tmp_path) as hall:
        code, told = await asked(hall, tmp_path)
    assert code == 0, told
    assert "No issues found" in told


async def test_it_is_the_same_with_a_password(tmp_path: Path) -> None:
    async with history(tmp_path) as hall:
        hall.options = replace(hall.options, users=(HttpUser(name="wall", password=Secret(PASSWORD)),))
        code, told = await asked(hall, tmp_path, f"--auth=wall:{PASSWORD}")
        assert code == 0, told
        code, told = await asked(hall, tmp_path)
        assert code == 2
        assert "HTTP 401" in told


async def test_each_machine_is_as_described(tmp_path: Path) -> None:
    """What nobody can guess: the ids that there are."""
    async with history(tmp_path) as hall:
        ids = [each.machine.id for each in hall.store.observations()]
        await asyncio.to_thread(_ask_for_machines, hall.url, ids)


def _ask_for_machines(url: str, ids: list[str]) -> None:
    schema: Any = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    for machine_id in ids:
        answer = schema["/api/v1/machines/{id}"]["GET"].Case(path_parameters={"id": machine_id}).call_and_validate()
        assert answer.status_code == 200
        answer = (
            schema["/api/v1/machines/{id}/curves"]["GET"].Case(path_parameters={"id": machine_id}).call_and_validate()
        )
        assert answer.status_code == 200
        answer = schema["/api/v1/jobs"]["GET"].Case(query={"machine": machine_id}).call_and_validate()
        assert answer.status_code == 200


def _without_404(told: dict[str, Any]) -> None:
    del told["paths"]["/api/v1/machines/{id}"]["get"]["responses"]["404"]


def _no_least_limit(told: dict[str, Any]) -> None:
    del told["paths"]["/api/v1/jobs"]["get"]["parameters"][1]["schema"]["minimum"]


def _other_version(told: dict[str, Any]) -> None:
    told["components"]["schemas"]["AgentDetail"]["properties"]["version"] = {"type": "integer"}


@pytest.mark.parametrize("lie", [_without_404, _no_least_limit, _other_version])
async def test_a_description_that_lies_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: Any) -> None:
    told = openapi()
    lie(told)
    monkeypatch.setattr(reading, "openapi", lambda: told)
    async with history(tmp_path) as hall:
        code, said = await asked(hall, tmp_path)
    assert code == 1, said
