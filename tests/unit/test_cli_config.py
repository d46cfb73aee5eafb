"""``check``, ``migrate`` and ``schema``, as a person uses them."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge_agent.cli import main
from edge_agent.cli.check import Probe, ProbeResult, check
from edge_agent.cli.migrate import migrate
from edge_agent.cli.schema import schema
from edge_agent.config import MachineConfig, load
from edge_agent.errors import ExitCode, Unreachable

KEY = "0123456789ABCDEF0123456789ABCDEF"
OTHER_KEY = "FEDCBA9876543210FEDCBA9876543210"
PASSWORD = "correct-horse-battery"
OLD = f"""// Hall 1
[
  {{"type": "octoprint", "url": "http://a/", "custom_name": "Büro", "api_key": "{KEY}", "mes_id": 1,
    "umati_server_port": "4841+", "note": "{PASSWORD}"}},
  {{"type": "OCTOPRINT", "url": "http://b", "authentication_file_path": "{OTHER_KEY}", "mes_id": [1, 2],
    "umati_server_port": 4845, "location": "Hall 2"}},
  {{"type": "OCTOPRINT", "url": "http://c", "authentication_file_path": "c.txt", "mes_id": []}},
  {{"type": "FORMLABS", "url": "https://u:{PASSWORD}@api.formlabs.com", "unique_name": "MyPrinter",
    "authentication_file_path": {{"username": "me", "password": "{PASSWORD}", "name": "{PASSWORD}"}}, "mes_id": [1]}}
]"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "c.txt").write_text(KEY)
    (tmp_path / "c.txt").chmod(0o600)
    (tmp_path / "config.json").write_text(OLD)
    (tmp_path / "config.json").chmod(0o640)
    return tmp_path


def run_check(folder: Path, *, probe: Probe | None = None, as_json: bool = False) -> tuple[ExitCode, str]:
    out = io.StringIO()
    code = check(config_path=folder / "config.json", state_dir=folder / "state", probe=probe, as_json=as_json, out=out)
    return code, out.getvalue()


def run_migrate(folder: Path, *, write: bool) -> tuple[ExitCode, str]:
    out = io.StringIO()
    code = migrate(config_path=folder / "config.json", state_dir=folder / "state", write=write, out=out)
    return code, out.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_check_as_json(folder: Path) -> None:
    code, text = run_check(folder, as_json=True)
    report = json.loads(text)
    assert code is ExitCode.OK
    assert report["ok"] is True
    assert report["problems"][0] == {
        "severity": "warning",
        "file": str(folder / "config.json"),
        "line": 3,
        "column": 125,
        "path": "[0].mes_id",
        "text": "a bare number is taken as a list of one; write [1]",
    }
    assert report["machines"][0] == {
        "id": "buero",
        "name": "Büro",
        "url": "http://a",
        "aggregator_version": "1.1 (api_key)",
        "mes_ids": [1],
        "key_fingerprint": "cd6c1f7d",
        "line": 3,
        "probe": None,
    }
    assert not any(secret in text for secret in (KEY, OTHER_KEY, PASSWORD))


def test_check_of_a_bad_file_as_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    code, text = run_check(folder, as_json=True)
    assert code is ExitCode.CONFIG
    assert json.loads(text)["ok"] is False


ANSWERS = {
    "buero": ProbeResult(
        reachable=True,
        kind_ok=True,
        key_ok=True,
        permission_ok=True,
        server_version="OctoPrint 1.10.0",
        user="mes",
        latency_s=0.0123,
    ),
    "b-80": ProbeResult(reachable=True, kind_ok=True, key_ok=False, problem="the key is not known; make a new one"),
}


async def answer(machine: MachineConfig) -> ProbeResult:
    if machine.machine.id not in ANSWERS:
        raise Unreachable("c:80 refuses connections; is it switched on?")
    return ANSWERS[machine.machine.id]


def test_probe(folder: Path) -> None:
    code, text = run_check(folder, probe=answer)
    assert code is ExitCode.UNAVAILABLE
    assert text.splitlines()[-3:] == [
        "buero: reachable in 12 ms, OctoPrint 1.10.0, is what type says, key valid, may read the status, user mes",
        "b-80: reachable, is what type says, key refused; the key is not known; make a new one",
        "c-80: c:80 refuses connections; is it switched on?",
    ]


