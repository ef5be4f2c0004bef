"""Docker's client is played by a program that answers as it was told to and writes down what it was asked."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from infra.sam_local import engine, image
from infra.sam_local.engine import Engine

NAME = "images.example/lambda/python:3.13-x86_64"
#: As the kernel of a container on Docker's bridge shows it.
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""

MakeEngine = Callable[..., Engine]


@pytest.fixture
def an_engine(tmp_path: Path) -> MakeEngine:
    """Whose client answers to a subcommand with (exit code, output), and to all others with success."""

    def make(answers: Mapping[str, tuple[int, str]], *, is_ours: bool = False) -> Engine:
        cases = "".join(
            f"  '{command}') printf %s {shlex.quote(output)}; exit {code};;\n"
            for command, (code, output) in answers.items()
        )
        client = tmp_path / "docker"
        client.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncase "$1 $2" in\n{cases}esac\n')
        client.chmod(0o755)
        return Engine({"PATH": f"{tmp_path}:{os.defpath}"}, is_ours=is_ours, folder=tmp_path)

    return make


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[], list[str]]:
    """Every command that the client was given."""
    return lambda: (tmp_path / "asked").read_text().splitlines()


def test_an_engine_answers_where_its_client_reaches_one(an_engine: MakeEngine, tmp_path: Path) -> None:
    assert an_engine({"version --format": (0, "28.0")}).answers()
    assert not an_engine({"version --format": (1, "Cannot connect to the Docker daemon")}).answers()
    assert not Engine({"PATH": str(tmp_path / "nowhere")}, is_ours=False, folder=tmp_path).answers()


def test_the_gateway_is_where_a_container_sends_what_is_not_for_its_network() -> None:
    assert engine.gateway_of(ROUTES) == "172.17.0.1"
    without = "\n".join(line for line in ROUTES.splitlines() if "00000000\t010011AC" not in line)
    assert engine.gateway_of(without) is None
    assert engine.gateway_of("") is None


@pytest.mark.parametrize(
    ("user", "missing", "because"),
    [(1000, "", "only root can"), (0, "apt-get", "no apt-get"), (0, "setpriv", "no setpriv"), (0, "", None)],
)
def test_why_there_can_be_no_engine_is_said(user: int, missing: str, because: str | None) -> None:
    found = engine.why_not_our_own(user, lambda program: None if program == missing else f"/usr/bin/{program}")
    assert found is None if because is None else because in str(found)


def test_aws_image_is_taken_where_it_lies(an_engine: MakeEngine, asked: Callable[[], list[str]]) -> None:
    # Only images of ours are labelled.
    with image.at_hand(an_engine({"image inspect": (0, "\n")}), NAME, must_not_be_made):
        pass
    assert [line.split()[0] for line in asked()] == ["image"]


def test_it_is_pulled_where_it_can_be(an_engine: MakeEngine, asked: Callable[[], list[str]]) -> None:
    with image.at_hand(an_engine({"image inspect": (1, "")}), NAME, must_not_be_made):
        pass
    assert asked()[-1] == f"pull --quiet {NAME}"


def test_else_one_is_made_and_its_name_is_not_left_in_an_engine_of_yours(
    an_engine: MakeEngine, asked: Callable[[], list[str]]
) -> None:
    made: list[str] = []
    yours = an_engine({"image inspect": (1, ""), "pull --quiet": (1, "no such host")})
    with pytest.raises(KeyboardInterrupt), image.at_hand(yours, NAME, lambda _, name: made.append(name)):
        raise KeyboardInterrupt
    assert made == [NAME]
    assert asked()[-1] == f"image rm {NAME} {NAME.removesuffix('-x86_64')}"


def test_an_engine_of_ours_asks_nobody_and_keeps_what_was_made(
    an_engine: MakeEngine, asked: Callable[[], list[str]]
) -> None:
    made: list[str] = []
    ours = an_engine({"image inspect": (0, "a fingerprint")}, is_ours=True)
    with image.at_hand(ours, NAME, lambda _, name: made.append(name)):
        pass
    assert made == [NAME]
    assert not [line for line in asked() if line.startswith(("pull", "image rm"))]


def must_not_be_made(_: Engine, name: str) -> None:
    raise AssertionError(f"{name} is there")


def test_the_stand_in_is_a_program_that_runs(an_engine: MakeEngine, tmp_path: Path) -> None:
    assert an_engine({"image inspect": (3, "it's so")}).docker("image", "inspect", "x").output == "it's so"
    assert shutil.which("docker", path=str(tmp_path))
