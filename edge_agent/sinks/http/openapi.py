"""The description of the JSON: OpenAPI 3.1, made of the structs that are sent."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from ... import __version__
from .agent_detail import AgentDetail
from .report import AgentReport, CurvesReport, JobList, MachineDetail, MachineList, MachineReport, Refusal, Removed

_KINDS = (AgentDetail, AgentReport, CurvesReport, JobList, MachineDetail, MachineList, MachineReport, Refusal, Removed)


def openapi() -> dict[str, Any]:
    """The whole file."""
    _, schemas = msgspec.json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edge-agent",
            "version": __version__,
            "description": "3D printers as machines: what they do, how far it can be trusted, and how the agent is. "
            "It only tells: nothing can be changed. Fields may be added; a client ignores those that it does not know.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/api/v1/machines": _path("machines", "All machines at a glance.", MachineList),
            "/api/v1/machines/{id}": _path(
                "machine", "One machine with all its data items.", MachineDetail, _machine_id(), unknown=True
            ),
            "/api/v1/machines/{id}/curves": _path(
                "curves", "One machine's temperatures of the last hour.", CurvesReport, _machine_id(), unknown=True
            ),
            "/api/v1/agent": _path("agent", "The agent itself, and the computer it runs on.", AgentDetail),
            "/api/v1/jobs": _path("jobs", "The last print runs, the newest first.", JobList, *_of_jobs(), wrong=True),
            "/api/v1/events": _events(),
            "/api/v1/openapi.json": _other("openapi", "This file.", "application/json", {"type": "object"}),
            "/metrics": _other("metrics", "Prometheus' text format 0.0.4.", "text/plain", {"type": "string"}),
            "/healthz": {
                "get": {
                    "operationId": "health",
                    "summary": "Does the agent do its work. Needs no log-in.",
                    "security": [],
                    "responses": {
                        "200": _text("It does."),
                        "503": _text("It does not: why, one reason in a line."),
                        **_refused(),
                    },
                }
            },
        },
        "security": [{}, {"basic": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "Needed if http.users is set."}
            },
        },
    }


def _path(
    operation: str,
    summary: str,
    kind: type[Struct],
    *parameters: dict[str, Any],
    unknown: bool = False,
    wrong: bool = False,
) -> dict[str, Any]:
    responses = {"200": _json(kind.__name__, summary), **_refused()}
    if unknown:
        responses["404"] = _json("Refusal", "There is no such machine.")
    if wrong:
        told = _json("Refusal", "A parameter is not what it should be; as plain text: the request's head is too long.")
        responses["400"] = {**told, "content": {**told["content"], **responses["400"]["content"]}}
    get: dict[str, Any] = {"operationId": operation, "summary": summary, "responses": responses}
    if parameters:
        get["parameters"] = list(parameters)
    return {"get": get}


def _other(operation: str, summary: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": summary, "content": {kind: {"schema": schema}}}
    return {"get": {"operationId": operation, "summary": summary, "responses": {"200": answer, **_refused()}}}


def _events() -> dict[str, Any]:
    told = _other(
        "events",
        "Server-sent events. `machine` has a MachineReport whenever it changed, all of them at first; `removed` a "
        "Removed once it is gone; `agent` an AgentReport. Who reads slowly skips values. A comment comes every 15 s.",
        "text/event-stream",
        {"type": "string"},
    )
    told["get"]["responses"]["503"] = _json("Refusal", "Too many listen already.")
    return told


def _json(name: str, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _refused() -> dict[str, Any]:
    return {
        "400": _text("No request that can be answered; its head may be too long."),
        "401": _text("Only for users of http.users."),
        "421": _text("The request's Host is no name of this computer; see http.hostnames."),
    }


def _machine_id() -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def _of_jobs() -> tuple[dict[str, Any], ...]:
    return (
        {"name": "machine", "in": "query", "schema": {"type": "string"}, "description": "Only this machine's."},
        {
            "name": "limit",
            "in": "query",
            "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
            "description": "At most so many.",
        },
    )
