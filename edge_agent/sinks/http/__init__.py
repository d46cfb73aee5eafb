"""The listener for browsers and for machines that speak HTTP: status page, guide, JSON, metrics.

    server          the sink: its options, its port, its sign of life, the half minutes of `curves`
    site            what is answered to which path, and to whom
    reading         what is told: pages for people, and the same as JSON
    page            all machines; `tile` is one of them, `filters` finds some
    machine_page    one of them, with every value
    agent_page      the agent; `agent_detail` is what it says there, and as JSON
    curves          the last hour of each heater; `drawing` makes a picture of it
    openapi         the description of the JSON, made from the structs themselves
    stream          server-sent events: each machine as it changes
    metrics         Prometheus' text format; `process` has the agent's own
    report          the JSON's structs, and how they are made of what the agent knows

    desk            what can be changed: which pages have forms, and what a form must bring
    door            log in and out, and the password; `access_page` shows it, `access` decides, `sessions` remembers
    guide           from a printer in the network to config.json; `guide_page` and `written_page` show it
    visit           one request to a page with forms; `forms` reads it, `fields` writes them
    setting_up      what the guide needs of whoever does it

    html            what every page is made of; `words` and `guide_words` have the texts, ``assets/`` style and script
    answers         heads and refusals
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
