"""Machine objects of every Aggregator version, as documented, and what our own keys add."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.config import Config
from edge_agent.config.settings import split_port
from edge_agent.config.url import UrlError, parse_url
from edge_agent.errors import ExitCode
from edge_agent.model import (
    DEFAULT_STATE_TABLE,
    Aftermath,
    MachineState,
    MesStatus,
    OperationMode,
    ProgramState,
    StackLight,
    UnreachableRow,
)
from edge_agent.poller import Polling
from edge_agent.secret import Secret
from edge_agent.sinks.opcua.options import ClientCertificates, Limits, OpcUaOptions
from edge_agent.sources.octoprint import OctoPrintOptions

from .conftest import KEY, OTHER_KEY, PASSWORD, Folder, machine

V1_1 = f"""{{
    "type": "OCTOPRINT",
    "url": "http://192.168.1.41:5000",
    "api_key": "{KEY}",
    "mes_id": [1]
}}"""
V1_3 = """{
    "type": "OCTOPRINT",
    "url": "http://192.168.1.41:5000",
    "custom_name": "my_octoprint_machine",
    "authentication_file_path": "secret.txt",
    "mes_id": [1],
    "umati_server_port": 4841
}"""
V1_4_FILE = """{
    "type": "OCTOPRINT",
    "url": "http://192.168.1.41:5000/",
    "custom_name": "my_octoprint_machine",
    "authentication_file_path": "secret.txt", // contents as shown below without ""
    "mes_id": [1],
}"""
V1_4_INLINE = f"""{{
    "type": "octoprint",
    "url": "http://192.168.1.41:5000",
    "custom_name": "my_octoprint_machine",
    "authentication_file_path": "{KEY}",
    "mes_id": [1]
}}"""
EXAMPLES = {
    "1.1 (api_key)": V1_1,
    "1.2-1.3 (key in a file)": V1_3,
    "1.2-1.3 or 1.4+ (key in a file)": V1_4_FILE,
    "1.4+ (key in place of the path)": V1_4_INLINE,
}


@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"machines": [{}]}}', "\ufeff[{},]"])
@pytest.mark.parametrize(("dialect", "example"), EXAMPLES.items())
def test_documented_example(folder: Folder, dialect: str, example: str, form: str) -> None:
    folder.file("secret.txt", f'\ufeff"{KEY}"\r\n')
    folder.write(form.format(example))
    config = folder.load()
    assert config.warnings == ()
    (found,) = config.machines
    assert found.dialect == dialect
    assert found.key == Secret(KEY)
    assert found.machine.url == "http://192.168.1.41:5000"
    assert found.machine.address == "192.168.1.41:5000"
    assert found.machine.mes_ids == (1,)
    assert found.machine.name == (None if dialect.startswith("1.1") else "my_octoprint_machine")
    assert found.machine.id == ("192-168-1-41-5000" if dialect.startswith("1.1") else "my-octoprint-machine")


def test_versions_mix_in_one_file(folder: Folder) -> None:
    folder.write([machine(), machine(url="http://b", authentication_file_path=None, api_key=OTHER_KEY)])
    assert [each.key for each in folder.load().machines] == [Secret(KEY), Secret(OTHER_KEY)]


def test_other_types_are_skipped_and_named(folder: Folder) -> None:
    other = {"type": "EOS", "url": 7, "authentication_file_path": {"password": PASSWORD}}
    folder.write([other, machine(), machine(url="http://b", type="OctoPint")])
    code, lines = folder.check()
    assert code is ExitCode.OK
    assert lines[:3] == [
        'config.json:1:11: warning: [0].type: machines of type "EOS" are skipped; this agent serves OCTOPRINT only',
        'config.json:1:242: warning: [2].type: machines of type "OctoPint" are skipped; did you mean "OCTOPRINT"?',
        "config.json: good, 1 machine, 2 warnings",
    ]
    assert lines[3:] == [
        "id                 name  url                       Aggregator version               mes_id  key",
        "192-168-1-41-5000  -     http://192.168.1.41:5000  1.4+ (key in place of the path)  1       cd6c1f7d",
    ]


def test_no_machines_is_a_warning(folder: Folder) -> None:
    folder.write("[]")
    assert [warning.text for warning in folder.load().warnings if "machines" in warning.text] == [
        "has no machines; add one to machines"
    ]


def test_bare_and_empty_mes_id_are_warned_about(folder: Folder) -> None:
    folder.write([machine(mes_id=3), machine(url="http://b", mes_id=[])])
    config = folder.load()
    assert [each.machine.mes_ids for each in config.machines] == [(3,), ()]
    assert [warning.path for warning in config.warnings] == ["[0].mes_id", "[1].mes_id"]


def test_mes_ids_keep_order_and_multiplicity(folder: Folder) -> None:
    folder.write([machine(mes_id=[3, -1, 3])])
    assert folder.load().machines[0].machine.mes_ids == (3, -1, 3)


MES_1 = OpcUaOptions(mes_ids=frozenset({1}))


def opcua(folder: Folder, ports: list[Any], settings: dict[str, Any] | None = None) -> tuple[Config, list[str]]:
    machines = [machine(url=f"http://h{number}", umati_server_port=port) for number, port in enumerate(ports)]
    folder.write({"machines": machines, "opcua": settings})
    config = folder.load()
    return config, [str(warning).split("warning: ")[1] for warning in config.warnings]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([None, None], MES_1),
        ([4850, None, 4850], replace(MES_1, port=4850)),
        (["4850"], replace(MES_1, port=4850)),
        (["4850+"], replace(MES_1, port=4850, port_or_next=True)),
        ([4851, "4850+", 4851], replace(MES_1, port=4851, extra_ports=(4850,))),
    ],
)
def test_port_hints(folder: Folder, ports: list[Any], expected: OpcUaOptions) -> None:
    assert opcua(folder, ports)[0].opcua == expected


def test_every_mes_id_of_every_machine_has_a_user(folder: Folder) -> None:
    folder.write([machine(mes_id=[3, -1, 3]), machine(url="http://b", mes_id=2), machine(url="http://c", mes_id=[])])
    assert folder.load().opcua.mes_ids == frozenset({-1, 2, 3})


def test_an_endpoint_that_is_open_to_all_is_warned_about_at_every_look(folder: Folder) -> None:
    folder.write({"machines": [machine()], "opcua": {"anonymous": True}})
    for _ in range(2):
        [warning] = folder.load().warnings
        assert warning.path == "opcua.anonymous"
        assert "everybody who reaches the OPC UA port reads everything" in warning.text


@pytest.mark.parametrize(("password", "warned"), [("x" * 11, True), ("x" * 12, False)])
def test_a_password_that_can_be_guessed_is_warned_about(folder: Folder, password: str, *, warned: bool) -> None:
    folder.file("p.txt", password)
    users = [{"name": "scada", "password_file": "p.txt"}]
    folder.write({"machines": [machine()], "opcua": {"users": users}})
    assert [warning.path for warning in folder.load().warnings] == ["opcua.users[0]"] * warned
    assert password not in str(folder.load().warnings)


def test_several_ports_are_warned_about(folder: Folder) -> None:
    assert opcua(folder, [4840, 4841])[1] == [
        "machines[1].umati_server_port: 4841 becomes a second port of the one endpoint on 4840; both show all machines"
    ]


def test_explicit_port_wins(folder: Folder) -> None:
    config, warnings = opcua(folder, [4840, 4841], {"port": "4841+", "extra_ports": [4843, 4841]})
    assert config.opcua == replace(MES_1, port=4841, port_or_next=True, extra_ports=(4843,))
    assert warnings == [
        "machines[0].umati_server_port: opcua.port (4841) is used and 4840 is not; delete umati_server_port"
    ]


def test_split_port() -> None:
    assert [split_port(port) for port in (1, "4840", "4840+", "65536")] == [
        (1, False),
        (4840, False),
        (4840, True),
        (0, False),
    ]


def test_settings(folder: Folder) -> None:
    folder.file("p.txt", PASSWORD)
    folder.write(
        {
            "$schema": "config.schema.json",
            "machines": [machine(poll_interval_s=2, serial_number="12", year_of_construction=2019)],
            "opcua": {
                "hostname": "pi.local",
                "bind": "::",
                "anonymous": True,
                "client_certificates": "trusted",
                "limits": {"max_connections": 8, "activation_timeout_s": 2.5, "max_subscriptions": None},
                "users": [{"name": "scada", "password_file": "p.txt"}, {"name": "b", "password": PASSWORD}],
            },
            "http": {"enabled": False, "port": 4840},
            "polling": {"interval_s": 2},
            "states": {
                "paused": {"mes_status": "Stopped", "tool_mode": "AutoWithManualIntervention"},
                "unreachable": {"stack_light": "yellow"},
            },
        }
    )
    config = folder.load()
    assert config.polling == Polling(interval_s=2)
    assert config.opcua.client_certificates is ClientCertificates.TRUSTED
    assert config.opcua.limits == Limits(max_connections=8, activation_timeout_s=2.5)
    assert [user.password.reveal() for user in config.opcua.users] == [PASSWORD, PASSWORD]
    assert config.machines[0].machine.identification.year_of_construction == 2019
    paused = replace(DEFAULT_STATE_TABLE.rows[MachineState.PAUSED], mes_status=MesStatus.STOPPED)
    assert config.states.rows[MachineState.PAUSED] == paused
    assert config.states.rows[MachineState.DONE] == DEFAULT_STATE_TABLE.rows[MachineState.DONE]
    assert config.states.unreachable == UnreachableRow(mes_status=MesStatus.OFFLINE, stack_light=StackLight.YELLOW)
    assert [warning.path for warning in config.warnings] == ["opcua.anonymous", "opcua.users[1].password"]
    assert config.watched_files == (folder.config, folder.path / "p.txt")


def test_a_cell_of_the_state_table_is_overridden_by_its_name_in_the_specification(folder: Folder) -> None:
    cells = {"operation_mode": "Setup", "program_state": "Ended"}
    folder.write({"machines": [machine()], "states": {"done": cells}})
    done = DEFAULT_STATE_TABLE.rows[MachineState.DONE]
    expected = replace(done, operation_mode=OperationMode.SETUP, program_state=ProgramState.ENDED)
    assert folder.load().states == replace(
        DEFAULT_STATE_TABLE, rows={**DEFAULT_STATE_TABLE.rows, MachineState.DONE: expected}
    )


def test_what_is_said_of_a_state_holds_for_its_aftermath_unless_that_has_its_own(folder: Folder) -> None:
    states = {
        "fault": {"mes_status": "Offline", "operation_mode": "Maintenance"},
        "failed": {"operation_mode": "Setup"},
        "cancelled": {"stack_light": "yellow"},
    }
    folder.write({"machines": [machine()], "states": states})
    rows, default = folder.load().states.rows, DEFAULT_STATE_TABLE.rows
    assert rows[MachineState.FAULT] == replace(
        default[MachineState.FAULT], mes_status=MesStatus.OFFLINE, operation_mode=OperationMode.MAINTENANCE
    )
    assert rows[Aftermath.FAILED] == replace(
        default[Aftermath.FAILED], mes_status=MesStatus.OFFLINE, operation_mode=OperationMode.SETUP
    )
    assert rows[Aftermath.CANCELLED] == replace(default[Aftermath.CANCELLED], stack_light=StackLight.YELLOW)
    assert rows[MachineState.READY] == default[MachineState.READY]


def test_nobody_can_log_in(folder: Folder) -> None:
    folder.write({"machines": [machine(mes_id=[])]})
    assert folder.load().warnings[0].text.startswith("no client can log in")


def test_unverified_tls_is_warned_about(folder: Folder) -> None:
    folder.write([machine(tls={"verify": False, "fingerprint": ":".join(["AB"] * 32)})])
    config = folder.load()
    source = config.machines[0].source
    assert isinstance(source, OctoPrintOptions)
    assert source.tls.fingerprint == b"\xab" * 32
    assert [warning.path for warning in config.warnings] == ["[0].tls.verify"]


def test_ca_file_must_hold_a_certificate(folder: Folder) -> None:
    folder.file("ca.pem", "-----BEGIN NOTHING-----")
    folder.write([machine(tls={"ca_file": "ca.pem"})])
    assert "holds no certificate in PEM form" in folder.check()[1][0]


def test_an_unprintable_key_stays_on_one_line(folder: Folder) -> None:
    folder.write([machine(**{"a\nb\x1b[2J": 1})])
    assert '[0]["a\\nb\\u001b[2J"]: unknown key' in folder.check()[1][0]


def test_equality_ignores_place_and_dialect(folder: Folder) -> None:
    folder.write([machine()])
    first = folder.load()
    folder.write("\n\n" + folder.config.read_text().replace("authentication_file_path", "api_key"))
    second = folder.load()
    assert first == second
    assert first.machines[0].dialect != second.machines[0].dialect
    folder.write([machine(mes_id=[2])])
    assert folder.load() != first


@pytest.mark.parametrize(
    ("text", "url", "address"),
    [
        ("http://a", "http://a", "a:80"),
        ("HTTPS://A:443/", "https://a", "a:443"),
        (" http://a:5000/octo/print/ ", "http://a:5000/octo/print", "a:5000"),
        ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080", "[2001:db8::1]:8080"),
        ("http://drucker-büro.local", "http://drucker-büro.local", "drucker-büro.local:80"),
    ],
)
def test_urls(text: str, url: str, address: str) -> None:
    found = parse_url(text)
    assert (found.text, found.address) == (url, address)
    assert parse_url(found.text) == found


@pytest.mark.parametrize("text", ["http:\\\\a", "http:///x", "//a", "", "http://a#", "http://a!b", "http://[v1.x]"])
def test_bad_urls(text: str) -> None:
    with pytest.raises(UrlError):
        parse_url(text)


def test_relative_config_path(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.file("secret.txt", KEY)
    folder.write([machine(authentication_file_path="secret.txt")])
    monkeypatch.chdir(folder.path)
    folder.config = Path("config.json")
    assert folder.load().machines[0].key == Secret(KEY)
