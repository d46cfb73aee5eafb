"""What is answered to which path, and to whom. Nothing is taken but the forms of `desk`: else GET and HEAD only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from ...store import Store
from . import stream
from .about import About
from .answers import API, HEADERS, TEXT, answer, packed, refuse
from .curves import Curves
from .desk import Desk
from .door import HOME
from .guard import is_ours, may_read
from .library import web
from .listener import Deadline
from .options import HttpOptions
from .reading import Reading, Route
from .visit import see

log = logging.getLogger(__name__)

_WRONG_PASSWORD_S = 1.0
_ASSETS = Path(__file__).with_name("assets")
_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


class Site:
    """Everything below one port.

    Args:
        store: what is told.
        about: where to ask for what the store does not hold.
        options: asked at every request, so that a reloaded file counts from then on.
        now: the wall clock.
        pace: of the streams.
        curves: the last hour, which somebody else fills.
    """

    def __init__(
        self,
        store: Store,
        *,
        about: About,
        options: Callable[[], HttpOptions],
        now: Callable[[], datetime],
        pace: stream.Pace | None = None,
        curves: Curves | None = None,
    ) -> None:
        self._store = store
        self._about = about
        self._options = options
        self._faults: set[tuple[str, str]] = set()
        self.desk = Desk(about)
        self._reading = Reading(
            store,
            about=about,
            curves=curves or Curves(),
            now=now,
            is_admin=lambda request: self.desk.admin(request) is not None,
        )
        self.streams = stream.Streams(store, agent=self._reading.agent, pace=pace)
        self._routes: Mapping[str, Route] = {
            **self._reading.routes,
            "/": self._home,
            **{f"/{file.name}": _asset(file) for file in sorted(_ASSETS.iterdir()) if file.suffix[1:] in _KINDS},
        }

    async def answer(self, request: web.BaseRequest, deadline: Deadline) -> web.StreamResponse:
        """Answer a request; a stream needs no deadline, since it has its own."""
        refusal = await self._refusal(request)
        if refusal is not None:
            return refusal
        if request.path == f"{API}events":
            return await self._events(request, deadline)
        try:
            if self.desk.has(request.path):
                return await self.desk.answer(request, deadline)
            return packed(await self._routed(request), request)
        except Exception as error:  # a bug costs one answer, and not the connection
            kind = (request.path, type(error).__name__)
            if kind not in self._faults:
                self._faults.add(kind)
                log.exception("a bug of the agent in answering %s", request.path)
            return refuse(request, 500, "a bug of the agent; its log has the details: please report it")

    async def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        """Why somebody gets no answer, or the one answer that everybody gets."""
        allowed = ("GET", "HEAD", "POST") if self.desk.has(request.path) else ("GET", "HEAD")
        if request.method not in allowed:
            why = f"nothing can be changed here by other means than {' and '.join(allowed)}"
            return refuse(request, 405, why, Allow=", ".join(allowed))
        options = self._options()
        names = {*options.hostnames, self._about.endpoint().hostname.lower()}
        if not is_ours(request.headers.get("Host", ""), names):
            return refuse(
                request,
                421,
                "this computer does not go by that name; use its address, or add the name to http.hostnames in "
                "config.json",
            )
        if request.path == "/healthz":
            return self._health()
        authorization = request.headers.get("Authorization")
        if not may_read(authorization, options.users):
            if authorization is not None:
                await asyncio.sleep(_WRONG_PASSWORD_S)
            challenge = {"WWW-Authenticate": 'Basic realm="edge-agent", charset="UTF-8"'}
            return refuse(request, 401, "only for users of http.users in config.json", **challenge)
        return None

    async def _routed(self, request: web.BaseRequest) -> web.Response:
        route = self._routes.get(request.path)
        if route is not None:
            found = route(request)
            return found if isinstance(found, web.Response) else await found
        of_a_machine = await self._reading.of_a_machine(request)
        if of_a_machine is not None:
            return of_a_machine
        return refuse(request, 404, f"there is nothing here; {API}openapi.json lists what there is")

    def _health(self) -> web.Response:
        complaints = self._about.complaints()
        return answer("\n".join([*(complaints or ["ok"]), ""]).encode(), TEXT, status=503 if complaints else 200)

    async def _home(self, request: web.BaseRequest) -> web.Response:
        """The page; for a person who comes without a configuration there is yet the guide."""
        set_up = self._about.set_up
        person = "text/html" in request.headers.get("Accept", "") and not request.query
        if set_up is not None and person and not self._store.observations() and not (await set_up.written()).exists:
            return see(HOME)
        return await self._reading.page(request)

    async def _events(self, request: web.BaseRequest, deadline: Deadline) -> web.StreamResponse:
        if self.streams.full:
            return refuse(request, 503, "too many listen already; try again later", **{"Retry-After": "30"})
        headers = HEADERS | {"Content-Type": stream.CONTENT_TYPE}
        response = web.StreamResponse(headers=headers)
        if request.method == "GET":
            deadline.reschedule(None)
            await self.streams.serve(request, response)
        return response


def _asset(file: Path) -> Route:
    content, kind = file.read_bytes(), _KINDS[file.suffix[1:]]
    return lambda _: answer(content, kind, headers={"Cache-Control": "max-age=3600"})
