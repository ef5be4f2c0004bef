"""What Medic is made of may be used and passed on as Medic is: every distribution that runs with it says so itself."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution, distributions

import pytest

from tests.contract.test_house import ROOT

LOCKED = [ROOT / "requirements/run.txt", *sorted(ROOT.glob("functions/*/requirements.txt")),
          ROOT / "layers/medic_core/requirements.txt"]  # fmt: skip
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==[^;\\\n]+(;.*?)?\\?$", re.MULTILINE)
#: They ask for their text to come along, which the build sees to (tests/built/test_bytecode.py), and for no more.
TAKEN = {"MIT", "MIT-0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "ISC"}
#: Their own texts must stay free where they are changed. Medic imports them as they are, and as files that who has
#: Medic can replace.
WITH_REASONS = {
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "certifi": "MPL-2.0",
}
#: How licences are called by those who do not use the names of SPDX.
SPELLED = {
    "apache": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd license": "BSD",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}


def locked() -> list[str]:
    """Every name that is locked, whatever it is locked for."""
    return sorted({found[1].lower() for path in LOCKED for found in PINNED.finditer(path.read_text())})


def licences_of(found: Distribution) -> set[str]:
    """The licences to choose from, as a distribution names them: the modern way, else by classifiers, else in words."""
    named = found.metadata.get("License-Expression")
    if named:
        return set(re.split(r" OR ", named))
    classifiers = found.metadata.get_all("Classifier") or []
    spoken = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: ")]
    words = spoken or [found.metadata.get("License") or ""]
    return {SPELLED.get(one.lower(), one) for one in words}


def installed() -> list[str]:
    """The locked ones that this Python on this system has; the few others are locked for another one."""
    found = {one.metadata["Name"].lower().replace("_", "-").replace(".", "-") for one in distributions()}
    return [name for name in locked() if name.lower().replace("_", "-").replace(".", "-") in found]


def test_there_is_something_to_look_at() -> None:
    assert {"psycopg", "pydantic", "apprise", "ministack", "cryptography"} <= set(locked())
    assert len(locked()) > 50
    assert len(set(locked()) - set(installed())) < 5


@pytest.mark.parametrize("name", installed())
def test_its_licence_is_one_that_is_taken(name: str) -> None:
    found = licences_of(distribution(name))
    assert found & (TAKEN | {WITH_REASONS.get(name, "")}), found


def test_no_reason_is_idle() -> None:
    assert set(WITH_REASONS) <= set(locked())
    assert all(WITH_REASONS[name] in licences_of(distribution(name)) for name in WITH_REASONS)
