"""A stage: the template itself, on one machine, run by an existing emulator of AWS.

Start, wire, fill the emulator's gaps, show, stop. It knows functions, queues, schedules and routes, and no behaviour
of what it runs.
"""
