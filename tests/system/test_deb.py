"""The Debian packages on Debian 12 and 13: installed by apt, upgraded, removed, purged; and what lintian says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .archives import ARCHITECTURE, ROOT, copy_checkout, run_build_deb, this_version
from .box import Box
from .installed import client, configure, machine
from .installing import UNIT, files, is_ready

NEWER = "9.0.0"
RELEASES = {"bookworm": "deb12", "trixie": "deb13"}
_OURS = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"  # only here, for speed
APTS_OWN = ("/var/lib/dpkg", "/var/lib/apt", "/var/cache")


class Packages:
    """Those of this checkout, and the same as a newer version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.tree = copy_checkout(folder / "tree")
        self.made = {path.name.split("+")[1].split("_")[0]: path for path in run_build_deb(self.tree, ARCHITECTURE)}

    def put(self, box: Box, *, newer: bool = False) -> str:
        """Bring the package for the box's Debian into it."""
        made = self.made[RELEASES[box.suite]]
        target = "/tmp/newer.deb" if newer else "/tmp/edge-agent.deb"  # noqa: S108 - where apt's own user may read it
        box.copy_in(self._newer(made) if newer else made, target)
        return target

    def _newer(self, made: Path) -> Path:
        tree, target = self._folder / f"newer-{made.stem}", self._folder / f"newer-{made.name}"
        subprocess.run(["dpkg-deb", "--raw-extract", made, tree], check=True)
        for name in ("DEBIAN/control", "usr/lib/edge-agent/edge_agent/__init__.py"):
            text = (tree / name).read_text()
            assert this_version() in text
            (tree / name).write_text(text.replace(this_version(), NEWER, 1))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, target], check=True)
        shutil.rmtree(tree)
        return target


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packages]:
    folder = tmp_path_factory.mktemp("packages")
    yield Packages(folder)
    shutil.rmtree(folder)


def apt(box: Box, *words: str) -> subprocess.CompletedProcess[str]:
    """apt-get as somebody runs it who answers no question; dpkg's words come out of stdout."""
    swift = ("-o", "Dpkg::Options::=--force-unsafe-io")  # the power stays on
    return box.run(
        "apt-get", "-y", "-q", *swift, *words, check=False, environment={"DEBIAN_FRONTEND": "noninteractive"}
    )


def there(box: Box) -> dict[str, str]:
    """All files that are not apt's own bookkeeping."""
    return {path: what for path, what in files(box, content=True).items() if not path.startswith(APTS_OWN)}


def kept(box: Box) -> str:
    return box.sh("cat /etc/edge-agent/config.json /etc/edge-agent/one.key /var/lib/edge-agent/device-uuid")


@contextmanager
def package_installed(suite: str, packages: Packages) -> Iterator[tuple[Box, dict[str, str]]]:
    """A box with the package, switched off, and which files it had before."""
    with Box(suite) as box:
        before = there(box)
        done = apt(box, "install", packages.put(box))
        assert done.returncode == 0, done
        assert is_ready(box)
        box.power_off()
        yield box, before


@pytest.fixture(scope="module")
def twelve(packages: Packages) -> Iterator[tuple[Box, dict[str, str]]]:
    with package_installed("bookworm", packages) as found:
        yield found


@pytest.fixture(scope="module")
def thirteen(packages: Packages) -> Iterator[tuple[Box, dict[str, str]]]:
    with package_installed("trixie", packages) as found:
        yield found


