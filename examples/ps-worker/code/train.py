"""Asynchronous training with parameter servers, with the Python standard library.

TF_CONFIG names all processes of the task and which one this is. The weights of a logistic regression are cut into one
slice per parameter server. A worker pulls all slices, computes the gradient of its next batch and pushes it back; nobody
waits for the slowest. When all workers are through, worker 0 checks the accuracy on unseen points.
"""
import argparse
import json
import math
import os
import random
import signal
import socketserver
import sys
import threading

import wire

FEATURES = 40
POINTS, TEST_POINTS, BATCH = 6000, 1500, 50
LEARNING_RATE = 0.2


def points(count, seed):
    """Points labelled by a hidden weight vector, the same for every seed; some labels are wrong."""
    truth = [random.Random(f"truth {i}").gauss(0, 1) for i in range(FEATURES)]
    source = random.Random(seed)
    for _ in range(count):
        features = [source.gauss(0, 1) for _ in range(FEATURES)] + [1.0]
        score = sum(a * b for a, b in zip(truth, features))
        yield features, float((score > 0) != (source.random() < 0.02))


def bounds(index, servers):
    """The slice of the weights that this parameter server keeps."""
    size = FEATURES + 1
    return size * index // servers, size * (index + 1) // servers


def chance(weights, features):
    score = sum(a * b for a, b in zip(weights, features))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def serve(index, cluster):
    """A parameter server: answers pulls and adds pushes until every worker has said goodbye."""
    start, end = bounds(index, len(cluster["ps"]))
    weights, lock, pushes = [0.0] * (end - start), threading.Lock(), {}
    trained, gone = threading.Barrier(len(cluster["worker"])), threading.Semaphore(0)

    class Talk(socketserver.BaseRequestHandler):
        def handle(self):
            while (message := wire.receive(self.request)) is not None:
                header, values = message
                if header["do"] == "bye":
                    gone.release()
                    return
                if header["do"] == "wait":
                    trained.wait()
                with lock:
                    if header["do"] == "push":
                        pushes[header["worker"]] = pushes.get(header["worker"], 0) + 1
                        for i, value in enumerate(values):
                            weights[i] -= LEARNING_RATE * value
                    copy = list(weights)
                wire.send(self.request, {}, copy)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    port = int(cluster["ps"][index].rsplit(":", 1)[1])
    with Server(("", port), Talk) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"ps {index}: keeps weights {start} to {end - 1}, listens on port {port}", flush=True)
        for _ in cluster["worker"]:
            gone.acquire()
        shares = ", ".join(f"worker {worker}: {count}" for worker, count in sorted(pushes.items()))
        print(f"ps {index}: {sum(pushes.values())} gradients added ({shares})", flush=True)
        server.shutdown()
    return 0


class Servers:
    """The worker's side of all parameter servers."""

    def __init__(self, worker, addresses):
        self.worker = worker
        self.connections = [wire.connect(address) for address in addresses]

    def pull(self):
        return self._ask("pull")

    def wait_for_all(self):
        """The weights once every worker has come to this point."""
        return self._ask("wait")

    def push(self, gradient):
        """Adds the gradient; the answer brings the newest weights."""
        for index, connection in enumerate(self.connections):
            start, end = bounds(index, len(self.connections))
            wire.send(connection, {"do": "push", "worker": self.worker}, gradient[start:end])
        return self._weights()

    def goodbye(self):
        for connection in self.connections:
            wire.send(connection, {"do": "bye"})
            connection.close()

    def _ask(self, what):
        for connection in self.connections:
            wire.send(connection, {"do": what})
        return self._weights()

    def _weights(self):
        weights = []
        for connection in self.connections:
            answer = wire.receive(connection)
            if answer is None:
                raise ConnectionError("a parameter server is gone")
            weights.extend(answer[1])
        return weights


def work(index, cluster, options):
    servers = Servers(index, cluster["ps"])
    print(f"worker {index}: connected to {len(cluster['ps'])} parameter servers", flush=True)
    shard = list(points(POINTS, seed=1))[index :: len(cluster["worker"])]
    weights = servers.pull()
    for epoch in range(1, options.epochs + 1):
        loss = 0.0
        for start in range(0, len(shard), BATCH):
            batch = shard[start : start + BATCH]
            gradient = [0.0] * len(weights)
            for features, label in batch:
                guess = chance(weights, features)
                loss -= math.log(guess if label else 1 - guess)
                for i, feature in enumerate(features):
                    gradient[i] += (guess - label) * feature / len(batch)
            weights = servers.push(gradient)
        print(f"worker {index}: epoch {epoch:2d}  loss {loss / len(shard):.4f}", flush=True)
    weights = servers.wait_for_all()
    result = 0
    if index == 0:
        right = total = 0
        for features, label in points(TEST_POINTS, seed=2):
            right, total = right + ((chance(weights, features) > 0.5) == bool(label)), total + 1
        reached = right / total
        verdict = "reached" if reached >= options.target else "MISSED"
        print(f"worker 0: accuracy {reached:.3f}, target {options.target} {verdict}", flush=True)
        result = 0 if reached >= options.target else 1
    servers.goodbye()
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--target", type=float, default=0.9)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    config = json.loads(os.environ["TF_CONFIG"])
    cluster, task = config["cluster"], config["task"]
    if task["type"] == "ps":
        return serve(task["index"], cluster)
    return work(task["index"], cluster, options)


if __name__ == "__main__":
    sys.exit(main())
