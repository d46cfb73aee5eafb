"""The texts in German."""

from __future__ import annotations

from ....errors import Failure
from ....model import MachineState, Quality
from .de_about import ABOUT
from .de_machine import MACHINE
from .texts import FrameWords, Words

DE = Words(
    language="de",
    frame=FrameWords(
        skip="Zum Inhalt",
        navigation="Seiten",
        machines="Maschinen",
        agent="Agent",
        setup="Einrichten",
        sign_of_admin="Sie dürfen ändern",
        stale="Der Agent antwortet nicht. Was hier steht, kann alt sein.",
        for_machines="Für Maschinen",
        copy="Kopieren",
        copied="Kopiert",
        version="Version",
    ),
    states={
        MachineState.OFF: "ausgeschaltet oder nicht verbunden",
        MachineState.CONNECTING: "verbindet",
        MachineState.FAULT: "Störung",
        MachineState.READY: "bereit",
        MachineState.DONE: "fertig",
        MachineState.STARTING: "startet",
        MachineState.PRINTING: "druckt",
        MachineState.PAUSING: "hält an",
        MachineState.PAUSED: "angehalten",
        MachineState.RESUMING: "setzt fort",
        MachineState.FINISHING: "beendet den Druck",
        MachineState.CANCELLING: "bricht ab",
    },
    qualities={
        Quality.WAITING: "wartet auf die erste Antwort",
        Quality.NO_COMMUNICATION: "antwortet nicht",
        Quality.ACCESS_DENIED: "Zugriff verweigert",
        Quality.GOOD: "gut",
        Quality.UNCERTAIN: "der letzte, nicht mehr frisch",
        Quality.NOT_CONNECTED: "Drucker nicht verbunden",
        Quality.NO_DATA: "nicht gesagt",
    },
    title="{reachable} von {machines} Maschinen - edge-agent auf {host}",
    reachable="{reachable} von {machines} Maschinen antworten",
    as_of="Stand {time}",
    no_machines="Es ist noch keine Maschine eingetragen.",
    shown_of="{shown} von {machines} Maschinen gezeigt",
    none_found="Keine Maschine ist gerade so.",
    show="Zeigen",
    groups={
        "all": "alle",
        "attention": "wo etwas zu tun ist",
        "working": "was arbeitet",
        "ready": "was bereit ist",
        "off": "was aus ist",
    },
    search="Name, Ort oder Datei",
    apply="Filtern",
    show_all="Alle zeigen",
    trouble="Hier ist etwas zu tun",
    open_to_all="Wer den OPC-UA-Port erreicht, liest alles, ohne Passwort und Verschlüsselung.",
    remedies={
        Failure.SILENT: "{host} antwortet nicht: prüfen, ob der Rechner am Drucker an und im selben Netz ist.",
        Failure.REFUSED: "{host} ist da, aber an diesem Port antwortet nichts: OctoPrint dort starten oder die "
        "Adresse berichtigen.",
        Failure.NO_WAY: "Das Netz hat keinen Weg zu {host}: Kabel, WLAN und Adresse prüfen.",
        Failure.UNKNOWN_NAME: "Niemand im Netz kennt den Namen {host}: ihn prüfen oder die Adresse in Zahlen "
        "verwenden.",
        Failure.CLOSED: "{host} hat die Verbindung vor der Antwort beendet: vielleicht startet es neu, also eine "
        "Minute warten.",
        Failure.BUSY: "{host} will seltener gefragt werden: warten oder für diese Maschine ein längeres "
        "poll_interval_s setzen.",
        Failure.STARTING: "OctoPrint auf {host} startet noch: eine Minute warten.",
        Failure.PROXY: "Der Webserver von {host} antwortet, OctoPrint dahinter nicht: eine Minute warten, dann "
        "OctoPrint neu starten.",
        Failure.SERVER_FAULT: "OctoPrint auf {host} hat selbst einen Fehler: sein octoprint.log ansehen.",
        Failure.WRONG_KEY: "OctoPrint auf {host} kennt den API-Schlüssel nicht: unter Einrichten einen neuen holen.",
        Failure.NO_PERMISSION: "Der Benutzer des API-Schlüssels auf {host} darf den Status nicht lesen: ihm in "
        "OctoPrints Zugriffskontrolle STATUS geben.",
        Failure.DEACTIVATED_USER: "Der Benutzer des API-Schlüssels auf {host} ist abgeschaltet: ihn in OctoPrints "
        "Zugriffskontrolle aktivieren.",
        Failure.WRONG_TARGET: "Was bei {host} antwortet, ist nicht OctoPrint: die Adresse unter Einrichten "
        "berichtigen.",
        Failure.REDIRECTED: "{host} verweist an eine andere Adresse: diese unter Einrichten eintragen.",
        Failure.UNTRUSTED: "Dem Zertifikat von {host} wird nicht vertraut: für diese Maschine tls.fingerprint oder "
        "tls.ca_file setzen.",
        Failure.NO_TLS: "{host} spricht kein https: http:// in die Adresse schreiben.",
        Failure.UNEXPECTED_ANSWER: "{host} antwortet, was kein bekanntes OctoPrint antwortet: Proxys dazwischen "
        "prüfen, dann den Agenten aktualisieren.",
        Failure.BUG: "Der Agent ist über die Antwort von {host} gestolpert: Näheres steht in seinem Protokoll, bitte "
        "melden.",
    },
    progress="Fortschritt",
    left="noch {time}",
    ends_at="fertig um {time}",
    off="aus",
    curve="{heater}, letzte {minutes} min: {low} bis {high} °C",
    last_state="zuletzt: {state}",
    began="begonnen um {time}",
    since="seit {time}",
    last_seen="letzte Antwort: {time}",
    never_seen="Sie hat nicht geantwortet, seit der Agent läuft.",
    old_values="Keine frische Antwort: diese Werte sind alt.",
    more="Ein MES verbinden: Endpunkt, Zertifikat und Benutzer",
    yes="ja",
    no="nein",
    decimal=",",
    machine=MACHINE,
    about=ABOUT,
    days="{days} d {hours} h",
    hours="{hours} h {minutes} min",
    minutes="{minutes} min",
    under_a_minute="weniger als eine Minute",
)
