"""What the unit's settings keep the agent from: tried from inside, by a program in the agent's place."""

from __future__ import annotations

import json
import re
from typing import Any

from .box import Box
from .installed import ETC, STATE, UNIT, configure

# Whoever may write there: the unit says that the agent may not.
_OPEN_TO_ALL = ["/opt/edge-agent/open", "/usr/open", "/var/lib/open", "/run/open", "/srv/open"]
_PROBE = f"""
import ctypes, json, mmap, os, socket, subprocess, time

def does(act):
    try:
        act()
    except OSError as error:
        return error.strerror
    return "done"

def write(path):
    return lambda: open(path, "w").write("x")

def run(path):
    with open(path, "w") as file:
        file.write("#!/bin/sh")
    os.chmod(path, 0o700)
    subprocess.run([path])

def system_call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    def act():
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return act

found = {{
    "uid": os.getuid(),
    "groups": os.getgroups(),
    "status": open("/proc/self/status").read(),
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "devices": os.listdir("/dev"),
    "tmp": os.listdir("/tmp"),
}}
found["tries"] = {{
    "write {STATE}/probe": does(write("{STATE}/probe")),
    "write /tmp/probe": does(write("/tmp/probe")),
    "read {ETC}/config.json": does(lambda: open("{ETC}/config.json").read()),
    "write {ETC}/config.json": does(write("{ETC}/config.json")),
    "write {ETC}/probe": does(write("{ETC}/probe")),
    "run a file of {ETC}": does(lambda: run("{ETC}/program")),
    "change {ETC} itself": does(lambda: os.chmod("{ETC}", 0o777)),
    **{{f"write {{folder}}/probe": does(write(f"{{folder}}/probe")) for folder in {_OPEN_TO_ALL}}},
    "write /dev/probe": does(write("/dev/probe")),
    "write /proc/sys/kernel/panic": does(write("/proc/sys/kernel/panic")),
    "write /sys/fs/cgroup/probe": does(write("/sys/fs/cgroup/probe")),
    "read /root/secret": does(lambda: open("/root/secret").read()),
    "read /home/anna/secret": does(lambda: open("/home/anna/secret").read()),
    "list /home": does(lambda: os.listdir("/home/anna")),
    "read /etc/shadow": does(lambda: open("/etc/shadow").read()),
    "run a file of its own": does(lambda: run("{STATE}/program")),
    "memory to write and run": does(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)),
    "raw packets": does(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "raw IP": does(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    "port 80": does(lambda: socket.socket().bind(("", 80))),
    "become root": does(lambda: os.setuid(0)),
    "namespace": does(system_call("unshare", 0x10000000)),
    "mount": does(system_call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None)),
    "trace": does(system_call("ptrace", 16, os.getppid(), 0, 0)),
    "kernel log": does(system_call("klogctl", 3, ctypes.create_string_buffer(8), 8)),
    "host name": does(system_call("sethostname", b"x", 1)),
    "a better place in the queue": does(lambda: os.nice(1)),
    "real time": does(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
    "end the first process": does(lambda: os.kill(1, 15)),
}}
with open("{STATE}/found.json", "w") as file:
    json.dump(found, file)
"""
_ALLOWED = {f"write {STATE}/probe", f"write {ETC}/probe", "write /tmp/probe", f"read {ETC}/config.json"}


def probe(box: Box) -> dict[str, Any]:
    """What a program finds and can do that has the agent's unit, but for being started once."""
    box.write("/opt/edge-agent/probe.py", _PROBE)
    unit = box.run("systemctl", "cat", UNIT).stdout
    unit = re.sub(
        r"^Exec(Start|Stop|Reload)\w*=.*\n|^Type=.*\n|^Restart.*\n|^WatchdogSec.*\n", "", unit, flags=re.MULTILINE
    )
    once = "\n[Service]\nType=oneshot\nExecStart=/usr/bin/python3 /opt/edge-agent/probe.py\n"
    box.write("/etc/systemd/system/probe.service", unit + once)
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "probe")
    return dict(json.loads(box.read(f"{STATE}/found.json")))


def test_program_in_the_agents_place_can_do_what_the_agent_needs_and_nothing_else(box: Box) -> None:
    configure(box, [])
    box.write("/root/secret", "root's", mode="644")
    box.write("/home/anna/secret", "anna's", mode="644")
    box.run("mkdir", "-m", "777", *_OPEN_TO_ALL)
    box.run("touch", "/tmp/of-another")  # noqa: S108
    found = probe(box)
    tries = found["tries"]
    assert {what for what, outcome in tries.items() if outcome == "done"} == _ALLOWED, json.dumps(tries, indent=2)
    assert found["uid"] == int(box.run("id", "-u", "edge-agent").stdout)
    assert len(found["processes"]) <= 2  # itself, and nobody else's
    assert found["tmp"] == []
    assert not {name for name in found["devices"] if name.startswith(("vd", "sd", "mmc", "mem", "kmsg"))}


def test_agent_runs_without_any_capability_and_under_the_filter(running: Box) -> None:
    status = dict(re.findall(r"^(\w+):\s+(.*)$", running.read(f"/proc/{running.main_pid(UNIT)}/status"), re.MULTILINE))
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert (status["NoNewPrivs"], status["Seccomp"], status["Umask"]) == ("1", "2", "0077")


def test_files_belong_to_whom_they_should(running: Box) -> None:
    assert running.run("stat", "-c", "%U:%G %a", ETC).stdout.strip() == "root:edge-agent 770"
    assert running.run("stat", "-c", "%U:%G %a", STATE).stdout.strip() == "edge-agent:edge-agent 700"
    assert running.run("find", STATE, "(", "-perm", "/077", "-o", "!", "-user", "edge-agent", ")").stdout == ""
