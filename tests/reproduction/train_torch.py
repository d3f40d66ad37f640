#!/usr/bin/python3
"""The training of examples/du_mordatch.c in PyTorch, to compare with.

    python3 tests/reproduction/train_torch.py [--data examples/data]
        [--out out-torch] [--iterations 1000] [--batch 128] [--seed 1]
        [--threads 2]

Same network, data, buffer, sampler, loss and optimizer, written plainly;
writes buffer.npy of the same form (states of the replay buffer, oldest first,
float32 [n, 28, 28, 1]), metrics.csv and model.pt. frechet.py says how far the
two buffers are from the data. Needs python3-torch; exit status 77 without.
"""

import argparse
import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before torch: see compare_torch.py
try:
    import torch
    from torch import nn
except ImportError:
    print("train_torch: skipped, there is no PyTorch (Debian: python3-torch)")
    sys.exit(77)
import numpy as np

import idx

BUFFER, STEPS, STEP_SIZE, NOISE, CLIP = 8192, 60, 10.0, 0.005, 0.03
FRESH, ALPHA, RATE, CLIP_NORM = 0.05, 0.1, 1e-4, 0.1


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, 2, 4), nn.SiLU(),
        nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU(),
        nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(),
        nn.Conv2d(64, 64, 3, 2, 1), nn.SiLU(),
        nn.Flatten(), nn.Linear(256, 64), nn.SiLU(), nn.Linear(64, 1))


def uniform(n):
    return torch.empty(n, 1, 28, 28).uniform_(-1, 1)


def draw(buffer, n):
    """n states with replacement, each fresh noise with probability 5 %."""
    x = buffer[torch.randint(len(buffer), (n,))]
    fresh = torch.rand(n) < FRESH
    x[fresh] = uniform(int(fresh.sum()))
    return x


def langevin(net, x):
    """Noise first, then the clipped step; the energy is the network."""
    for p in net.parameters():
        p.requires_grad = False
    ones = torch.ones(len(x), 1)
    for _ in range(STEPS):
        x = (x + NOISE * torch.randn_like(x)).clamp_(-1, 1).requires_grad_()
        grad, = torch.autograd.grad(net(x), x, ones)
        x = x.detach().sub_(grad.clamp_(-CLIP, CLIP), alpha=STEP_SIZE)
        x.clamp_(-1, 1)
    for p in net.parameters():
        p.requires_grad = True
    return x


def batches(data, n):
    """Each epoch a new order; what is left over at its end is dropped."""
    while True:
        order = torch.randperm(len(data))
        for first in range(0, len(data) - n + 1, n):
            x = data[order[first:first + n]]
            yield (x + NOISE * torch.randn_like(x)).clamp_(-1, 1)


def train(options, data):
    net = network().to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(net.parameters(), RATE, betas=(0.0, 0.999))
    buffer = uniform(options.batch)
    start = time.time()
    source = batches(data, options.batch)
    with open(os.path.join(options.out, "metrics.csv"), "w",
              encoding="ascii") as log:
        log.write("iteration,seconds,e_pos,e_neg\n")
        for i in range(1, options.iterations + 1):
            chains = langevin(net, draw(buffer, options.batch))
            adam.zero_grad()
            e_pos, e_neg = net(torch.cat([next(source), chains])).chunk(2)
            loss = (e_pos.mean() - e_neg.mean()
                    + ALPHA * (e_pos.square() + e_neg.square()).mean())
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), CLIP_NORM)
            adam.step()
            buffer = torch.cat([buffer, chains])[-BUFFER:]
            log.write("%d,%.2f,%.6g,%.6g\n" % (
                i, time.time() - start, e_pos.mean(), e_neg.mean()))
            if i == 1 or i % max(1, options.iterations // 20) == 0:
                log.flush()
                print("iteration %d/%d  e_pos %.4f  e_neg %.4f  %.2f it/s"
                      % (i, options.iterations, e_pos.mean(), e_neg.mean(),
                         i / (time.time() - start)), flush=True)
    return net, buffer


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", default=os.path.join(
        here, "../../examples/data"))
    parser.add_argument("--out", default="out-torch")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)

    data = torch.from_numpy(idx.load(options.data)).permute(0, 3, 1, 2)
    net, buffer = train(options, data)
    states = buffer.permute(0, 2, 3, 1).contiguous().numpy()
    np.save(os.path.join(options.out, "buffer.npy"), states)
    torch.save(net.state_dict(), os.path.join(options.out, "model.pt"))


if __name__ == "__main__":
    main()
