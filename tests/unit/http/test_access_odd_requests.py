"""Requests that no page of ours makes, and what comes back: nothing obeyed, nothing secret, nowhere else."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from msgspec.structs import replace
from yarl import URL

from edge_agent import passwords
from edge_agent.admin import Admin
from edge_agent.sinks.http.forms import LONGEST_FIELD, MOST_BYTES, MOST_FIELDS
from edge_agent.sinks.http.listener import Limits
from edge_agent.sinks.http.setting_up import Complaint, Found, MachineForm, PairingState

from .person import CHANGES, GUIDE, MARK_ONE, PASSWORD, Person, another, visited
from .set_up_double import GRANTED, KEY, SetUpDouble
from .test_site import PATHS

NEW = "one more horse, one more battery"


async def raw(admin: Person, body: bytes, **headers: str) -> int:
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": admin.bench.url}
    async with admin.client.post("/setup/remove", data=body, headers=kind | headers, allow_redirects=False) as answer:
        return answer.status


async def test_what_is_no_form_of_ours_is_refused(admin: Person, set_up: SetUpDouble) -> None:
    right = f"form-token={await admin.token()}&id=mark-one".encode()
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


async def test_a_form_without_end_is_cut(tmp_path: Path, set_up: SetUpDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_LOG2_N", 1)  # quick, so that the limit is for the form alone
    async with visited(tmp_path, set_up=set_up, limits=Limits(answer_s=1.0)) as (_, person):
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
    token = await admin.token()
    for path in (*GUIDE, "/login", "/logout", "/password"):
        data = {"form-token": token, "id": "mark-one"}
        headers = {"Origin": admin.bench.url}
        async with admin.client.request(method, path, data=data, headers=headers) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert set_up.asked == []


async def test_a_method_cannot_be_named_otherwise(admin: Person, set_up: SetUpDouble) -> None:
    token = await admin.token()
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
    page = await admin.send(path, {"form-token": await admin.token(), "id": "mark-one"})
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
    token = await admin.token()
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
    token = await admin.token()
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
    token = await admin.token()
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
