"""install.sh on Debian 12 and 13: from nothing to ready, again, upwards, back, and away without a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .archives import Archives, this_version
from .box import SUITES, Box
from .installing import (
    BEFORE,
    KEY,
    MACHINE,
    OPT,
    UNIT,
    box_before,
    files,
    install,
    is_ready,
    running_release,
    tag,
    unpack,
)


@pytest.fixture
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """The version before this one runs, with a configuration; trixie where systemd does not matter."""
    suite = getattr(request, "param", "trixie")
    with Box(suite, on=box_before(suite)) as box:
        box.wait_until(lambda: is_ready(box), "it starts with the computer")
        yield box


@pytest.mark.parametrize("suite", SUITES)
def test_from_nothing_to_ready_and_away_without_a_trace(suite: str, archives: Archives) -> None:
    release = f"{this_version()}-{tag(Box(suite))}"
    with Box(suite) as box:
        unpack(box, archives.build())
        before = files(box, content=True)
        dry = install(box, "--dry-run")
        assert dry.code == 0, dry
        assert f"would build edge-agent {this_version()} in {OPT}/releases/{release}" in dry.text
        assert files(box, content=True) == before

        said = install(box)
        print(f"\n{suite}: installed and ready in {said.seconds:.1f} s")
        assert said.code == 0, said
        assert is_ready(box)
        assert running_release(box) == release
        assert "endpoint:   opc.tcp://" in said.text
        assert "put your config.json into /etc/edge-agent" in said.text
        assert "no configuration yet" in box.show(UNIT, "StatusText")
        assert box.run("/usr/local/bin/edge-agent", "--version").stdout == f"edge-agent {this_version()}\n"
        compiled = (
            "import importlib.util as u, os, asyncua.ua as a; assert os.path.exists(u.cache_from_source(a.__file__))"
        )
        box.run(f"{OPT}/current/bin/python3", "-B", "-c", compiled)

        again = install(box)
        print(f"{suite}: run again in {again.seconds:.2f} s")
        assert again.code == 0, again
        assert "nothing to do" in again.text
        assert again.seconds < 5

        kept = install(box, "--uninstall")
        assert kept.code == 0, kept
        left = {path for path in files(box) if path not in before}
        assert {path.split("/")[1] for path in left} <= {"etc", "var"}
        assert {"/etc/edge-agent/config.json.example", "/var/lib/edge-agent/journal.db"} <= left
        purged = install(box, "--uninstall", "--purge")
        assert purged.code == 0, purged
        after = files(box, content=True)
        assert {path for path in after if path not in before} == set()
        assert {path for path in before if before[path] != after.get(path)} <= {"/etc/passwd", "/etc/group"} | {
            "/etc/shadow",
            "/etc/gshadow",
        }
        assert "edge-agent" not in box.read("/etc/passwd") + box.read("/etc/group")


def test_what_config_names_is_put_where_the_agent_reads_it(box: Box) -> None:
    assert box.sh("stat -c '%U:%G %a' /etc/edge-agent /etc/edge-agent/config.json").split("\n")[:2] == [
        "root:edge-agent 770",
        "root:edge-agent 640",
    ]
    assert box.sh("stat -c '%U:%G %a' /etc/edge-agent/keys/one.key").strip() == "edge-agent:edge-agent 600"
    assert "0 of 1 machines reachable" in box.show(UNIT, "StatusText")
    assert "mes-1" in box.run("/usr/local/bin/edge-agent", "credentials").stdout


def test_a_configuration_is_never_overwritten(box: Box) -> None:
    there = files(box, content=True)["/etc/edge-agent/config.json"]
    box.write("/root/other/config.json", json.dumps([MACHINE | {"custom_name": "Another"}]))
    box.write("/root/other/keys/one.key", KEY)
    said = install(box, "--config", "/root/other/config.json", folder="/root/before")
    assert said.code == 31, said
    assert files(box, content=True)["/etc/edge-agent/config.json"] == there
    same = install(box, "--config", "/root/mine/config.json", folder="/root/before")
    assert same.code == 0, same


@pytest.mark.parametrize("box", ["bookworm"], indirect=True)  # on the other: test_install_interrupted.py, and below
def test_upwards_and_back(box: Box, archives: Archives) -> None:
    old, new = f"{BEFORE}-{tag(box)}", f"{this_version()}-{tag(box)}"
    kept = box.sh("cat /etc/edge-agent/config.json /etc/edge-agent/keys/one.key /var/lib/edge-agent/device-uuid")
    assert running_release(box) == old
    beside = install(box, "--no-start")
    assert beside.code == 0, beside
    assert running_release(box) == old
    said = install(box)
    print(f"\n{box.suite}: from {BEFORE} to {this_version()} in {beside.seconds:.1f} + {said.seconds:.1f} s")
    assert said.code == 0, said
    assert running_release(box) == new
    assert box.sh(f"readlink {OPT}/previous").strip() == f"{OPT}/releases/{old}"

    back = install(box, "--version", BEFORE, folder=f"{OPT}/current/share/edge-agent")  # needs no archive
    print(f"{box.suite}: and back in {back.seconds:.1f} s")
    assert back.code == 0, back
    assert running_release(box) == old

    unpack(box, archives.build(version="9.0.0", broken=True), "/root/broken")
    broken = install(box, folder="/root/broken")
    print(f"{box.suite}: a broken version is tried and left in {broken.seconds:.1f} s")
    assert broken.code == 40, broken
    assert "broken on purpose" in broken.text
    assert is_ready(box)
    assert running_release(box) == old
    assert sorted(box.sh(f"ls {OPT}/releases").split()) == [old, new]
    assert kept == box.sh(
        "cat /etc/edge-agent/config.json /etc/edge-agent/keys/one.key /var/lib/edge-agent/device-uuid"
    )


def test_a_broken_version_where_there_is_none_before(archives: Archives) -> None:
    with Box("trixie") as box:
        unpack(box, archives.build(version="9.0.0", broken=True), "/root/broken")
        said = install(box, folder="/root/broken")
        assert said.code == 41, said
        unpack(box, archives.build())
        healed = install(box)
        assert healed.code == 0, healed
        assert running_release(box) == f"{this_version()}-py313"
        assert not box.exists(f"{OPT}/releases/9.0.0-py313")


def test_what_somebody_has_deleted_is_put_back(box: Box) -> None:
    box.sh("rm /usr/local/bin/edge-agent /etc/systemd/system/edge-agent.service /etc/edge-agent/config.json.example")
    box.sh(f"systemctl stop {UNIT}")
    said = install(box, folder="/root/before")
    assert said.code == 0, said
    assert is_ready(box)
    assert box.run("/usr/local/bin/edge-agent", "--version").stdout == f"edge-agent {BEFORE}\n"
    assert box.exists("/etc/edge-agent/config.json.example")


def test_uninstalling_by_what_was_installed_keeps_what_is_the_users(box: Box) -> None:
    kept = files(box, content=True)
    said = install(box, "--uninstall", folder=f"{OPT}/current/share/edge-agent")
    assert said.code == 0, said
    left = files(box, content=True)
    users = {path for path in kept if path.startswith(("/etc/edge-agent/", "/var/lib/edge-agent/"))}
    assert "/etc/edge-agent/config.json" in users
    gone = {path for path in users if not path.endswith(("-wal", "-shm")) and path not in left}
    assert gone == set()
    assert not box.exists(OPT)
    again = install(box, folder="/root/before")
    assert again.code == 0, again
    assert "0 of 1 machines reachable" in box.show(UNIT, "StatusText")