def test_probe_where_all_is_well(folder: Path) -> None:
    async def well(_: MachineConfig) -> ProbeResult:
        return ProbeResult(reachable=True)

    code, text = run_check(folder, probe=well, as_json=True)
    assert code is ExitCode.OK
    assert json.loads(text)["machines"][2]["probe"]["reachable"] is True


def test_a_probe_that_hangs_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: MachineConfig) -> ProbeResult:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("edge_agent.cli.check.PROBE_TIMEOUT_S", 0.01)
    code, text = run_check(folder, probe=hang)
    assert code is ExitCode.UNAVAILABLE
    assert "buero: no answer in 0.01 s" in text


def test_migrate_without_write_touches_nothing_and_shows_no_secret(folder: Path) -> None:
    before = files(folder)
    code, text = run_migrate(folder, write=False)
    assert code is ExitCode.OK
    assert files(folder) == before
    assert not any(secret in text for secret in (KEY, OTHER_KEY, PASSWORD))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    assert json.loads(body)["machines"][0] == {
        "id": "buero",
        "type": "OCTOPRINT",
        "url": "http://a",
        "custom_name": "Büro",
        "authentication_file_path": "secrets/buero.key",
        "mes_id": [1],
        "note": "(not shown)",
    }


def test_migrated_file_means_the_same(folder: Path) -> None:
    path, state_dir = folder / "config.json", folder / "state"
    before = load(path, state_dir=state_dir, remember=False)
    code, text = run_migrate(folder, write=True)
    after = load(path, state_dir=state_dir, remember=False)
    assert code is ExitCode.OK
    assert after == before
    assert not any(secret in text for secret in (KEY, OTHER_KEY, PASSWORD))
    value = json.loads(path.read_text())
    assert value["opcua"] == {"port": "4841+", "extra_ports": [4845]}
    assert value["machines"][3]["authentication_file_path"]["password"] == PASSWORD
    assert value["machines"][1]["location"] == "Hall 2"
    assert value["machines"][2]["authentication_file_path"] == "c.txt"
    assert (folder / "secrets/buero.key").read_text() == f"{KEY}\n"
    assert (folder / "state/ids.json").exists()


def test_modes_and_backup(folder: Path) -> None:
    run_migrate(folder, write=True)
    (backup,) = folder.glob("config.json.*.bak")
    modes = {path: stat.S_IMODE((folder / path).stat().st_mode) for path in ("secrets", "secrets/buero.key", backup)}
    assert modes == {"secrets": 0o700, "secrets/buero.key": 0o600, backup: 0o600}
    assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o640
    assert backup.read_text() == OLD


def test_second_migration_does_nothing(folder: Path) -> None:
    run_migrate(folder, write=True)
    before = files(folder)
    code, text = run_migrate(folder, write=True)
    assert (code, files(folder)) == (ExitCode.OK, before)
    assert text.endswith("is in the newest form already; nothing to do\n")


@pytest.mark.parametrize("section", ["opcua", "http"])
def test_passwords_of_users_move_too(folder: Path, section: str) -> None:
    users = [{"name": "Jörg", "password": PASSWORD}, {"name": "joerg", "password": "another"}]
    machine = {"type": "OCTOPRINT", "url": "http://a", "api_key": KEY, "mes_id": [1]}
    (folder / "config.json").write_text(json.dumps({"machines": [machine], section: {"users": users}}))
    before = load(folder / "config.json", state_dir=folder / "state", remember=False)
    run_migrate(folder, write=True)
    assert load(folder / "config.json", state_dir=folder / "state", remember=False) == before
    assert json.loads((folder / "config.json").read_text())[section]["users"] == [
        {"name": "Jörg", "password_file": f"secrets/{section}-joerg.password"},
        {"name": "joerg", "password_file": f"secrets/{section}-joerg-2.password"},
    ]


def test_a_file_with_another_secret_is_never_overwritten(folder: Path) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets/buero.key").write_text("precious")
    run_migrate(folder, write=True)
    assert (folder / "secrets/buero.key").read_text() == "precious"
    assert (folder / "secrets/buero-2.key").read_text() == f"{KEY}\n"


