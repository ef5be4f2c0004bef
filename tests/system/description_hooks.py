"""What schemathesis is told of Medic: it may not end the key that it is using."""

from __future__ import annotations

from typing import Any

import schemathesis

OWN_KEY = "1"


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    if path_parameters and str(path_parameters.get("api_key_id")) == OWN_KEY:
        return {**path_parameters, "api_key_id": 999_999}
    return path_parameters
