from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from infra.sam_local.relay import Relay, relaying
from local.servers import free_port

#: Both are this machine; a container's gateway is a third.
OUTSIDE, PATIENCE = "127.0.0.2", 10


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it is sent, until its client has ended."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65_536):
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def received(client: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        if not (more := client.recv(length - len(data))):
            break
        data += more
    return data


def test_what_is_sent_arrives_and_comes_back(echo: int) -> None:
    with relaying(OUTSIDE) as relay:
        port = relay.listen_for(echo)
        message = b"0123456789" * 50_000
        with socket.create_connection((OUTSIDE, port), PATIENCE) as client:
            threading.Thread(target=client.sendall, args=(message,), daemon=True).start()
            assert received(client, len(message)) == message


def test_connections_do_not_disturb_each_other(echo: int) -> None:
    with relaying(OUTSIDE) as relay:
        port = relay.listen_for(echo)
        clients = [socket.create_connection((OUTSIDE, port), PATIENCE) for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(b"%02d" % number)
        assert [received(client, 2) for client in reversed(clients)] == [b"%02d" % n for n in reversed(range(20))]
        for client in clients:
            client.close()


def test_where_nobody_listens_the_connection_ends() -> None:
    with relaying(OUTSIDE) as relay:
        port = relay.listen_for(free_port())
        with socket.create_connection((OUTSIDE, port), PATIENCE) as client:
            assert client.recv(1) == b""


def test_stopping_ends_connections_that_nobody_ends(echo: int) -> None:
    relay = Relay(OUTSIDE)
    port = relay.listen_for(echo)
    with socket.create_connection((OUTSIDE, port), PATIENCE) as client:
        client.sendall(b"x")
        assert received(client, 1) == b"x"
        relay.stop()
        assert client.recv(1) == b""


def test_an_address_of_somebody_else_is_refused() -> None:
    with relaying("192.0.2.1") as relay, pytest.raises(OSError):
        relay.listen_for(1)
