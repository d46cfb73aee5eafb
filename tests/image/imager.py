"""What Raspberry Pi Imager writes on the boot partition for ``init_format`` cloudinit, for each choice of its dialogue.

Written after its customisation generator, of which there are three: that of 1.9 and the first 2.0 (``users:`` and
``enable_ssh:``), that of 2.0.10 (``user:`` and a ``runcmd``), and that of late 2026, which puts every text in quotes
and says ``sudo: null`` where no password-less sudo was asked for. Without any choice it writes ``meta-data`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping

META = {"meta-data": "instance-id: rpi-imager-1783287924709\n"}
HASH = "$y$jB5$abcdefghijklmnopqrstu.$0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDw8aL0pMmtkZkVvVUFVb0N0Y2xzYVRTdGVzdGtleWtl anna@pc"
PSK = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"

_BEGIN = "#cloud-config\nmanage_resolv_conf: false\n\n"
_APT = """packages:
- avahi-daemon
apt:
  preserve_sources_list: true
  conf: |
    Acquire {
      Check-Date "false";
    };
"""
_HOST = f"hostname: hall-2\nmanage_etc_hosts: true\n{_APT}"
_PLACE = 'timezone: Europe/Berlin\nkeyboard:\n  model: pc105\n  layout: "de"\n'
_PASSWORD = f'user:\n  name: anna\n  shell: /bin/bash\n  lock_passwd: false\n  passwd: "{HASH}"\n'
_SSH = "  - [ systemctl, enable, --now, ssh ]\n"
_UNBLOCK = """  - [ rfkill, unblock, wifi ]
  - [ sh, -c, "for f in /var/lib/systemd/rfkill/*:wlan; do echo 0 > \\"$f\\"; done" ]
"""
_WIRED = "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      dhcp6: true\n      optional: true\n"


def wifi(inside: str, *, name: str = "Hall 2", country: str = "DE") -> str:
    """A network-config with one Wi-Fi; ``inside`` is what stands below its name."""
    return (
        f'{_WIRED}  wifis:\n    wlan0:\n      dhcp4: true\n      regulatory-domain: "{country}"\n'
        f'      access-points:\n        "{name}":\n{inside}      optional: true\n'
    )


CHOICES: Mapping[str, Mapping[str, str]] = {
    "nothing": META,
    "host name": {**META, "user-data": f"{_BEGIN}{_HOST}"},
    "host name and country": {**META, "user-data": f"{_BEGIN}{_HOST}{_PLACE}runcmd:\n{_UNBLOCK}"},
    "place": {**META, "user-data": f"{_BEGIN}{_PLACE}"},
    "password": {**META, "user-data": f"{_BEGIN}{_HOST}{_PLACE}{_PASSWORD}ssh_pwauth: true\nruncmd:\n{_SSH}"},
    "user without ssh": {**META, "user-data": f"{_BEGIN}{_PASSWORD}"},
    "key": {
        **META,
        "user-data": f"{_BEGIN}user:\n  name: anna\n  shell: /bin/bash\n  lock_passwd: true\n"
        f"  ssh_authorized_keys:\n    - {KEY}\nssh_pwauth: false\nruncmd:\n{_SSH}",
    },
    "key, late 2026": {
        **META,
        "user-data": f'{_BEGIN}hostname: "hall-2"\nmanage_etc_hosts: true\n{_APT}timezone: "Europe/Berlin"\n'
        f'user:\n  name: "anna"\n  shell: /bin/bash\n  lock_passwd: false\n  passwd: "{HASH}"\n'
        f'  ssh_authorized_keys:\n    - "{KEY}"\n  sudo: null\nssh_pwauth: false\nruncmd:\n{_SSH}',
    },
    "1.9": {
        **META,
        "user-data": "#cloud-config\nhostname: hall-2\nmanage_etc_hosts: true\npackages:\n- avahi-daemon\n"
        'apt:\n  conf: |\n    Acquire {\n      Check-Date "false";\n    };\ntimezone: Europe/Berlin\n'
        "enable_ssh: true\nusers:\n- name: anna\n"
        "  groups: users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo\n"
        f"  shell: /bin/bash\n  lock_passwd: true\n  ssh_authorized_keys:\n    - {KEY}\n"
        "  sudo: ALL=(ALL) NOPASSWD:ALL\n",
    },
    "wifi": {**META, "network-config": wifi(f'          password: "{PSK}"\n')},
    "hidden wifi": {**META, "network-config": wifi(f'          hidden: true\n          password: "{PSK}"\n')},
    "open wifi": {**META, "network-config": wifi("          auth:\n            key-management: none\n")},
    "wifi with a strange name": {
        **META,
        "network-config": wifi(f'          password: "{PSK}"\n', name='H\\"all\\\\ \\xc3\\xa9'),
    },
    "everything": {
        **META,
        "user-data": f"{_BEGIN}{_HOST}{_PLACE}{_PASSWORD}ssh_pwauth: true\nruncmd:\n{_SSH}",
        "network-config": wifi(f'          password: "{PSK}"\n'),
    },
}
"""By what was chosen: the files that Imager writes. The others stay as the image has them."""

SSH = {"password", "key", "key, late 2026", "1.9", "everything"}
"""The choices among them that ask for SSH."""
