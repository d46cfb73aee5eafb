"""The configuration: ``load`` reads config.json into a frozen `Config`, or raises with all of its problems.

Machine objects of every Aggregator version are read unchanged; docs/config.md tells the whole format.
"""

from __future__ import annotations

from ..sinks.http.options import HttpOptions
from .load import load, load_or_wait
from .options import Config, MachineConfig
from .problem import ConfigFileError, Position, Problem, Severity

__all__ = [
    "Config",
    "ConfigFileError",
    "HttpOptions",
    "MachineConfig",
    "Position",
    "Problem",
    "Severity",
    "load",
    "load_or_wait",
]
