"""install.sh is killed before each thing that it changes, and loses its power; the next run does the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .archives import Archives, this_version
from .box import Box
from .installing import BEFORE, OPT, box_before, files, install, is_ready, running_release, tag, unpack

# Bash reads this file before a script. It kills it before each command that changes something, but once only.
KILLER = r"""
set -o functrace
steps='^(rm|mkdir -p "\$opt|ln|mv|touch|printf .*complete|"\$python" -m venv|TMPDIR=|timeout)'
steps+='|^"\$release/bin/python3" -m compileall|^"\$@"'
die_once() {
  local step="${words:-}: $BASH_COMMAND"
  if [[ $BASH_COMMAND =~ $steps && $step =~ $KILL_AT ]] && ! grep -qxF "$step" /root/killed; then
    echo "$step" >>/root/killed
    kill -KILL $$
    sleep 1
  fi
}
trap die_once DEBUG
"""


@pytest.fixture
def box(archives: Archives) -> Iterator[Box]:
    with Box("bookworm") as box:
        unpack(box, archives.build())
        yield box


def killed_at_each_step(box: Box, *, like: str = ".") -> str:
    """Run it again and again, each time killed at a step where it was not yet, until one gets through; those steps."""
    box.write("/root/killer", KILLER)
    box.write("/root/killed", "")
    for runs in range(100):
        said = install(box, environment={"BASH_ENV": "/root/killer", "KILL_AT": like})
        if said.code == 0:
            killed = box.read("/root/killed")
            print(f"\n{box.suite}: killed {runs} times:", *killed.splitlines(), sep="\n    ")
            assert killed.count("\n") == runs
            return killed
        assert said.code in {-9, 137}, said
    raise AssertionError("it never gets through")


def test_killed_at_each_step_of_the_first_installation(box: Box) -> None:
    killed = killed_at_each_step(box)
    for step in ("TMPDIR=", "compileall", "make the user", "switch to", "mv -fT", "timeout", "touch"):
        assert step in killed
    assert is_ready(box)
    assert running_release(box) == f"{this_version()}-{tag(box)}"
    assert "nothing to do" in install(box).text
    assert litter(box) == []


def test_killed_at_each_step_of_an_upgrade() -> None:
    with Box("trixie", on=box_before("trixie")) as box:
        killed = killed_at_each_step(box, like="^[^b]")  # not where it builds: that is the first installation's
        for step in ("as the way back", "switch to", "tell systemd", "timeout", "touch"):
            assert step in killed
        assert running_release(box) == f"{this_version()}-{tag(box)}"
        assert box.sh(f"readlink {OPT}/previous").strip() == f"{OPT}/releases/{BEFORE}-{tag(box)}"
        assert litter(box) == []


def test_power_is_cut_while_a_release_is_built_and_again_when_it_starts(box: Box) -> None:
    box.start("/root/release/install.sh", output=None)
    packages = f"{OPT}/releases/{this_version()}-{tag(box)}/lib/python3*/site-packages/*"
    box.wait_until(lambda: box.sh(f"ls -d {packages} 2>/dev/null || true"), "pip is at work")
    box.cut_power()
    box.boot()
    box.start("/root/release/install.sh", output=None)
    box.wait_until(lambda: box.exists(f"{OPT}/current"), "it is built", within_s=60)
    box.cut_power()
    box.boot()
    said = install(box)
    assert said.code == 0, said
    assert is_ready(box)
    assert running_release(box) == f"{this_version()}-{tag(box)}"
    assert litter(box) == []


def litter(box: Box) -> list[str]:
    """Half-made files, and releases that are not complete."""
    found = [path for path in files(box) if path.endswith(".new")]
    return found + box.sh(f"for r in {OPT}/releases/*; do test -f $r/complete || echo $r; done").split()
