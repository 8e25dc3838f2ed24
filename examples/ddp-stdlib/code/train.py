"""Distributed data-parallel training with the Python standard library.

A network of one hidden layer learns to tell three interleaved spirals apart. Every rank holds its own share of the
points and its own copy of the weights; after each batch the gradients are summed over all ranks by a ring all-reduce,
so that all copies make the same step. Exits with 1 when the accuracy on unseen points stays below the target.
"""
import argparse
import hashlib
import math
import random
import sys
import time
from array import array

from ring import Ring

CLASSES, HIDDEN = 3, 32
POINTS, TEST_POINTS = 3000, 900
LEARNING_RATE, MOMENTUM = 0.04, 0.9


def spirals(count, seed):
    """Points of three arms, a third of a turn apart, with a little noise."""
    source = random.Random(seed)
    points = []
    for index in range(count):
        label = index % CLASSES
        radius = 0.1 + 0.9 * source.random()
        angle = label * 2 * math.pi / CLASSES + radius * 6.5 + source.gauss(0, 0.15)
        points.append(((radius * math.cos(angle) * 2, radius * math.sin(angle) * 2), label))
    return points


class Network:
    """2 → HIDDEN (tanh) → CLASSES (softmax); all weights in one flat list, ready to be summed."""

    def __init__(self, seed):
        source = random.Random(seed)
        self.weights = [source.gauss(0, 1.0) for _ in range(2 * HIDDEN)] + [0.0] * HIDDEN
        self.weights += [source.gauss(0, HIDDEN**-0.5) for _ in range(HIDDEN * CLASSES)] + [0.0] * CLASSES
        self.velocity = [0.0] * len(self.weights)

    def forward(self, x, y):
        w = self.weights
        hidden = [math.tanh(w[j] * x + w[HIDDEN + j] * y + w[2 * HIDDEN + j]) for j in range(HIDDEN)]
        scores = []
        for k in range(CLASSES):
            row = 3 * HIDDEN + k * HIDDEN
            scores.append(sum(a * b for a, b in zip(w[row : row + HIDDEN], hidden)) + w[6 * HIDDEN + k])
        top = max(scores)
        exponents = [math.exp(score - top) for score in scores]
        total = sum(exponents)
        return hidden, [value / total for value in exponents]

    def add_gradient(self, gradient, point, label):
        """Adds the gradient of the cross-entropy at one point; returns the loss there."""
        x, y = point
        hidden, chances = self.forward(x, y)
        back = [0.0] * HIDDEN
        for k in range(CLASSES):
            delta = chances[k] - (k == label)
            row = 3 * HIDDEN + k * HIDDEN
            gradient[6 * HIDDEN + k] += delta
            for j in range(HIDDEN):
                gradient[row + j] += delta * hidden[j]
                back[j] += delta * self.weights[row + j]
        for j in range(HIDDEN):
            slope = back[j] * (1.0 - hidden[j] * hidden[j])
            gradient[j] += slope * x
            gradient[HIDDEN + j] += slope * y
            gradient[2 * HIDDEN + j] += slope
        return -math.log(max(chances[label], 1e-12))

    def step(self, gradient, count):
        for i, value in enumerate(gradient):
            self.velocity[i] = MOMENTUM * self.velocity[i] - LEARNING_RATE * value / count
            self.weights[i] += self.velocity[i]

    def is_right(self, point, label):
        _, chances = self.forward(*point)
        return max(range(CLASSES), key=chances.__getitem__) == label

    def digest(self):
        return hashlib.sha256(array("d", self.weights).tobytes()).digest()


def epoch(network, ring, shard, batch, order):
    """One pass over this rank's points; returns the mean loss over all ranks and the seconds spent in all-reduce."""
    order.shuffle(shard)
    loss_sum, seen, waiting = 0.0, 0.0, 0.0
    for start in range(0, len(shard), batch):
        points = shard[start : start + batch]
        gradient = [0.0] * len(network.weights)
        loss = sum(network.add_gradient(gradient, point, label) for point, label in points)
        message = gradient + [loss, float(len(points))]
        before = time.perf_counter()
        ring.all_reduce(message)
        waiting += time.perf_counter() - before
        *total, loss, count = message
        network.step(total, count)
        loss_sum, seen = loss_sum + loss, seen + count
    return loss_sum / seen, waiting


def accuracy(network, ring, shard):
    counts = [float(sum(network.is_right(point, label) for point, label in shard)), float(len(shard))]
    ring.all_reduce(counts)
    return counts[0] / counts[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=48, help="points of one step, over all ranks")
    parser.add_argument("--target", type=float, default=0.95)
    options = parser.parse_args()

    started = time.monotonic()
    ring = Ring()
    print(f"rank {ring.rank} of {ring.size}: joined the ring", flush=True)
    # Every rank cuts the same list the same way; equal shares keep the steps of all ranks in lockstep.
    whole = POINTS - POINTS % ring.size
    shard = spirals(POINTS, seed=1)[ring.rank : whole : ring.size]
    unseen = spirals(TEST_POINTS, seed=2)[ring.rank :: ring.size]
    network, order = Network(seed=3), random.Random(4 + ring.rank)
    print(f"rank {ring.rank}: {len(shard)} of {whole} points, {len(network.weights)} weights", flush=True)

    reached = 0.0
    for number in range(1, options.epochs + 1):
        loss, waiting = epoch(network, ring, shard, max(1, options.batch // ring.size), order)
        if number % 5 == 0 or number in (1, options.epochs):
            reached = accuracy(network, ring, unseen)
            if ring.rank == 0:
                print(f"epoch {number:3d}  loss {loss:.4f}  accuracy {reached:.3f}  all-reduce {waiting:.2f} s", flush=True)

    digest = network.digest()
    if not ring.all_equal(digest):
        print(f"rank {ring.rank}: the ranks' weights differ: {digest.hex()[:12]}", flush=True)
        return 2
    sent = ring.bytes_sent / 1e6
    print(f"rank {ring.rank}: same weights on all ranks ({digest.hex()[:12]}), {sent:.1f} MB sent", flush=True)
    good = reached >= options.target
    if ring.rank == 0:
        verdict = "reached" if good else "MISSED"
        seconds = time.monotonic() - started
        print(f"accuracy {reached:.3f}, target {options.target} {verdict}, {seconds:.1f} s", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
