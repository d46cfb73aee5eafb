"""Bad files: each with the exact line a person reads, exit code 78, no traceback and no secret."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.config import ConfigFileError
from edge_agent.config.newest import _KNOWN
from edge_agent.errors import ExitCode

from .conftest import KEY, OTHER_KEY, PASSWORD, Folder

SECRETS = (KEY, OTHER_KEY, PASSWORD, KEY[:10], OTHER_KEY[:10])

M = '"type": "OCTOPRINT", "url": "http://a", "mes_id": [1]'
K = f'"authentication_file_path": "{KEY}"'


class Bad(NamedTuple):
    name: str
    content: str | bytes
    lines: list[str]


def bad(name: str, content: str | bytes, *lines: str) -> Bad:
    return Bad(name, content, [f"config.json:{line}" for line in lines])


NOT_JSON = [
    bad("empty", "", '1:1: is empty; put a machine object or a list of them in it, or {"machines": []}'),
    bad("only a comment", "// x\n", '1:1: is empty; put a machine object or a list of them in it, or {"machines": []}'),
    bad(
        "cut off",
        f'[\n  {{{M}, "api_key": "{KEY}",\n',
        "3:1: ends inside the object opened at 2:3; the file is cut off or } is missing",
    ),
    bad("cut off in a text", f'[{{"api_key": "{KEY}', '1:14: this text is not closed on its line; put " at its end'),
    bad("open text", f'[{{"url": "http://a,\n{K}}}]', '1:10: this text is not closed on its line; put " at its end'),
    bad("open comment", "[1] /* x", "1:5: this comment is not closed; put */ at its end"),
    bad("bare port", f'[{{{M}, {K},\n "umati_server_port": 4840+}}]', '2:23: put "4840+" in quotes'),
    bad("NaN", '{"polling": {"interval_s": NaN}}', "1:28: NaN is no number in JSON; write a number"),
    bad("minus infinity", "[-Infinity]", "1:2: -Infinity is no number in JSON; write a number"),
    bad("Python", '{"http": {"enabled": True}}', "1:22: in JSON True is written true"),
    bad(
        "unquoted key",
        f'{{"api_key": {KEY}}}',
        "1:13: expected a value; a text stands in double quotes, a number is like 1 or 0.5",
    ),
    bad("unquoted name", "{url: 1}", '1:2: expected a key in double quotes, like "url"'),
    bad("single quotes", "{'url': 1}", '1:2: a text stands in straight double quotes: "'),
    bad("curly quotes", "{“url”: 1}", '1:2: a text stands in straight double quotes: "'),
    bad("hash comment", "{\n# x\n}", "2:1: a comment begins with //, not with #"),
    bad("missing comma", '{"a": 1\n "b": 2}', "2:2: expected a comma or } before this; is a comma missing?"),
    bad("wrong bracket", '{"a": [1}}', "1:9: expected ] to close the list opened at 1:7, got }"),
    bad(
        "two objects",
        "{}\n{}",
        "2:1: expected one value in the file; put several machines in a list: [{...}, {...}]",
    ),
    bad("backslash", r'{"ca_file": "C:\certs"}', "1:16: a backslash inside a text is written twice: \\\\"),
    bad("tab in text", '{"a": "x\ty"}', "1:9: a tab or another control character stands inside a text; delete it"),
    bad("huge number", '{"a": 1e999}', "1:7: this number is too large"),
    bad("deep", "[" * 100_000, "1:33: is nested deeper than 32 levels; no configuration needs that"),
    bad("UTF-16", "[]".encode("utf-16"), "1:1: is not UTF-8 (looks like UTF-16); save it as UTF-8"),
    bad("UTF-16 without mark", "[]".encode("utf-16-le"), "1:1: is not UTF-8 (looks like UTF-16); save it as UTF-8"),
    bad(
        "Latin-1",
        '[\n "Büro"]'.encode("latin-1"),
        "2:4: is not UTF-8 (looks like Latin-1 or Windows-1252); save it as UTF-8",
    ),
]

NOT_A_FILE = [
    bad("a number", "4", '1:1: expected a machine object, a list of them, or {"machines": [...]}, got 4'),
    bad(
        "no machines",
        '{"opcua": {}}',
        '1:1: has neither "machines" nor the keys of a machine; put your machines in "machines": [...]',
    ),
    bad("machines an object", '{"machines": {}}', "1:14: machines: expected a list of machine objects, got an object"),
    bad("a machine a text", '["x"]', '1:2: [0]: expected an object in { }, got "x"'),
]


def one(keys: str, *lines: str, name: str = "") -> Bad:
    """A bad machine: its second line holds ``keys``."""
    return bad(name or keys, f'{{"machines": [{{\n{keys}}}]}}', *lines)


MACHINES = [
    one(
        f'"type": "OCTOPRINT", "mes_id": [1], {K}',
        "1:15: machines[0].url: is missing; put a text in quotes here",
        name="url missing",
    ),
    one(
        f'"type": "OCTOPRINT", "url": null, "mes_id": [1], {K}',
        "2:29: machines[0].url: is null; put a text in quotes here",
        name="url null",
    ),
    one(
        f'"url": "ftp://x", "type": "OCTOPRINT", "mes_id": [1], {K}',
        '2:8: machines[0].url: expected http:// or https://, got "ftp://x"; write the address as in the browser',
        name="ftp",
    ),
    one(
        f'"url": "192.168.1.41:5000", "type": "OCTOPRINT", "mes_id": [1], {K}',
        '2:8: machines[0].url: expected http:// or https://, got "192.168.1.41:5000"; '
        'write the address as in the browser, like "http://192.168.1.41:5000"',
        name="no scheme",
    ),
    one(
        f'"url": "http://me:{PASSWORD}@x", "type": "OCTOPRINT", "mes_id": [1], {K}',
        "2:8: machines[0].url: holds credentials; delete what stands between // and @ (a key belongs in its own file)",
        name="password in url",
    ),
    one(
        f'"url": "htp:/me:{PASSWORD}@x", "type": "OCTOPRINT", "mes_id": [1], {K}',
        "2:8: machines[0].url: expected http:// or https://, got a text of 31 characters; "
        "write the address as in the browser",
        name="password in a broken url",
    ),
    *(
        one(f'"url": "{url}", "type": "OCTOPRINT", "mes_id": [1], {K}', f"2:8: machines[0].url: {text}", name=url)
        for url, text in {
            "http://x:99999": "the port must be a number from 1 to 65535",
            "http://x:0": "the port must be a number from 1 to 65535",
            "http://x:eighty": "the port must be a number from 1 to 65535",
            "http://": "names no host; write it like http://192.168.1.41:5000",
            f"http://x?apikey={KEY}": "holds a ? or #; delete it and what follows it",
            "http://x y": "holds a space or a control character; write it like http://192.168.1.41:5000",
            "http://192.168.1.300": "192.168.1.300 is not an IP address; the four numbers of one go from 0 to 255",
            "http://[::1": "has unbalanced brackets; write it like http://192.168.1.41:5000",
        }.items()
    ),
    *(
        one(
            f'"mes_id": {mes_id}, "type": "OCTOPRINT", "url": "http://a", {K}',
            f"2:{column}: machines[0].mes_id{text}",
            name=f"mes_id {mes_id}",
        )
        for mes_id, column, text in [
            ("true", 11, ": expected a list of the numbers of MES instances, like [1], got true"),
            ('"1"', 11, ': expected a list of the numbers of MES instances, like [1], got "1"; remove the quotes'),
            ('["1"]', 12, '[0]: expected a whole number from -2147483648 to 2147483647, got "1"; remove the quotes'),
            ("[1, false]", 15, "[1]: expected a whole number from -2147483648 to 2147483647, got false"),
            ("[2147483648]", 12, "[0]: expected a whole number from -2147483648 to 2147483647, got 2147483648"),
            ("[1.5]", 12, "[0]: expected a whole number from -2147483648 to 2147483647, got 1.5"),
            ("{}", 11, ": expected a list of the numbers of MES instances, like [1], got an object"),
        ]
    ),
    one(
        f'{M}, {K}, "api_key": "{OTHER_KEY}"',
        "2:131: machines[0].api_key: stands beside authentication_file_path; delete one of them",
        name="both secrets",
    ),
    one(
        M,
        "1:15: machines[0].authentication_file_path: is missing; name the file that holds the API key of OctoPrint",
        name="no secret",
    ),
    one(
        f'{M}, "authentication_file_path": {{"client_secret": "{KEY}"}}',
        "2:84: machines[0].authentication_file_path: an object is for other types of machine; "
        "for OCTOPRINT name the file that holds the API key",
        name="secret an object",
    ),
    one(
        f'{M}, "authentication_file_path": ["{KEY}"]',
        "2:84: machines[0].authentication_file_path: expected a text in quotes or an object, got a list",
        name="secret a list",
    ),
    one(
        f'{M}, "api_key": 12345678901234567890',
        "2:67: machines[0].api_key: expected a text in quotes, got a number; put it in quotes",
        name="key a number",
    ),
    one(
        f'{M}, "authentication_file_path": "keys/prusa.txt"',
        "2:84: machines[0].authentication_file_path: the file keys/prusa.txt does not exist; "
        "create it, or correct the path",
        name="no such path",
    ),
    one(
        f'{M}, "authentication_file_path": "{KEY[:10]}"',
        "2:84: machines[0].authentication_file_path: is neither an existing file nor a key "
        "(16 or more letters and digits); name the file of the key",
        name="short key",
    ),
    one(
        f'{M}, "api_key": "{KEY}\\n{KEY}"',
        "2:67: machines[0].api_key: holds more than one line; it must hold the secret and nothing else",
        name="key of two lines",
    ),
    one(
        f'{M}, "api_key": "{KEY}é"',
        "2:67: machines[0].api_key: holds a character that no such secret has; copy the secret again",
        name="key not ASCII",
    ),
    one(
        f'{M}, "api_key": ""',
        "2:67: machines[0].api_key: is empty; put the secret in it",
        name="empty key",
    ),
    one(
        f'{M}, {K}, "url": "http://b"',
        "2:120: machines[0].url: this key stands a second time in its object; delete one",
        name="duplicate key",
    ),
    one(
        f'{M}, {K}, "umati_server_port": 70000',
        '2:141: machines[0].umati_server_port: expected a port like 4840, or "4840+" for it or the next free one, '
        "got 70000",
        name="port out of range",
    ),
    one(
        f'{M}, {K}, "umati_server_port": "99999+"',
        "2:141: machines[0].umati_server_port: a port is a number from 1 to 65535",
        name="port text out of range",
    ),
    one(
        f'{M}, {K}, "id": "A B"',
        "2:126: machines[0].id: expected up to 64 lower-case letters, digits and hyphens, a letter or digit first, "
        'got "A B"',
        name="id",
    ),
    one(
        f'{M}, {K}, "poll_interval_s": 0.1',
        "2:139: machines[0].poll_interval_s: expected a number from 0.2 to 3600, got 0.1",
        name="interval",
    ),
    one(
        f'{M}, {K}, "serial_number": 12',
        "2:137: machines[0].serial_number: expected a text of one line, got 12; put it in quotes",
        name="serial number a number",
    ),
    one(
        f'{M}, {K}, "tls": {{"fingerprint": "AB:CD"}}',
        "2:143: machines[0].tls.fingerprint: expected a SHA-256 fingerprint: 64 hex digits, "
        'with or without colons, got "AB:CD"',
        name="fingerprint",
    ),
    one(
        f'{M}, {K}, "tls": {{"ca_file": "ca.pem"}}',
        "2:139: machines[0].tls.ca_file: the file ca.pem does not exist; create it, or correct the path",
        name="no ca_file",
    ),
]

TWO = [
    bad(
        "twin names",
        f'[{{"custom_name": "A", {M}, {K}}},\n'
        f' {{"custom_name": "A", "type": "OCTOPRINT", "url": "http://b", "mes_id": [1], {K}}}]',
        '2:18: [1].custom_name: "A" stands also at 1:18; each machine needs its own',
    ),
    bad(
        "twin urls",
        f'[{{{M}, {K}}},\n {{"type": "OCTOPRINT", "url": "http://A:80/", "mes_id": [1], {K}}}]',
        '2:31: [1].url: "http://a" stands also at 1:31; each machine needs its own',
    ),
    bad(
        "twin ids",
        f'[{{"id": "a", {M}, {K}}},\n {{"id": "a", "type": "OCTOPRINT", "url": "http://b", "mes_id": [1], {K}}}]',
        '2:9: [1].id: "a" stands also at 1:9; each machine needs its own',
    ),
    bad(
        "everything at once",
        f'[{{"type": "OCTOPRINT", "url": 5, "mes_id": "x", "api_key": ""}},\n'
        f' {{"typ": "OCTOPRINT", "url": "http://b", "mes_id": [1], {K}}}]',
        "1:31: [0].url: expected a text in quotes, got 5; put it in quotes",
        '1:44: [0].mes_id: expected a list of the numbers of MES instances, like [1], got "x"',
        "1:60: [0].api_key: is empty; put the secret in it",
        "2:2: [1].type: is missing; put a text of one line here",
        '2:3: warning: [1].typ: unknown key, ignored; did you mean "type"?',
    ),
]


def beside(keys: str, *lines: str) -> Bad:
    """Bad settings on the second line, beside one good machine."""
    return bad(keys, f'{{"machines": [{{{M}, {K}}}],\n{keys}}}', *lines)


SETTINGS = [
    beside('"polling": {"timeout_s": 61}', "2:26: polling.timeout_s: expected a number from 0.5 to 60, got 61"),
    beside('"polling": []', "2:12: polling: expected an object, got a list"),
    beside('"http": {"port": 4840}', "2:18: http.port: 4840 is also the OPC UA port; choose another"),
    beside('"http": {"enabled": "yes"}', '2:21: http.enabled: expected true or false, got "yes"'),
    beside(
        '"http": {"users": [{"name": "a:b", "password_file": "none"}], "hostnames": ["a/b"]}',
        "2:29: http.users[0].name: HTTP allows no colon in a user name; choose another",
        "2:53: http.users[0].password_file: this file does not exist; name the file that holds the password",
        '2:77: http.hostnames[0]: expected a host name or an address, got "a/b"',
    ),
    beside('"opcua": {"bind": "a b"}', '2:19: opcua.bind: expected a host name or an address, got "a b"'),
    beside(
        '"opcua": {"client_certificates": "all"}',
        '2:34: opcua.client_certificates: expected one of "any", "trusted", got "all"',
    ),
    beside(
        '"opcua": {"users": [{"name": "mes-1", "password_file": "p.txt"}, {"name": "a"}]}',
        '2:30: opcua.users[0].name: "mes-1" is made by the agent for an MES instance; choose another',
        "2:56: opcua.users[0].password_file: the file p.txt does not exist; create it, or correct the path",
        "2:66: opcua.users[1].password_file: is missing; name the file that holds the password",
    ),
    beside(
        f'"opcua": {{"users": [{{"name": "a", "password": ["{PASSWORD}"]}}, '
        f'{{"name": "b", "password_file": "{PASSWORD}"}}]}}',
        "2:47: opcua.users[0].password: expected a text in quotes, got a list",
        "2:106: opcua.users[1].password_file: this file does not exist; name the file that holds the password",
    ),
    beside(
        '"states": {"paused": {"mes_status": "stopped"}, "paussed": {}}',
        '2:37: states.paused.mes_status: expected one of "Idle", "Running", "Offline", "Stopped", got "stopped"',
        '2:49: warning: states.paussed: unknown key, ignored; did you mean "paused"?',
    ),
    beside(
        '"states": {"done": {"operation_mode": 2}, "unreachable": {"item_state": "Executing"}}',
        '2:39: states.done.operation_mode: expected one of "None", "Maintenance", "Setup", "Processing", got 2',
        '2:59: warning: states.unreachable.item_state: unknown key, ignored; did you mean "mes_status"?',
    ),
]

ALL = [*NOT_JSON, *NOT_A_FILE, *MACHINES, *TWO, *SETTINGS]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name[:40])
def test_bad_file(folder: Folder, case: Bad) -> None:
    folder.write(case.content)
    code, lines = folder.check()
    assert lines[:-1] == case.lines
    assert code is ExitCode.CONFIG
    assert not any(secret in line for secret in SECRETS for line in lines)
    with pytest.raises(ConfigFileError) as caught:
        folder.load()
    assert caught.value.exit_code is ExitCode.CONFIG
    assert str(caught.value).replace(f"{folder.path}/", "").splitlines() == case.lines


def test_no_file(folder: Folder) -> None:
    assert folder.check() == (
        ExitCode.CONFIG,
        ["config.json: does not exist; check the name, or create it", "config.json: 1 error, 0 warnings"],
    )


def test_a_directory(folder: Folder) -> None:
    folder.config.mkdir()
    assert folder.check()[1][0] == "config.json: is a directory; name the file in it"


def test_five_megabytes_are_not_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write(b" " * 5_000_000)
    monkeypatch.setattr("pathlib.Path.open", lambda *_: pytest.fail("read"))
    assert folder.check()[1][0] == "config.json:1:1: is larger than 1024 KiB; this cannot be the right file"


def test_may_not_be_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    folder.write("[]")
    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert folder.check()[1][0] == "config.json: may not be read by this user; change its owner or mode"


def tries_to_load(folder: Folder, content: bytes) -> None:
    folder.write(content)
    try:
        folder.load()
    except ConfigFileError as error:
        assert error.problems  # noqa: PT017


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_any_bytes_raise_nothing_else(folder: Folder, content: bytes) -> None:
    tries_to_load(folder, content)


KEYS = st.sampled_from(sorted(_KNOWN | {"machines", "paused", "unreachable"})) | st.text(max_size=3)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["OCTOPRINT", "http://a", "http://[::1]:80/x", "4840+", "", "/", ".", "..", "\0", KEY, "é" * 300])
)
FILES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=30
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(FILES | st.lists(st.dictionaries(KEYS, FILES, max_size=8), max_size=3).map(lambda each: {"machines": each}))
def test_any_json_raises_nothing_else(folder: Folder, value: Any) -> None:
    tries_to_load(folder, json.dumps(value).encode())
