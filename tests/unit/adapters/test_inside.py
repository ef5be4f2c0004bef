"""Nothing inside can be reached: hostile URLs in every spelling, against a listener that would notice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apprise
import pytest
from apprise.plugins.xmpp import NotifyXMPP

from medic_core.adapters.destinations import REFUSED, refuse_at_sight
from medic_core.adapters.public_only import public_only
from medic_core.adapters.safe_http import post, request
from medic_core.domain.access.addresses import InvalidUrl
from tests.unit.access.test_addresses import REFUSED as BADLY_SPELLED
from tests.unit.access.test_addresses import TO_THE_INSIDE

#: They listen on one port.
pytestmark = pytest.mark.xdist_group("port 8080")
#: The one allowed port that needs no rights to listen on.
PORT = 8080
#: Each of these is this machine, or another place inside, to somebody's resolver.
SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0", "0.0.0.0", "0x0", "00", "2130706433", "0x7f000001",
    "0X7F000001", "0x7f.0.0.1", "0x7f.1", "017700000001", "0177.0.0.1", "0177.1", "0177.0x0.0.1", "127.0.0.01",
    "127.000.000.001", "00000177.0.0.1", "localhost", "LOCALHOST", "LocalHost", "localhost.", "127.0.0.1.",
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:1::1]",
    "[2001:0:7f00:1::]", "[::ffff:0:127.0.0.1]", "[fe80::1]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
    "10.0.0.1", "10.1", "0xa.1", "012.0.0.1", "167772161", "172.16.0.1", "172.31.255.255", "2886729729", "192.168.0.1",
    "192.168.1", "0xc0a80001", "3232235521", "100.64.0.1", "1681915905", "169.254.169.254", "169.254.43518",
    "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "169.254.170.2", "192.0.0.1", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
]  # fmt: skip
HOSTILE = [
    *BADLY_SPELLED,
    *TO_THE_INSIDE,
    *(f"http://{host}:{PORT}/" for host in SPELLINGS),
    *(f"HTTP://{host}:{PORT}" for host in SPELLINGS[:6]),
    f"http://example.com@127.0.0.1:{PORT}/", f"http://127.0.0.1:{PORT}@example.com/", f"http://127.0.0.1:{PORT}\\@example.com",
    f"http://127.0.0.1:{PORT}#@example.com", f"http://127.0.0.1:{PORT}?@example.com", f"http://\uff11\uff12\uff17.0.0.1:{PORT}/",
    f"http://127\u3002\u30020\u30021:{PORT}/", f"http://\u2460\u2461\u2466.0.0.1:{PORT}/", f"http://loc\u0430lhost:{PORT}/",
]  # fmt: skip


@pytest.fixture(scope="module")
def connections() -> Iterator[list[Any]]:
    """Whoever connects to this machine at the port, by any address."""
    found: list[Any] = []
    listener = socket.create_server(("", PORT), family=socket.AF_INET6, dualstack_ipv6=True)

    def take() -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            found.append(address)
            connection.close()

    with listener:
        taker = threading.Thread(target=take)
        taker.start()
        yield found
        # One that waits in accept would keep the port.
        listener.shutdown(socket.SHUT_RDWR)
        taker.join()


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) or len(set(HOSTILE)) >= 120
    assert len(set(HOSTILE)) >= 250


def test_the_listener_would_notice(connections: list[Any]) -> None:
    post(f"http://127.0.0.1:{PORT}/", b"{}", {}, (f"127.0.0.1:{PORT}",), 2)
    post(f"http://[::1]:{PORT}/", b"{}", {}, (f"::1:{PORT}",), 2)
    assert len(connections) == 2
    connections.clear()


@pytest.mark.parametrize("url", HOSTILE)
def test_nobody_is_called_and_nothing_is_said_but_that(connections: list[Any], url: str) -> None:
    answer = post(url, b"{}", {}, (), 2)
    assert (answer.status, answer.error, answer.permanent) == (None, REFUSED, True)
    assert REFUSED == "Invalid webhook URL"
    assert connections == []


@pytest.mark.parametrize("url", [url for url in HOSTILE if "ocalhost" not in url.lower()])
def test_it_is_not_even_kept_unless_only_a_resolver_could_tell(url: str) -> None:
    with pytest.raises(InvalidUrl):
        refuse_at_sight(url, ())


#: What a resolver may say of a name: one answer for each time that it is asked.
ANSWERS = {
    "inside": [["10.0.0.1"]],
    "one-of-two": [["1.1.1.1", "127.0.0.1"]],
    "one-of-three": [["1.1.1.1", "2606:4700::1111", "fd00:ec2::254"]],
    "first-of-two": [["169.254.169.254", "1.1.1.1"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "translated": [["64:ff9b::a9fe:a9fe"]],
    "inside-then-outside": [["127.0.0.1"], ["1.1.1.1"]],
    "nothing": [[]],
}


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The resolver belongs to others: here is one that answers as each name says. What it was asked is counted."""
    asked: dict[str, int] = {}
    real = socket.getaddrinfo

    def answers(host: Any, port: Any, *arguments: Any, **named: Any) -> list[Any]:
        name = str(host).removesuffix(".example")
        if name not in ANSWERS and name != "outside-then-inside":
            return real(host, port, *arguments, **named)
        asked[name] = asked.get(name, 0) + 1
        said = ANSWERS.get(name, [["1.1.1.1"], ["127.0.0.1"]])
        now = said[min(asked[name], len(said)) - 1]
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in now]
        return [(family, socket.SOCK_STREAM, 6, "", (one, port)) for family, one in zip(families, now, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    return asked


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_name_is_judged_by_all_that_it_leads_to(connections: list[Any], resolver: dict[str, int], name: str) -> None:
    answer = post(f"http://{name}.example:{PORT}/", b"{}", {}, (), 2)
    assert (answer.error, answer.permanent) == (REFUSED, True)
    assert (resolver[name], connections) == (1, [])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_resolver_that_changes_its_mind_is_asked_once(
    connections: list[Any], resolver: dict[str, int], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The connection goes to the address that was checked; nobody answers there, for nothing may leave this machine."""
    dialled: list[Any] = []

    class Nowhere(socket.socket):
        def connect(self, address: Any) -> None:
            dialled.append(address)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "socket", Nowhere)
    answer = post(f"{scheme}://outside-then-inside.example:{PORT}/", b"{}", {}, (), 2)
    assert answer.error == "the connection failed (NewConnectionError)"
    assert (dialled, resolver, connections) == ([("1.1.1.1", PORT)], {"outside-then-inside": 1}, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(connections: list[Any], status: int) -> None:
    def redirect(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        location = f"Location: http://127.0.0.1:{PORT}/\r\nRefresh: 0; url=http://127.0.0.1:{PORT}/"
        connection.sendall(f"HTTP/1.1 {status} Moved\r\n{location}\r\nContent-Length: 0\r\n\r\n".encode())
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=redirect, args=(listener,), daemon=True).start()
        answer = post(f"http://{host}/", b"{}", {}, (host,), 2)
    assert (answer.status, connections) == (status, [])


def test_proxies_of_the_environment_are_not_asked(connections: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{PORT}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        post(f"http://{host}/", b"{}", {}, (host,), 0.5)
    assert connections == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "::1"])
def test_libraries_that_connect_by_themselves_are_kept_out_too(connections: list[Any], host: str) -> None:
    with public_only(), pytest.raises(OSError, match="not a public address"):
        socket.create_connection((host, PORT), 2)
    with public_only((f"{host}:{PORT}",)):
        socket.create_connection((host, PORT), 2).close()
    socket.create_connection((host, PORT), 2).close()
    while len(connections) < 2:
        pass
    connections.clear()


def udp() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(2)
    return receiver


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1"])
def test_nor_does_what_asks_no_resolver_of_pythons_reach_the_inside(connections: list[Any], host: str) -> None:
    with udp() as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, socket.socket() as caller:
        port = receiver.getsockname()[1]
        with public_only():
            for reach in (sender.connect, sender.connect_ex, caller.connect, caller.connect_ex):
                with pytest.raises(OSError, match="not a public address"):
                    reach((host, port))
            with pytest.raises(OSError, match="not a public address"):
                sender.sendto(b"refused", (host, port))
            with pytest.raises(OSError, match="not a public address"):
                sender.sendmsg([b"refused"], [], 0, (host, port))
        with public_only((f"{host}:{port}",)):
            sender.sendto(b"allowed", (host, port))
        assert receiver.recv(100) == b"allowed"
    assert connections == []


def test_nor_a_socket_of_the_machine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with public_only(), pytest.raises(OSError, match="not a public address"):
            caller.connect(str(tmp_path / "s"))


# Apprise leaves the socket that it could not send with to whoever tidies up.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nor_a_thing_that_apprise_sends_without_asking() -> None:
    with udp() as receiver:
        service = apprise.Apprise.instantiate(f"rsyslog://127.0.0.1:{receiver.getsockname()[1]}/")
        with public_only():
            assert not service.notify(body="refused")
        assert service.notify(body="allowed")
        assert receiver.recv(100).endswith(b"allowed")


def test_what_connects_in_threads_that_nobody_watches_is_not_there() -> None:
    assert not NotifyXMPP.enabled


@pytest.mark.parametrize("drips", ["headers", "body", "nothing"])
def test_who_drips_is_cut_off(drips: str) -> None:
    done = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        start = b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 9999\r\n\r\n" if drips == "body" else b"")
        with connection, suppress(OSError):
            connection.sendall(start if drips != "nothing" else b"")
            while not done.wait(0.05):
                connection.sendall(b"X: y\r\n" if drips != "nothing" else b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        answer = post(f"http://{host}/", b"{}", {}, (host,), 0.7)
        done.set()
        dripping.join()
    assert (answer.status, answer.error, answer.timed_out) == (None, "there was no answer in time", True)


def test_where_there_is_no_answer_it_says_whether_anything_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        host = f"127.0.0.1:{port}"
        assert request("POST", f"http://{host}/", b"{}", {}, (host,), 0.3).sent
    assert not request("POST", f"http://{host}/", b"{}", {}, (host,), 0.3).sent
