"""A test double of OctoPrint: real HTTP on 127.0.0.1, a printer with verbs, and verbs for everything that goes wrong.

async with OctoPrintDouble() as octoprint:
octoprint.printer.print(0.42)
...  # poll octoprint.url with octoprint.key
octoprint.refuse(403)
assert [request.path for request in octoprint.log] == ["/api/job", "/api/printer"]
"""

from .octoprint import KEY, OctoPrintDouble, Request, User
from .printer import Heater, Printer
from .recordings import recorded, situations

__all__ = [
    "KEY",
    "Heater",
    "OctoPrintDouble",
    "Printer",
    "Request",
    "User",
    "recorded",
    "situations",
]
