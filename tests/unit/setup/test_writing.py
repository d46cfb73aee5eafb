"""Changes of config.json: what is written, what is kept, what is refused."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config import Config, jsonc, load
from edge_agent.secret import Secret
from edge_agent.setup.edit import overrides
from edge_agent.setup.pairing import Granted
from edge_agent.setup.room import machine_edit, states_edit, written
from edge_agent.setup.writing import Change, ConfigFile, Current
from edge_agent.sinks.http.setting_up import Complaint, MachineForm, Outcome

KEY, OTHER_KEY = "K" * 32, "O" * 32
URL = "http://192.168.1.41:5000"

AS_1_1 = {"type": "OCTOPRINT", "url": URL, "api_key": KEY, "mes_id": 1}
AS_1_2 = {
    "type": "octoprint",
    "url": f"{URL}/",
    "authentication_file_path": "secret.txt",
    "custom_name": "Mark One",
    "mes_id": [1],
    "umati_server_port": 4840,
}
AS_1_4 = {"type": "OCTOPRINT", "url": URL, "authentication_file_path": KEY, "custom_name": "Mark One", "mes_id": [1]}


class Folder:
    """config.json in a folder of its own, with a state folder beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "etc"
        self.folder.mkdir()
        self.state = folder / "state"
        self.state.mkdir()
        self.path = self.folder / "config.json"
        self.file = ConfigFile(self.path, state_dir=self.state)

    def put(self, value: object, *, name: str = "config.json", mode: int = 0o640) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(mode)

    def save(self, form: MachineForm, key: str = "") -> Outcome:
        granted = Granted(form.url, Secret(key)) if key else None
        return self.file.change(machine_edit(self.file, form, granted))

    def add(self, url: str = URL, key: str = KEY, **texts: str) -> Outcome:
        return self.save(MachineForm(pairing="p", url=url, **({"mes_id": "1"} | texts)), key)

    @property
    def value(self) -> Any:
        return json.loads(self.path.read_text())

    @property
    def config(self) -> Config:
        return load(self.path, state_dir=self.state, remember=False)

    @property
    def names(self) -> set[str]:
        return {file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file()}


