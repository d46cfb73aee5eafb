"""``credentials`` and ``trust``, as a person uses them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent import RELEASED
from edge_agent.admin import Admin
from edge_agent.cli import main
from edge_agent.errors import ExitCode
from edge_agent.passwords import matches
from edge_agent.secret import Secret
from edge_agent.sinks.opcua.security.credentials import Credentials
from edge_agent.sinks.opcua.security.trust_folder import Place, TrustFolder, fingerprint
from tests.certificates import Issued, issue

CLIENT = issue("mes", at=RELEASED, uri="urn:client:mes")
OTHER = issue("other", at=RELEASED + timedelta(days=1))
SHORT = fingerprint(CLIENT.der)[:16]
ADMIN_NOT_SET = (
    "status page: its admin password is not set; set it there within 15 minutes of the agent's start, or make one with "
    "--admin"
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with two users, one of which no machine has any more."""
    Credentials(tmp_path).make_missing(["mes-1", "mes-20"])
    machine = {"type": "OCTOPRINT", "url": "http://a", "api_key": "0123456789ABCDEF0123456789ABCDEF", "mes_id": [1]}
    (tmp_path / "config.json").write_text(json.dumps([machine]))
    return tmp_path


def run(state: Path, *arguments: str) -> int:
    config = ["--config", str(state / "config.json")] if arguments[0] == "credentials" else []
    return main([*arguments, *config, "--state-dir", str(state)])


def put(state: Path, place: Place, issued: Issued) -> None:
    (state / "pki" / place).mkdir(parents=True, exist_ok=True)
    (state / "pki" / place / "some.der").write_bytes(issued.der)


def test_the_passwords_are_printed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, twenty = (password.reveal() for password in Credentials(state).passwords().values())
    assert run(state, "credentials") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        f"mes-1   {one}",
        f"mes-20  {twenty}  (no machine has this mes_id: refused)",
        ADMIN_NOT_SET,
    ]


def test_the_passwords_as_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, twenty = (password.reveal() for password in Credentials(state).passwords().values())
    assert run(state, "credentials", "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == [
        {"user": "mes-1", "password": one, "in_use": True},
        {"user": "mes-20", "password": twenty, "in_use": False},
    ]


def test_a_config_that_cannot_be_read_hides_no_password(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "config.json").write_text("{")
    assert run(state, "credentials", "--json") == ExitCode.OK
    assert [line["in_use"] for line in json.loads(capsys.readouterr().out)] == [None, None]


def test_rotate_makes_a_new_password_for_one_user_and_prints_it(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Credentials(state).passwords()
    assert run(state, "credentials", "--rotate", "mes-1") == ExitCode.OK
    after, hashes = Credentials(state).passwords(), Credentials(state).hashes()
    assert capsys.readouterr().out == f"mes-1  {after['mes-1'].reveal()}\n"
    assert after["mes-1"] != before["mes-1"]
    assert after["mes-20"] == before["mes-20"]
    assert matches(after["mes-1"].reveal(), hashes["mes-1"])
    assert not matches(before["mes-1"].reveal(), hashes["mes-1"])
    assert stat.S_IMODE((state / "passwords.json").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_agents_user(state: Path) -> None:
    os.chown(state, 1234, 1235)
    put(state, Place.REJECTED, CLIENT)
    os.chown(state / "pki", 1234, 1235)
    run(state, "credentials", "--rotate", "mes-1")
    run(state, "trust", "approve", SHORT)
    for name in ("users.json", "passwords.json", "pki/trusted", f"pki/trusted/{fingerprint(CLIENT.der)}.der"):
        assert ((state / name).stat().st_uid, (state / name).stat().st_gid) == (1234, 1235), name


@pytest.mark.parametrize("user", ["mes-2", "admin", ""])
def test_nobody_else_is_rotated(state: Path, capsys: pytest.CaptureFixture[str], user: str) -> None:
    before = (state / "users.json").read_bytes()
    assert run(state, "credentials", "--rotate", user) == ExitCode.UNAVAILABLE
    assert "users: mes-1, mes-20" in capsys.readouterr().err
    assert (state / "users.json").read_bytes() == before


def test_a_password_that_is_kept_nowhere_is_a_dash(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "passwords.json").unlink()
    assert run(state, "credentials") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "mes-1   -",
        "mes-20  -  (no machine has this mes_id: refused)",
        "-: kept nowhere in the clear; --rotate makes a new one",
        ADMIN_NOT_SET,
    ]


def test_before_the_first_run_there_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "credentials") == ExitCode.OK
    assert "the agent makes one for every mes_id when it runs" in capsys.readouterr().out


