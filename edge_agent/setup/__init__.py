"""Setting up: finding OctoPrints on the network, asking them for keys, and writing config.json.

The guide of the status page and the commands ``discover`` and ``pair`` do it through this room. Nothing is imported
here: the search runs in a process of its own, which needs `listen` and little else.
"""
