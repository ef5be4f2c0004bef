"""The door that both HTTP functions share."""
