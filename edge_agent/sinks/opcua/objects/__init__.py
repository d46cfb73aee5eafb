"""What there is to see.

mirror          store to nodes: machines come, change, go; events are reported
machine         one machine: which item is shown by which node; only what changed is written
machine_type    what a machine looks like: the optional parts we serve, and ours
folder, agent_object, metadata    what else there is to browse
machine_events  what happened as OPC UA tells it; `history`: what happened before
job_orders      prints as ISA-95 job orders; `job_methods` asks for them
"""
