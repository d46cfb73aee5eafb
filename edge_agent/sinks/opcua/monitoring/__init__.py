"""Subscriptions and what they watch.

subscriptions   all of them, and whose they are: `subscription`, `publishing`; how many a user may have: `shares`
diagnostics     what a subscription counts; `subscription_methods`: what a client asks of it that lost track
item_services   monitored items come, change and go
monitored_item  what all have: the queue. `value_item` with `change_filter`; `event_item`
"""
