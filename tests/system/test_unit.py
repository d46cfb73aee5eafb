"""The unit on a real systemd: the agent comes up in it, is told about, reloads, and is brought back."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

import pytest

from tests.double import KEY

from .box import Box
from .installed import ETC, UNIT, client, configure, drop_in, machine, write_config
from .printers import Printers

MOST_MEMORY_MB = 120  # it takes 75 (docs/performance.md); MemoryHigh= is 160 MiB
EXIT_CONFIG = "78"
MANY = 7


def test_systemd_finds_nothing_wrong_with_the_unit_and_little_exposed(box: Box) -> None:
    verdict = box.run("systemd-analyze", "verify", UNIT, check=False)
    assert (verdict.returncode, verdict.stdout + verdict.stderr) == (0, "")
    exposure = box.run("systemd-analyze", "security", "--no-pager", "--threshold=13", UNIT)
    print(f"\n{box.suite}: {exposure.stdout.splitlines()[-1]}")


def test_status_line_tells_how_many_printers_are_reached(running: Box) -> None:
    said = running.run("systemctl", "status", "--no-pager", UNIT).stdout
    assert "active (running)" in said
    assert re.search(r'Status: "2 of 2 machines reachable, OPC UA on :4840', said), said


async def test_client_from_outside_sees_the_printers(running: Box, tmp_path: Path) -> None:
    with running.network():
        async with client(tmp_path) as session:
            index = next(i for i, uri in enumerate(await session.get_namespace_array()) if uri.endswith(":machines"))
            for name in ("mark-1", "mark-2"):
                status = session.get_node(f"ns={index};s={name}/MesStatus")
                assert (await status.read_value()) == "Running"


def test_memory_is_what_the_limits_were_made_for(running: Box) -> None:
    pid = running.main_pid(UNIT)
    status = running.read(f"/proc/{pid}/status")
    rss_mb = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024 / 1e6
    threads = int(re.findall(r"Threads:\s+(\d+)", status)[0])
    print(f"\n{running.suite}: {rss_mb:.0f} MB, {threads} threads")
    assert rss_mb < MOST_MEMORY_MB
    assert threads < int(running.show(UNIT, "TasksMax")) / 2
    assert running.read(f"/proc/{pid}/oom_score_adj").strip() == "200"
    assert running.show(UNIT, "WatchdogUSec") == "30s"


def test_the_doctor_finds_it_well_and_a_bundle_tells_of_it(running: Box) -> None:
    command = "/usr/local/bin/edge-agent"
    began = time.monotonic()
    said = running.run(command, "doctor", "--json", check=False)
    print(f"\n{running.suite}: doctor in {time.monotonic() - began:.1f} s")
    report = json.loads(said.stdout)
    found = {check["title"]: check["findings"] for check in report["checks"]}
    levels = {title: {finding["level"] for finding in findings} for title, findings in found.items()}
    assert "bad" not in set().union(*levels.values()), found
    for title in ("configuration", "printers", "agent", "OPC UA port", "status page", "certificate"):
        assert levels[title] == {"ok"}, found[title]
    assert [finding["text"] for finding in found["unit"] if finding["level"] != "ok"] == [
        "it is disabled: it will not start with the computer"
    ]
    assert levels["print journal"] == levels["disk"] == levels["memory"] == levels["versions"] == {"ok"}, found
    assert said.returncode == report["exit_code"] <= 1  # the clock is the host's, and nobody may set it

    nobodys = running.run("runuser", "-u", "nobody", "--", command, "doctor", "--json", check=False)
    seen = {check["title"]: check["findings"] for check in json.loads(nobodys.stdout)["checks"]}
    assert "bad" not in {finding["level"] for findings in seen.values() for finding in findings}, seen

    files = running.sh("ls -lR --time-style=full-iso /etc/edge-agent; ls -l /var/lib/edge-agent/*")
    running.run(command, "support-bundle", "-o", "/root/bundle.tar.gz")
    told = running.sh("tar -xzOf /root/bundle.tar.gz")
    assert KEY not in told
    assert "Started edge-agent.service" in told  # of systemd's journal
    assert "2 of 2 machines reachable" in told
    assert running.sh("stat -c '%U %a' /root/bundle.tar.gz").strip() == "root 600"
    after = running.sh("ls -lR --time-style=full-iso /etc/edge-agent; ls -l /var/lib/edge-agent/*")
    assert _owners(after) == _owners(files)  # no file of SQLite's is root's now


def _owners(listing: str) -> set[tuple[str, ...]]:
    lines = [line.split() for line in listing.splitlines() if line.startswith("-")]
    return {(line[0], line[2], line[3], line[-1]) for line in lines}


def test_reload_takes_over_a_new_configuration_and_refuses_a_bad_one(box: Box) -> None:
    with Printers(box, 2) as printers:
        both = printers.machines()
        configure(box, both[:1])
        box.run("systemctl", "start", UNIT)
        pid = box.main_pid(UNIT)
        configure(box, both)
        box.run("systemctl", "reload", UNIT)
        box.wait_until(lambda: "2 of 2 machines" in box.show(UNIT, "StatusText"), "both are polled")
        write_config(box, '{"machines": [{"type": "OCTOPRINT", "url": "ftp://x"}]}')
        box.run("systemctl", "reload", UNIT)
        box.wait_until(lambda: "the old one stays in force" in box.journal(UNIT), "it says so")
        assert "2 of 2 machines" in box.show(UNIT, "StatusText")
        assert (box.main_pid(UNIT), box.show(UNIT, "ActiveState")) == (pid, "active")


def test_bad_configuration_is_told_and_does_not_loop(box: Box) -> None:
    write_config(box, '{"machines": [{"type": "OCTOPRINT", "url": "ftp://x", "api_key": "k", "mes_id": [1]}]}')
    drop_in(box, "override", "[Service]\nRestartSec=100ms\n")
    assert box.run("systemctl", "start", UNIT, check=False).returncode != 0
    time.sleep(2)  # in which it would have been started again
    assert box.show(UNIT, "ExecMainStatus") == EXIT_CONFIG
    assert (box.show(UNIT, "ActiveState"), box.show(UNIT, "NRestarts")) == ("failed", "0")
    said = box.run("systemctl", "status", "--no-pager", "--full", UNIT, check=False).stdout
    assert f"{ETC}/config.json:1:" in said
    assert "machines[0].url" in said


@pytest.mark.parametrize("box", ["trixie"], indirect=True)
def test_port_that_another_program_has_is_tried_again_for_ever_and_is_ours_when_it_is_free(box: Box) -> None:
    """By itself systemd gives up after five starts in ten seconds."""
    drop_in(box, "override", "[Service]\nRestartSec=100ms\nRestartSteps=0\n")
    configure(box, [])
    with box.network():
        other = socket.create_server(("0.0.0.0", 4840))
    with other:
        assert box.run("systemctl", "start", UNIT, check=False).returncode != 0
        box.wait_until(lambda: int(box.show(UNIT, "NRestarts")) >= MANY, f"{MANY} failures", within_s=120)
        assert "port 4840 is in use by another program" in box.journal(UNIT)
    box.wait_until(lambda: box.show(UNIT, "ActiveState") == "active", "it is ready")
    assert "OPC UA on :4840" in box.show(UNIT, "StatusText")
    assert "repeated too quickly" not in box.journal(UNIT)


def test_key_comes_as_a_credential_that_only_root_can_read(box: Box) -> None:
    with Printers(box, 1) as printers:
        box.write("/etc/keys/mark.key", KEY, mode="600")
        named = machine(box, "mark", printers.urls[0], "not this one") | {"authentication_file_path": "mark-1.key"}
        configure(box, [named])
        drop_in(box, "override", "[Service]\nLoadCredential=mark-1.key:/etc/keys/mark.key\n")
        box.run("systemctl", "start", UNIT)
        box.wait_until(lambda: "1 of 1 machines" in box.show(UNIT, "StatusText"), "the key was right")
        assert KEY not in box.journal()


@pytest.mark.parametrize("box", ["trixie"], indirect=True)
def test_key_from_the_credential_store_needs_no_line_in_the_unit(box: Box) -> None:
    with Printers(box, 1) as printers:
        box.write("/etc/credstore/edge-agent.mark", KEY, mode="600")
        named = machine(box, "mark", printers.urls[0], "not this one") | {"authentication_file_path": "edge-agent.mark"}
        configure(box, [named])
        box.run("systemctl", "start", UNIT)
        box.wait_until(lambda: "1 of 1 machines" in box.show(UNIT, "StatusText"), "the key was right")


def test_it_comes_up_with_the_computer_also_after_a_power_cut(box: Box) -> None:
    box.run("systemctl", "enable", UNIT)
    box.cut_power()
    box.boot()
    assert box.show(UNIT, "ActiveState") == "active"
    assert json.loads(box.run("edge-agent", "credentials", "--json").stdout) is not None
