"""All-reduce over TCP with the Python standard library: the rendezvous, and the ring.

The master (rank 0) listens at MASTER_ADDR:MASTER_PORT. Every other rank tells it where its own socket listens and gets
the address of its right neighbour back; then each rank talks to its two neighbours only. Summing a vector takes
2 * (N - 1) steps, in each of which every rank sends 1/N of the vector to the right and receives 1/N from the left, so
the traffic of a rank does not grow with N. Each slice is summed on one rank and then passed on as bytes: all ranks end
with the same bits.
"""
import json
import os
import select
import socket
import time
from array import array

CONNECT_SECONDS = 120  # how long a rank waits for the others to appear


class Ring:
    def __init__(self):
        self.rank = int(os.environ.get("RANK", "0"))
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.bytes_sent = 0
        if self.size > 1:
            self.right, self.left = self._join()

    def all_reduce(self, values):
        """Replaces the list's numbers by their sums over all ranks."""
        if self.size == 1:
            return
        bounds = [len(values) * i // self.size for i in range(self.size + 1)]

        def part(step):
            index = (self.rank - step) % self.size
            return bounds[index], bounds[index + 1]

        for step in range(self.size - 1):  # reduce-scatter: afterwards each rank owns one finished slice
            (start, end), (into, until) = part(step), part(step + 1)
            received = self._exchange(values[start:end], until - into)
            for offset, value in enumerate(received, into):
                values[offset] += value
        for step in range(self.size - 1):  # all-gather: the finished slices go round
            (start, end), (into, until) = part(step - 1), part(step)
            values[into:until] = self._exchange(values[start:end], until - into)

    def all_equal(self, digest):
        """True when every rank holds the same bytes as its left neighbour, hence all the same."""
        if self.size == 1:
            return True
        same = [float(self._exchange_bytes(digest, len(digest)) == digest)]
        self.all_reduce(same)
        return same[0] == self.size

    def _exchange(self, values, count):
        """Sends to the right and receives from the left at the same time, so that no size can deadlock the ring."""
        outgoing = array("d", values)
        incoming = array("d")
        incoming.frombytes(self._exchange_bytes(outgoing.tobytes(), count * outgoing.itemsize))
        return incoming

    def _exchange_bytes(self, outgoing, count):
        pending, received = memoryview(outgoing), bytearray()
        self.bytes_sent += len(outgoing)
        while pending or len(received) < count:
            readable, writable, _ = select.select(
                [self.left] if len(received) < count else [], [self.right] if pending else [], [], CONNECT_SECONDS
            )
            if not readable and not writable:
                raise TimeoutError(f"rank {self.rank}: no neighbour answered for {CONNECT_SECONDS} s")
            if writable:
                pending = pending[self.right.send(pending) :]
            if readable:
                chunk = self.left.recv(count - len(received))
                if not chunk:
                    raise ConnectionError(f"rank {self.rank}: its left neighbour is gone")
                received += chunk
        return bytes(received)

    def _join(self):
        listener = socket.create_server(("", 0))
        listener.settimeout(CONNECT_SECONDS)
        port = listener.getsockname()[1]
        host, next_port = self._rendezvous(port)
        right = _connect(host, next_port)
        left, _ = listener.accept()
        listener.close()
        for side in (right, left):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        right.setblocking(False)
        return right, left

    def _rendezvous(self, port):
        """Address of the right neighbour, learnt through the master."""
        address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        if self.rank != 0:
            with _connect(*address) as master, master.makefile("rw") as stream:
                stream.write(json.dumps({"rank": self.rank, "port": port}) + "\n")
                stream.flush()
                line = stream.readline()
                if not line:
                    raise ConnectionError("the master hung up before all ranks had arrived")
                return tuple(json.loads(line))
        with socket.create_server(("", address[1])) as server:
            server.settimeout(CONNECT_SECONDS)
            seats, guests = {0: (address[0], port)}, {}
            while len(seats) < self.size:
                guest, (host, *_) = server.accept()
                stream = guest.makefile("rw")
                hello = json.loads(stream.readline())
                seats[hello["rank"]] = (host, hello["port"])
                guests[hello["rank"]] = guest, stream
            for rank, (guest, stream) in guests.items():
                stream.write(json.dumps(seats[(rank + 1) % self.size]) + "\n")
                stream.close()
                guest.close()
            return seats[1]


def _connect(host, port):
    """The others may not listen yet: tries again until the time is up."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            return socket.create_connection((host, port), timeout=10)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
