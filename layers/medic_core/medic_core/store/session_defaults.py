"""What a session has that a proxy opened: the defaults of the role, in this database alone."""

from __future__ import annotations

from typing import Final

from medic_core.store.connection import SESSION, Database

#: A role may set its own.
GIVE: Final = """
    DO $$
    BEGIN
      EXECUTE format('ALTER ROLE %%I IN DATABASE %%I SET %s TO %%L', current_user, current_database(), '%s');
    END
    $$
"""


def give_to_role(database: Database) -> None:
    """Have new sessions of this role be as those are that Medic opens itself. Given again, it changes nothing."""
    with database.transaction() as tx:
        for name, value in SESSION.items():
            tx.execute(GIVE % (name, value))
