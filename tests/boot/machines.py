"""The boards that QEMU makes up, and what their boots tell.

The boot ROM and the firmware of a Raspberry Pi are not there: QEMU takes kernel, initial RAM disk and command line from
the boot partition in their place.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

END_OF_REPORT = "=== end of report"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A board that QEMU knows how to make up.

    ``hardware`` is for QEMU; ``slot`` is where its card goes in, with the node ``card``; ``device_tree`` lies on the
    boot partition. ``may_be_asked``: it has a line of its own for `Board.ask`.
    """

    hardware: tuple[str, ...]
    tty: str
    command_line: str = ""
    device_tree: str | None = None
    may_be_asked: bool = False

    @property
    def slot(self) -> tuple[str, ...]:
        """What its card is put into."""
        return ("-device", "virtio-blk-pci,drive=card") if self.may_be_asked else ()


VIRT = Machine(
    hardware=(
        *("-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024"),
        *("-device", "virtio-net-pci,netdev=net,romfile=", "-device", "i6300esb"),
    ),
    tty="ttyAMA0",
    may_be_asked=True,
)
INSTRUCTIONS_PER_S = 500e6
"""Of `COUNTED`: a core of a Raspberry Pi 3 does more, one of a Pi 4 three times as many."""
# One core that does exactly so many, in a time of its own, which passes by instructions and is skipped while it waits.
# How fast this computer is, and what else it does, does not matter.
COUNTED = Machine(
    hardware=(
        *("-M", "virt", "-cpu", "cortex-a72", "-smp", "1", "-m", "1024", "-icount", "shift=1,sleep=off"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
    ),
    tty="ttyAMA0",
    command_line="systemd.watchdog_sec=0",
    may_be_asked=True,
)
# Without an address of a board's maker its Ethernet would be usb0. The watchdog is left alone: QEMU's resets the board
# as soon as it is armed.
RASPI3B = Machine(
    hardware=("-M", "raspi3b", "-serial", "null", "-device", "usb-net,netdev=net,mac=b8:27:eb:00:00:01"),
    tty="ttyS1",
    command_line="systemd.watchdog_sec=0 modprobe.blacklist=bcm2835_wdt",
    device_tree="bcm2837-rpi-3-b.dtb",
)

# What takes a board a second may take a minute here, and systemd's patience is made for boards.
_PATIENCE = "systemd.default_device_timeout_sec=900 systemd.default_timeout_start_sec=900"
_UNIT = """[Unit]
Description=Tell the tests how this boot went
RequiresMountsFor=/boot/firmware
After=multi-user.target
[Service]
ExecStart=/bin/sh /boot/firmware/tell-tests
"""
_REPORT = f"""
port=/dev/virtio-ports/tests
[ ! -e $port ] || while :; do
  read -r told || {{ sleep 1; continue; }} # nobody is there: a read is at its end at once
  printf %s "$told" | base64 -d >/run/told-by-tests
  sh /run/told-by-tests >/run/answer 2>&1 </dev/null; code=$?; echo "$(base64 -w0 /run/answer).$code"
done <>$port >&0 &
{{
echo; echo "=== state"; systemctl is-system-running --wait
echo "=== failed"; systemctl list-units --failed --no-legend --plain
echo "=== why"; systemctl list-units --failed --no-legend --plain | while read -r unit rest; do
  journalctl --boot --no-pager --output cat --unit "$unit" | tail -n 20; done
echo "=== cycles"; journalctl --boot --no-pager --output cat --grep 'ordering cycle'
echo "=== errors"; journalctl --boot --no-pager --output cat --priority err
echo "=== memory"; free --mebi
echo "=== watchdog"; journalctl --boot --no-pager --output cat --unit edge-agent-watchdog.service
for name in state timeout; do cat /sys/class/watchdog/watchdog0/$name; done
echo "=== ready at microseconds"
systemctl show --value --property ActiveEnterTimestampMonotonic edge-agent.service
echo "=== processor"; head -n 1 /proc/stat; getconf CLK_TCK
echo "=== times"; systemd-analyze; systemd-analyze blame --no-pager | head -n 25
echo "=== identity"; cat /etc/machine-id; uname -n; cat /var/lib/edge-agent/device-uuid
for key in /etc/ssh/ssh_host_*.pub; do cat $key; done
echo "=== mounts"; findmnt --noheadings --raw --output TARGET,SOURCE,FSTYPE,OPTIONS --types ext4,vfat,overlay
echo "=== swap"; swapon --show --noheadings
echo "=== disk"; df --block-size=1M --output=target,size,used
echo "=== listening"; ss --tcp --udp --listening --numeric --no-header --processes
echo "=== firewall"; nft list set inet board admitted
echo "{END_OF_REPORT}"
}} >/run/tell-tests 2>&1
cat /run/tell-tests >/dev/@TTY@ # at once: systemd writes there as well
wait
"""


def report_script(machine: Machine) -> str:
    """What the unit of the tests runs; it lies on the boot partition, since it is too long for a command line."""
    return _REPORT.replace("@TTY@", machine.tty)


def command_line(of_card: str, machine: Machine) -> str:
    """The card's own, with a console that this board has, and a unit that tells us how it went."""
    unit = base64.b64encode(_UNIT.encode()).decode()
    return " ".join(
        (
            of_card.strip(),
            f"console={machine.tty},115200 systemd.wants=tell-tests.service {machine.command_line}",
            _PATIENCE,
            f"systemd.set_credential_binary=systemd.extra-unit.tell-tests.service:{unit}",
        )
    )


def parts_of_report(console: str) -> dict[str, str]:
    """What the unit has told, by the titles of its parts."""
    text = console.partition("=== state")[2].partition(END_OF_REPORT)[0]
    found = {}
    for part in f"state{text}".replace("\r", "").split("=== "):
        name, _, content = part.partition("\n")
        found[name.strip()] = content.strip()
    return found
