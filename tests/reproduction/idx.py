"""Images for the comparison tools: IDX files (raw or gzip) and .npy arrays as
float32 [n, 28, 28, 1] in [-1, 1]."""

import gzip
import os

import numpy as np


def find(path):
    """The path, or the images in a folder: a training set before others."""
    if not os.path.isdir(path):
        return path
    names = sorted((name for name in os.listdir(path) if "idx3" in name),
                   key=lambda name: ("train" not in name, name))
    if not names:
        raise SystemExit("no IDX image file in %s" % path)
    return os.path.join(path, names[0])


def load(path):
    path = find(path)
    if path.endswith(".npy"):
        x = np.load(path)
    else:
        with open(path, "rb") as file:
            content = file.read()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        if content[:4] != b"\x00\x00\x08\x03":
            raise SystemExit("%s is no IDX file of images" % path)
        shape = np.frombuffer(content, ">u4", 3, 4)
        x = np.frombuffer(content, np.uint8, offset=16).reshape(*shape, 1)
        x = x.astype(np.float32) / 127.5 - 1
    if x.ndim != 4 or not np.isfinite(x).all():
        raise SystemExit("%s: not finite images [n, height, width, channels]"
                         % path)
    return np.ascontiguousarray(x, np.float32)
