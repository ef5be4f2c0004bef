"""What is measured, against references measured in the same run. `python -m bench` prints; nothing is asserted."""
