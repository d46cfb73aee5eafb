"""A machine's page in German."""

from __future__ import annotations

from ....jobs import Outcome
from .de_items import SENTENCES
from .texts import MachineWords

MACHINE = MachineWords(
    title="{name} - edge-agent",
    not_there="Es gibt keine Maschine mit dieser Kennung. Vielleicht steht sie nicht mehr in der Konfiguration.",
    own_page="Die eigene Seite des Druckers öffnen",
    now="Jetzt",
    curves="Temperaturen der letzten Stunde",
    curves_of="{heater}, in °C",
    no_curves="Noch ist nichts gemessen.",
    goal="gestrichelt: Sollwert",
    jobs="Letzte Drucke",
    no_jobs="Noch ist keiner bekannt.",
    file="Datei",
    started="Begonnen",
    duration="Dauer",
    outcome="Ausgang",
    goes_on="läuft noch",
    outcomes={
        Outcome.COMPLETED: "fertig geworden",
        Outcome.CANCELLED: "abgebrochen",
        Outcome.FAILED: "gescheitert",
        Outcome.LOST: "ungesehen zu Ende gegangen",
    },
    values="Alle Werte",
    of_node_ids="NodeIds nennen ihren Namensraum mit seiner URI: seine Nummer kann auf jedem Rechner eine andere sein. "
    "Clients, die nur ns=...;s=... kennen, finden die URI in NamespaceArray. Zeiten sagen, wann ein Wert gemessen oder "
    "mitgeteilt wurde.",
    own_node_id="Der Knoten der Maschine selbst",
    item="Wert von",
    value="Wert",
    quality="Güte",
    time="Zeit",
    node_id="NodeId",
    groups={
        "MesStatus": "Für das MES",
        "Identification": "Kennzeichnung",
        "MachineryBuildingBlocks": "Zustand und Zähler",
        "Monitoring": "Überwachung",
        "Production": "Programm",
        "Job": "Druck",
        "Source": "Quelle",
    },
    temperature_of="Temperatur von {heater}.",
    setpoint_of="Sollwert von {heater}; 0 ist aus.",
    sentences=SENTENCES,
)
