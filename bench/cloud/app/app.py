"""A minimal HTTP server with one response to every request. It stops when it is asked to."""

import os
import signal
import socket

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = socket.create_server(("0.0.0.0", 3000))  # noqa: S104 - in a container
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