@pytest.mark.parametrize("json_too", [False, True])
def test_a_password_for_the_status_page_is_made_and_printed_once(
    state: Path, capsys: pytest.CaptureFixture[str], json_too: bool
) -> None:
    users = (state / "users.json").read_bytes()
    assert run(state, "credentials", "--admin", *(["--json"] if json_too else [])) == ExitCode.OK
    said = capsys.readouterr().out
    if json_too:
        (line,) = json.loads(said)
        assert (line["user"], line["in_use"]) == ("admin", None)
        password = line["password"]
    else:
        user, password = said.split()
        assert user == "admin"
    assert Admin(state).knows(Secret(password))
    assert stat.S_IMODE((state / "admin.json").stat().st_mode) == 0o600
    assert (state / "users.json").read_bytes() == users
    assert run(state, "credentials") == ExitCode.OK
    said = capsys.readouterr().out
    assert password not in said
    assert "its admin password is set" in said


def test_one_thing_at_a_time_is_made(state: Path) -> None:
    with pytest.raises(SystemExit):
        run(state, "credentials", "--admin", "--rotate", "mes-1")


@pytest.mark.parametrize("arguments", [("credentials",), ("credentials", "--rotate", "mes-1"), ("trust", "list")])
def test_who_may_not_look_is_told_what_to_do(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    def refuse(path: object, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr("edge_agent.sinks.opcua.security.trust_folder.os.scandir", refuse)
    assert run(state, *arguments) == ExitCode.UNAVAILABLE
    error = capsys.readouterr().err
    assert "is for the agent's user and root only; use sudo" in error
    assert len(error.splitlines()) == 1


def test_certificates_are_listed_by_place(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(state, Place.TRUSTED, CLIENT)
    put(state, Place.REJECTED, OTHER)
    assert run(state, "trust", "list") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        f"trusted   {SHORT}  until 2027-11-01  mes  urn:client:mes",
        f"rejected  {fingerprint(OTHER.der)[:16]}  until 2027-11-02  other  -",
    ]
    assert run(state, "trust", "list", "--json") == ExitCode.OK
    first, _ = json.loads(capsys.readouterr().out)
    assert first["place"] == "trusted"
    assert first["fingerprint"] == fingerprint(CLIENT.der)
    assert first["application_uri"] == "urn:client:mes"


def test_approve_and_revoke(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(state, Place.REJECTED, CLIENT)
    assert run(state, "trust", "approve", SHORT) == ExitCode.OK
    assert capsys.readouterr().out == f"trusted: {SHORT}  mes  urn:client:mes\n"
    assert list(TrustFolder(state / "pki").read(Place.TRUSTED)) == [fingerprint(CLIENT.der)]
    assert run(state, "trust", "revoke", SHORT[:8]) == ExitCode.OK
    assert capsys.readouterr().out == f"revoked: {SHORT}  mes  urn:client:mes\n"
    assert list(TrustFolder(state / "pki").read(Place.REVOKED)) == [fingerprint(CLIENT.der)]


def test_no_certificates_yet(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "trust", "list") == ExitCode.OK
    assert "no certificates yet" in capsys.readouterr().out


def test_a_terminal_obeys_no_stranger(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(state, Place.REJECTED, issue("\x1b[2Jwiped\n\u202e", at=RELEASED, uri="urn:\x1b]0;title\x07" + "x" * 500))
    assert run(state, "trust", "list") == ExitCode.OK
    [line] = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert len(line) < 220


def test_neither_command_waits_for_the_opc_ua_stack(state: Path) -> None:
    command = "import sys; from edge_agent.cli import main; main(sys.argv[1:]); sys.exit('asyncua' in sys.modules)"
    for arguments in (["credentials"], ["trust", "list"]):
        ended = subprocess.run(
            [sys.executable, "-c", command, *arguments, "--state-dir", str(state)], capture_output=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, b"")
