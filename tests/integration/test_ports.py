"""Ports are asked for by servers that start side by side, in several processes: nobody gets another's."""

from __future__ import annotations

import socket
import sys

import pytest

from local.servers import free_port

MANY = 500


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port is kept for a shorter time, or not at all")
def test_a_port_that_was_offered_is_kept_for_the_server_that_names_it() -> None:
    offered = {free_port() for _ in range(MANY)}
    # Of those that were closed and no more, some come twice.
    assert len(offered) == MANY
    for port in list(offered)[:10]:
        with socket.create_server(("127.0.0.1", port)):
            pass
