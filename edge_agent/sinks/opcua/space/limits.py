"""How much one request may ask for: told to clients in ``OperationLimits`` (OPC 10000-5, 6.3.11), kept by `session`."""

from __future__ import annotations

NODES_PER_READ = 10_000
MADE_BYTES = 4 * 1024 * 1024
"""Of values that are made for one Read: more than an answer holds."""
NODES_PER_WRITE = 1_000
NODES_PER_BROWSE = 1_000
REFERENCES_PER_NODE = 1_000
"""What is left follows by BrowseNext."""
REFERENCES_PER_BROWSE = 20_000
"""Of all nodes together: as many as one message holds."""
PATHS_PER_TRANSLATE = 1_000
NODES_AT_ONCE = 200
"""Between two of so many others get their turn: a request may ask for thousands."""
METHODS_PER_CALL = 100
ITEMS_PER_CALL = 10_000
