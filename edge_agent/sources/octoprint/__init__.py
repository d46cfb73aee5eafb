"""OctoPrint, from 1.3 to the 2.0 release candidates.

Datasheet (measured on 1.9.3, 1.10.3, 1.11.8 and 2.0.0rc7; older versions from their sources)

Permission needed: STATUS. Key in ``X-Api-Key``; ASCII only (another character makes the server fail with 500).

    /api/job          always 200; state text, error text, file, progress. Asked first: alone it tells a fault
                      ("Offline after error" and ``error``) from a printer that is merely disconnected
    /api/printer      flags and temperatures; 409 while the printer is not operational, so asked only when
                      /api/job's text says it is. ``history=true&limit=1`` adds the printer's own time
    /api/version      who answers; Moonraker and PrusaLink answer these paths too, with numbers that mean other things
    /api/connection   the printer profile's name; 6 ms and a look at every serial port, so asked once a minute
    /api/currentuser  (>= 1.4) whose key this is; asked at start, and on a 403 to say why

Sentinels and traps

- Every 403 has the same text. /api/currentuser: name null = unknown key; STATUS missing = no permission; STATUS
  listed = the user is deactivated. Up to 1.9 it is 403 itself for an unknown key; before 1.4 the status is 401.
- ``printing`` stays true while pausing, resuming, cancelling and finishing: those flags are looked at first. Before
  1.3.9 they are missing and the text tells. A fault's ``Error`` lasts milliseconds, then it is "Offline after error".
- ``error`` of /api/job: missing or null when fine; 2.0 release candidates lose the text of a firmware fault.
- completion: percent; null before the first print and after a cancel, stays 100 after success. SD prints: int 100.
- temperature: ``{}`` for two seconds after connecting, ``actual`` null before the first report; keys tool0..n, bed,
  chamber and whatever else the firmware reports (A, P, mcu). A sensor that stopped keeps its last value.
- display (>= 1.3.6) is the file's name as uploaded, null on SD cards; filament and estimatedPrintTime need an analysis.
- Two requests are no snapshot: right after a fault /api/job can still say Printing while /api/printer is 409 already.
  /api/job is then asked again. 2.0 says Operational a moment before /api/printer agrees.
- Up to 1.9 each answer closes the connection unannounced (see `edge_agent.session.HttpHost`).
"""

from .client import PRINTER_PATH, OctoPrint, OctoPrintOptions
from .meaning import Identity, is_operational, lookalike, plain, profile_name, to_snapshot
from .wire import ConnectionAnswer, JobAnswer, PrinterAnswer, VersionAnswer

__all__ = [
    "PRINTER_PATH", "ConnectionAnswer", "Identity", "JobAnswer", "OctoPrint", "OctoPrintOptions", "PrinterAnswer",
    "VersionAnswer", "is_operational", "lookalike", "plain", "profile_name", "to_snapshot",
]  # fmt: skip
