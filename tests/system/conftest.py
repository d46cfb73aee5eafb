"""Everything here needs root: namespaces, mounts, files of others. Without it the tests are skipped, but not in CI."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from .archives import Archives
from .box import SUITES, Box, sweep
from .installed import UNIT, configure, installed_box, release_archives
from .printers import Printers

_NEEDS_ROOT = "tests/system boots systemd in namespaces and needs root: sudo scripts/check --all"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root, a sentence in the place of each test; with it, the time that booting and installing take."""
    ours = [item for item in items if "/tests/system/" in str(item.path)]
    if os.geteuid() != 0 and os.environ.get("CI") == "true":
        pytest.exit(_NEEDS_ROOT, returncode=1)
    for item in ours:
        item.add_marker(pytest.mark.timeout(300))
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason=_NEEDS_ROOT))


def pytest_sessionstart() -> None:
    """Begin with a clean host."""
    if os.geteuid() == 0:
        sweep()


@pytest.fixture(scope="session")
def archives() -> Archives:
    """Release archives of this checkout, and of versions that it might have been."""
    return release_archives()


@pytest.fixture(params=SUITES)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """Debian 12, and 13, with the agent installed and not started; each test has its own."""
    with installed_box(request.param) as box:
        yield box


@pytest.fixture(scope="module", params=SUITES)
def running(request: pytest.FixtureRequest) -> Iterator[Box]:
    """The agent with two printers, up and ready; for tests that only look."""
    with installed_box(request.param) as box, Printers(box, 2) as printers:
        configure(box, printers.machines())
        began = time.monotonic()
        box.run("systemctl", "start", UNIT)
        print(f"\n{box.suite}: start to READY {time.monotonic() - began:.1f} s")
        yield box