@pytest.fixture
def etc(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_first_machine_makes_the_file_that_a_person_would_have_written(etc: Folder) -> None:
    outcome = etc.add(custom_name="Mark One", mes_id="1, 2", location="Hall 2")
    assert outcome == Outcome(machine_id="mark-one")
    assert etc.value == {
        "machines": [
            {
                "id": "mark-one",
                "type": "OCTOPRINT",
                "url": URL,
                "mes_id": [1, 2],
                "authentication_file_path": "secrets/mark-one.key",
                "custom_name": "Mark One",
                "location": "Hall 2",
            }
        ]
    }
    assert etc.config.machines[0].key == Secret(KEY)
    assert etc.config.warnings == ()
    assert etc.names == {"config.json", "secrets/mark-one.key"}
    assert (mode_of(etc.path), mode_of(etc.folder / "secrets/mark-one.key")) == (0o640, 0o600)
    assert mode_of(etc.folder / "secrets") == 0o700
    assert KEY not in etc.path.read_text()


@pytest.mark.parametrize("old", [AS_1_1, [AS_1_1], AS_1_2, [AS_1_2], {"machines": [AS_1_4], "http": {"port": 8081}}])
def test_second_machine_beside_every_dialect_keeps_what_the_first_means(etc: Folder, old: Any) -> None:
    etc.put(old)
    etc.put(KEY, name="secret.txt", mode=0o600)
    before = etc.config
    outcome = etc.add("http://192.168.1.42", OTHER_KEY, custom_name="Second")
    assert outcome == Outcome(machine_id="second")
    after = etc.config
    assert after.machines[0] == before.machines[0]
    assert after.http == before.http
    assert after.opcua.port == before.opcua.port
    assert [entry.key for entry in after.machines] == [Secret(KEY), Secret(OTHER_KEY)]
    assert etc.value["machines"][0]["id"] == before.machines[0].machine.id
    assert KEY not in etc.path.read_text()


def test_what_nobody_knows_stays(etc: Folder) -> None:
    other = {"type": "FORMLABS", "url": "https://x", "authentication_file_path": {"id": "a"}}
    mine = AS_1_4 | {"id": "one", "made_up": [1, {"a": None}], "tls": {"verify": False}, "poll_interval_s": 2.5}
    etc.put(
        {"$schema": "config.schema.json", "machines": [other, mine], "my_notes": "kept", "polling": {"timeout_s": 9}}
    )
    outcome = etc.save(MachineForm(id="one", url=URL, mes_id="3", custom_name="Renamed", model="MK4"))
    assert outcome == Outcome(machine_id="one")
    value = etc.value
    assert value["machines"][0] == other
    kept = value["machines"][1]
    assert (kept["made_up"], kept["tls"], kept["poll_interval_s"]) == (mine["made_up"], mine["tls"], 2.5)
    assert (kept["custom_name"], kept["model"], kept["mes_id"]) == ("Renamed", "MK4", [3])
    assert (value["my_notes"], value["$schema"], value["polling"]) == ("kept", "config.schema.json", {"timeout_s": 9})


def test_text_that_was_emptied_is_taken_out(etc: Folder) -> None:
    etc.add(custom_name="Mark One", location="Hall 2")
    etc.save(MachineForm(id="mark-one", url=URL, mes_id="", custom_name="Mark One"))
    assert "location" not in etc.value["machines"][0]
    assert etc.value["machines"][0]["mes_id"] == []


def test_comments_outlive_two_changes(etc: Folder) -> None:
    by_hand = '{"machines": [], // none yet\n}'
    etc.put(by_hand)
    etc.add(custom_name="One")
    first = etc.path.read_bytes()
    assert (etc.folder / "config.json.previous").read_text() == by_hand
    etc.add("http://192.168.1.42", custom_name="Two")
    assert (etc.folder / "config.json.previous").read_bytes() == first
    (backup,) = etc.folder.glob("config.json.*.bak")
    assert backup.read_text() == by_hand
    assert (mode_of(backup), mode_of(etc.folder / "config.json.previous")) == (0o600, 0o600)


def test_new_key_takes_the_place_of_the_old_one_which_is_gone_then(etc: Folder) -> None:
    etc.add(custom_name="One")
    outcome = etc.save(MachineForm(id="one", pairing="p", url=URL, mes_id="1", custom_name="One"), OTHER_KEY)
    assert outcome == Outcome(machine_id="one")
    assert etc.config.machines[0].key == Secret(OTHER_KEY)
    assert not any(KEY in (etc.folder / name).read_text() for name in etc.names)


def test_machine_that_is_taken_out_leaves_no_key_and_comes_back_with_its_id(etc: Folder) -> None:
    etc.add(custom_name="One")
    etc.add("http://192.168.1.42", OTHER_KEY, custom_name="Two")
    load(etc.path, state_dir=etc.state, remember=True)  # as the running agent does
    outcome = remove(etc, "one")
    assert outcome.complaints == ()
    assert [entry.machine.id for entry in etc.config.machines] == ["two"]
    assert etc.names == {"config.json", "config.json.previous", "secrets/two.key"}
    load(etc.path, state_dir=etc.state, remember=True)
    assert etc.add(custom_name="One").machine_id == "one"


def remove(etc: Folder, machine_id: str) -> Outcome:
    from edge_agent.setup.edit import without_machine

    return etc.file.change(
        lambda current: Change(
            value=without_machine(current.value, machine_id), secrets=current.secrets, machine_id=machine_id
        )
    )


def test_key_file_of_a_persons_own_stays_when_its_machine_goes(etc: Folder) -> None:
    etc.put({"machines": [AS_1_2 | {"id": "one"}]})
    etc.put(KEY, name="secret.txt", mode=0o600)
    remove(etc, "one")
    assert "secret.txt" in etc.names


def test_key_that_two_machines_name_stays_until_both_are_gone(etc: Folder) -> None:
    (etc.folder / "secrets").mkdir()
    etc.put(KEY, name="secrets/shared.key", mode=0o600)
    shared = {"type": "OCTOPRINT", "mes_id": [1], "authentication_file_path": "secrets/shared.key"}
    etc.put({"machines": [shared | {"id": "a", "url": "http://a"}, shared | {"id": "b", "url": "http://b"}]})
    remove(etc, "a")
    assert "secrets/shared.key" in etc.names
    remove(etc, "b")
    assert "secrets/shared.key" not in etc.names


@pytest.mark.parametrize(
    ("texts", "field", "told"),
    [
        ({"custom_name": "Taken"}, "custom_name", "another machine's already"),
        ({"url": "http://taken"}, "url", "another machine's already"),
        ({"location": "x" * 201}, "location", "a text of one line"),
        ({"model": "a\x00b"}, "model", "a text of one line"),
    ],
)
def test_form_that_cannot_be_is_refused_by_field_and_nothing_is_left(
    etc: Folder, texts: dict[str, str], field: str, told: str
) -> None:
    etc.add("http://taken", OTHER_KEY, custom_name="Taken")
    before = {name: (etc.folder / name).read_bytes() for name in etc.names}
    outcome = etc.add(**texts)
    assert [complaint.field for complaint in outcome.complaints] == [field]
    assert told in outcome.complaints[0].text
    assert "stands also at" not in outcome.complaints[0].text
    assert {name: (etc.folder / name).read_bytes() for name in etc.names} == before


def test_file_that_is_no_json_is_left_alone_and_told_with_its_place(etc: Folder) -> None:
    etc.put('{"machines": [\n  {"type": }]}')
    outcome = etc.add()
    assert [(one.field, one.line, one.column) for one in outcome.complaints] == [("", 2, 12)]
    assert etc.names == {"config.json"}


def test_file_with_a_fault_of_its_own_is_left_alone(etc: Folder) -> None:
    etc.put({"machines": [], "http": {"port": "x"}})
    outcome = etc.add()
    (complaint,) = outcome.complaints
    assert (complaint.field, complaint.line) == ("", 1)
    assert complaint.text.startswith("http.port: ")
    assert etc.names == {"config.json"}


def test_lost_key_is_mended_by_pairing_again(etc: Folder) -> None:
    etc.add(custom_name="One")
    (etc.folder / "secrets/one.key").unlink()
    outcome = etc.save(MachineForm(id="one", pairing="p", url=URL, mes_id="1", custom_name="One"), OTHER_KEY)
    assert outcome == Outcome(machine_id="one")
    assert etc.config.machines[0].key == Secret(OTHER_KEY)


def test_file_that_a_person_changes_meanwhile_is_read_again(etc: Folder) -> None:
    etc.add(custom_name="One")
    edit = machine_edit(etc.file, MachineForm(id="one", url=URL, mes_id="9", custom_name="One"), None)
    asked: list[Current] = []

    def edit_slowly(current: Current) -> Change | tuple[Complaint, ...]:
        if not asked:
            etc.put(etc.value | {"polling": {"interval_s": 3}})
        asked.append(current)
        return edit(current)

    assert etc.file.change(edit_slowly) == Outcome(machine_id="one")
    assert len(asked) == 2
    assert (etc.value["polling"], etc.value["machines"][0]["mes_id"]) == ({"interval_s": 3}, [9])


def test_two_at_once_both_count(etc: Folder) -> None:
    etc.put({"machines": []})
    outcomes: list[Outcome] = []

    def add(number: int) -> None:
        outcomes.append(etc.add(f"http://192.168.1.{number}", custom_name=f"Number {number}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.complaints for outcome in outcomes] == [()] * 8
    assert len(etc.config.machines) == 8


def test_change_that_would_do_more_than_was_asked_is_not_written(etc: Folder) -> None:
    etc.add(custom_name="One")
    etc.add("http://192.168.1.42", custom_name="Two")
    before = etc.path.read_bytes()

    def careless(current: Current) -> Change:
        machines = [machine | {"url": "http://elsewhere"} for machine in current.value["machines"][1:]]
        return Change(value={"machines": machines}, secrets={}, machine_id="one")

    with pytest.raises(Exception, match="more than was asked"):
        etc.file.change(careless)
    assert etc.path.read_bytes() == before
    assert ".config.json.trial" not in etc.names


def test_folder_that_may_not_be_written_is_told_with_the_remedy(etc: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # as it would be, but for root, whom CI is

    monkeypatch.setattr(ConfigFile, "_replace", forbidden)
    assert "chmod 770" in etc.add().complaints[0].text


def test_full_disk_leaves_all_as_it_was(etc: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    etc.add(custom_name="One")
    before = {name: (etc.folder / name).read_bytes() for name in etc.names}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ConfigFile, "_replace", full)
    outcome = etc.add("http://192.168.1.42", OTHER_KEY, custom_name="Two")
    assert "No space left" in outcome.complaints[0].text
    assert {name: (etc.folder / name).read_bytes() for name in etc.names} == before


def test_states_are_written_as_overrides_only(etc: Folder) -> None:
    etc.put({"machines": [], "states": {"paused": {"stack_light": "red", "odd": 1}, "made_up": {}}})
    cells = {
        "paused": {"mes_status": "Stopped", "stack_light": "yellow"},  # the second as it is anyway
        "fault": {"operation_mode": "Setup"},
        "failed": {"operation_mode": "Processing", "stack_light": ""},  # as it would not be: fault's counts for it
        "unreachable": {"mes_status": "Offline"},
    }
    assert etc.file.change(states_edit(cells)) == Outcome()
    assert etc.value["states"] == {
        "paused": {"mes_status": "Stopped", "odd": 1},
        "fault": {"operation_mode": "Setup"},
        "failed": {"operation_mode": "Processing"},
        "made_up": {},
    }
    assert overrides(etc.value) == {
        "paused": {"mes_status": "Stopped"},
        "fault": {"operation_mode": "Setup"},
        "failed": {"operation_mode": "Processing"},
    }
    etc.file.change(states_edit({}))
    assert etc.value["states"] == {"paused": {"odd": 1}, "made_up": {}}


def test_cell_that_cannot_be_is_refused_by_row_and_column(etc: Folder) -> None:
    etc.put({"machines": []})
    before = etc.path.read_bytes()
    outcome = etc.file.change(states_edit({"paused": {"mes_status": "Sleeping"}}))
    assert [complaint.field for complaint in outcome.complaints] == ["paused.mes_status"]
    outcome = etc.file.change(states_edit({"dancing": {"mes_status": "Idle"}}))
    assert [complaint.field for complaint in outcome.complaints] == ["dancing.mes_status"]
    assert etc.path.read_bytes() == before


def test_every_prefilled_cell_of_the_table_is_no_override(etc: Folder) -> None:
    from edge_agent.setup.edit import _COLUMNS, _without_override

    etc.put({"machines": []})
    cells = {
        row: {column: _without_override(row, column, {}) for column in columns} for row, columns in _COLUMNS.items()
    }
    assert etc.file.change(states_edit(cells)) == Outcome()
    assert "states" not in etc.value


def test_what_is_written_is_shown_without_any_secret(etc: Folder) -> None:
    etc.put({"machines": [AS_1_1 | {"id": "one"}, {"type": "FORMLABS", "x": OTHER_KEY}], "hidden": OTHER_KEY})
    told = written(etc.file, etc.state)
    assert (told.exists, told.path, told.previous) == (True, str(etc.path), "")
    assert told.machines == (MachineForm(id="one", url=URL, mes_id="1"),)
    assert not any(secret in repr(told) for secret in (KEY, OTHER_KEY))
    assert any("custom_name" not in problem and "skipped" in problem for problem in told.problems)


def test_what_is_written_of_a_file_that_is_not_there_or_broken(etc: Folder) -> None:
    assert written(etc.file, etc.state).exists is False
    etc.put("{")
    broken = written(etc.file, etc.state)
    assert (broken.exists, broken.text, broken.machines) == (True, "", ())
    assert broken.problems[0].startswith(f"{etc.path}:1:")
    etc.put({"machines": [{"type": "OCTOPRINT", "id": "one", "url": "ftp://x", "mes_id": [1]}]})
    assert [form.id for form in written(etc.file, etc.state).machines] == ["one"]


def test_file_behind_a_link_is_changed_where_it_is(etc: Folder, tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text('{"machines": []}')
    etc.path.symlink_to(real)
    assert etc.add(custom_name="One").complaints == ()
    assert etc.path.is_symlink()
    assert jsonc.read(real).value == etc.value
