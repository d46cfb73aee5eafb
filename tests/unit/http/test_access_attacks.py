"""What somebody tries who wants to change something and may not."""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from msgspec.structs import replace
from yarl import URL

from edge_agent import admin as admin_room
from edge_agent import attempts
from edge_agent.admin import FIRST_USE_S, Admin
from edge_agent.secret import Secret
from edge_agent.sinks.http import access
from edge_agent.sinks.http.forms import LONGEST_FIELD, MOST_BYTES, MOST_FIELDS
from edge_agent.sinks.http.guide_words import EN
from edge_agent.sinks.http.listener import Limits
from edge_agent.sinks.http.options import HttpUser
from edge_agent.sinks.http.sessions import IDLE_S, LONGEST_S, MOST
from edge_agent.sinks.http.setting_up import Complaint, Found, MachineForm, PairingState

from .person import COOKIE, PASSWORD, Page, Person, another, visited
from .set_up_double import GRANTED, KEY, SetUpDouble
from .test_site import PATHS, basic

MARK_ONE = MachineForm(id="mark-one", url="http://octopi.local", custom_name="Mark One", mes_id="1")
CHANGES = ("/setup/pair", "/setup/forget", "/setup/machine", "/setup/remove", "/setup/states")
GUIDE = ("/setup", "/setup/add", "/setup/pairing", "/setup/written", *CHANGES)
NEW = "one more horse, one more battery"


@pytest.fixture
def set_up() -> SetUpDouble:
    made = SetUpDouble()
    made.file = replace(made.file, exists=True, machines=(MARK_ONE,))
    made.pairings = {"p-1": GRANTED}
    return made


@pytest.fixture(autouse=True)
def _no_time_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_DELAY_S", 0.0)


@pytest_asyncio.fixture
async def admin(tmp_path: Path, set_up: SetUpDouble) -> AsyncIterator[Person]:
    """Somebody who is logged in."""
    async with visited(tmp_path, set_up=set_up) as (_, person):
        await person.set_password()
        yield person


async def token_of(person: Person) -> str:
    return (await person.get("/setup")).forms.to("/logout").fields["form-token"]


def out(page: Page) -> bool:
    """Whoever asked was sent to the door."""
    return (page.status, page.location.partition("?")[0]) == (303, "/login")


# Who is not logged in


@pytest.mark.parametrize("path", GUIDE)
async def test_who_is_not_logged_in_sees_and_changes_nothing(admin: Person, set_up: SetUpDouble, path: str) -> None:
    token = await token_of(admin)
    async with another(admin.bench) as stranger:
        seen = await stranger.get(path, follow=False)
        assert (out(seen), seen.text) == (True, "")
        sent = await stranger.send(path, {"id": "mark-one", "form-token": token})
        assert out(sent)
    assert set_up.asked == []
    assert set_up.looked == 0


async def test_before_a_password_is_set_nothing_but_that_can_be_done(tmp_path: Path, set_up: SetUpDouble) -> None:
    async with visited(tmp_path, set_up=set_up) as (_, person):
        for path in GUIDE:
            assert out(await person.get(path, follow=False))
            assert out(await person.send(path, {"id": "mark-one"}))
        assert (await person.send("/login", {"password": ""})).location == "/password"
        assert (await person.send("/login", {"password": PASSWORD})).location == "/password"
    assert set_up.asked == []


async def test_a_closed_page_has_a_closed_door(admin: Person) -> None:
    admin.bench.options = replace(
        admin.bench.options, users=(HttpUser(name="wall", password=Secret("screen in the hall")),)
    )
    async with another(admin.bench) as stranger:
        for path in ("/login", "/password", "/setup", "/logout"):
            assert (await stranger.get(path, follow=False)).status == 401
            assert (await stranger.send(path, {"password": PASSWORD})).status == 401
        page = await stranger.send("/login", {"password": PASSWORD}, headers=basic("wall", "screen in the hall"))
        assert page.location == "/setup"
    assert (await admin.get("/setup")).status == 401  # the cookie opens the one door, not the other


