"""The SD image's own units on a real systemd: in the right order, none failed, whatever lies on the card."""

from __future__ import annotations

import json

import pytest

from .box import Box
from .card import DROP, board, failed_units

KEY = "0123456789ABCDEF0123456789ABCDEF"
CONFIG = json.dumps(
    {
        "machines": [
            {
                "type": "OCTOPRINT",
                "url": "http://127.0.0.1:9",
                "custom_name": "Mark",
                "mes_id": [1],
                "authentication_file_path": "mark.key",
            }
        ],
        "opcua": {"port": 4841},
    }
)
PASSWORD = "$5$salt$h0wEvErItIsHashed"
IMAGER = {
    "user-data": f"""#cloud-config
hostname: hall-2
manage_etc_hosts: true
packages:
- avahi-daemon
apt:
  conf: |
    Acquire {{
      Check-Date "false";
    }};
timezone: Europe/Berlin
keyboard:
  model: pc105
  layout: "de"
enable_ssh: true
users:
- name: anna
  groups: users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo
  shell: /bin/bash
  lock_passwd: false
  passwd: {PASSWORD}
  ssh_authorized_keys:
    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDw8aL0pMmtkZkVvVUFVb0N0Y2xzYVRTdGVzdGtleWtl anna@pc
  sudo: ALL=(ALL) NOPASSWD:ALL
ssh_pwauth: true
""",
    "meta-data": "instance-id: rpi-imager-1763800000000\n",
    "network-config": """network:
  version: 2
  wifis:
    wlan0:
      dhcp4: true
      regulatory-domain: "DE"
      access-points:
        "Hall 2":
          password: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
      optional: true
""",
}
"""As Raspberry Pi Imager 2.x writes them for `init_format` cloudinit."""


def ready(box: Box) -> bool:
    """The agent told systemd so."""
    return box.show("edge-agent.service", "ActiveState") == "active"


def sealed(box: Box) -> bool:
    """The first boot is complete."""
    return box.exists("/etc/overlayroot.local.conf")


def check_well(box: Box) -> None:
    """The agent runs, nothing has failed, and nothing was left out to break a cycle."""
    box.wait_until(lambda: ready(box), "the agent runs")
    assert failed_units(box) == []
    assert "ordering cycle" not in box.journal()


def test_first_boot_with_a_configuration_on_the_card() -> None:
    with board({"edge-agent/config.json": CONFIG, "edge-agent/MARK.KEY": KEY}) as box:
        check_well(box)
        for mount in ("/etc/edge-agent", "/var/lib/edge-agent", "/var/lib/systemd", "/opt/edge-agent"):
            assert box.run("findmnt", "--noheadings", mount).stdout, f"{mount} is not on the data partition"
        assert box.read("/etc/edge-agent/mark.key") == KEY
        assert box.sh("stat -c '%U:%G %a' /etc/edge-agent/mark.key /etc/edge-agent/config.json") == (
            "edge-agent:edge-agent 600\nroot:edge-agent 640\n"
        )
        assert box.sh(f"ls {DROP}").split() == ["README.txt"]
        assert box.run("findmnt", "--noheadings", "--output", "OPTIONS", "/boot/firmware").stdout.startswith("ro,")
        box.run("systemctl", "start", "edge-agent-status.service")
        status = box.read(f"{DROP}/status.txt")
        assert "Mark: " in status
        assert ":4841" in status
        box.wait_until(lambda: sealed(box), "the first boot is complete", within_s=60)
        rules = box.run("nft", "list", "set", "inet", "board", "admitted").stdout
        assert "elements = { 4840, 4841, 8080 }" in " ".join(rules.split())
        assert box.show("ssh.service", "ActiveState") == "inactive"
        assert box.sh("awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow") == ""


def test_key_inside_config_json_is_on_the_card_no_longer() -> None:
    machine = {"type": "OCTOPRINT", "url": "http://127.0.0.1:9", "mes_id": [1], "api_key": KEY}
    with board({"edge-agent/config.json.txt": json.dumps(machine).encode("utf-16")}) as box:
        check_well(box)
        assert box.run("grep", "-r", KEY, "/boot/firmware", check=False).stdout == ""
        found = box.run("grep", "-rl", KEY, "/etc/edge-agent").stdout.split()
        assert [box.sh(f"stat -c '%U %a' {file}").strip() for file in found] == ["edge-agent 600"]
        assert "/secrets/" in found[0]


def test_second_boot_makes_nothing_anew() -> None:
    with board({}) as box:
        check_well(box)
        box.wait_until(lambda: sealed(box), "the first boot is complete", within_s=60)
        key = box.read("/etc/ssh/ssh_host_ed25519_key.pub")
        box.cut_power()
        box.boot()
        check_well(box)
        assert box.read("/etc/ssh/ssh_host_ed25519_key.pub") == key
        for unit in ("edge-agent-identity.service", "cloud-init-main.service", "edge-agent-seal.service"):
            assert box.show(unit, "ActiveState") == "inactive"
            assert box.show(unit, "ExecMainStartTimestampMonotonic") == "0"


def test_customisation_of_raspberry_pi_imager() -> None:
    with board(IMAGER) as box:
        check_well(box)
        box.wait_until(lambda: sealed(box), "the first boot is complete", within_s=60)
        assert box.run("hostname").stdout.strip() == "hall-2"
        assert "hall-2" in box.read("/etc/hosts")
        assert "anna" in box.sh("id -nG anna; id -un anna")
        assert "sudo" in box.sh("id -nG anna").split()
        assert f"anna:{PASSWORD}:" in box.read("/etc/shadow")
        assert "anna@pc" in box.read("/home/anna/.ssh/authorized_keys")
        assert "Hall 2" in box.sh("cat /etc/netplan/*.yaml")
        assert "Europe/Berlin" in box.sh("readlink /etc/localtime")
        box.wait_until(lambda: box.show("ssh.service", "ActiveState") == "active", "SSH is on, as was asked")
        assert "22," in box.run("nft", "list", "set", "inet", "board", "admitted").stdout


@pytest.mark.parametrize(
    "files",
    [
        {"user-data": "#cloud-config\nhostname: [hall\n", "network-config": "network: {version: 2, wifis: 7}\n"},
        {"user-data": "#cloud-config\nusers: 7\nhostname: {a: b}\n", "network-config": "- a list\n"},
        {"user-data": b"\xff\xfe\x00\x01", "network-config": b"\x00\x00", "meta-data": b"\xff"},
        {"user-data": "", "network-config": "", "meta-data": ""},
    ],
    ids=["bad YAML", "wrong types", "no text", "empty"],
)
def test_a_wrong_customisation_does_no_harm(files: dict[str, str | bytes]) -> None:
    with board({"edge-agent/config.json": CONFIG, "edge-agent/mark.key": KEY, **files}) as box:
        box.wait_until(lambda: ready(box), "the agent runs")
        box.wait_until(lambda: sealed(box), "the first boot is complete", within_s=60)
        assert [unit for unit in failed_units(box) if not unit.startswith("cloud-")] == []
        assert "ordering cycle" not in box.journal()
        assert box.sh("awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow") == ""
        assert box.show("ssh.service", "ActiveState") == "inactive"
