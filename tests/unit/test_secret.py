"""A secret does not show itself."""

from __future__ import annotations

import copy
import hashlib
import logging
import pickle

import msgspec
import pytest

from edge_agent.secret import Secret

TEXT = "STATUSKEYSTATUSKEYSTATUSKEYSTATU"
SECRET = Secret(TEXT)


class Holder(msgspec.Struct):
    key: Secret


def test_it_reveals_itself_only_when_asked() -> None:
    assert SECRET.reveal() == TEXT


@pytest.mark.parametrize(
    "shown",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET} {SECRET!r} {SECRET!s} {SECRET!a}",
        "%s %r" % (SECRET, SECRET),  # noqa: UP031 - as logging does it
        repr([SECRET, {"key": SECRET}]),
        repr(Holder(SECRET)),
        repr(ValueError(SECRET)),
    ],
)
def test_no_way_of_writing_it_down_shows_more_than_the_fingerprint(shown: str) -> None:
    assert TEXT not in shown
    assert SECRET.fingerprint in shown


def test_a_log_line_shows_only_the_fingerprint(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger(__name__).warning("asked with %s", SECRET)
    assert TEXT not in caplog.text
    assert SECRET.fingerprint in caplog.text


def test_the_fingerprint_is_eight_digits_of_its_hash() -> None:
    assert SECRET.fingerprint == hashlib.sha256(TEXT.encode()).hexdigest()[:8]
    assert Secret("grün").fingerprint == hashlib.sha256("grün".encode()).hexdigest()[:8]


def test_equal_texts_are_equal_secrets_and_no_secret_equals_its_text() -> None:
    assert Secret(TEXT) == SECRET
    assert hash(Secret(TEXT)) == hash(SECRET)
    assert Secret("another") != SECRET
    assert Secret("grün") == Secret("grün")
    assert SECRET != TEXT
    assert len({SECRET, Secret(TEXT), Secret("another")}) == 2


def test_it_cannot_be_written_to_a_file_by_accident() -> None:
    for write in (pickle.dumps, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError):
            write(SECRET)


def test_it_has_no_place_for_anything_else() -> None:
    with pytest.raises(AttributeError):
        SECRET.text = TEXT  # type: ignore[attr-defined]
