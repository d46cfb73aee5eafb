"""From the socket to the service.

listener        sockets and their limits: `connection`, `reception`, `counted_buffer`
channel         what is signed and encrypted
witness         tells what happens at the door
processor       a request finds its service: `services`; `discovery`, `user_token`
"""
