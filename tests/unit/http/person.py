"""Somebody with a browser, who fills in forms as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from edge_agent.sinks.http.setting_up import MachineForm

from .bench import Bench
from .set_up_double import SetUpDouble

PASSWORD = "correct horse battery"
COOKIE = "edge-agent-session"
MARK_ONE = MachineForm(id="mark-one", url="http://octopi.local", custom_name="Mark One", mes_id="1")
CHANGES = ("/setup/pair", "/setup/forget", "/setup/machine", "/setup/remove", "/setup/states")
GUIDE = ("/setup", "/setup/add", "/setup/pairing", "/setup/written", *CHANGES)


class Form:
    """A form of a page: where it goes, and what stands in it."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: dict[str, str] = {}


class Forms(HTMLParser):
    """All forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.all: list[Form] = []
        self._select = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert about["method"] == "post"
            self.all.append(Form(about["action"]))
        elif tag == "input":
            self.all[-1].fields[about["name"]] = about["value"]
        elif tag == "select":
            self._select = about["name"]
            self.all[-1].fields[self._select] = ""
        elif tag == "option" and "selected" in about:
            self.all[-1].fields[self._select] = about["value"]

    def to(self, action: str) -> Form:
        return next(form for form in self.all if form.action == action)


class Page:
    """What came back."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], text: str, path: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text
        self.path = path

    @property
    def forms(self) -> Forms:
        return Forms(self.text)

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def is_the_door(self) -> bool:
        """Whoever asked was sent to log in."""
        return (self.status, self.location.partition("?")[0]) == (303, "/login")


class Browser:
    """One browser with its own cookies. Follows redirects as a browser does."""

    def __init__(self, client: aiohttp.ClientSession, *, origin: str) -> None:
        self.client = client
        self.origin = origin

    @property
    def cookie(self) -> str:
        found = [one.value for one in self.client.cookie_jar if one.key == COOKIE]
        return found[0] if found else ""

    async def get(self, path: str, *, follow: bool = True, **options: Any) -> Page:
        return await self._ask("GET", path, follow=follow, **options)

    async def send(self, path: str, fields: Mapping[str, str], *, follow: bool = False, **options: Any) -> Page:
        """Send a form with nothing but these fields."""
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **options.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        return await self._ask("POST", path, follow=follow, data=dict(fields), headers=headers, **options)

    async def fill(self, page: Page, action: str, /, **typed: str) -> Page:
        """Fill in the first such form of a page, and send it."""
        form = page.forms.to(action)
        assert typed.keys() <= form.fields.keys(), (typed.keys(), form.fields.keys())
        return await self.send(action, form.fields | typed, follow=True)

    async def set_password(self, password: str = PASSWORD) -> Page:
        return await self.fill(await self.get("/password"), "/password", new=password, again=password)

    async def log_in(self, password: str = PASSWORD) -> Page:
        return await self.fill(await self.get("/login"), "/login", password=password)

    async def token(self) -> str:
        """That of the session's forms."""
        return (await self.get("/setup")).forms.to("/logout").fields["form-token"]

    async def _ask(self, method: str, path: str, *, follow: bool, **options: Any) -> Page:
        async with self.client.request(method, path, allow_redirects=follow, **options) as answer:
            return Page(answer.status, answer.headers, await answer.text(), answer.url.path_qs)


class Person(Browser):
    """Somebody before the sink of a bench."""

    def __init__(self, client: aiohttp.ClientSession, bench: Bench) -> None:
        super().__init__(client, origin=bench.url)
        self.bench = bench


@asynccontextmanager
async def visited(
    state_dir: Path, *, set_up: SetUpDouble | None = None, **options: Any
) -> AsyncIterator[tuple[Bench, Person]]:
    """A sink with a door, and somebody before it."""
    bench = Bench(state_dir=state_dir, set_up=set_up, **options)
    async with bench.running(), another(bench) as person:
        yield bench, person


@asynccontextmanager
async def another(bench: Bench) -> AsyncIterator[Person]:
    """One more browser."""
    async with _client(bench.url) as client:
        yield Person(client, bench)


@asynccontextmanager
async def at(origin: str) -> AsyncIterator[Browser]:
    """A browser before an agent."""
    async with _client(origin) as client:
        yield Browser(client, origin=origin)


def _client(origin: str) -> aiohttp.ClientSession:
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, not of a name
    return aiohttp.ClientSession(origin, cookie_jar=jar, headers={"Accept": "text/html,*/*;q=0.8"})
