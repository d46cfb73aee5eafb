"""The listener for browsers and for machines that speak HTTP: status page, JSON, metrics. It only tells.

    server          the sink: its options, its port, its sign of life
    site            what is answered to which path, and to whom
    page            the status page; `words` has its texts in each language, ``assets/`` its style and script
    openapi         the description of the JSON, made from the structs themselves
    stream          server-sent events: each machine as it changes
    metrics         Prometheus' text format; `process` has the agent's own
    report          the JSON's structs, and how they are made of what the agent knows
    listener        connections: how many, how long, how large
    library         aiohttp, and nobody else imports it
    guard           whose name a request must bear, and who may read
    about           what others tell of themselves here
    options         what the configuration says

Above `options` and `about` nothing is imported unless the listener is switched on.
"""

from __future__ import annotations

from .options import HttpOptions, HttpUser

__all__ = ["HttpOptions", "HttpUser"]
