"""Messages between workers and parameter servers: a length, a JSON header, then the numbers as doubles."""
import json
import socket
import struct
import time
from array import array

CONNECT_SECONDS = 120


def send(connection, header, values=()):
    head = json.dumps(header).encode()
    body = array("d", values).tobytes()
    connection.sendall(struct.pack("!II", len(head), len(body)) + head + body)


def receive(connection):
    """Header and numbers of the next message; None when the other side has ended."""
    lengths = _exactly(connection, 8)
    if lengths is None:
        return None
    head, body = struct.unpack("!II", lengths)
    header, values = json.loads(_exactly(connection, head)), array("d")
    values.frombytes(_exactly(connection, body) if body else b"")
    return header, values


def connect(address):
    """The server may not listen yet: tries again until the time is up."""
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            connection = socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _exactly(connection, count):
    data = bytearray()
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            return None
        data += chunk
    return bytes(data)
