"""All SQL. A file is a table; a statement is a constant with its function beside it; rows become values here."""
