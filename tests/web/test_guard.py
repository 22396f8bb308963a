"""Who is let in, asked of a real server."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

httpx = pytest.importorskip("httpx")


def test_only_the_address_with_its_token_opens_the_page(serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve()
    host = server.base.removeprefix("http://")
    with httpx.Client(base_url=server.base) as client:
        assert client.get("/").status_code == 403
        assert client.get("/?token=wrong").status_code == 403
        assert client.get(f"/?token={server.token}", headers={"Host": "evil.example"}).status_code == 403
        assert client.get(f"/?token={server.token}", headers={"Origin": "http://evil.example"}).status_code == 403
        came = client.get(f"/?token={server.token}&x=1")
        assert (came.status_code, came.headers["location"]) == (303, "/?x=1")
        kept = came.headers["set-cookie"]
        assert "HttpOnly" in kept
        assert "SameSite=strict" in kept
        assert httpx.get(f"{server.base}//evil.example/?token={server.token}").headers["location"] == "/evil.example/"
        inside = client.get("/")
        assert inside.status_code == 200
        assert "connect-src 'self'" in inside.headers["content-security-policy"]
        for wrong in ({"Host": "evil.example"}, {"Origin": "null"}, {"Origin": f"https://evil.example:{host[-5:]}"}):
            assert client.get("/", headers=wrong).status_code == 403
        assert client.get("/", headers={"Origin": server.base}).status_code == 200
        (tmp_path / "secret.txt").write_text("secret")
        for path in ("/offered/x/secret.txt", "/offered/../secret.txt", "/run/..%2f..%2fsecret.txt"):
            assert "secret\n" not in client.get(path).text


def test_a_socket_of_another_page_is_closed(serve: Callable[..., Any]) -> None:
    server = serve()
    name, port = server.base.removeprefix("http://").split(":")
    asked = (
        "GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n"
        "Cookie: {cookie}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    def answer(origin: str, cookie: str) -> str:
        with socket.create_connection((name, int(port)), timeout=10) as one:
            one.sendall(asked.format(host=f"{name}:{port}", origin=origin, cookie=cookie).encode())
            return one.recv(12).decode()

    mine = f"cuello-{port}={server.token}"
    assert answer(server.base, mine) == "HTTP/1.1 101"
    assert answer(server.base, "") == "HTTP/1.1 403"
    assert answer("http://evil.example", mine) == "HTTP/1.1 403"


def test_a_port_in_use_and_other_mistakes(serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve()
    port = server.base.rpartition(":")[2]

    def said(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cuello", "web", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        return done.stderr

    assert f"port {port} of 127.0.0.1 cannot be used: Address already in use. Choose another" in said("--port", port)
    assert "is no address of this machine" in said("--host", "no.such.host.invalid")
    assert "--port: got 70000" in said("--port", "70000")
    (tmp_path / "file").write_text("")
    assert "file is a file, needed a folder of runs" in said("file")


def test_a_server_ends_at_once_with_a_page_open_and_writes_nothing(serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve()
    httpx.get(server.address, follow_redirects=True)
    server.end()
    assert server.process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_clients_that_hang_up_in_the_middle_leave_the_server_as_it_was(serve: Callable[..., Any]) -> None:
    server = serve()
    name, port = server.base.removeprefix("http://").split(":")
    cookie = f"Host: {name}:{port}\r\nCookie: cuello-{port}={server.token}\r\n"
    for words in (
        "GET / HT",
        f"GET / HTTP/1.1\r\n{cookie}\r\n",
        f"POST /offered/x/y HTTP/1.1\r\n{cookie}Content-Length: 1000\r\n\r\nhalf",
        "\0\0\0",
    ):
        with socket.create_connection((name, int(port)), timeout=10) as one:
            one.sendall(words.encode())
    assert httpx.get(server.address, follow_redirects=False).status_code == 303
    server.end()
    assert "Traceback" not in server.said


def test_an_upload_that_is_cut_off_is_no_fault_of_the_server(serve: Callable[..., Any]) -> None:
    server = serve()
    name, port = server.base.removeprefix("http://").split(":")
    with httpx.Client(base_url=server.base, follow_redirects=True, timeout=120) as client:
        client.get(f"/?token={server.token}")
        found = re.search(r"/_nicegui/client/[^\"/]+/upload/\d+", client.get("/try").text)
        assert found is not None
        head = (
            f"POST {found[0]} HTTP/1.1\r\nHost: {name}:{port}\r\nCookie: cuello-{port}={server.token}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 90000000\r\n\r\n"
            '--x\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n'
        )
        with socket.create_connection((name, int(port)), timeout=10) as one:
            one.sendall(head.encode() + bytes(3_000_000))
        assert client.get("/try").status_code == 200
    server.end()
    assert "Traceback" not in server.said, server.said
