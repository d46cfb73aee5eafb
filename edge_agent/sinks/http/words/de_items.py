"""What each data item is, in German. In English the items say it themselves."""

from __future__ import annotations

SENTENCES = {
    "MesStatus": "Idle, Running, Offline oder Stopped: der Zustand in den vier Worten eines MES.",
    "MesIds": "Die MES-Instanzen, zu denen diese Maschine gehört.",
    "Identification/Manufacturer": "Wer die Maschine gebaut hat, wie eingetragen; sonst leer.",
    "Identification/SerialNumber": "Die Seriennummer, wie eingetragen; sonst die Kennung der Maschine.",
    "Identification/ProductInstanceUri": "Der Name der Maschine, den keine andere auf der Welt hat.",
    "Identification/Model": "Das Modell der Maschine, wie eingetragen; sonst leer.",
    "Identification/ProductCode": "Womit man die gleiche Maschine bestellt, wie eingetragen; sonst leer.",
    "Identification/SoftwareRevision": "Wie sich der Server des Druckers nennt, auch während er nicht antwortet; "
    "leer, bevor er es gesagt hat.",
    "Identification/YearOfConstruction": "Das Baujahr der Maschine, wie eingetragen; sonst 0.",
    "Identification/Location": "Wo die Maschine steht, wie eingetragen; sonst leer.",
    "Identification/ComponentName": "Der Name der Maschine für Menschen.",
    "Identification/DeviceClass": "Was für ein Gerät es ist.",
    "Identification/AMTechnologyIdentifier": "Wie es fertigt, nach ISO/ASTM 52900: MEX, Materialextrusion.",
    "MachineryBuildingBlocks/MachineryItemState": "Kann man die Maschine benutzen, und arbeitet sie.",
    "MachineryBuildingBlocks/MachineryOperationMode": "Wofür die Maschine gerade benutzt wird.",
    "MachineryBuildingBlocks/OperationCounters/PowerOnDuration": "Wie lange der Agent den Drucker eingeschaltet und "
    "verbunden gesehen hat.",
    "MachineryBuildingBlocks/OperationCounters/OperationDuration": "Wie lange der Agent den Drucker hat drucken sehen, "
    "ohne Pausen.",
    "MachineryBuildingBlocks/OperationCounters/OperationCycleCounter": "Wie viele Drucke vor den Augen des Agenten "
    "fertig geworden sind.",
    "Monitoring/MachineTool/OperationMode": "Wer gerade bestimmt: das Programm des Drucks, ein Mensch oder keiner.",
    "Monitoring/Stacklight/Red": "Eine Störung hält die Maschine an.",
    "Monitoring/Stacklight/Yellow": "Die Maschine wartet auf einen Menschen.",
    "Monitoring/Stacklight/Green": "Die Maschine ist bereit oder arbeitet.",
    "Production/ActiveProgram/Name": "Die gewählte Datei ohne ihren Ordner; ohne eine die des letzten Drucks.",
    "Production/ActiveProgram/NumberInList": "Der Platz des Programms unter den kommenden; immer 0, denn der Drucker "
    "hat nur eines.",
    "Production/ActiveProgram/State": "Wie weit der Druck der gewählten Datei ist.",
    "Production/ActiveProgram/JobIdentifier": "Der laufende Druck dieses Programms, sonst der letzte: dasselbe wie "
    "Job/Id.",
    "Job/Id": "Der laufende Druck, sonst der letzte: eine eigene Kennung, die Neustarts übersteht.",
    "Job/StartTime": "Wann dieser Druck begann.",
    "Job/EndTime": "Wann dieser Druck endete; bei einem verlorenen, wann er zuletzt gesehen wurde.",
    "Job/Outcome": "Wie dieser Druck endete: completed, cancelled, failed oder lost.",
    "Job/OutcomeReason": "Warum dieser Druck scheiterte oder verloren ging; leer, wenn nichts zu sagen ist.",
    "Job/FileName": "Die gewählte Datei ohne ihren Ordner.",
    "Job/FilePath": "Die gewählte Datei mit ihrem Ordner, wie der Server des Druckers sie nennt.",
    "Job/FileSize": "Die Größe der gewählten Datei.",
    "Job/FileDate": "Wann die gewählte Datei zuletzt geändert wurde, nach der Uhr des Servers des Druckers.",
    "Job/User": "Wer den Druck gestartet hat.",
    "Job/Progress": "Welcher Teil der Datei gedruckt ist.",
    "Job/ElapsedTime": "Wie lange der Druck schon dauert.",
    "Job/RemainingTime": "Wie lange er voraussichtlich noch dauert.",
    "Job/RemainingTimeOrigin": "Wie die Restzeit geschätzt wurde (linear, analysis, estimate, average, ...).",
    "Job/EstimatedTime": "Die Druckzeit der ganzen Datei, vor dem Druck geschätzt.",
    "Job/FilamentLength": "Wie viel Filament die Datei braucht, alle Werkzeuge zusammen.",
    "Job/FilamentVolume": "Welches Volumen an Filament die Datei braucht, alle Werkzeuge zusammen.",
    "Source/Kind": "Durch welche Art von Schnittstelle die Maschine gefragt wird.",
    "Source/Url": "Wo die Maschine gefragt wird; Zugangsdaten stehen nicht darin.",
    "Source/Version": "Wie sich der Server des Druckers nennt.",
    "Source/State": "Was der Drucker selbst über seinen Zustand sagt.",
    "Source/Error": "Warum die Maschine nicht erreichbar ist, sonst was ihre Störung ist; leer, wenn alles gut ist.",
    "Source/Reachable": "Die letzte Frage ist brauchbar beantwortet worden.",
    "Source/LastSeen": "Wann die letzte brauchbare Antwort kam.",
    "Source/ResponseTime": "Wie lange der Server des Druckers für seine letzte Antwort brauchte.",
    "Source/PollInterval": "Wie viel Zeit jetzt zwischen zwei Fragen liegt; mehr bei einem Drucker, der aus ist, oder "
    "einem Server, der sich müht.",
}
