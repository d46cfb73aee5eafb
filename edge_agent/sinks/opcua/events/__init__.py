"""What an event is, and which of them a client asked for.

base_event      the fields that every event has; `model_change`: machines that come and go
event_filter    what a client wants to hear: `content_filter` with `comparison` and `like`
"""
