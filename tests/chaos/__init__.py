"""The whole of Medic under load while its parts are killed, stopped and cut off; and a checker that trusts nobody.

`plan` says from a seed what will happen, `system` runs the real thing, `faults` break it, `client` and `operator` are
processes that use it and write down what they were told, `checker` compares that with the database. `run` does it all.
"""
