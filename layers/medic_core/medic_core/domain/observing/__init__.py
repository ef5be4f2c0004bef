"""What can be seen of Medic itself, and what must not be."""
