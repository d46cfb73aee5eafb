"""The OPC UA endpoint: every machine below ``Objects/Machines``, every data item a typed variable.

    address_space   namespaces in their fixed order, the folders that are always there
    machine         one machine's nodes: built from the data items, written when a value changes
    values          a reading as a DataValue: type, status code, source timestamp
    security        who gets in, and the endpoint's own certificate
    server          the sink: listeners, and the loop from the store to the nodes

Only this room knows asyncua. What asyncua gets wrong is put right here, each with the test that shows it.
"""

from .options import ClientCertificates, OpcUaOptions, OpcUaUser

# The sink itself is in `server`: whoever only reads a configuration need not load asyncua.
__all__ = ["ClientCertificates", "OpcUaOptions", "OpcUaUser"]
