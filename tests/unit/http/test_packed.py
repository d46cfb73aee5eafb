"""Pages for a screen are packed for who can unpack them; nothing else is, least of all a page with a secret in it."""

from __future__ import annotations

import gzip
from pathlib import Path

import aiohttp
import pytest

from .bench import Bench, observed
from .person import visited
from .set_up_double import SetUpDouble

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


async def raw(bench: Bench, path: str, headers: dict[str, str]) -> tuple[aiohttp.ClientResponse, bytes]:
    async with (
        aiohttp.ClientSession(bench.url, auto_decompress=False) as client,
        client.get(path, headers=headers) as answer,
    ):
        return answer, await answer.read()


@pytest.mark.parametrize("path", ["/", "/agent", "/machines/machine-1", "/page.css", "/page.js"])
async def test_a_page_is_packed_for_a_browser(path: str) -> None:
    bench = Bench()
    bench.store.publish(observed(1))
    async with bench.running():
        plain, text = await raw(bench, path, {"Accept-Encoding": "identity"})
        answer, body = await raw(bench, path, GZIP)
    assert "Content-Encoding" not in plain.headers
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == text
    assert len(body) < len(text) / 2
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "x-gzip"])
async def test_who_cannot_unpack_gets_it_plain(accepted: str) -> None:
    bench = Bench()
    async with bench.running():
        answer, body = await raw(bench, "/", {"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/machines", "/api/v1/openapi.json"])
async def test_programs_get_it_plain(path: str) -> None:
    bench = Bench()
    bench.store.publish(observed(1))
    async with bench.running():
        answer, _ = await raw(bench, path, GZIP)
    assert "Content-Encoding" not in answer.headers


async def test_a_page_with_a_token_in_it_is_never_packed(tmp_path: Path) -> None:
    async with visited(tmp_path, set_up=SetUpDouble()) as (_, person):
        await person.set_password()
        for path in ("/setup", "/setup/add", "/setup/states", "/password"):
            page = await person.get(path, headers=GZIP)
            assert "form-token" in page.text
            assert "Content-Encoding" not in page.headers
        page = await person.get("/agent", headers=GZIP)
        assert page.headers["Content-Encoding"] == "gzip"
        assert "form-token" not in page.text
