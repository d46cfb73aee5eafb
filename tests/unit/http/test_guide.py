"""The guide, as a technician walks through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from edge_agent.sinks.http.guide_words import DE, EN
from edge_agent.sinks.http.setting_up import Complaint, Found, MachineForm, PairingState
from edge_agent.sinks.http.written_page import ROWS, choices, columns_of

from .bench import Bench, observed
from .person import MARK_ONE, PASSWORD, Person, another, visited
from .reader import Reader
from .set_up_double import GRANTED, KEY, SetUpDouble

HTML = {"Accept": "text/html,*/*"}


@pytest.fixture
def set_up() -> SetUpDouble:
    return SetUpDouble()


@pytest_asyncio.fixture
async def person(tmp_path: Path, set_up: SetUpDouble) -> AsyncIterator[Person]:
    """Somebody who has set the password."""
    async with visited(tmp_path, set_up=set_up) as (_, person):
        await person.set_password()
        yield person


async def test_from_the_first_start_to_a_machine(tmp_path: Path, set_up: SetUpDouble) -> None:
    set_up.octoprints = (Found(name="OctoPi", url="http://octopi.local", version="1.11.2", model="MK4"),)
    async with visited(tmp_path, set_up=set_up) as (_, person):
        page = await person.get("/", headers=HTML)
        assert page.path == "/password"
        assert "for 15 min;" in page.text
        page = await person.fill(page, "/password", new=PASSWORD, again=PASSWORD)
        assert (page.path, EN.none_yet in page.text) == ("/setup", True)
        page = await person.get("/setup/add")
        assert "OctoPi" in page.text
        page = await person.fill(page, "/setup/pair")
        assert page.path == "/setup/pairing?id=p-1"
        assert "http://octopi.local/#appkeys" in page.text
        assert "waits for 5 min at most" in page.text
        set_up.pairings["p-1"] = GRANTED
        page = await person.get("/setup/pairing?id=p-1")
        assert "STATUS" in page.text
        assert "anna" in page.text
        assert EN.add.only_reads in page.text
        assert 'href="/setup/machine?pairing=p-1"' in page.text
        page = await person.get("/setup/machine?pairing=p-1")
        assert page.forms.to("/setup/machine").fields["custom_name"] == "Mark One"
        page = await person.fill(page, "/setup/machine", mes_id="1, 2", location="Hall 3")
        assert (page.status, page.path) == (200, "/setup/written?saved=mark-one")
        assert EN.saved in page.text
        assert "{&quot;machines&quot;: []}" in page.text
    assert set_up.asked[0] == ("pair", ("http://octopi.local", ""))
    assert set_up.asked[1] == (
        "save",
        MachineForm(pairing="p-1", url="http://octopi.local", custom_name="Mark One", mes_id="1, 2", location="Hall 3"),
    )


async def test_without_a_configuration_the_status_page_still_works(tmp_path: Path, set_up: SetUpDouble) -> None:
    async with visited(tmp_path, set_up=set_up) as (bench, person):
        assert (await person.get("/?page", headers=HTML)).path == "/?page"
        assert (await person.get("/", headers={"Accept": "*/*"})).path == "/"
        bench.store.publish(observed(1))
        assert (await person.get("/", headers=HTML)).path == "/"
        bench.store.remove("machine-1")
        set_up.file = replace(set_up.file, exists=True)
        assert (await person.get("/", headers=HTML)).path == "/"


async def test_looking_for_printers_goes_on_only_while_the_page_is_asked_for(
    person: Person, set_up: SetUpDouble
) -> None:
    await person.get("/setup")
    await person.get("/setup/written")
    assert set_up.looked == 0
    page = await person.get("/setup/add")
    assert set_up.looked == 1
    assert EN.add.looking in page.text
    assert 'data-every="3"' in page.text
    assert "<noscript><p><a" in page.text  # where there is no script, typing is not disturbed by a reload
    assert 'http-equiv="refresh"' not in page.text


async def test_a_printer_that_is_there_already_is_said_to_be(person: Person, set_up: SetUpDouble) -> None:
    set_up.octoprints = (Found(name="OctoPi", url="http://octopi.local", configured=True),)
    page = await person.get("/setup/add")
    assert EN.add.known in page.text
    assert len([form for form in page.forms.all if form.action == "/setup/pair"]) == 1
    again = await person.get("/setup/add?machine=mark-one")
    assert again.forms.to("/setup/pair").fields["machine"] == "mark-one"


async def test_a_key_typed_by_hand_is_checked_and_never_sent_back(person: Person, set_up: SetUpDouble) -> None:
    reason = "the key is wrong; make a new one in OctoPrint"
    set_up.next_pairing = replace(GRANTED, state=PairingState.FAILED, reason=reason)
    page = await person.fill(await person.get("/setup/add"), "/setup/pair", url="http://a", key=KEY)
    assert (page.status, page.path) == (200, "/setup/pair")
    assert KEY not in page.text
    assert f'<span class="wrong" id="key-wrong"><bdi>{reason}</bdi></span>' in page.text
    assert page.forms.to("/setup/pair").fields["url"] == "http://a"
    assert ("pair", ("http://a", KEY)) in set_up.asked
    assert ("forget", "p-1") in set_up.asked
    set_up.next_pairing = GRANTED
    page = await person.fill(page, "/setup/pair", key=KEY)
    assert page.path == "/setup/pairing?id=p-1"
    assert KEY not in page.text


async def test_an_address_that_is_none_is_told_beside_it(person: Person, set_up: SetUpDouble) -> None:
    set_up.next_pairing = replace(GRANTED, state=PairingState.FAILED, reason="no such host; is it typed right")
    page = await person.fill(await person.get("/setup/add"), "/setup/pair", url="nonsense")
    assert 'id="url-wrong"' in page.text
    assert 'aria-invalid="true"' in page.text
    assert 'aria-describedby="url-hint url-wrong"' in page.text


@pytest.mark.parametrize("state", [PairingState.DENIED, PairingState.EXPIRED, PairingState.FAILED])
async def test_no_key_says_why_and_asks_again(person: Person, set_up: SetUpDouble, state: PairingState) -> None:
    await person.fill(await person.get("/setup/add"), "/setup/pair", url="http://a")
    set_up.pairings["p-1"] = replace(set_up.pairings["p-1"], state=state, reason="so it is")
    page = await person.get("/setup/pairing?id=p-1")
    assert EN.add.states[state] in page.text
    assert "so it is" in page.text
    page = await person.fill(page, "/setup/pair")
    assert page.path == "/setup/pairing?id=p-1"
    assert [what for what, _ in set_up.asked] == ["pair", "pair"]


async def test_who_waits_sees_how_long_and_may_cancel(person: Person, set_up: SetUpDouble) -> None:
    page = await person.fill(await person.get("/setup/add"), "/setup/pair", url="http://a")
    assert 'data-every="2"' in page.text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.text
    person.bench.seconds += 200
    page = await person.get("/setup/pairing?id=p-1")
    assert "waits for 2 min at most" in page.text
    page = await person.fill(page, "/setup/forget")
    assert page.path == "/setup/add"
    assert set_up.pairings == {}
    gone = await person.get("/setup/pairing?id=p-1")
    assert (gone.status, EN.add.gone in gone.text) == (404, True)


async def test_a_key_that_may_too_much_brings_the_better_way_in_three_lines(
    person: Person, set_up: SetUpDouble
) -> None:
    powers = replace(GRANTED, permissions=("ADMIN", "PRINT"), more_than_needed=True)
    set_up.pairings["p-1"] = powers
    page = await person.get("/setup/pairing?id=p-1")
    assert "ADMIN, PRINT" in page.text
    for line in EN.add.least:
        assert line.replace('"', "&quot;").replace(">", "&gt;") in page.text
    set_up.next_pairing = replace(GRANTED, id="p-2", user="agent")
    page = await person.fill(page, "/setup/pair", key=KEY)
    assert page.path == "/setup/pairing?id=p-2"
    assert set_up.asked == [("pair", ("http://octopi.local", KEY)), ("forget", "p-1")]
    assert EN.add.only_reads in page.text


async def test_complaints_stand_beside_their_field_and_what_was_typed_is_kept(
    person: Person, set_up: SetUpDouble
) -> None:
    set_up.pairings["p-1"] = GRANTED
    set_up.complaints = (
        Complaint(field="mes_id", text="expected numbers", line=4, column=9),
        Complaint(field="pairing", text="the key is gone; ask again", line=4, column=9),
    )
    page = await person.get("/setup/machine?pairing=p-1")
    page = await person.fill(page, "/setup/machine", custom_name="Mark <One>", mes_id="one")
    assert page.status == 200
    assert '<span class="wrong" id="mes_id-wrong"><bdi>expected numbers</bdi></span>' in page.text
    assert page.text.index("config.json:4:9: the key is gone") < page.text.index("<form method")
    typed = page.forms.to("/setup/machine").fields
    assert (typed["custom_name"], typed["mes_id"], typed["pairing"]) == ("Mark <One>", "one", "p-1")
    set_up.complaints = ()
    assert (await person.fill(page, "/setup/machine", mes_id="1")).path == "/setup/written?saved=mark-one"


async def test_a_machine_that_is_there_is_edited_gets_a_new_key_and_is_removed(
    person: Person, set_up: SetUpDouble
) -> None:
    set_up.file = replace(set_up.file, exists=True, machines=(MARK_ONE,), problems=("config.json:1:1: odd",))
    page = await person.get("/setup")
    assert "config.json:1:1: odd" in page.text
    assert "/setup/machine?id=mark-one" in page.text
    page = await person.get("/setup/machine?id=mark-one")
    await person.fill(page, "/setup/machine", location="Hall 1")
    assert set_up.asked[-1] == ("save", replace(MARK_ONE, location="Hall 1"))
    page = await person.fill(page, "/setup/pair")
    assert page.path == "/setup/pairing?id=p-1&machine=mark-one"
    set_up.pairings["p-1"] = GRANTED
    page = await person.get("/setup/pairing?id=p-1&machine=mark-one")
    assert "/setup/machine?pairing=p-1&amp;id=mark-one" in page.text
    page = await person.get("/setup/machine?pairing=p-1&id=mark-one")
    assert page.forms.to("/setup/machine").fields["location"] == "Hall 1"
    await person.fill(page, "/setup/machine")
    page = await person.get("/setup/remove?id=mark-one")
    page = await person.fill(page, "/setup/remove")
    new_key = replace(MARK_ONE, location="Hall 1", pairing="p-1")
    assert set_up.asked[-2:] == [("save", new_key), ("remove", "mark-one")]
    assert set_up.file.machines == ()


async def test_what_is_not_removed_says_why(person: Person, set_up: SetUpDouble) -> None:
    set_up.file = replace(set_up.file, exists=True, machines=(MARK_ONE,))
    set_up.complaints = (Complaint(field="", text="the disk is full"),)
    page = await person.fill(await person.get("/setup/remove?id=mark-one"), "/setup/remove")
    assert (page.status, "the disk is full" in page.text) == (200, True)


@pytest.mark.parametrize("path", ["/setup/machine?id=none", "/setup/remove?id=none", "/setup/machine?pairing=none"])
async def test_what_is_not_there_says_so(person: Person, path: str) -> None:
    assert (await person.get(path)).status == 404


@pytest.mark.parametrize("path", ["/setup/pair", "/setup/forget", "/setup/machine"])
async def test_a_step_without_the_one_before_leads_to_the_first(person: Person, path: str) -> None:
    assert (await person.get(path)).path == "/setup/add"


async def test_the_state_table_is_a_form_with_every_cell(person: Person, set_up: SetUpDouble) -> None:
    set_up.file = replace(set_up.file, exists=True, states={"paused": {"mes_status": "Stopped"}})
    page = await person.get("/setup/states")
    fields = page.forms.to("/setup/states").fields
    cells = {f"{row}.{column}" for row in ROWS for column in columns_of(row)}
    assert fields.keys() == {*cells, "form-token"}
    assert {name: text for name, text in fields.items() if text and name in cells} == {"paused.mes_status": "Stopped"}
    assert "unreachable.item_state" not in cells
    assert choices("item_state") == ["NotAvailable", "OutOfService", "NotExecuting", "Executing"]
    await person.fill(page, "/setup/states", **{"ready.stack_light": "off", "paused.mes_status": ""})
    assert set_up.asked == [("save_states", {"ready": {"stack_light": "off"}})]


async def test_a_cell_that_is_wrong_says_so_and_the_table_is_kept(person: Person, set_up: SetUpDouble) -> None:
    set_up.complaints = (Complaint(field="ready.stack_light", text="no such light"),)
    page = await person.get("/setup/states")
    page = await person.fill(page, "/setup/states", **{"ready.stack_light": "red", "done.mes_status": "Stopped"})
    assert page.status == 200
    assert '<span class="wrong" id="ready.stack_light-wrong"><bdi>no such light</bdi></span>' in page.text
    fields = page.forms.to("/setup/states").fields
    assert (fields["ready.stack_light"], fields["done.mes_status"]) == ("red", "Stopped")


async def test_trouble_is_told_and_costs_nothing(person: Person, set_up: SetUpDouble) -> None:
    set_up.broken = "/etc/edge-agent: permission denied; give the agent's user write access"
    page = await person.get("/setup")
    assert (page.status, "give the agent&#x27;s user write access" in page.text) == (503, True)


async def test_without_a_set_up_the_pages_say_so(tmp_path: Path) -> None:
    async with visited(tmp_path) as (_, person):
        page = await person.set_password()
        assert (page.path, EN.not_here in page.text) == ("/setup", True)
        assert (
            await person.send("/setup/machine", {"form-token": page.forms.all[0].fields["form-token"]})
        ).status == 404
    bench = Bench()
    async with bench.running(), another(bench) as person:
        for path in ("/login", "/setup", "/password"):
            assert (await person.get(path)).status == 404


async def test_every_page_is_whole_in_both_languages(person: Person, set_up: SetUpDouble) -> None:
    set_up.file = replace(set_up.file, exists=True, machines=(MARK_ONE,), previous="config.json.before", text="{}")
    set_up.pairings = {
        state.value: replace(GRANTED, id=state.value, state=state, more_than_needed=True) for state in PairingState
    }
    paths = ["/setup", "/setup/add", "/setup/states", "/setup/written?saved", "/password", "/setup/machine?id=mark-one",
             "/setup/remove?id=mark-one", "/setup/machine?pairing=granted",
             *(f"/setup/pairing?id={state.value}" for state in PairingState)]  # fmt: skip
    for language, other in (("de", EN), ("en", DE)):
        for path in paths:
            page = await person.get(path, headers={"Accept-Language": language})
            assert page.status == 200, path
            reader = Reader(page.text)
            assert ("html", "lang", language) in reader.attributes
            assert reader.tags.count("h1") == 1, path
            assert other.overview not in reader.words
            assert other.access.log_out not in reader.words
            assert not [one for one in reader.attributes if one[1].startswith("on") or one[1] == "style"]
            for tag, name, value in reader.attributes:
                if name in {"src", "href", "action"} and value != "http://octopi.local":
                    assert value.startswith(("/", "#")), (path, tag, value)
            assert len(page.text) < 60_000
            ids = [value for _, name, value in reader.attributes if name == "id"]
            assert len(ids) == len(set(ids)), path


async def test_two_may_set_up_at_once(person: Person, set_up: SetUpDouble) -> None:
    async with another(person.bench) as other:
        await other.log_in()
        pages = await asyncio.gather(*(one.get("/setup/add") for one in (person, other)))
        tokens = {page.forms.to("/setup/pair").fields["form-token"] for page in pages}
        assert len(tokens) == 2
        set_up.next_pairing = GRANTED
        done = await asyncio.gather(
            *(one.fill(page, "/setup/pair", url="http://a") for one, page in zip((person, other), pages, strict=True))
        )
        assert [page.status for page in done] == [200, 200]
