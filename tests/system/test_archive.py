"""What is in a release archive: enough for both Debians without a network, and the same every time."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from .archives import ROOT, Archives, this_version

MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}


@pytest.mark.parametrize("architecture", MACHINES)
def test_it_holds_what_the_lock_names_for_both_pythons(archives: Archives, architecture: str) -> None:
    names = unpacked(archives.build(architecture=architecture))
    folder = f"edge-agent-{this_version()}-linux-{architecture}"
    assert {
        f"{folder}/install.sh",
        f"{folder}/install/checks.sh",
        f"{folder}/systemd/edge-agent.service",
    } <= names.keys()
    wheels = [Path(name).name for name in names if name.endswith(".whl")]
    packages = re.findall(r"^([a-z][a-z0-9-]*)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    for package, version in (*packages, ("edge-agent", this_version())):
        fitting = [wheel for wheel in wheels if wheel.startswith(f"{package.replace('-', '_')}-{version}-")]
        tags = {python for wheel in fitting for python in wheel.split("-")[2].split(".")}
        assert "py3" in tags or {"cp311", "cp313"} <= tags or any("-abi3-" in wheel for wheel in fitting), package
    foreign = {machine for machine in MACHINES.values() if machine != MACHINES[architecture]}
    assert not [wheel for wheel in wheels if any(machine in wheel for machine in foreign)]
    sums = names[f"{folder}/wheels/SHA256SUMS"].decode().splitlines()
    assert sorted(sums) == sorted(f"{hashlib.sha256(names[f'{folder}/wheels/{w}']).hexdigest()}  {w}" for w in wheels)


def test_the_same_tree_gives_the_same_archive(archives: Archives) -> None:
    first = archives.build().read_bytes()
    assert archives.build(anew=True).read_bytes() == first


def test_a_wheel_made_here_is_not_one_that_pip_had_kept(archives: Archives) -> None:
    """There is none of sdnotify to be had, and this computer's pip has made one already, with another time."""
    (wheel,) = (data for name, data in unpacked(archives.build()).items() if "/sdnotify-" in name)
    with zipfile.ZipFile(io.BytesIO(wheel)) as opened:
        assert {entry.date_time[:3] for entry in opened.infolist()} == {(2016, 7, 26)}


def unpacked(archive: Path) -> dict[str, bytes]:
    """Every file of an archive; all of them are root's, and nobody else may write them."""
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        assert {(member.uid, member.gid, member.mode & 0o022) for member in members} == {(0, 0, 0)}
        return {member.name: file.read() for member in members if (file := tar.extractfile(member))}
