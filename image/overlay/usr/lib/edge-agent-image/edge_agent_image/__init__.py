"""What the SD image does beside the agent, with Debian's own Python and nothing else.

Every program is one command of ``board``, is run by a unit of the same name, and may be interrupted at any instant: run
again, it goes on. What goes wrong in one of them is told on the card and never keeps the agent from starting.
"""
