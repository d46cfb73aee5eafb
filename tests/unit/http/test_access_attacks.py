"""What somebody tries who wants to change something and may not."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge_agent import admin as admin_room
from edge_agent.admin import FIRST_USE_S, Admin
from edge_agent.secret import Secret
from edge_agent.sinks.http import access
from edge_agent.sinks.http.guide_words import EN
from edge_agent.sinks.http.options import HttpUser
from edge_agent.sinks.http.sessions import IDLE_S, LONGEST_S, MOST

from .person import CHANGES, COOKIE, GUIDE, PASSWORD, Person, another, visited
from .set_up_double import SetUpDouble
from .test_site import PATHS, basic

NEW = "one more horse, one more battery"


# Who is not logged in


@pytest.mark.parametrize("path", GUIDE)
async def test_who_is_not_logged_in_sees_and_changes_nothing(admin: Person, set_up: SetUpDouble, path: str) -> None:
    token = await admin.token()
    async with another(admin.bench) as stranger:
        seen = await stranger.get(path, follow=False)
        assert (seen.is_the_door, seen.text) == (True, "")
        sent = await stranger.send(path, {"id": "mark-one", "form-token": token})
        assert sent.is_the_door
    assert set_up.asked == []
    assert set_up.looked == 0


async def test_before_a_password_is_set_nothing_but_that_can_be_done(tmp_path: Path, set_up: SetUpDouble) -> None:
    async with visited(tmp_path, set_up=set_up) as (_, person):
        for path in GUIDE:
            assert (await person.get(path, follow=False)).is_the_door
            assert (await person.send(path, {"id": "mark-one"})).is_the_door
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
        theirs = await other.token()
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
    token = await admin.token()
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
    token = await admin.token()
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
    page = await admin.send("/logout", {"form-token": await admin.token()})
    assert page.location == "/"
    assert "Max-Age=0" in page.headers["Set-Cookie"]
    assert not await stolen(admin, cookie)
    assert (await admin.get("/setup", follow=False)).is_the_door


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
    assert (await admin.get("/setup/add", follow=False, headers=script)).is_the_door


async def test_a_session_ends_even_if_it_is_used_all_the_time(admin: Person) -> None:
    passed = 0.0
    while passed + 1000 < LONGEST_S:
        admin.bench.seconds += 1000
        passed += 1000
        assert (await admin.get("/setup", follow=False)).status == 200
    admin.bench.seconds += 1000
    assert (await admin.get("/setup", follow=False)).is_the_door


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
    token = await admin.token()
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
