"""These take minutes and an image: `image/boot-test` runs them; without an image they are skipped."""

from __future__ import annotations

import os

import pytest

from .card import image


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Time for an emulated board, or a sentence in the place of each test."""
    missing = ""
    if os.geteuid() != 0:
        missing = "needs root: sudo image/boot-test"
    elif not image().exists():
        missing = "there is no image: sudo image/build"
    for item in items:
        if "/tests/boot/" in str(item.path):
            item.add_marker(pytest.mark.timeout(5400))
            # asyncua's client drops its own sockets when a server does not answer in time.
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
            if missing:
                item.add_marker(pytest.mark.skip(reason=missing))
