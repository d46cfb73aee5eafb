"""install.sh where it cannot work: a number, a sentence that helps, and a computer as it was before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .archives import Archives
from .box import Box
from .installing import OPT, files, install, unpack

STUBS = {  # a program that says something else than this computer's, and what install.sh then says
    "dpkg": ("echo armhf", 12, "this system is armhf"),
    "python3": ("exit 1", 13, "has no venv"),
    "df": ("echo Avail; echo 42", 15, "42 MB are free"),
    "date": ("echo 1970-01-01", 16, "the clock says 1970-01-01"),
    "flock": ("exit 1", 18, "another install.sh is at work"),
}


@pytest.fixture(scope="module")
def box(archives: Archives) -> Iterator[Box]:
    """Nothing is installed, and after each test that still holds."""
    with Box("trixie") as box:
        unpack(box, archives.build())
        yield box


@pytest.fixture(autouse=True)
def nothing_changes(box: Box) -> Iterator[None]:
    before = files(box, content=True)
    yield
    assert files(box, content=True) == before


@pytest.mark.parametrize("program", STUBS)
def test_a_computer_that_will_not_do(box: Box, program: str) -> None:
    script, number, words = STUBS[program]
    box.write(f"/usr/local/sbin/{program}", f"#!/bin/sh\n{script}\n", mode="755")
    said = install(box)
    box.run("rm", f"/usr/local/sbin/{program}")
    assert said.code == number, said
    assert f"edge-agent: error {number}: " in said.text
    assert words in said.text
    assert said.text.count("\n") == 1


def test_an_old_python_is_named(box: Box) -> None:
    answers = 'case "$1" in -c) echo ;; --version) echo "Python 3.9.2" ;; esac'
    box.write("/usr/local/sbin/python3", f"#!/bin/sh\n{answers}\n", mode="755")
    said = install(box)
    box.run("rm", "/usr/local/sbin/python3")
    assert said.code == 13, said
    assert "is Python 3.9.2, and 3.11 or newer is needed" in said.text


def test_another_system(box: Box) -> None:
    run = "mount --bind /root/os-release /etc/os-release && exec /root/release/install.sh"
    box.write("/root/os-release", "ID=debian\nVERSION_ID=11\n")
    done = box.run("unshare", "--mount", "sh", "-c", run, check=False)
    assert (done.returncode, "this is debian 11" in done.stderr) == (11, True), done


def test_without_systemd(box: Box) -> None:
    run = "mount -t tmpfs none /run/systemd && exec /root/release/install.sh"
    done = box.run("unshare", "--mount", "sh", "-c", run, check=False)
    assert (done.returncode, "systemd does not run here" in done.stderr) == (14, True), done


def test_without_root(box: Box) -> None:
    box.sh("cp -r /root/release /tmp/release")
    done = box.run("setpriv", "--reuid=65534", "--clear-groups", "/tmp/release/install.sh", check=False)  # noqa: S108
    assert (done.returncode, "sudo ./install.sh" in done.stderr) == (10, True), done


def test_an_unknown_option(box: Box) -> None:
    for options in (["--frob"], ["--purge"], ["--config"]):
        said = install(box, *options)
        assert (said.code, said.text.count("\n")) == (2, 1), said


def test_an_archive_that_is_not_whole(box: Box) -> None:
    box.sh("mv /root/release/wheels /root/wheels")
    said = install(box)
    assert said.code == 20, said
    elsewhere = install(box, "--offline", "/root/wheels", "--dry-run")
    assert elsewhere.code == 0, elsewhere
    nowhere = install(box, "--offline", "/root/nothing")
    assert nowhere.code == 20, nowhere
    box.sh("mv /root/wheels /root/release/wheels; cp -r /root/release /root/damaged")
    box.sh("truncate --size -1 /root/damaged/wheels/asyncua-*.whl")
    damaged = install(box, folder="/root/damaged")
    assert damaged.code == 21, damaged


def test_a_version_that_is_not_there(box: Box) -> None:
    said = install(box, "--version", "7.7.7")
    assert said.code == 22, said
    assert "holds no edge-agent 7.7.7; installed before: none" in said.text


def test_a_wheel_for_another_python(box: Box) -> None:
    box.sh("cp -r /root/release /root/other; cd /root/other/wheels; rm msgspec-*; sha256sum *.whl >SHA256SUMS")
    said = install(box, folder="/root/other")
    assert said.code == 23, said
    assert "msgspec" in said.text
    assert not box.exists(OPT)


def test_a_port_that_is_taken(box: Box) -> None:
    listen = (
        "import socket, time; s = socket.create_server(('0.0.0.0', 4840)); print('on', flush=True); time.sleep(100)"
    )
    other = box.start("python3", "-c", listen)
    assert other.stdout is not None
    other.stdout.readline()
    said = install(box)
    other.kill()
    assert said.code == 17, said
    assert "port 4840 is taken by another program (python3)" in said.text


def test_a_page_whose_port_is_taken_is_no_reason_to_refuse(box: Box) -> None:
    listen = (
        "import socket, time; s = socket.create_server(('0.0.0.0', 8080)); print('on', flush=True); time.sleep(100)"
    )
    other = box.start("python3", "-c", listen)
    assert other.stdout is not None
    other.stdout.readline()
    said = install(box, "--dry-run")
    other.kill()
    assert said.code == 0, said
    assert "warning: port 8080 is taken by another program (python3): there will be no status page" in said.text


def test_a_configuration_that_cannot_be_used(box: Box) -> None:
    box.write("/root/bad/config.json", '{"machines": [{"type": "OCTOPRINT", "url": "ftp://x", "mes_id": [1]}]}')
    said = install(box, "--config", "/root/bad/config.json")
    assert said.code == 30, said
    assert "config.json:1:" in said.text
    assert "ftp://x" in said.text
    missing = install(box, "--config", "/root/none/config.json")
    assert missing.code == 30, missing
