"""PyTorch DistributedDataParallel on scikit-learn's bundled digits, over gloo (no GPU needed).

Every rank trains on its own share of the images; DistributedDataParallel averages the gradients. Rank 0 measures the
accuracy on images nobody trained on; all ranks exit with 1 when it stays below the target.
"""
import argparse
import sys
import time

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


def load(test_share=0.2):
    """Training and test set; the same cut on every rank."""
    digits = load_digits()
    images = torch.tensor(digits.data, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target, dtype=torch.int64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    held_out = int(len(labels) * test_share)
    return (
        TensorDataset(images[order[held_out:]], labels[order[held_out:]]),
        TensorDataset(images[order[:held_out]], labels[order[:held_out]]),
    )


def accuracy(model, dataset):
    images, labels = dataset.tensors
    with torch.no_grad():
        return (model(images).argmax(dim=1) == labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help="given by torch.distributed.launch")
    options = parser.parse_args()

    started = time.monotonic()
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    print(f"rank {rank} of {size}: joined the group, torch {torch.__version__}", flush=True)

    torch.manual_seed(0)
    train, test = load()
    sampler = DistributedSampler(train, num_replicas=size, rank=rank)
    loader = DataLoader(train, batch_size=32, sampler=sampler)
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    model = DistributedDataParallel(network)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss_of = nn.CrossEntropyLoss()

    for epoch in range(1, options.epochs + 1):
        sampler.set_epoch(epoch)
        total = torch.zeros(2)
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
            total += torch.tensor([loss.item() * len(labels), float(len(labels))])
        dist.all_reduce(total)
        if rank == 0:
            mean, reached = (total[0] / total[1]).item(), accuracy(network, test)
            print(f"epoch {epoch:2d}  loss {mean:.4f}  accuracy {reached:.3f}", flush=True)

    reached = torch.tensor([accuracy(network, test)])
    dist.broadcast(reached, src=0)
    good = reached.item() >= options.target
    if rank == 0:
        verdict = "reached" if good else "MISSED"
        seconds = time.monotonic() - started
        print(f"accuracy {reached.item():.3f}, target {options.target} {verdict}, {seconds:.1f} s", flush=True)
    dist.destroy_process_group()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
