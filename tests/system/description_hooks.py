"""What schemathesis is told of Medic: it may not end the key that it is using."""

from __future__ import annotations

from typing import Any

import schemathesis

OWN_KEY = 1
NO_KEY = 999_999


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    # The last moment before the request: not every phase asks the hooks that shape what it makes up.
    if is_own_key((case.path_parameters or {}).get("api_key_id")):
        case.path_parameters["api_key_id"] = NO_KEY


def is_own_key(api_key_id: object) -> bool:
    """Whether Medic would read it as the number of the key in use: ` 1`, `01` and `1.0` are that number too."""
    try:
        return float(str(api_key_id)) == OWN_KEY
    except ValueError:
        return False