# Pages of somebody else (CSRF, DNS rebinding, frames)


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("token", [None, "", "x", "ß", "\udcff"])
async def test_a_form_without_its_token_does_nothing(
    admin: Person, set_up: SetUpDouble, path: str, token: str | None
) -> None:
    fields = {"id": "mark-one", "url": "http://a"}
    if token is not None:
        fields["form-token"] = token if token.isascii() else token.encode("utf-8", "replace").decode()
    page = await admin.send(path, fields)
    assert (page.status, EN.access.stale_form in page.text) == (403, True)
    assert set_up.asked == []


async def test_the_token_of_another_session_is_none(admin: Person, set_up: SetUpDouble) -> None:
    async with another(admin.bench) as other:
        await other.log_in()
        theirs = await token_of(other)
    for path in (*CHANGES, "/logout", "/password"):
        fields = {"id": "mark-one", "form-token": theirs, "old": PASSWORD, "new": NEW, "again": NEW}
        assert (await admin.send(path, fields)).status == 403
    assert set_up.asked == []
    assert (await admin.get("/setup")).status == 200
    assert admin.bench.admin is not None
    assert admin.bench.admin.knows(Secret(PASSWORD))


ORIGINS = (
    {"Origin": None},
    {"Origin": ""},
    {"Origin": "null"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://{host}.evil.example"},
    {"Origin": "http://{host}@evil.example"},
    {"Origin": "http://evil.example/http://{host}"},
    {"Origin": "ftp://{host}"},
    {"Origin": "{host}"},
    {"Origin": "http://127.0.0.1"},  # OctoPrint on the same computer
    {"Origin": "http://127.0.0.1:5000"},
    {"Origin": "http://{host}", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://{host}", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://{host}", "Sec-Fetch-Site": "none"},
)


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_form_of_somebody_elses_page_is_not_looked_at(
    admin: Person, set_up: SetUpDouble, origin: dict[str, str | None]
) -> None:
    host = admin.bench.url.removeprefix("http://")
    headers = {name: text and text.format(host=host) for name, text in origin.items()}
    token = await token_of(admin)
    for path in ("/login", "/password", "/logout", *CHANGES):
        fields = {
            "form-token": token,
            "id": "mark-one",
            "password": PASSWORD,
            "old": PASSWORD,
            "new": NEW,
            "again": NEW,
        }
        page = await admin.send(path, fields, headers=headers)
        assert (page.status, "Set-Cookie" in page.headers) == (403, False), path
    assert set_up.asked == []
    assert (await admin.get("/setup")).status == 200


async def test_two_origins_are_none(admin: Person) -> None:
    headers = [("Origin", admin.bench.url), ("Origin", "http://evil.example")]
    async with admin.client.post("/login", data={"password": PASSWORD}, headers=headers) as answer:
        assert answer.status == 403


async def test_the_first_password_is_not_set_by_somebody_elses_page(tmp_path: Path, set_up: SetUpDouble) -> None:
    async with visited(tmp_path, set_up=set_up) as (bench, person):
        fields = {"new": NEW, "again": NEW}
        for origin in ("http://evil.example", "null", None):
            assert (await person.send("/password", fields, headers={"Origin": origin})).status == 403
        rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert (await person.send("/password", fields, headers=rebound)).status == 421
        assert bench.admin is not None
        assert bench.admin.proof == ""


async def test_a_name_that_anybody_may_own_is_refused_for_forms_too(admin: Person, set_up: SetUpDouble) -> None:
    token = await token_of(admin)
    cookie = f"{COOKIE}={admin.cookie}"
    for path in CHANGES:
        headers = {"Host": "evil.example:8080", "Origin": "http://evil.example:8080", "Cookie": cookie}
        assert (await admin.send(path, {"form-token": token, "id": "mark-one"}, headers=headers)).status == 421
    assert set_up.asked == []


async def test_a_proxy_with_tls_is_our_page_and_makes_the_cookie_secure(admin: Person) -> None:
    admin.bench.options = replace(admin.bench.options, hostnames=("page.example",))
    for host, origin in (("page.example", "https://page.example"), ("page.example:443", "https://page.example")):
        page = await admin.send("/login", {"password": PASSWORD}, headers={"Host": host, "Origin": origin})
        assert page.location == "/setup"
        assert page.headers["Set-Cookie"].endswith("; Secure")


async def test_no_page_can_be_framed_or_kept(admin: Person) -> None:
    async with another(admin.bench) as stranger:
        pages = [await stranger.get("/login"), await stranger.get("/setup", follow=False)]
    pages += [await admin.get(path) for path in ("/setup", "/setup/add", "/setup/machine?id=mark-one", "/password")]
    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"


# Cookies


async def test_the_cookie_is_for_the_browser_alone(tmp_path: Path) -> None:
    async with visited(tmp_path) as (_, person):
        page = await person.send("/password", {"new": PASSWORD, "again": PASSWORD})
        name, *flags = page.headers["Set-Cookie"].split("; ")
        assert name.startswith(f"{COOKIE}=")
        assert len(name) > len(COOKIE) + 43  # 256 bits
        assert set(flags) == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
        for path in (*PATHS, "/setup", "/login"):
            if path != "/api/v1/machines/machine-1":
                assert "Set-Cookie" not in (await person.get(path, follow=False)).headers


async def stolen(person: Person, cookie: str) -> bool:
    """Does a cookie still open the door."""
    async with another(person.bench) as thief:
        return (await thief.get("/setup", follow=False, headers={"Cookie": f"{COOKIE}={cookie}"})).status == 200


async def test_a_cookie_is_worth_nothing_after_the_log_out(admin: Person) -> None:
    cookie = admin.cookie
    assert await stolen(admin, cookie)
    page = await admin.send("/logout", {"form-token": await token_of(admin)})
    assert page.location == "/"
    assert "Max-Age=0" in page.headers["Set-Cookie"]
    assert not await stolen(admin, cookie)
    assert out(await admin.get("/setup", follow=False))


async def test_a_cookie_is_worth_nothing_after_a_while(admin: Person) -> None:
    admin.bench.seconds += IDLE_S - 1
    assert await stolen(admin, admin.cookie)
    admin.bench.seconds += IDLE_S
    assert not await stolen(admin, admin.cookie)


async def test_a_page_that_is_left_open_keeps_no_session(admin: Person) -> None:
    script = {"Accept": "*/*"}
    for _ in range(3):
        admin.bench.seconds += IDLE_S / 3 - 1
        assert (await admin.get("/setup/add", headers=script)).path == "/setup/add"
        assert (await admin.get("/", headers=script)).status == 200
    admin.bench.seconds += 3
    assert out(await admin.get("/setup/add", follow=False, headers=script))


async def test_a_session_ends_even_if_it_is_used_all_the_time(admin: Person) -> None:
    passed = 0.0
    while passed + 1000 < LONGEST_S:
        admin.bench.seconds += 1000
        passed += 1000
        assert (await admin.get("/setup", follow=False)).status == 200
    admin.bench.seconds += 1000
    assert out(await admin.get("/setup", follow=False))


async def test_every_session_ends_with_the_password(admin: Person) -> None:
    async with another(admin.bench) as other:
        await other.log_in()
        mine, theirs = admin.cookie, other.cookie
        page = await admin.fill(await admin.get("/password"), "/password", old=PASSWORD, new=NEW, again=NEW)
        assert page.path == "/setup"
        assert admin.cookie != mine
        assert not await stolen(admin, mine)
        assert not await stolen(admin, theirs)
        assert (await other.log_in()).status == 403
        assert (await other.log_in(NEW)).path == "/setup"


async def test_every_session_ends_when_root_makes_a_new_password(admin: Person, tmp_path: Path) -> None:
    cookie = admin.cookie
    made = Admin(tmp_path).make()
    assert not await stolen(admin, cookie)
    assert (await admin.log_in()).status == 403
    assert (await admin.log_in(made.reveal())).path == "/setup"


async def test_a_restart_ends_every_session(admin: Person, tmp_path: Path) -> None:
    cookie = admin.cookie
    async with visited(tmp_path) as (_, person):
        assert not await stolen(person, cookie)


@pytest.mark.parametrize("planted", ["x" * 43, "", "chosen-by-somebody-else"])
async def test_a_cookie_that_somebody_planted_is_never_a_session(admin: Person, planted: str) -> None:
    assert not await stolen(admin, planted)
    async with another(admin.bench) as victim:
        headers = {"Cookie": f"{COOKIE}={planted}"}
        page = await victim.send("/login", {"password": PASSWORD}, headers=headers)
        assert planted == "" or planted not in page.headers["Set-Cookie"]
    assert not await stolen(admin, planted)


async def test_a_planted_cookie_beside_the_right_one_keeps_nobody_out(admin: Person) -> None:
    async with another(admin.bench) as person:
        cookies = f"{COOKIE}=planted; other={COOKIE}; {COOKIE}={admin.cookie}"
        assert (await person.get("/setup", follow=False, headers={"Cookie": cookies})).status == 200


async def test_each_log_in_has_a_session_of_its_own_and_few_are_kept(admin: Person) -> None:
    cookies = [admin.cookie]
    for _ in range(MOST):
        admin.bench.seconds += 1
        async with another(admin.bench) as other:
            await other.log_in()
            cookies.append(other.cookie)
    assert len(set(cookies)) == MOST + 1
    assert [await stolen(admin, cookie) for cookie in cookies] == [False] + [True] * MOST


# Guessing


async def test_guessing_soon_ends_also_for_the_right_password(
    admin: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looked_at: list[str] = []

    def matches(password: str, _: str) -> bool:
        looked_at.append(password)
        return password == PASSWORD

    monkeypatch.setattr(admin_room, "matches", matches)
    async with another(admin.bench) as guesser:
        answers = [await guesser.send("/login", {"password": f"guess {number}"}) for number in range(20)]
        assert [page.status for page in answers] == [403] * 6 + [429] * 14
        assert (await guesser.send("/login", {"password": PASSWORD})).status == 429
        assert len(looked_at) == 6
        assert EN.access.refused[access.Why.LOCKED] in answers[-1].text
        guesser.bench.seconds += 31
        assert (await guesser.send("/login", {"password": PASSWORD})).location == "/setup"
    assert (await admin.get("/setup")).status == 200  # who is in, stays in
    locks = [record for record in caplog.records if "too many wrong passwords" in record.getMessage()]
    assert len(locks) == 1
    assert "127.0.0.1" in locks[0].getMessage()


async def test_the_old_password_cannot_be_guessed_with_a_stolen_session(admin: Person) -> None:
    token = await token_of(admin)
    fields = {"form-token": token, "new": NEW, "again": NEW}
    answers = [await admin.send("/password", fields | {"old": f"guess {number}"}) for number in range(8)]
    assert [page.status for page in answers] == [403] * 6 + [429] * 2
    assert (await admin.send("/password", fields | {"old": PASSWORD})).status == 429


async def test_guessers_do_not_stop_the_page(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, begun, at_once, most = threading.Event(), threading.Event(), 0, 0

    def matches(*_: str) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        begun.set()
        go_on.wait(20)
        at_once -= 1
        return False

    monkeypatch.setattr(admin_room, "matches", matches)
    async with another(admin.bench) as guesser:
        tries = [asyncio.ensure_future(guesser.send("/login", {"password": "x"})) for _ in range(12)]
        await asyncio.to_thread(begun.wait, 20)
        assert (await admin.get("/healthz")).text == "ok\n"
        assert (await admin.get("/setup")).status == 200
        go_on.set()
        statuses = [page.status for page in await asyncio.gather(*tries)]
    assert most == 1
    assert statuses.count(403) <= 4
    assert statuses.count(429) >= 8


# The first password


async def test_the_password_cannot_be_set_after_a_quarter_of_an_hour(tmp_path: Path) -> None:
    async with visited(tmp_path) as (bench, person):
        page = await person.get("/password")
        bench.seconds += FIRST_USE_S
        late = await person.fill(page, "/password", new=PASSWORD, again=PASSWORD)
        assert (late.status, "sudo edge-agent credentials --admin" in late.text) == (403, True)
        assert "<form" not in (await person.get("/password")).text
        assert bench.admin is not None
        assert bench.admin.proof == ""
        made = bench.admin.make()
        assert (await person.log_in(made.reveal())).path == "/setup"


async def test_the_password_is_not_set_twice(admin: Person) -> None:
    async with another(admin.bench) as second:
        page = await second.send("/password", {"new": NEW, "again": NEW})
        assert page.location == "/login?ended"
        assert (await second.log_in(NEW)).status == 403
        assert (await second.log_in()).path == "/setup"


async def test_of_two_at_once_one_sets_the_password(tmp_path: Path) -> None:
    async with visited(tmp_path) as (bench, one), another(bench) as two:
        pages = await asyncio.gather(
            one.send("/password", {"new": PASSWORD, "again": PASSWORD}),
            two.send("/password", {"new": NEW, "again": NEW}),
        )
        won = [page for page in pages if page.location == "/setup"]
        assert len(won) == 1
        lost = next(page for page in pages if page is not won[0])
        assert (lost.status, "Set-Cookie" in lost.headers) == (409, False)
        assert EN.access.refused[access.Why.ALREADY_SET] in lost.text
        assert bench.admin is not None
        assert bench.admin.knows(Secret(PASSWORD if pages[0] is won[0] else NEW))


@pytest.mark.usefixtures("admin")
async def test_after_a_restart_the_password_cannot_be_set_again(tmp_path: Path) -> None:
    async with visited(tmp_path) as (_, other):
        assert (await other.get("/password")).path == "/login"
        assert (await other.send("/password", {"new": NEW, "again": NEW})).location == "/login?ended"


@pytest.mark.parametrize(
    ("new", "again", "wrong"),
    [("short", "short", "new"), (NEW, PASSWORD, "again"), ("", "", "new"), ("x" * 257, "x" * 257, "new")],
)
async def test_a_password_that_will_not_do_is_told(tmp_path: Path, new: str, again: str, wrong: str) -> None:
    async with visited(tmp_path) as (bench, person):
        page = await person.send("/password", {"new": new, "again": again})
        assert (page.status, f'id="{wrong}-wrong"' in page.text) == (200, True)
        assert not new or new not in page.text.replace('id="new', "")
        assert bench.admin is not None
        assert bench.admin.proof == ""


# Odd requests


async def raw(admin: Person, body: bytes, **headers: str) -> int:
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": admin.bench.url}
    async with admin.client.post("/setup/remove", data=body, headers=kind | headers, allow_redirects=False) as answer:
        return answer.status


async def test_what_is_no_form_of_ours_is_refused(admin: Person, set_up: SetUpDouble) -> None:
    right = f"form-token={await token_of(admin)}&id=mark-one".encode()
    many = b"&".join(b"f%d=" % number for number in range(MOST_FIELDS))
    for body, headers, status in (
        (right, {"Content-Type": "text/plain"}, 415),
        (right, {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (b'{"id": "mark-one"}', {"Content-Type": "application/json"}, 415),
        (right, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-16"}, 415),
        (gzip.compress(right), {"Content-Encoding": "gzip"}, 415),
        (right, {"Content-Encoding": "br"}, 415),
        (right + b"&id=other", {}, 400),
        (right + b"&x=%ff", {}, 400),
        (right + b"&x=%00", {}, 400),
        (right + b"&x=%1b", {}, 400),
        (right + b"&%00=x", {}, 400),
        (right + b"&\xe9=x", {}, 400),
        (right + b"&x", {}, 400),
        (right + b"&" + many, {}, 400),
        (right + b"&x=" + b"x" * (LONGEST_FIELD + 1), {}, 400),
        (right + b"&" + b"x" * (LONGEST_FIELD + 1) + b"=", {}, 400),
        (right + b"&x=" + b"x" * MOST_BYTES, {}, 413),
        (b"", {}, 403),
    ):
        assert await raw(admin, body, **headers) == status, (body[:80], headers)
    assert set_up.asked == []
    assert await raw(admin, right) == 303
    assert set_up.asked == [("remove", "mark-one")]


async def test_a_form_without_end_is_cut(tmp_path: Path, set_up: SetUpDouble) -> None:
    async with visited(tmp_path, set_up=set_up, limits=Limits(answer_s=0.3)) as (_, person):
        await person.set_password()
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 4_000_000:
                yield b"x" * 8192
                sent += 8192

        kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": person.bench.url}
        try:
            async with person.client.post("/setup/machine", data=endless(), headers=kind) as answer:
                assert answer.status == 413
        except aiohttp.ClientConnectionError:
            pass  # refused while it was still being sent
        assert sent < 4_000_000

        async def stalled() -> AsyncIterator[bytes]:
            yield b"id="
            await asyncio.sleep(30)

        with pytest.raises(aiohttp.ClientConnectionError):
            async with person.client.post("/setup/machine", data=stalled(), headers=kind):
                pass
        assert (await person.get("/healthz")).status == 200
    assert set_up.asked == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_no_other_method_does_anything(admin: Person, set_up: SetUpDouble, method: str) -> None:
    token = await token_of(admin)
    for path in (*GUIDE, "/login", "/logout", "/password"):
        data = {"form-token": token, "id": "mark-one"}
        headers = {"Origin": admin.bench.url}
        async with admin.client.request(method, path, data=data, headers=headers) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert set_up.asked == []


async def test_a_method_cannot_be_named_otherwise(admin: Person, set_up: SetUpDouble) -> None:
    token = await token_of(admin)
    asked = f"form-token={token}&id=mark-one&url=http://a&_method=POST"
    for path in CHANGES:
        for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
            await admin.get(f"{path}?{asked}", headers={header: "POST", "Origin": admin.bench.url})
        async with admin.client.head(f"{path}?{asked}", headers={"Origin": admin.bench.url}):
            pass
    assert set_up.asked == []
    await admin.get(f"/logout?form-token={token}")
    assert (await admin.get("/setup", follow=False)).status == 200


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/api/v1/machines/machine-1"])
async def test_what_is_read_stays_to_be_read_only(admin: Person, path: str) -> None:
    page = await admin.send(path, {"form-token": await token_of(admin), "id": "mark-one"})
    assert (page.status, page.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    ["/setup/", "//setup", "/./setup", "/x/../setup", "/SETUP", "/setup%2fwritten", "/setup;x", "/setup/written/",
     "/%73etup", "/setup/../setup/written", "/login/../setup", "/setup%00", "/setup/written%0a", "/setup\\written"],
)  # fmt: skip
async def test_no_way_around_the_door(admin: Person, set_up: SetUpDouble, path: str) -> None:
    async with another(admin.bench) as stranger:
        for method in ("GET", "POST"):
            url = URL(admin.bench.url + path, encoded=True)
            headers = {"Origin": admin.bench.url}
            async with stranger.client.request(method, url, headers=headers, allow_redirects=False) as answer:
                text = await answer.text()
                assert answer.status in {303, 404, 405, 400}, (path, answer.status)
                assert answer.status != 303 or answer.headers["Location"].startswith("/login")
                assert "Mark One" not in text
    assert set_up.asked == []


# What comes back


EVIL = "<script>alert(1)</script>\"' onload=x &amp; \u202e</title></textarea></pre>"


async def test_nothing_that_is_typed_or_found_is_obeyed(admin: Person, set_up: SetUpDouble) -> None:
    set_up.octoprints = (Found(name=EVIL, url=EVIL, version=EVIL, model=EVIL),)
    evil = dict.fromkeys(("url", "reason", "dialog_url", "version", "user", "name"), EVIL)
    for state in PairingState:
        made = replace(GRANTED, id=state.value, state=state, permissions=(EVIL,), more_than_needed=True, **evil)
        set_up.pairings[state.value] = made
    machine = MachineForm(**dict.fromkeys(MachineForm.__struct_fields__, EVIL))
    set_up.file = replace(
        set_up.file, path=EVIL, text=EVIL, previous=EVIL, machines=(machine,), problems=(EVIL,),
        states={"paused": {"mes_status": EVIL}, EVIL: {EVIL: EVIL}},
    )  # fmt: skip
    set_up.complaints = (Complaint(field=EVIL, text=EVIL), Complaint(field="url", text=EVIL))
    id_ = str(URL.build(query={"id": EVIL}))
    token = await token_of(admin)
    pages = [await admin.get(path) for path in ("/setup", "/setup/add", f"/setup/add?machine={EVIL}", "/setup/written",
             "/setup/states", f"/setup/machine{id_}", f"/setup/remove{id_}")]  # fmt: skip
    pages += [await admin.get(f"/setup/pairing?id={state.value}&machine={EVIL}") for state in PairingState]
    fields = dict.fromkeys(MachineForm.__struct_fields__, EVIL) | {"form-token": token}
    pages += [await admin.send(path, fields) for path in ("/setup/machine", "/setup/remove", "/setup/states")]
    set_up.next_pairing = set_up.pairings["failed"]
    pages.append(await admin.send("/setup/pair", fields))
    for page in pages:
        assert page.status == 200, page.path
        assert page.text.count("<script") == 1
        assert EVIL not in page.text
        assert "&lt;script&gt;" in page.text or "/setup/states" in page.path


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://", "http://[x", ""]
)
async def test_only_a_web_address_becomes_a_link(admin: Person, set_up: SetUpDouble, url: str) -> None:
    waiting = replace(set_up.next_pairing, id="w", url=url, dialog_url=url)
    set_up.pairings["w"] = waiting
    page = await admin.get("/setup/pairing?id=w")
    assert page.status == 200
    assert f'href="{url}"' not in page.text
    assert "_blank" not in page.text


@pytest.mark.parametrize(
    "evil",
    ["x\r\nSet-Cookie: a=b", "//evil.example", "https://evil.example", "a&saved=b#c", "\u2028", "../..", "%0d%0aX: y"],
)
async def test_a_browser_is_sent_to_our_own_pages_only(admin: Person, set_up: SetUpDouble, evil: str) -> None:
    token = await token_of(admin)
    set_up.next_pairing = replace(set_up.next_pairing, id=evil)
    set_up.file = replace(set_up.file, machines=(replace(MARK_ONE, id=evil),))
    fields = {"form-token": token, "url": "http://a", "machine": evil, "id": evil, "next": evil}
    for path in ("/setup/pair", "/setup/forget", "/setup/machine", "/setup/remove"):
        page = await admin.send(path, fields)
        assert page.status == 303, path
        path_there, _, query = page.location.partition("?")
        assert path_there in {"/setup/pairing", "/setup/add", "/setup/written"}
        assert all(letter not in query for letter in "\r\n/#\u2028 ")
        assert "a" not in page.headers.get("Set-Cookie", "")
    page = await admin.send("/login?next=//evil.example", {"password": PASSWORD, "next": "//evil.example"})
    assert page.location == "/setup"


async def test_no_secret_comes_back_or_is_logged(
    admin: Person, set_up: SetUpDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kept = Admin(tmp_path).proof
    pages = [await admin.send("/login", {"password": f"not {PASSWORD}"})]
    pages.append(await admin.send("/login", {"password": PASSWORD}))
    form = (await admin.get("/password")).forms.to("/password").fields
    pages.append(await admin.send("/password", form | {"old": PASSWORD, "new": NEW, "again": "another one entirely"}))
    pages.append(await admin.send("/password", form | {"old": PASSWORD, "new": "short", "again": "short"}))
    token = await token_of(admin)
    pages.append(await admin.send("/setup/pair", {"form-token": token, "url": "http://a", "key": KEY}))
    paths = (*GUIDE, "/setup/pairing?id=p-1", "/setup/machine?id=mark-one", "/", "/api/v1/agent", "/metrics")
    pages += [await admin.get(path) for path in paths]
    told = [page.text for page in pages] + [record.getMessage() for record in caplog.records]
    told += [str(sorted(page.headers.items())) for page in pages if "Set-Cookie" not in page.headers]
    digest = kept.rpartition("$")[2]
    for secret in (PASSWORD, NEW, KEY, admin.cookie, digest, "another one entirely"):
        assert secret
        assert not [text for text in told if secret in text], secret
    assert ("pair", ("http://a", KEY)) in set_up.asked


async def test_a_broken_file_closes_the_door_and_not_the_page(
    admin: Person, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "admin.json").unlink()
    (tmp_path / "admin.json").mkdir()
    assert (await admin.get("/")).status == 200
    for path in ("/login", "/password", "/setup"):
        page = await admin.get(path, follow=False)
        assert (page.status, "admin.json" in page.text) == (503, True)
    assert (await admin.send("/login", {"password": PASSWORD})).status == 503
    told = [record.getMessage() for record in caplog.records if "admin.json" in record.getMessage()]
    assert len(told) == 1  # not once for everybody who asks
