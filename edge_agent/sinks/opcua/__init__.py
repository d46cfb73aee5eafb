"""The OPC UA endpoint: every machine below ``Objects/Machines``, every data item a typed variable.

    server          the sink: listeners, and the loop from the store to the nodes
    access          who gets in, put together
    status/         the Server object: what the endpoint says of itself
    transport/      from the socket to the service: connections, secure channels, requests
    sessions/       a client's session: how it begins, what it may ask for, how it ends
    objects/        what there is to see: the machines, their jobs and events, the agent
    monitoring/     subscriptions and what they watch: values and events
    events/         what an event is, and which of them a client asked for
    security/       users and their passwords; the endpoint's certificate and the clients'
    space/          the compiled models in `models/` and the nodes made of them: Browse, Read, Call

A room imports only from those below it. Only here asyncua is known; what it gets wrong is put right here, each with the
test that shows it.
"""

from . import lean
from .options import ClientCertificates, OpcUaOptions, OpcUaUser

lean.prepare()  # before anybody below imports asyncua

# The sink itself is in `server`: whoever only reads a configuration need not load asyncua.
__all__ = ["ClientCertificates", "OpcUaOptions", "OpcUaUser"]
