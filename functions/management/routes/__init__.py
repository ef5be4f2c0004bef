"""A module per resource: request in, one flow or one read, answer out."""
