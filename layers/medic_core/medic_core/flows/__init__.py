"""What Medic does, a verb a file. `tx` first: inside one transaction; `database` first: a story over several."""
