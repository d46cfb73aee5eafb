"""The hook that puts a kernel's device trees where a board looks for them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

HOOK = Path(__file__).resolve().parents[2] / "image/overlay/etc/kernel/postinst.d/zz-edge-agent-device-trees"


def run(root: Path, version: str = "7.3.4-arm64") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "EDGE_AGENT_IMAGE_ROOT": str(root)}
    return subprocess.run([HOOK, version], env=environment, capture_output=True, text=True, check=False)


def trees(root: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in (root / "boot/firmware").iterdir()}


@pytest.mark.parametrize(
    "place", ["usr/lib/modules/7.3.4-arm64/dtb/broadcom", "usr/lib/linux-image-7.3.4-arm64/broadcom"]
)
def test_wherever_the_kernel_has_them(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    for name in ("bcm2711-rpi-4-b.dtb", "bcm2837-rpi-3-b.dtb", "bcm2712-d-rpi-5-b.dtb", "bcm958625hr.dtb"):
        (folder / name).write_text(name)
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert trees(tmp_path) == {
        "bcm2711-rpi-4-b.dtb": "bcm2711-rpi-4-b.dtb",
        "bcm2837-rpi-3-b.dtb": "bcm2837-rpi-3-b.dtb",
        "bcm2712-d-rpi-5-b.dtb": "bcm2712-d-rpi-5-b.dtb",
        "bcm2712d0-rpi-5-b.dtb": "bcm2712-d-rpi-5-b.dtb",
    }


def test_a_newer_kernels_take_the_place_of_an_olders(tmp_path: Path) -> None:
    for version in ("7.3.4-arm64", "7.4.1-arm64"):
        folder = tmp_path / f"usr/lib/modules/{version}/dtb/broadcom"
        folder.mkdir(parents=True)
        (folder / "bcm2711-rpi-4-b.dtb").write_text(version)
        assert run(tmp_path, version).returncode == 0
    assert trees(tmp_path) == {"bcm2711-rpi-4-b.dtb": "7.4.1-arm64"}


def test_a_kernel_without_any_is_no_success(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, "kernel 7.3.4-arm64 has no device trees" in done.stderr) == (1, True)
