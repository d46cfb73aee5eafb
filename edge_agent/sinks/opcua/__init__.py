"""The OPC UA endpoint: every machine below ``Objects/Machines``, every data item a typed variable.

    server          the sink: listeners, and the loop from the store to the nodes
    mirror          store to nodes: machines come, change, go; events are reported
    machine         one machine: which item is shown by which node; only what changed is written
    machine_type    what a machine looks like: the optional parts we serve, and ours; `template` walks the types
    folder, agent_object, metadata, server_object    what else there is to browse

    nodeset         the compiled models in `models/`, read row by row; `wire` turns rows into attributes
    address_space   nodes found when asked for, values and watches kept; `instance` is one machine's branch
    view, methods   Browse, TranslateBrowsePaths and Call; `attributes`, `index_range`: Read; `sight`: what a user sees
    events, job_orders, structures    events and prints as OPC UA tells them; `job_methods`, `history`: of the past

    listener        sockets and their limits: `connection`, `reception`, `channel`, `counted_buffer`
    processor       a request finds its service: `services`, `discovery`, `user_token`; `shutdown` tells the clients
    session         what a client may ask for: `session_life`, `subscribing`, `limits`; `inner` is asyncua's part of it
    subscriptions   whose they are: `subscription`, `publishing`, `item_services`
    monitored_item  what is watched: `value_item` with `change_filter`, `event_item` with `event_filter` and below

    values          a reading as a DataValue: type, status code, source timestamp
    access          who gets in, put together; `security` is what asyncua is told of it
    users           log-ins: `credentials` (on disk), `passwords` (hashes), `attempts` (delays, locks); `names`
    certificate     the endpoint's own; `addresses` are the names in it
    trust           the clients' certificates: `trust_folder` (files), `client_certificate` (the single checks)

Only this room knows asyncua. What asyncua gets wrong is put right here, each with the test that shows it.
"""

from . import lean
from .options import ClientCertificates, OpcUaOptions, OpcUaUser

lean.prepare()  # before anybody below imports asyncua

# The sink itself is in `server`: whoever only reads a configuration need not load asyncua.
__all__ = ["ClientCertificates", "OpcUaOptions", "OpcUaUser"]
