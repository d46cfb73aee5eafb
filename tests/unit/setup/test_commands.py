"""``edge-agent discover`` and ``edge-agent pair``, as a person runs them."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli import main
from edge_agent.cli.discover import discover
from edge_agent.cli.pair import Texts, _pair
from edge_agent.config import load
from edge_agent.errors import ExitCode, UnavailableError
from edge_agent.secret import Secret
from edge_agent.setup.discovery import Discovery
from tests import virtual_time
from tests.double import KEY, OctoPrintDouble
from tests.double.octoprint import User

OTHER_KEY = "K" * 43
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def in_no_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that waits, on a loop in which that takes no time."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        virtual_time.run(lambda: test(**fixtures), start=NOW)

    return run


async def paired(
    folder: Path,
    octoprint: OctoPrintDouble,
    decide: Callable[[], object] = lambda: None,
    *,
    texts: Texts | None = None,
    key: str = "",
    yes: bool = False,
    ask: Callable[[str], str] | None = None,
) -> tuple[ExitCode, str]:
    """Exit code and everything printed; ``decide`` is done as soon as the printer has been asked."""
    out = io.StringIO()

    async def deciding() -> None:
        while not octoprint.appkeys.pending:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        decide()

    decision = asyncio.create_task(deciding())
    code = await _pair(
        octoprint.url,
        texts or Texts(),
        key,
        config_path=folder / "config.json",
        state_dir=folder,
        yes=yes,
        out=out,
        ask=ask,
    )
    decision.cancel()
    assert not any(secret in out.getvalue() for secret in (KEY, OTHER_KEY))
    return code, out.getvalue()


@in_no_time
async def test_pair_tells_where_to_press_allow_and_writes_the_machine(tmp_path: Path) -> None:
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.idle()
        texts = Texts(custom_name="Mark One", mes_id="1,2", location="Hall 2")
        code, said = await paired(tmp_path, octoprint, lambda: octoprint.appkeys.allow(KEY), texts=texts)
        assert code is ExitCode.OK
        assert f"open {octoprint.url}/plugin/appkeys/auth/" in said
        assert "OctoPrint 1.11.8: key of agent, which may: STATUS" in said
        config = load(tmp_path / "config.json", state_dir=tmp_path, remember=False)
        (entry,) = config.machines
        assert (entry.machine.id, entry.machine.mes_ids, entry.key) == ("mark-one", (1, 2), Secret(KEY))

        octoprint.users[OTHER_KEY] = User()
        code, said = await paired(tmp_path, octoprint, key=OTHER_KEY)
        assert code is ExitCode.OK
        (again,) = load(tmp_path / "config.json", state_dir=tmp_path, remember=False).machines
        assert again.machine == entry.machine
        assert again.key == Secret(OTHER_KEY)


@pytest.mark.parametrize(
    ("yes", "answer", "written"), [(False, None, False), (False, "n", False), (False, "y", True), (True, None, True)]
)
@in_no_time
async def test_key_that_may_do_more_is_taken_only_if_somebody_says_so(
    tmp_path: Path, *, yes: bool, answer: str | None, written: bool
) -> None:
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.idle()
        octoprint.users[OTHER_KEY] = User(name="anna", permissions=("STATUS", "PRINT"))
        code, said = await paired(
            tmp_path,
            octoprint,
            lambda: octoprint.appkeys.allow(OTHER_KEY),
            yes=yes,
            ask=None if answer is None else lambda _: str(answer),
        )
        assert (code is ExitCode.OK) is written
        assert (tmp_path / "config.json").exists() is written
        assert not (tmp_path / "secrets").exists() or written
        assert "key of anna, which may: PRINT, STATUS" in said
        assert "to give it no more" in said.lower()


@in_no_time
async def test_denied_is_69_and_a_file_that_cannot_be_changed_is_78(tmp_path: Path) -> None:
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.idle()
        code, said = await paired(tmp_path, octoprint, octoprint.appkeys.deny)
        assert (code, "pressed Deny" in said) == (ExitCode.UNAVAILABLE, True)
        (tmp_path / "config.json").write_text('{"machines": [\n  {]}')
        code, said = await paired(tmp_path, octoprint, key=KEY)
        assert code is ExitCode.CONFIG
        assert f"{tmp_path}/config.json:2:4: " in said
        assert "nothing was written" in said
        code, said = await paired(tmp_path, octoprint, key=KEY, texts=Texts(mes_id="one"))
        assert code is ExitCode.CONFIG


def test_pair_reads_a_key_from_a_file_and_tells_when_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["pair"])
    options = ["--config", str(tmp_path / "config.json"), "--state-dir", str(tmp_path)]
    assert main(["pair", "http://127.0.0.1:9", *options, "--key-file", str(tmp_path / "no.key")]) == 69
    (tmp_path / "a.key").write_text(KEY)
    assert main(["pair", "http://127.0.0.1:9", *options, "--key-file", str(tmp_path / "a.key")]) == 69
    assert not (tmp_path / "config.json").exists()


def _lines(*lines: str) -> Callable[[], Discovery]:
    said = "\n".join(lines)
    return lambda: Discovery(command=(sys.executable, "-c", f"print({said!r})"))


ONE = '{"name": "OctoPrint instance on octopi", "port": 80, "addresses": ["192.168.1.41"], "version": "1.11.8"}'
TWO = '{"name": "OctoPrint instance \\"Mark \\u001b[2J\\"", "port": 5000, "addresses": ["192.168.1.42"]}'


def test_discover_prints_a_table_and_marks_what_is_configured(tmp_path: Path) -> None:
    machine = {"type": "OCTOPRINT", "url": "http://192.168.1.41/", "api_key": KEY, "mes_id": [1]}
    (tmp_path / "config.json").write_text(json.dumps([machine]))
    out = io.StringIO()
    code = discover(
        config_path=tmp_path / "config.json",
        state_dir=tmp_path,
        seconds=10,
        as_json=False,
        out=out,
        make=_lines(ONE, TWO),
    )
    assert code is ExitCode.OK
    assert out.getvalue().splitlines() == [
        "name      url                       version  model",
        "Mark [2J  http://192.168.1.42:5000",
        "octopi    http://192.168.1.41       1.11.8  (in config.json)",
        "to ask one for a key: sudo edge-agent pair URL",
    ]


def test_discover_as_json_and_with_nobody_there(tmp_path: Path) -> None:
    def told(*lines: str, as_json: bool) -> str:
        out = io.StringIO()
        path = tmp_path / "none.json"
        discover(config_path=path, state_dir=tmp_path, seconds=10, as_json=as_json, out=out, make=_lines(*lines))
        return out.getvalue()

    assert [row["url"] for row in json.loads(told(ONE, as_json=True))] == ["http://192.168.1.41"]
    assert "no OctoPrint was heard" in told(as_json=False)


def test_discover_that_cannot_listen_is_69(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="edge-agent pair URL"):
        discover(
            config_path=tmp_path / "none.json",
            state_dir=tmp_path,
            seconds=10,
            as_json=False,
            out=io.StringIO(),
            make=lambda: Discovery(command=(sys.executable, "-c", "raise SystemExit('cannot listen')")),
        )
