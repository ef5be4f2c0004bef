"""Playbooks as they are walked: each version is read and parsed once in an instance, because it never changes."""

from __future__ import annotations

from functools import lru_cache

from medic_core.domain.repair import language
from medic_core.domain.repair.playbooks import Playbook
from medic_core.errors import NotFound
from medic_core.store import playbooks
from medic_core.store.connection import Transaction

KEPT = 256
_texts: dict[str, str] = {}


@lru_cache(maxsize=KEPT)
def parsed(yaml_content: str) -> Playbook:
    """The playbook of a text. Raises InvalidPlaybook."""
    return language.parse(yaml_content)


def of_version(tx: Transaction, playbook_id: int, version: int, sha256: str) -> Playbook:
    """The playbook of a version, whose text has this hash. Raises NotFound, InvalidPlaybook."""
    text = _texts.get(sha256)
    if text is None:
        row = playbooks.read_version(tx, playbook_id, version)
        if row is None:
            raise NotFound("This playbook has no such version.")
        text = row.yaml_content
        if len(_texts) >= KEPT:
            _texts.clear()
        _texts[sha256] = text
    return parsed(text)
