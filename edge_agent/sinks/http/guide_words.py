"""The texts of the pages with forms, one `GuideWords` for each language. What checks say of a failure is English."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from .access import Why
from .setting_up import PairingState


class AccessWords(Struct, frozen=True, kw_only=True):
    """Logging in, logging out, and the password."""

    log_in_title: str
    log_in_why: str
    password: str
    log_in: str
    forgotten: str
    refused: Mapping[Why, str]
    ended: str
    first_title: str
    first_why: str
    too_late: str
    new: str
    again: str
    rule: str
    differ: str
    set_it: str
    change_title: str
    change_why: str
    old: str
    change: str
    log_out: str
    not_here: str
    stale_form: str


class AddWords(Struct, frozen=True, kw_only=True):
    """Finding an OctoPrint, and being let in by it."""

    title: str
    found_title: str
    looking: str
    reload: str
    known: str
    ask: str
    by_hand_title: str
    url: str
    url_hint: str
    key: str
    key_hint: str
    go_on: str
    states: Mapping[PairingState, str]
    open_it: str
    press_allow: str
    minutes_left: str
    cancel: str
    ask_again: str
    gone: str
    user: str
    version: str
    may: str
    only_reads: str
    more_than_needed: str
    least: tuple[str, str, str]
    paste: str
    use_pasted: str
    use_anyway: str


class GuideWords(Struct, frozen=True, kw_only=True):
    """All of one language; ``{...}`` is filled in."""

    access: AccessWords
    add: AddWords
    title: str
    overview: str
    pages: str
    none_yet: str
    not_here: str
    machines: str
    edit: str
    remove: str
    problems: str
    complaints: str
    machine_title: str
    new_machine_title: str
    fields: Mapping[str, tuple[str, str]]
    key_of: str
    new_key: str
    save: str
    no_such_machine: str
    remove_title: str
    remove_why: str
    remove_yes: str
    remove_no: str
    states: str
    states_why: str
    state: str
    columns: Mapping[str, str]
    aftermaths: Mapping[str, str]
    unreachable: str
    as_default: str
    as_state: str
    written: str
    saved: str
    reloads: str
    not_written: str
    previous: str
    hidden: str
    to_the_page: str
    add_another: str


EN = GuideWords(
    access=AccessWords(
        log_in_title="Log in",
        log_in_why="Everybody may read. Who changes something needs the admin password.",
        password="Admin password",  # noqa: S106 - a label
        log_in="Log in",
        forgotten="If nobody knows it, a new one is made on this computer by",
        refused={
            Why.WRONG: "This is not the password.",
            Why.LOCKED: "There were too many wrong passwords. Wait five minutes, then try again.",
            Why.BUSY: "Too many are trying at once. Wait a few seconds, then try again.",
            Why.NOT_SET: "No password is set yet.",
            Why.UNFIT: "The password must have 12 to 256 letters.",
            Why.ALREADY_SET: "Somebody else has just set the password. Nothing was changed; log in with that one.",
            Why.TOO_LATE: "The time to set the password here is over.",
        },
        ended="You are not logged in, or no longer. Nothing was changed.",
        first_title="Set the admin password",
        first_why="Whoever knows it may change things on this page. It can be set here without knowing another for "
        "{minutes} min; then only on this computer.",
        too_late="No admin password is set, and the time to set one here is over: the 15 minutes after the agent's "
        "start. Start the agent again, or make a password on this computer by",
        new="New password",
        again="New password, once more",
        rule="12 letters or more",
        differ="The two are not the same.",
        set_it="Set the password",
        change_title="Change the admin password",
        change_why="Everybody who is logged in, in any browser, is logged out by this.",
        old="The password so far",
        change="Change the password",
        log_out="Log out",
        not_here="Nothing can be changed on this page: it has no place to keep a password.",
        stale_form="This form is from an earlier log-in. Nothing was changed; open the page again.",
    ),
    add=AddWords(
        title="Add a printer",
        found_title="OctoPrints in this network",
        looking="Looking for OctoPrints. One that is switched on appears within a few seconds.",
        reload="Look again",
        known="set up already",
        ask="Ask it for a key",
        by_hand_title="By its address",
        url="Address of OctoPrint",
        url_hint="as you type it into a browser, like http://octopi.local",
        key="Key, if you have one",
        key_hint="left empty, OctoPrint is asked for one",
        go_on="Go on",
        states={
            PairingState.WAITING: "Waiting for somebody to press Allow",
            PairingState.GRANTED: "OctoPrint has given a key",
            PairingState.DENIED: "OctoPrint has given no key: somebody pressed Deny",
            PairingState.EXPIRED: "Nobody pressed Allow in time",
            PairingState.FAILED: "OctoPrint cannot be used like this",
        },
        open_it="Open OctoPrint and log in there:",
        press_allow="It asks whether edge-agent may have access. Press Allow. This page then goes on.",
        minutes_left="The agent waits for {minutes} min at most.",
        cancel="Cancel",
        ask_again="Ask again",
        gone="This request is not known any more. Ask again.",
        user="Whose key it is",
        version="OctoPrint",
        may="The key may",
        only_reads="The key may do no more than the agent needs.",
        more_than_needed="The key may do more than the agent needs, which only reads. It is safer so:",
        least=(
            'In OctoPrint, under Settings > Access Control > Users, add a user "agent".',
            "Give it no group, and only the permission Status.",
            'Log in to OctoPrint as "agent", make a key under User Settings > Application Keys, and paste it here.',
        ),
        paste="Key of this user",
        use_pasted="Use this key",
        use_anyway="Go on with the key there is",
    ),
    title="Set up",
    overview="Overview",
    pages="Set-up",
    none_yet="No printer is set up yet.",
    not_here="Nothing can be set up on this page. Edit config.json on this computer.",
    machines="Machines",
    edit="Edit",
    remove="Remove",
    problems="config.json has problems",
    complaints="Nothing was written",
    machine_title="Edit {name}",
    new_machine_title="Name the new machine",
    fields={
        "url": ("Address of OctoPrint", "like http://octopi.local"),
        "custom_name": ("Name", "as everybody shall call it"),
        "mes_id": ("MES instances", "their numbers, with commas between them, like 1, 2"),
        "location": ("Location", "where it stands"),
        "manufacturer": ("Manufacturer", ""),
        "model": ("Model", ""),
        "serial_number": ("Serial number", ""),
    },
    key_of="Its key is the one that {user} of OctoPrint gave.",
    new_key="Ask for a new key",
    save="Save",
    no_such_machine="There is no such machine in config.json.",
    remove_title="Remove {name}?",
    remove_why="The agent no longer asks it, and no MES sees it any more. What it has printed stays in the journal.",
    remove_yes="Remove it",
    remove_no="Keep it",
    states="State table",
    states_why="What the MES and the stack light show in each state. A cell that says nothing keeps the agent's own "
    "meaning, which stands in brackets.",
    state="State",
    columns={
        "mes_status": "MES status",
        "stack_light": "Stack light",
        "item_state": "Machinery item",
        "operation_mode": "Operation mode",
        "tool_mode": "Machine tool",
        "program_state": "Program",
    },
    aftermaths={"failed": "fault that ended a print", "cancelled": "ready after a cancelled print"},
    unreachable="unreachable",
    as_default="({value})",
    as_state="(as {state})",
    written="config.json",
    saved="Saved.",
    reloads="The agent has noticed, or will within seconds: nothing has to be restarted.",
    not_written="There is no config.json yet.",
    previous="The file as it was before:",
    hidden="Keys and passwords are not shown.",
    to_the_page="See the machines",
    add_another="Add another printer",
)

DE = GuideWords(
    access=AccessWords(
        log_in_title="Anmelden",
        log_in_why="Lesen darf jeder. Wer etwas ändert, braucht das Admin-Passwort.",
        password="Admin-Passwort",  # noqa: S106 - a label
        log_in="Anmelden",
        forgotten="Wenn niemand es weiß, macht auf diesem Rechner ein neues",
        refused={
            Why.WRONG: "Das ist nicht das Passwort.",
            Why.LOCKED: "Es gab zu viele falsche Passwörter. Bitte in fünf Minuten noch einmal versuchen.",
            Why.BUSY: "Es versuchen zu viele zugleich. Bitte in einigen Sekunden noch einmal versuchen.",
            Why.NOT_SET: "Es ist noch kein Passwort gesetzt.",
            Why.UNFIT: "Das Passwort muss 12 bis 256 Zeichen haben.",
            Why.ALREADY_SET: "Jemand anderes hat das Passwort soeben gesetzt. Nichts wurde geändert; bitte mit jenem "
            "anmelden.",
            Why.TOO_LATE: "Die Zeit, das Passwort hier zu setzen, ist vorbei.",
        },
        ended="Sie sind nicht oder nicht mehr angemeldet. Nichts wurde geändert.",
        first_title="Admin-Passwort setzen",
        first_why="Wer es kennt, darf hier etwas ändern. Noch {minutes} min lang lässt es sich hier ohne ein "
        "anderes setzen, danach nur auf diesem Rechner.",
        too_late="Es ist kein Admin-Passwort gesetzt, und die Zeit dafür ist vorbei: 15 Minuten nach dem Start des "
        "Agenten. Starten Sie den Agenten neu, oder machen Sie auf diesem Rechner eines mit",
        new="Neues Passwort",
        again="Neues Passwort, noch einmal",
        rule="mindestens 12 Zeichen",
        differ="Die beiden sind nicht gleich.",
        set_it="Passwort setzen",
        change_title="Admin-Passwort ändern",
        change_why="Alle, die in irgendeinem Browser angemeldet sind, werden dadurch abgemeldet.",
        old="Bisheriges Passwort",
        change="Passwort ändern",
        log_out="Abmelden",
        not_here="Auf dieser Seite kann nichts geändert werden: sie hat keinen Ort für ein Passwort.",
        stale_form="Dieses Formular ist von einer früheren Anmeldung. Nichts wurde geändert; Seite bitte neu öffnen.",
    ),
    add=AddWords(
        title="Drucker hinzufügen",
        found_title="OctoPrints in diesem Netz",
        looking="OctoPrints werden gesucht. Eines, das eingeschaltet ist, erscheint in einigen Sekunden.",
        reload="Noch einmal suchen",
        known="schon eingerichtet",
        ask="Um einen Schlüssel bitten",
        by_hand_title="Über seine Adresse",
        url="Adresse von OctoPrint",
        url_hint="wie im Browser, etwa http://octopi.local",
        key="Schlüssel, falls vorhanden",
        key_hint="bleibt das leer, wird OctoPrint um einen gebeten",
        go_on="Weiter",
        states={
            PairingState.WAITING: "Es wartet darauf, dass jemand „Allow“ drückt",
            PairingState.GRANTED: "OctoPrint hat einen Schlüssel gegeben",
            PairingState.DENIED: "OctoPrint hat keinen Schlüssel gegeben: jemand drückte „Deny“",
            PairingState.EXPIRED: "Niemand hat rechtzeitig „Allow“ gedrückt",
            PairingState.FAILED: "So kann OctoPrint nicht benutzt werden",
        },
        open_it="OctoPrint öffnen und dort anmelden:",
        press_allow="Es fragt, ob edge-agent Zugriff haben darf. Dort „Allow“ drücken, dann geht es hier weiter.",
        minutes_left="Der Agent wartet höchstens noch {minutes} min.",
        cancel="Abbrechen",
        ask_again="Noch einmal bitten",
        gone="Diese Bitte ist nicht mehr bekannt. Bitten Sie noch einmal.",
        user="Wessen Schlüssel es ist",
        version="OctoPrint",
        may="Der Schlüssel darf",
        only_reads="Der Schlüssel darf nicht mehr, als der Agent braucht.",
        more_than_needed="Der Schlüssel darf mehr, als der Agent braucht, der nur liest. Sicherer ist es so:",
        least=(
            "In OctoPrint unter Settings > Access Control > Users einen Benutzer „agent“ anlegen.",
            "Ihm keine Gruppe geben, und nur das Recht Status.",
            "Als „agent“ anmelden, unter User Settings > Application Keys einen Schlüssel machen und hier einfügen.",
        ),
        paste="Schlüssel dieses Benutzers",
        use_pasted="Diesen Schlüssel nehmen",
        use_anyway="Weiter mit dem vorhandenen Schlüssel",
    ),
    title="Einrichten",
    overview="Überblick",
    pages="Einrichtung",
    none_yet="Es ist noch kein Drucker eingerichtet.",
    not_here="Auf dieser Seite kann nichts eingerichtet werden. Bearbeiten Sie config.json auf diesem Rechner.",
    machines="Maschinen",
    edit="Bearbeiten",
    remove="Entfernen",
    problems="config.json hat Fehler",
    complaints="Nichts wurde geschrieben",
    machine_title="{name} bearbeiten",
    new_machine_title="Die neue Maschine benennen",
    fields={
        "url": ("Adresse von OctoPrint", "etwa http://octopi.local"),
        "custom_name": ("Name", "wie alle sie nennen sollen"),
        "mes_id": ("MES-Instanzen", "ihre Nummern mit Kommas dazwischen, etwa 1, 2"),
        "location": ("Standort", "wo sie steht"),
        "manufacturer": ("Hersteller", ""),
        "model": ("Modell", ""),
        "serial_number": ("Seriennummer", ""),
    },
    key_of="Ihr Schlüssel ist der, den {user} von OctoPrint gegeben hat.",
    new_key="Um einen neuen Schlüssel bitten",
    save="Speichern",
    no_such_machine="Diese Maschine steht nicht in config.json.",
    remove_title="{name} entfernen?",
    remove_why="Der Agent fragt sie nicht mehr, und kein MES sieht sie mehr. Was sie gedruckt hat, bleibt im Journal.",
    remove_yes="Entfernen",
    remove_no="Behalten",
    states="Zustandstabelle",
    states_why="Was MES und Signalsäule in jedem Zustand zeigen. Eine Zelle ohne Angabe behält die Bedeutung des "
    "Agenten, die in Klammern steht.",
    state="Zustand",
    columns={
        "mes_status": "MES-Status",
        "stack_light": "Signalsäule",
        "item_state": "Maschinenzustand",
        "operation_mode": "Betriebsart",
        "tool_mode": "Werkzeugmaschine",
        "program_state": "Programm",
    },
    aftermaths={"failed": "Störung, die einen Druck beendete", "cancelled": "bereit nach abgebrochenem Druck"},
    unreachable="nicht erreichbar",
    as_default="({value})",
    as_state="(wie {state})",
    written="config.json",
    saved="Gespeichert.",
    reloads="Der Agent hat es bemerkt oder wird es in Sekunden: nichts muss neu gestartet werden.",
    not_written="Es gibt noch keine config.json.",
    previous="Die Datei, wie sie vorher war:",
    hidden="Schlüssel und Passwörter werden nicht gezeigt.",
    to_the_page="Zu den Maschinen",
    add_another="Noch einen Drucker hinzufügen",
)


def guide_words(language: str) -> GuideWords:
    """The texts for a page that speaks a language; English where there are none."""
    return {"en": EN, "de": DE}.get(language, EN)
