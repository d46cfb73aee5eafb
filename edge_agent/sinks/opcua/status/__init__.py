"""The Server object: what the endpoint says of itself.

audit           what happens at the door, as events
counts          and how often, as figures
server_object   what it can do, and how much of it at once
diagnostics     who is connected, as far as who asks may know
clients         and for the agent itself, without types of OPC UA
service_level   how much of what there is to tell can be told now
"""
