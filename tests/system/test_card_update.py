"""A signed update on the card: installed, refused, and taken back, by the installer that everybody uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .archives import Archives
from .box import Box
from .card import DROP, board, failed_units

OPEN = "mount -o remount,rw /boot/firmware"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    return Archives(tmp_path_factory.mktemp("archives"))


@pytest.fixture
def box() -> Iterator[Box]:
    """A board that runs, whose image knows a key; the key's other half lies in its /root."""
    with board({}) as box:
        box.wait_until(lambda: box.show("edge-agent.service", "ActiveState") == "active", "the agent runs")
        for name in ("ours", "no"):
            box.run("signify-openbsd", "-G", "-n", "-p", f"/root/{name}.pub", "-s", f"/root/{name}.sec")
        box.run("cp", "/root/ours.pub", "/usr/share/edge-agent-image/update.pub")
        yield box


def offer(box: Box, archive: Path, *, key: str = "ours") -> str:
    """Put it on the card with its signature, let the board find it, and read what became of it."""
    box.sh(OPEN)
    box.copy_in(archive, f"{DROP}/{archive.name}")
    box.sh(f"cd {DROP}; signify-openbsd -S -s /root/{key}.sec -m {archive.name} -x {archive.name}.sig")
    box.run("systemctl", "start", "edge-agent-update.service", within_s=240)
    return box.read(f"{DROP}/update-result.txt")


def version(box: Box) -> str:
    """The one that runs."""
    told = json.loads(box.run("/usr/local/bin/edge-agent", "status", "--json", check=False).stdout)
    return str(told["agent"]["version"])


def test_an_update_is_installed_and_its_unit_outlives_the_root(box: Box, archives: Archives) -> None:
    unit = box.read("/etc/systemd/system/edge-agent.service")
    said = offer(box, archives.build(version="9.9.9"))
    assert "Installed." in said
    assert version(box) == "9.9.9"
    assert box.sh(f"ls {DROP}").split() == ["README.txt", "update-result.txt"]
    assert failed_units(box) == []
    # A sealed root forgets what an update wrote beside /opt.
    box.write("/etc/systemd/system/edge-agent.service", unit.replace("Description=", "Description=Old "))
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "edge-agent-heal.service")
    assert box.read("/etc/systemd/system/edge-agent.service") == unit
    assert version(box) == "9.9.9"


def test_one_that_does_not_get_ready_is_taken_back(box: Box, archives: Archives) -> None:
    before = version(box)
    said = offer(box, archives.build(version="9.9.8", broken=True))
    assert "NOT INSTALLED" in said
    assert "The version before runs again" in said
    assert version(box) == before
    assert any(name.endswith(".failed") for name in box.sh(f"ls {DROP}").split())


def test_one_that_somebody_else_has_signed_is_refused(box: Box, archives: Archives) -> None:
    before = version(box)
    said = offer(box, archives.build(version="9.9.9"), key="no")
    assert "REFUSED: its signature is not of the key in this image" in said
    assert version(box) == before
    assert any(name.endswith(".refused") for name in box.sh(f"ls {DROP}").split())
