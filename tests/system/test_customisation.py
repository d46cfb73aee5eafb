"""The SD image's customisation on a real systemd, cloud-init, netplan and networkd: right ones, and wrong ones."""

from __future__ import annotations

import pytest
from edge_agent_image.customisation import FILES

from tests.image.imager import CHOICES, PSK, SSH, wifi

from .box import Box
from .card import DROP, board
from .test_card import check_well, sealed

LONG = "hall-" + 20 * "2-and-"


def cable(box: Box, name: str) -> str:
    """The file that networkd takes for a cable that is plugged in now."""
    box.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"far-{name}")

    def taken() -> str:
        said = box.run("networkctl", "status", name, check=False).stdout
        return next((line.split()[-1] for line in said.splitlines() if "Network File:" in line), "n/a")

    return box.wait_until(lambda: found if (found := taken()) != "n/a" else "", f"networkd has taken {name}")


def check_cables(box: Box) -> None:
    """Whatever the card says: the board's socket and Ethernet by USB ask for an address."""
    for name in ("eth0", "eth1", "usb0"):
        assert "DHCP=" in box.read(cable(box, name)), f"{name} asks for no address"


@pytest.mark.parametrize("choice", ["host name and country", "password", "key, late 2026", "everything"])
def test_what_imager_writes(choice: str) -> None:
    with board(CHOICES[choice]) as box:
        check_well(box)
        box.wait_until(lambda: sealed(box), "the first boot is complete", within_s=60)
        check_well(box)
        check_cables(box)
        user_data = CHOICES[choice].get("user-data", "")
        assert (box.run("hostname").stdout.strip() == "hall-2") is ("hall-2" in user_data)
        assert ("Europe/Berlin" in box.sh("readlink /etc/localtime || true")) is ("Europe/Berlin" in user_data)
        assert (box.show("ssh.service", "ActiveState") == "active") is (choice in SSH)
        assert (box.run("id", "anna", check=False).returncode == 0) is ("anna" in user_data)
        # A user of late 2026 has sudo without a password only if that was asked for.
        free = box.run("grep", "-rqs", "^anna.*NOPASSWD", "/etc/sudoers.d", check=False).returncode == 0
        assert free is (choice in {"password", "everything"})
        wlan = box.run("cat", "/run/netplan/wpa-wlan0.conf", check=False).stdout
        assert (PSK in wlan) is ("network-config" in CHOICES[choice])
        box.run("systemctl", "start", "edge-agent-status.service")
        assert "left out" not in box.read(f"{DROP}/status.txt")


USER = CHOICES["password"]["user-data"]
WRONG = {
    "renderer": {"user-data": USER, "network-config": "network:\n  version: 2\n  renderer: bogus\n"},
    "wifi with a short one": {"user-data": USER, "network-config": wifi('          password: "geheim"\n')},
}


@pytest.mark.parametrize("files", WRONG.values(), ids=WRONG)
def test_a_wrong_network_costs_neither_cable_nor_user(files: dict[str, str]) -> None:
    with board(files) as box:
        check_well(box)
        box.wait_until(lambda: sealed(box), "the first boot is complete", within_s=60)
        check_well(box)
        check_cables(box)
        assert box.run("id", "anna", check=False).returncode == 0
        box.run("systemctl", "start", "edge-agent-status.service")
        status = box.read(f"{DROP}/status.txt")
        assert "network-config on the boot partition was left out: " in status
        assert "geheim" not in status
        box.cut_power()
        box.boot()
        check_well(box)
        check_cables(box)


ODD: dict[str, dict[str, str | bytes]] = {
    "by Windows": {name: CHOICES["everything"][name].replace("\n", "\r\n").encode("utf-16") for name in FILES},
    "a long host name, a network without a version": {
        "user-data": f"#cloud-config\nhostname: {LONG}\n",
        "network-config": "network:\n  ethernets: {eth0: {dhcp4: true}}\n",
    },
    "our own user, another manager of networks": {
        "user-data": "#cloud-config\nusers:\n- name: edge-agent\n  shell: /bin/bash\n",
        "network-config": "network:\n  version: 2\n  renderer: NetworkManager\n",
    },
    "a host name that is none, cloud-init's own form": {
        "user-data": '#cloud-config\nhostname: "Halle 2/ä"\nspeed: fast\n',
        "network-config": "version: 1\nconfig:\n- {type: physical, name: eth0, subnets: [{type: dhcp}]}\n",
    },
    "what fails or needs the internet": {
        "user-data": '#cloud-config\npackage_update: true\npackages: [no-such-package]\nbootcmd:\n- [ "false" ]\n'
        "runcmd:\n- [ no-such-program ]\n"
    },
}


@pytest.mark.parametrize("files", ODD.values(), ids=ODD)
def test_an_odd_customisation_keeps_neither_agent_nor_cable_from_working(files: dict[str, str | bytes]) -> None:
    with board(files) as box:
        box.wait_until(lambda: box.show("edge-agent.service", "ActiveState") == "active", "the agent runs")
        box.wait_until(lambda: sealed(box), "the first boot is complete", within_s=60)
        check_cables(box)