def test_migrate_refuses_a_bad_file(folder: Path) -> None:
    (folder / "config.json").write_text("[")
    assert run_migrate(folder, write=True) == (
        ExitCode.CONFIG,
        f"{folder}/config.json:1:2: ends inside the list opened at 1:1; the file is cut off or ] is missing\n",
    )


def read_schema() -> dict[str, Any]:
    out = io.StringIO()
    assert schema(out) is ExitCode.OK
    value: dict[str, Any] = json.loads(out.getvalue())
    return value


def test_schema_knows_every_key() -> None:
    found = read_schema()["$defs"]
    assert found["MachineEntry"]["required"] == ["type", "url", "mes_id"]
    assert {"id", "tls", "umati_server_port", "api_key"} <= set(found["MachineEntry"]["properties"])
    assert {"machines", "opcua", "http", "polling", "states", "$schema"} == set(found["File"]["properties"])
    assert "cancelling" in found["StatesEntry"]["properties"]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*(references(item) for item in value.values()))
    return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()


def test_schema_has_all_it_refers_to() -> None:
    found = read_schema()
    assert references(found) <= {f"#/$defs/{name}" for name in found["$defs"]}


GOOD = {"type": "Octoprint", "url": "http://a", "authentication_file_path": KEY, "mes_id": [1]}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (GOOD, True),
        ([GOOD, {"type": "FORMLABS", "unique_name": "x"}], True),
        ({"machines": [GOOD | {"mes_id": 1, "umati_server_port": "4840+", "custom_name": None}]}, True),
        ({"machines": [], "opcua": {"users": [{"name": "a", "password": "b"}]}, "polling": {"interval_s": 2}}, True),
        ({"machines": [GOOD | {"api_key": KEY}]}, False),
        ({"machines": [GOOD | {"url": None}]}, False),
        ({"machines": [{"type": "OCTOPRINT"}]}, False),
        ({"machines": [], "states": {"paused": {"stack_light": "pink"}}}, False),
        ({"machines": [], "states": {"cancelled": {"item_state": "NotExecuting", "tool_mode": "Other"}}}, True),
        ({"machines": [], "states": {"cancelled": {"item_state": 2}}}, False),
        ({}, False),
    ],
)
def test_schema_agrees_with_the_loader(value: Any, valid: bool, folder: Path) -> None:
    assert jsonschema.Draft202012Validator(read_schema()).is_valid(value) is valid
    (folder / "config.json").write_text(json.dumps(value))
    assert (run_check(folder)[0] is ExitCode.OK) is valid


def documented() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "config.md").read_text()
    return re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", documented())
def test_documented_example(folder: Path, example: str) -> None:
    (folder / "secrets").mkdir()
    for name in ("secret.txt", "secrets/prusa-mk4.key", "secrets/scada.password"):
        (folder / name).write_text(KEY)
        (folder / name).chmod(0o600)
    (folder / "config.json").write_text(example)
    code, text = run_check(folder)
    assert code is ExitCode.OK
    assert text.splitlines()[0].endswith("config.json: good, 1 machine")


def test_every_key_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "config.md").read_text()
    definitions = read_schema()["$defs"]
    keys = {key for definition in definitions.values() for key in definition.get("properties", ())}
    assert {key for key in keys if key not in text} == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_secrets_belong_to_the_agents_user(folder: Path) -> None:
    os.chown(folder / "state", 1234, 1235)
    os.chown(folder / "config.json", 0, 1235)
    run_migrate(folder, write=True)
    paths = ["secrets", "secrets/buero.key", "state/ids.json", "config.json"]
    owners = [((folder / path).stat().st_uid, (folder / path).stat().st_gid) for path in paths]
    assert owners == [(1234, 1235), (1234, 1235), (1234, 1235), (0, 1235)]


@pytest.mark.parametrize(
    "arguments", [["--printers", "0"], ["--port", "70000"], ["--speed", "0"], ["--speed", "nan"], ["--speed", "x"]]
)
def test_a_demo_that_cannot_be_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", *arguments])
    assert ended.value.code == ExitCode.USAGE
    assert arguments[0] in capsys.readouterr().err


def test_check_does_not_wait_for_the_opc_ua_stack(folder: Path) -> None:
    command = "import sys; from edge_agent.cli import main; main(sys.argv[1:]); sys.exit('asyncua' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", command, "check", "--config", str(folder / "config.json"), "--state-dir", str(folder)],
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
