"""The Server object: what the endpoint says of itself.

server_object   what it can do, and how much of it at once
service_level   how much of what there is to tell can be told now
"""
