"""What the API takes and gives, a module per resource: the only place where a field is described."""
