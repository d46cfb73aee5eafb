"""What is told and never taken: the pages for people, and the same as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import msgspec

from ...jobs import JobRun
from ...store import Store
from . import metrics
from .about import About
from .agent_detail import AgentDetail, agent_detail
from .agent_page import agent_page
from .answers import API, JSON, answer, json_answer, page_answer, refuse
from .curves import Curves
from .drawing import Drawings
from .filters import Filter
from .library import web
from .machine_page import machine_page, no_machine_page
from .openapi import openapi
from .page import page
from .report import AgentReport, JobList, MachineList, agent_report, job_report, machine_detail, machine_report
from .words import Words, words_for

DEFAULT_JOBS, MOST_JOBS = 50, 1000
SHOWN_JOBS = 20

MACHINES = f"{API}machines/"
PAGES = "/machines/"

Route = Callable[[web.BaseRequest], "web.Response | Awaitable[web.Response]"]


class Reading:
    """All that can be read.

    Args:
        store: what is told.
        about: where to ask for what the store does not hold.
        curves: the last hour.
        now: the wall clock.
        is_admin: does a request come from somebody who may change things.

    Attributes:
        routes: what is answered to which path, but for those below `MACHINES` and `PAGES`.
    """

    def __init__(
        self,
        store: Store,
        *,
        about: About,
        curves: Curves,
        now: Callable[[], datetime],
        is_admin: Callable[[web.BaseRequest], bool],
    ) -> None:
        self._store = store
        self._about = about
        self._curves = curves
        self._drawings = Drawings(curves)
        self._now = now
        self._is_admin = is_admin
        self.routes: Mapping[str, Route] = {
            "/": self.page,
            "/agent": self._agent_page,
            "/metrics": self._metrics,
            f"{API}machines": self._machines,
            f"{API}agent": lambda _: json_answer(self._detail()),
            f"{API}jobs": self._jobs,
            f"{API}openapi.json": lambda _: answer(msgspec.json.encode(openapi()), JSON),
        }

    def agent(self) -> AgentReport:
        """The agent in short."""
        return agent_report(self._store, self._about, now=self._now())

    async def of_a_machine(self, request: web.BaseRequest) -> web.Response | None:
        """What is below the lists of machines; ``None`` for every other path."""
        path = request.path
        if path.startswith(PAGES):
            return await self._machine_page(request, path.removeprefix(PAGES))
        if not path.startswith(MACHINES):
            return None
        machine_id = path.removeprefix(MACHINES)
        observation = self._store.latest(machine_id)
        if observation is not None:
            return json_answer(machine_detail(observation, self._about.node_id))
        machine_id = machine_id.removesuffix("/curves")
        if path.endswith("/curves") and self._store.latest(machine_id) is not None:
            return json_answer(self._curves.of(machine_id))
        return refuse(request, 404, f"no machine has this id; {API}machines lists all")

    async def page(self, request: web.BaseRequest) -> web.Response:
        """All machines, or those that are asked for. Drawing many curves takes a while, and others want a turn."""
        words = _words(request)
        for observation in self._store.observations():
            if not self._drawings.has(observation.machine.id, words):
                self._drawings.of(observation.machine.id, words)
                await asyncio.sleep(0)
        text = page(
            [machine_report(observation) for observation in self._store.observations()],
            self.agent(),
            self._about.endpoint(),
            words,
            drawn=lambda machine_id: self._drawings.of(machine_id, words),
            wanted=Filter.of(request.query),
            admin=self._is_admin(request),
        )
        return page_answer(text, words.language)

    async def _machine_page(self, request: web.BaseRequest, machine_id: str) -> web.Response:
        words = _words(request)
        runs = await self._runs(machine_id)
        observation = self._store.latest(machine_id)
        if observation is None:
            text = no_machine_page(words, admin=self._is_admin(request))
            return page_answer(text, words.language, status=404)
        text = machine_page(
            observation,
            runs=runs or observation.recent,
            curves=self._curves.of(machine_id),
            node_id=self._about.node_id,
            now=self._now(),
            words=words,
            admin=self._is_admin(request),
        )
        return page_answer(text, words.language)

    async def _runs(self, machine_id: str) -> list[JobRun]:
        """The last of a machine that there is; nobody fills the journal's queue with ids that there are not."""
        if self._about.journal is None or self._store.latest(machine_id) is None:
            return []
        return await self._about.journal.runs(machine_id, limit=SHOWN_JOBS)

    def _detail(self) -> AgentDetail:
        return agent_detail(self._store, self._about, now=self._now())

    def _agent_page(self, request: web.BaseRequest) -> web.Response:
        words = _words(request)
        machines = [machine_report(observation) for observation in self._store.observations()]
        text = agent_page(self._detail(), self._about.endpoint(), machines, words, admin=self._is_admin(request))
        return page_answer(text, words.language)

    async def _metrics(self, _: web.BaseRequest) -> web.Response:
        texts = []
        for text in metrics.metrics(self._store, self._about):
            texts.append(text)
            await asyncio.sleep(0)
        return answer("".join(texts).encode(), metrics.CONTENT_TYPE)

    def _machines(self, _: web.BaseRequest) -> web.Response:
        return json_answer(MachineList(machines=tuple(map(machine_report, self._store.observations()))))

    async def _jobs(self, request: web.BaseRequest) -> web.Response:
        limit = request.query.get("limit", str(DEFAULT_JOBS))
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 4 and 1 <= int(limit) <= MOST_JOBS):
            return refuse(request, 400, f"limit: expected a number from 1 to {MOST_JOBS}")
        journal = self._about.journal
        runs = await journal.runs(request.query.get("machine"), limit=int(limit)) if journal else []
        return json_answer(JobList(jobs=tuple(map(job_report, runs))))


def _words(request: web.BaseRequest) -> Words:
    return words_for(request.headers.get("Accept-Language", ""))
