"""A client's session.

session         what a client may ask for; `subscribing`: of its subscriptions
door            what happens at the door is told here
session_life    how a session comes to be, moves to another connection, and ends
request_counts  what it was asked, and refused
inner           asyncua's part of the server, with ours in place of what it gets wrong
shutdown        the clients are told before the endpoint goes
"""
