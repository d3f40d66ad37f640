#!/usr/bin/env python3
"""How far samples are from real digits: a Frechet distance, NumPy only.

    python3 tests/reproduction/frechet.py [--data examples/data]
        [--newest N] SAMPLES.npy [SAMPLES.npy ...]

For two sets of feature vectors with means m, n and covariances C, D,

    d^2 = |m - n|^2 + trace(C + D - 2 (C D)^(1/2)),

the squared 2-Wasserstein distance of Gaussians with these moments. Features
are fixed, nothing is learned:

  pca   the 64 leading principal components of the real digits: the coarse
        shapes; blind to whatever lies outside of their span;
  conv  two layers of random convolutions, rectified and pooled, scaled to
        unit total variance on the real digits: texture and noise show here.

The numbers mean nothing by themselves: they compare sample sets that were
measured with the same data. The row "data" is one half of the real digits
against the other, the least that can be reached. Uniform noise is printed as
the other end.
"""

import argparse
import os

import numpy as np

import idx


def moments(features):
    return features.mean(axis=0), np.cov(features, rowvar=False)


def frechet(a, b):
    """trace (C D)^(1/2) = trace (S D S)^(1/2) with S = C^(1/2), which is
    symmetric, so that eigh() does for both roots."""
    (m, c), (n, d) = a, b
    values, vectors = np.linalg.eigh(c)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    middle = np.linalg.eigvalsh(root @ d @ root)
    return (((m - n) ** 2).sum() + np.trace(c) + np.trace(d)
            - 2 * np.sqrt(middle.clip(0)).sum())


def pca_features(data, count=64):
    flat = data.reshape(len(data), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    axes = vectors[:, ::-1][:, :count]
    return lambda x: (x.reshape(len(x), -1) - mean) @ axes


def convolve(x, weights, stride):
    """x [n, h, w, c], weights [k, k, c, out], no padding, rectified."""
    k = weights.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))
    windows = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    flat = windows.reshape(-1, k * k * x.shape[3])
    y = flat @ weights.reshape(flat.shape[1], -1)
    return np.maximum(y, 0).reshape(*windows.shape[:3], -1)


def conv_features(data):
    random = np.random.Generator(np.random.Philox(20190101))
    first = random.standard_normal((5, 5, 1, 32)).astype(np.float32) / 5
    second = random.standard_normal((3, 3, 32, 16)).astype(np.float32) / 17

    def features(x):
        parts = []
        for start in range(0, len(x), 500):
            y = convolve(x[start:start + 500], first, 2)    # [n, 12, 12, 32]
            y = convolve(y, second, 2)                      # [n, 5, 5, 16]
            # Means over a 2 x 2 grid of overlapping quarters: 64 numbers.
            parts.append(np.concatenate(
                [y[:, i:i + 3, j:j + 3].mean(axis=(1, 2))
                 for i in (0, 2) for j in (0, 2)], axis=1))
        return np.concatenate(parts).astype(np.float64)

    scale = np.sqrt(features(data).var(axis=0).sum())
    return lambda x: features(x) / scale


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", default=os.path.join(
        here, "../../examples/data"))
    parser.add_argument("--newest", type=int, default=0, metavar="N",
                        help="only the last N states of each set")
    parser.add_argument("samples", nargs="+")
    options = parser.parse_args()

    data = idx.load(options.data)
    random = np.random.Generator(np.random.Philox(1))
    sets = [("uniform noise", random.uniform(-1, 1, data.shape)
             .astype(np.float32)[:2000])]
    for path in options.samples:
        x = idx.load(path)
        if x.shape[1:] != data.shape[1:]:
            raise SystemExit("%s holds %s, the data %s"
                             % (path, x.shape[1:], data.shape[1:]))
        sets.append((path, x[-options.newest:]))

    spaces = [("pca", pca_features(data)), ("conv", conv_features(data))]
    print("%8s %12s %12s  set" % ("n", "pca", "conv"))
    real = {name: space(data) for name, space in spaces}
    order = random.permutation(len(data))
    halves = order[::2], order[1::2]
    print("%8d %12.4f %12.6f  data" % (
        len(halves[0]), *(frechet(moments(real[name][halves[0]]),
                                  moments(real[name][halves[1]]))
                          for name, _ in spaces)))
    for label, x in sets:
        print("%8d %12.4f %12.6f  %s" % (
            len(x), *(frechet(moments(space(x)), moments(real[name]))
                      for name, space in spaces), label))


if __name__ == "__main__":
    main()
