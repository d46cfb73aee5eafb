"""What is taken out of a text, and what has to stay, or nobody could make use of it."""

from __future__ import annotations

import pytest

from edge_agent.cli.bundle.archive import MOST_BYTES, Member, archive
from edge_agent.cli.bundle.redactor import Redactor

KEY = "A1B2C3D4E5F60718293A4B5C6D7E8F90"


def redactor(*secrets: str, **more: object) -> Redactor:
    return Redactor(secrets, salt=b"salt", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        "OPC UA endpoint: opc.tcp://raspberrypi-4.local:4840",
        "poller of mark-one made no progress for 104 s (deadline 98 s)",
        "2026-12-24T18:00:00+00:00 pi systemd[1]: edge-agent.service: Main process exited, status=78/CONFIG",
        "/var/lib/edge-agent/journal.db is damaged (malformed); it is now journal.db.bad-20260101T000000Z",
        'Traceback: File "/opt/edge-agent/releases/0.1.0-py313/lib/python3.13/edge_agent/poller.py", line 88',
        "http://192.168.1.41:5000/octoprint: OctoPrint does not know the API key; put a valid one in the secret file",
        "RestartPreventExitStatus=78",
        "StateDirectoryMode=0700",
        "edge_agent_machine_last_seen_timestamp_seconds is missing",
    ],
)
def test_a_log_stays_readable(line: str) -> None:
    assert redactor(KEY, "geheim-im-log").log(line) == line


@pytest.mark.parametrize(
    "key",
    [KEY, KEY.lower(), "kTk2m8Zr0QpLs7Vw", "AbC-dEf_0123456789-AbC-dEf_0123456789", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
)
def test_what_looks_like_a_key(key: str) -> None:
    for text in (key, f"key={key}", f"'{key}'", f"/{key}/", f"a {key} b"):
        assert key not in redactor().log(text)


def test_the_longest_of_what_stands_there_is_taken_out() -> None:
    """Forms begin alike: quoted for a URL, plainly, with more behind it."""
    both = redactor("tr0ubadour&3/x", "tr0ubadour&3/xyz")
    for text in ("tr0ubadour&3/x", "tr0ubadour%263%2Fx", "tr0ubadour&amp;3/x", "tr0ubadour&3/xyz", "TR0UBADOUR&3"):
        assert both.text(f"<{text}>") == "<(removed)>", text


def test_secrets_within_each_other_and_side_by_side() -> None:
    assert (
        redactor("abcdefgh12345678", "efgh").text("xabcdefgh12345678abcdefgh12345678 efgh")
        == "x(removed)(removed) (removed)"
    )


def test_the_beginning_of_a_secret_at_the_end_of_a_line() -> None:
    assert redactor(KEY).text(f"got {KEY[:11]}\nnext") == "got (removed)\nnext"
    assert redactor(KEY).text(f"got {KEY[:7]}") == f"got {KEY[:7]}"


def test_letters_of_all_lengths() -> None:
    """In UTF-8 two letters may begin with the same byte: half a letter is not left over."""
    assert redactor("überzählig").text("übeßx überzählig ÜBERZÄHLIG") == "übeßx (removed) (removed)"
    assert redactor("abcdefghä-lang-genug").text("abcdefghö") == "(removed)"


def test_a_short_one_only_as_a_word() -> None:
    assert redactor("pi").text("pi picks a pin: pi") == "(removed) picks a pin: (removed)"


def test_the_same_name_has_the_same_hash_in_one_bundle_only() -> None:
    first, other = redactor(names=["gear.gcode"]), Redactor([], names=["gear.gcode"], salt=b"other")
    text = first.text("gear.gcode, again gear.gcode")
    assert text == f"{first.name('gear.gcode')}, again {first.name('gear.gcode')}"
    assert first.name("gear.gcode") != other.name("gear.gcode")
    assert first.name(first.name("gear.gcode")) == first.name("gear.gcode")
    assert redactor(names=["gear.gcode"], with_names=True).text("gear.gcode") == "gear.gcode"


def test_whose_key_it_is() -> None:
    text = redactor().text("m1: OctoPrint 1.11.8 answers in 9 ms, key of 'gerda'; the key's user 'gerda' lacks STATUS")
    assert "gerda" not in text
    assert text.startswith("m1: OctoPrint 1.11.8 answers in 9 ms, key of 'name-")


def test_a_member_is_of_bounded_size() -> None:
    head = Member(name="a", about="", text="ä" * MOST_BYTES).content
    tail = Member(name="a", about="", text="x" * MOST_BYTES + "the end", keep_end=True).content
    assert len(head) <= MOST_BYTES + 100
    assert head.decode().startswith("ää")
    assert tail.endswith(b"the end")
    assert len(tail) <= MOST_BYTES + 100


def test_the_same_members_make_the_same_archive() -> None:
    members = [Member(name="a.txt", about="", text="text")]
    assert archive("folder", members, mtime=1) == archive("folder", members, mtime=1)