@pytest.mark.parametrize("debian", ["twelve", "thirteen"])
async def test_from_nothing_upwards_and_away_without_a_trace(
    debian: str, request: pytest.FixtureRequest, packages: Packages, tmp_path: Path
) -> None:
    below, before = request.getfixturevalue(debian)
    with Box(below.suite, on=below) as box:
        box.wait_until(lambda: is_ready(box), "it starts with the computer")
        assert "no configuration yet" in box.show(UNIT, "StatusText")
        assert box.run("edge-agent", "--version").stdout == f"edge-agent {this_version()}\n"
        assert box.show(UNIT, "Type") == {"bookworm": "notify", "trixie": "notify-reload"}[below.suite]
        assert box.exists("/usr/lib/edge-agent/asyncua/__pycache__")
        assert box.sh("stat -c '%U:%G %a' /etc/edge-agent /var/lib/edge-agent").splitlines() == [
            "root:edge-agent 770",
            "edge-agent:edge-agent 700",
        ]

        configure(box, [machine(box, "one", "http://127.0.0.1:9", "0123456789ABCDEF")])
        box.run("systemctl", "restart", UNIT)
        with box.network():
            async with client(tmp_path):
                pass
        was, pid = kept(box), box.main_pid(UNIT)
        done = apt(box, "install", packages.put(box, newer=True))
        assert done.returncode == 0, done
        assert is_ready(box)
        assert box.main_pid(UNIT) != pid
        assert box.run("edge-agent", "--version").stdout == f"edge-agent {NEWER}\n"
        assert "0 of 1 machines reachable" in box.show(UNIT, "StatusText")
        assert kept(box) == was

        done = apt(box, "remove", "edge-agent")
        assert done.returncode == 0, done
        assert box.show(UNIT, "ActiveState") == "inactive"
        assert not box.exists("/usr/lib/edge-agent")
        assert kept(box) == was
        done = apt(box, "purge", "edge-agent")
        assert done.returncode == 0, done
        after = there(box)
        assert after.keys() == before.keys()
        changed = {path for path in before if before[path] != after[path]}
        assert changed <= {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"}
        assert "edge-agent" not in box.read("/etc/passwd") + box.read("/etc/group")


def test_package_and_install_sh_keep_out_of_each_others_way(packages: Packages) -> None:
    with Box("trixie") as box:
        package = packages.put(box)
        box.sh("mkdir -p /opt/edge-agent/releases")
        done = apt(box, "install", package)
        assert done.returncode != 0
        assert "install.sh --uninstall" in done.stdout
        assert not box.exists("/usr/lib/edge-agent")

        box.sh("rmdir -p /opt/edge-agent/releases || true")
        box.write("/etc/edge-agent/config.json.example", "an older version's, which install.sh --uninstall has left\n")
        done = apt(box, "install", package)
        assert done.returncode == 0, done
        box.copy_in(ROOT / "scripts", "/root/scripts")
        for options in ([], ["--uninstall", "--purge"]):
            refused = box.run("/root/scripts/install.sh", *options, check=False)
            assert refused.returncode == 19, refused
            assert "sudo apt-get remove edge-agent" in refused.stderr
        assert is_ready(box)

        assert apt(box, "remove", "edge-agent").returncode == 0
        box.sh("mkdir -p /opt/edge-agent/releases")  # they changed to install.sh, and tidy up later
        assert apt(box, "purge", "edge-agent").returncode == 0
        assert box.exists("/var/lib/edge-agent/device-uuid")
        assert "edge-agent" in box.read("/etc/passwd")


def test_what_was_switched_off_stays_off_and_what_does_not_get_ready_is_told(
    twelve: tuple[Box, dict[str, str]], packages: Packages
) -> None:
    with Box("bookworm", on=twelve[0]) as box:
        box.run("systemctl", "disable", "--now", UNIT)
        done = apt(box, "install", packages.put(box, newer=True))
        assert done.returncode == 0, done
        assert box.show(UNIT, "UnitFileState") == "disabled"
        assert not is_ready(box)

        box.run("systemctl", "enable", UNIT)
        box.write("/etc/edge-agent/config.json", "[", mode="640", owner="root:edge-agent")
        done = box.run("/var/lib/dpkg/info/edge-agent.postinst", "configure", NEWER, check=False)
        assert done.returncode == 0, done
        assert "does not get ready. Why: systemctl status edge-agent" in done.stderr


def test_lintian_finds_no_error(packages: Packages) -> None:
    if shutil.which("lintian") is None:
        assert os.environ.get("CI") != "true", "scripts/install-lintian has not run"
        pytest.skip("there is no lintian: sudo scripts/install-lintian")
    done = subprocess.run(
        [
            *("lintian", "--allow-root", "--profile", "debian", "--fail-on", "error", "--suppress-tags", _OURS),
            *packages.made.values(),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_tree_gives_the_same_packages(packages: Packages) -> None:
    first = {path.name: path.read_bytes() for path in packages.made.values()}
    assert len(first) == 2
    again = {path.name: path.read_bytes() for path in run_build_deb(packages.tree, ARCHITECTURE)}
    assert [name for name in first if again[name] != first[name]] == []
