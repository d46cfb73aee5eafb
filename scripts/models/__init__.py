"""The compiler of the OPC UA models: official NodeSets in, one line of facts per node out."""
