"""The drop box: what a technician puts on the card is taken over whole, or not at all and explained."""

from __future__ import annotations

import codecs
import os
import stat
from contextlib import AbstractContextManager

import pytest
from edge_agent_image.agent import Agent, AgentSilentError
from edge_agent_image.drop_box import DropBox
from edge_agent_image.shell import Said

from .boards import KEY, Board, Programs, config


def test_configuration_and_key_are_moved_off_the_card(board: Board) -> None:
    board.drop("config.json", config())
    board.drop("mark.key", f"{KEY}\r\n")
    outcome = board.drop_box().empty()
    assert outcome.taken == ("config.json", "mark.key")
    assert board.in_force["config.json"] == config()
    assert (board.paths.etc / "mark.key").read_bytes() == f"{KEY}\r\n".encode()
    assert stat.S_IMODE((board.paths.etc / "mark.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((board.paths.etc / "config.json").stat().st_mode) == 0o640
    assert board.on_card == []


def test_owners_are_those_of_install_sh(board: Board) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(board.paths.state, 4711, 4712)
    board.drop("config.json", config())
    board.drop("mark.key", KEY)
    board.drop_box().empty()
    owners = {file.name: (file.stat().st_uid, file.stat().st_gid) for file in board.paths.etc.iterdir()}
    assert owners == {"config.json": (0, 4712), "mark.key": (4711, 4712)}


def test_the_one_before_is_kept(board: Board) -> None:
    board.install("mark.key", KEY)
    board.install("config.json", config(url="http://192.168.1.1"))
    board.drop("config.json", config(url="http://192.168.1.2"))
    board.drop_box().empty()
    assert board.in_force["config.json"] == config(url="http://192.168.1.2")
    assert (board.paths.etc / "config.json.previous").read_text() == config(url="http://192.168.1.1")


def test_a_bad_one_is_explained_and_changes_nothing(board: Board) -> None:
    board.install("mark.key", KEY)
    board.install("config.json", config())
    board.drop("config.json", config(url="ftp://192.168.1.2"))
    before = board.in_force
    board.drop_box().empty()
    assert board.in_force == before
    assert board.on_card == ["config-problems.txt", "config.json"]
    assert "line 5, column 14: machines[0].url: expected http:// or https://" in board.problems
    assert "still is" in board.problems
    assert board.problems.count("\n") == board.problems.count("\r\n") > 3
    assert str(board.paths.root) not in board.problems


def test_the_explanation_goes_when_it_is_corrected(board: Board) -> None:
    board.drop("mark.key", KEY)
    file = board.drop("config.json", "{")
    board.drop_box().empty()
    assert "There is no other configuration yet" in board.problems
    file.write_text(config())
    board.drop_box().empty()
    assert board.on_card == []


def test_the_explanation_goes_when_the_file_is_taken_away(board: Board) -> None:
    file = board.drop("config.json", "{")
    board.drop_box().empty()
    file.unlink()
    board.drop_box().empty()
    assert board.on_card == []


def test_the_same_explanation_is_not_written_twice(board: Board) -> None:
    board.drop("config.json", "{")
    board.drop_box().empty()
    board.drop_box().empty()
    assert board.opened == 1


def test_an_empty_card_is_not_written(board: Board) -> None:
    board.drop("README.txt", "read me")
    board.drop("._config.json", "what a Mac leaves")
    board.drop("System Volume Information/IndexerVolumeGuid", "what Windows leaves")
    assert board.drop_box().empty().taken == ()
    assert board.opened == 0


@pytest.mark.parametrize("name", ["CONFIG.JSON", "Config.json", "config.json.txt", "CONFIG.JSON.TXT"])
def test_names_as_pcs_spell_them(board: Board, name: str) -> None:
    board.drop(name, config())
    board.drop("mark.key", KEY)
    board.drop_box().empty()
    assert board.in_force["config.json"] == config()
    assert board.on_card == []


@pytest.mark.parametrize(
    ("meant", "name"), [("mark.key", "MARK.KEY"), ("mark.key", "mark.key.txt"), ("Mark.Key", "mark.key")]
)
def test_a_key_is_found_as_pcs_spell_it(board: Board, meant: str, name: str) -> None:
    board.drop("config.json", config(key=meant))
    board.drop(name, KEY)
    board.drop_box().empty()
    assert board.in_force == {"config.json": config(key=meant), meant: KEY}
    assert board.on_card == []


def test_keys_in_a_folder_stay_in_it(board: Board) -> None:
    board.drop("config.json", config(key="secrets/mark.key"))
    board.drop("secrets/mark.key", KEY)
    board.drop_box().empty()
    assert board.in_force["secrets/mark.key"] == KEY
    assert board.on_card == []


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
    ],
    ids=["utf-8 with mark", "utf-16", "utf-16 big endian", "crlf"],
)
def test_encodings_of_windows(board: Board, encode: object) -> None:
    assert callable(encode)
    board.drop("config.json", encode(config()))
    board.drop("mark.key", encode(KEY))
    board.drop_box().empty()
    assert board.agent.check(board.paths.etc / "config.json").good
    assert board.on_card == []


