"""What functions are told by their environment, and how it is put into what `sam local` reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

FUNCTION = "AWS::Serverless::Function"
#: In the recorded events and the example of variables, for the key that a person has.
PLACE_OF_KEY = "mdk_<id>_<secret>"
#: SAM sets the variables alone that the template declares, and on AWS nothing needs this one.
ENDPOINT = "AWS_ENDPOINT_URL"
#: SAM counts a container's start as a part of the invocation.
PATIENCE_SECONDS = 300
QUEUES_ON_AWS = "https://sqs."

Variables = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Addresses:
    """Where containers find what functions talk to; queues by their names."""

    database: str
    redis: str
    endpoint: str
    queues: Mapping[str, str]


def moved(url: str, seen: Callable[[int], tuple[str, int]]) -> str:
    """The URL of a server of ours, with the host and port that somebody else sees it at."""
    parts = urlsplit(url)
    if parts.port is None:
        raise ValueError(f"{url} names no port")
    host, port = seen(parts.port)
    user = f"{parts.username}@" if parts.username else ""
    return parts._replace(netloc=f"{user}{host}:{port}").geturl()


def queue_names(example: str) -> Sequence[str]:
    """The queues that the example names."""
    return sorted(map(_name, filter(_is_queue, json.loads(example)["Parameters"].values())))


def variables(example: str, addresses: Addresses, url: str, key: str) -> Variables:
    """The example, with what is there in place of what it makes up."""
    given: Variables = json.loads(with_key(example, key))
    shared = given["Parameters"]
    for variable, value in shared.items():
        if _is_queue(value):
            shared[variable] = addresses.queues[_name(value)]
    shared |= {
        "DATABASE_URL": addresses.database,
        "REDIS_URL": addresses.redis,
        "MEDIC_BASE_URL": url,
        ENDPOINT: addresses.endpoint,
    }
    return given


def for_here(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template, with functions that may be told where AWS is, and that a busy machine may be slow with."""
    changed: dict[str, Any] = deepcopy(dict(template))
    for resource in changed["Resources"].values():
        if resource["Type"] == FUNCTION:
            properties = resource["Properties"]
            properties.setdefault("Environment", {}).setdefault("Variables", {})[ENDPOINT] = ""
            properties["Timeout"] = PATIENCE_SECONDS
    return changed


def with_key(text: str, key: str) -> str:
    """A recorded event, sent by whoever has this key."""
    return text.replace(PLACE_OF_KEY, key)


def _is_queue(value: str) -> bool:
    return value.startswith(QUEUES_ON_AWS)


def _name(url: str) -> str:
    return url.rsplit("/", 1)[1]