def test_an_encoding_that_cannot_be_guessed_is_explained(board: Board) -> None:
    board.drop("config.json", config(custom_name="Büro").replace("\\u00fc", "ü").encode("latin-1"))
    board.drop_box().empty()
    assert "save it as UTF-8" in board.problems


def test_a_name_that_is_nearly_right_is_explained(board: Board) -> None:
    board.drop("config (1).json", config())
    board.drop_box().empty()
    assert '"config (1).json" was not read' in board.problems
    assert "name it config.json" in board.problems


def test_two_configurations_are_explained(board: Board) -> None:
    board.drop("config.json", config())
    board.drop("config.json.txt", config())
    board.drop_box().empty()
    assert "delete all but one" in board.problems
    assert board.in_force == {}


def test_a_missing_key_names_what_lies_there_instead(board: Board) -> None:
    board.drop("config.json", config(key="mark.key"))
    board.drop("mark-1.key", KEY)
    board.drop_box().empty()
    assert "the file mark.key does not exist" in board.problems
    assert "named nowhere in config.json: mark-1.key" in board.problems


def test_a_new_key_alone_replaces_the_old_one(board: Board) -> None:
    board.install("config.json", config())
    board.install("mark.key", KEY)
    board.drop("mark.key", KEY[::-1])
    board.drop_box().empty()
    assert board.in_force == {"config.json": config(), "mark.key": KEY[::-1]}
    assert board.on_card == []


@pytest.mark.parametrize("machine", [{"key": None, "api_key": KEY}, {"key": KEY}], ids=["1.1", "1.4+"])
def test_a_key_inside_config_json_goes_to_a_file_of_its_own(board: Board, machine: dict[str, str]) -> None:
    board.drop("config.json", config(**machine))
    board.drop_box().empty()
    assert KEY not in board.in_force["config.json"]
    assert KEY in {text.strip() for text in board.in_force.values()}
    assert board.agent.check(board.paths.etc / "config.json").good
    assert board.on_card == []


def test_no_problem_shows_a_key(board: Board) -> None:
    board.install("config.json", config())
    board.drop("config.json", config(key=None, api_key=f"{KEY} {KEY}", url="ftp://x"))
    board.drop_box().empty()
    assert board.problems
    assert KEY not in board.problems


def test_what_cannot_be_checked_is_left_alone(board: Board) -> None:
    board.drop("config.json", config())
    board.agent = Agent(board.paths, Programs({"": Said(code=1, errors="no such release")}), user=None)
    outcome = board.drop_box().empty()
    assert "no such release" in outcome.problems[0]
    assert board.on_card == ["config.json"]
    assert board.in_force == {}


def test_a_card_that_is_locked_loses_nothing(board: Board) -> None:
    board.drop("config.json", config())
    board.drop("mark.key", KEY)
    with pytest.raises(OSError, match="locked"):
        DropBox(board.paths, board.agent, _locked).empty()
    assert board.in_force["mark.key"] == KEY
    assert board.on_card == ["config.json", "mark.key"]


def _locked() -> AbstractContextManager[None]:
    raise OSError("the card is locked")


def test_an_agent_that_babbles_is_told_as_silent(board: Board) -> None:
    agent = Agent(board.paths, Programs({"": "not JSON"}), user=None)
    with pytest.raises(AgentSilentError, match="no answer that can be read"):
        agent.check(board.paths.etc / "config.json")


def test_a_link_that_the_agent_could_have_made_is_not_followed(board: Board) -> None:
    """The agent can write to its configuration's folder, and the drop box is root."""
    outside = board.paths.root / "outside"
    outside.mkdir()
    (outside / "root.key").write_text(KEY)
    (board.paths.etc / "mark.key").symlink_to(outside / "root.key")
    board.drop("config.json", config())
    board.drop_box().empty()
    assert "mark.key" in board.problems  # it is not there, as far as the check goes
    (board.paths.etc / "mark.key").unlink()
    (board.paths.etc / "keys").symlink_to(outside)
    (board.paths.etc / ".config.json.new").symlink_to(outside / "config.json")
    board.drop("config.json", config(key="keys/mark.key"))
    board.drop("keys/mark.key", KEY)
    board.drop_box().empty()
    assert sorted(file.name for file in outside.iterdir()) == ["root.key"]
