"""Values that test_torch_layers.c compares with: energies and derivatives of
every kind of layer and of every preset with narrow layers, from PyTorch in
double precision.

    python3 tests/torch/layer_values.py > tests/torch/layer_values.txt

Both sides make parameters and samples by the same formula from a number's
index, see number(); only the vectors of spectral norms are in the file. All
arrays are in the library's order. Of long arrays the file has some elements:

    array NAME  total  step  largest absolute value
    element 0, element step, element 2 step ...
"""
import torch

import layers
from layers import (Composition, Network, GROUP_NORM, INSTANCE_NORM, NO_NORM,
                    STANDARDISED, SPECTRAL)

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

SAMPLES, CLASSES = 2, 3
LABELS = torch.tensor([2, 0])
SCALE = torch.tensor([1.0, -0.5])
MOST, MOST_OF_VIEW = 36, 3  # elements of an array in the file


# ---- The formula ------------------------------------------------------------

def number(salt, index):
    """From -0.5 up to 0.5, in steps that a float holds exactly."""
    x = (index * 2654435761 + salt * 40503 + 12345) & 0xffffffff
    x = ((x ^ (x >> 15)) * 2246822519) & 0xffffffff
    x = ((x ^ (x >> 13)) * 3266489917) & 0xffffffff
    return (x ^ (x >> 16)) // 65536 / 65536 - 0.5


def numbers(salt, first, count):
    return torch.tensor([number(salt, first + i) for i in range(count)])


def set_parameters(module):
    """Weights of variance 1 / taps, gains around 1, gamma 0.75."""
    first = 0
    for layer, name, _, tensor in layers.arrays(module):
        count = tensor.numel()
        u = numbers(1, first, count)
        if name == "gamma":
            u = torch.full((1,), 0.75)
        elif name == "weight" and tensor.dim() == 1:
            u = 1 + 0.5 * u
        elif name == "weight" and isinstance(layer, layers.ClassAffine):
            u = 0.5 * u
        elif name == "weight":
            taps = tensor[0].numel()
            u = u * (3.5 / taps ** 0.5)
        elif isinstance(layer, layers.ClassAffine):
            half = count // 2
            u = torch.cat([1 + 0.5 * u[:half], 0.5 * u[half:]])
        layers.fill_from_library(layer, name, u.float())
        first += count
    for layer in module.modules():
        if hasattr(layer, "weight_u"):
            layer.iterate(3)
            for name in ("weight_u", "weight_v"):
                buffer = getattr(layer, name)
                buffer.copy_(buffer.float())
    return first


# ---- The networks -----------------------------------------------------------

def row(kind, **arguments):
    return dict(kind=kind, **arguments)


def conv(channels, kernel=3, stride=1, padding=1, **settings):
    return row("conv2d", channels=channels, kernel=kernel, stride=stride,
               padding=padding, bias=True, **settings)


def dense(units, **settings):
    return row("dense", units=units, bias=True, **settings)


def block(channels, residual, **settings):
    return row("res_block", channels=channels, residual=residual, bias=True,
               **settings)


SWISH, FLATTEN = row("swish"), row("flatten")
ATTENTION = row("self_attention", bias=True)


def around(*middle, **stem):
    return [conv(8, **stem), SWISH, *middle, SWISH, FLATTEN, dense(1)]


def pool(counted):
    return row("avg_pool", kernel=3, stride=2, padding=1,
               count_include_pad=counted)


SMALL = {
    "group_norm": around(row("group_norm", groups=4)),
    "norm_epsilon": around(row("group_norm", groups=0, norm_epsilon=0.25)),
    "instance_norm": around(row("instance_norm")),
    "avg_pool_counted": around(pool(1)),
    "avg_pool_uncounted": around(pool(0)),
    "global_mean_pool": around(row("global_mean_pool")),
    "global_sum_pool": around(row("global_sum_pool")),
    "square": around(row("swish")) + [row("square")],
    "softplus": around(row("swish")) + [row("softplus")],
    "res_plain": around(block(8, 0)),
    "res_down": around(block(8, 1)),
    "res_down_widen": around(block(8, 2, groups=2)),
    "res_instance": around(block(8, 1, norm=INSTANCE_NORM)),
    "res_without_norm": around(block(8, 1, norm=NO_NORM)),
    "self_attention": around(ATTENTION),
    "standardised": around(block(8, 1, weights=STANDARDISED),
                           weights=STANDARDISED),
    "spectral": around(block(8, 1, weights=SPECTRAL), weights=SPECTRAL)[:-1]
    + [dense(4, weights=SPECTRAL), SWISH, dense(1)],
    "class_affine": around(row("class_affine", classes=CLASSES)),
    "res_conditional": around(block(8, 2, classes=CLASSES)),
}


class Preset:
    """One scale of a preset, a row of the papers' tables at a time. f is the
    width; what a block is normalised by follows from the variant."""

    def __init__(self, is_code, classes):
        self.is_code, self.classes, self.rows = is_code, classes, []

    def stem(self, channels, kernel=3, stride=1, padding=1):
        self.rows += [conv(channels, kernel, stride, padding), SWISH]
        return self

    def block(self, channels, residual):
        settings = {}
        if self.is_code:
            settings = {"norm": INSTANCE_NORM if channels <= 128
                        else GROUP_NORM, "groups": 32,
                        "weights": STANDARDISED}
        if self.classes:
            settings["classes"] = self.classes
        self.rows.append(block(channels, residual, **settings))
        return self

    def plain(self, channels):
        return self.block(channels, 0)

    def down(self, channels):
        return self.block(channels, 1)

    def widen(self, channels):
        return self.block(channels, 2)

    def attention(self):
        self.rows.append(ATTENTION)
        return self

    def shrink(self):
        self.rows.append(pool(1))
        return self

    def mean(self):
        return self.rows + [SWISH, row("global_mean_pool"), dense(1)]


def digits_small(f, make):
    rows = make().stem(f, 5, 2, 4).stem(2 * f, 3, 2).stem(4 * f, 3, 2).stem(
        4 * f, 3, 2).rows
    return [28, 28, 1], [(1, rows + [FLATTEN, dense(4 * f), SWISH, dense(1)])]


def mnist(f, make):
    return [28, 28, 1], [
        (1, make().stem(f).widen(f).widen(2 * f).widen(4 * f).mean())]


def cifar(f, make):
    full = (make().stem(f).plain(f).down(f).plain(f).widen(f).attention()
            .plain(2 * f).widen(2 * f).plain(4 * f).widen(4 * f).mean())
    if make().is_code:
        mid = (make().shrink().stem(f).plain(f).down(f).plain(f).widen(f)
               .plain(2 * f).widen(2 * f).mean())
        small = (make().shrink().shrink().stem(f).plain(f).down(f).plain(f)
                 .widen(f).mean())
        return [32, 32, 3], [(1, full), (1, mid), (1, small)]
    half = (make().stem(f).plain(f).plain(f).widen(f).attention()
            .plain(2 * f).widen(2 * f).plain(4 * f).widen(4 * f).mean())
    quarter = (make().stem(f).plain(f).plain(f).attention().plain(f).widen(f)
               .plain(2 * f).widen(2 * f).mean())
    return [32, 32, 3], [(1, full), (2, half), (4, quarter)]


def celeba(f, make):
    if make().is_code:
        full = (make().stem(f).widen(f).down(2 * f).down(2 * f).widen(2 * f)
                .plain(4 * f).widen(4 * f).attention().plain(8 * f)
                .widen(8 * f).mean())
        mid = (make().shrink().stem(2 * f).down(2 * f).down(2 * f)
               .down(2 * f).widen(2 * f).down(4 * f).widen(4 * f).mean())
        small = (make().shrink().shrink().stem(2 * f).down(2 * f).down(2 * f)
                 .down(2 * f).widen(2 * f).mean())
        return [128, 128, 3], [(1, full), (1, mid), (1, small)]
    full = (make().stem(f).widen(f).down(2 * f).widen(2 * f).plain(4 * f)
            .widen(4 * f).attention().plain(8 * f).widen(8 * f).mean())
    half = (make().stem(f).down(f).widen(f).plain(2 * f).widen(2 * f)
            .attention().plain(4 * f).widen(4 * f).mean())
    quarter = (make().stem(f).widen(f).plain(2 * f).widen(2 * f).attention()
               .plain(4 * f).widen(4 * f).mean())
    return [128, 128, 3], [(1, full), (2, half), (4, quarter)]


PRESETS = {"digits-small": (digits_small, 4), "du2020-mnist": (mnist, 4),
           "du2020-cifar": (cifar, 4), "du2020-celeba": (celeba, 4)}


def make_preset(name, is_code, classes):
    """The shape of a sample, a list of (factor, shape, rows), and the tree."""
    build, width = PRESETS[name]
    shape, scales = build(width, lambda: Preset(is_code, classes))
    parts, networks = [], []
    for k, (factor, rows) in enumerate(scales):
        small = [shape[0] // factor, shape[1] // factor, shape[2]]
        networks.append((small, rows))
        leaf = {"network": k}
        parts.append(leaf if factor == 1 else
                     {"kind": "downsampled", "factor": factor,
                      "parts": [leaf]})
    if len(parts) == 1:
        return shape, networks, parts[0]
    return shape, networks, {"kind": "sum", "weights": [1] * len(parts),
                             "parts": parts}


# ---- The file ---------------------------------------------------------------

def put(name, values, most, digits=6):
    values = values.detach().reshape(-1)
    step = -(-len(values) // most)
    while step > 2 and any(step % d == 0 for d in range(2, step)):
        step += 1  # a prime meets all channels, rows and columns
    print("array", name, len(values), step,
          "%.*g" % (digits, values.abs().max().item()))
    chosen = values[::step].tolist()
    for i in range(0, len(chosen), 6):
        print(" ".join("%.*g" % (digits, v) for v in chosen[i:i + 6]))


def rows_of(x):
    return x.permute(0, 2, 3, 1)


def sample(salt, shape):
    height, width, channels = shape
    flat = 2 * numbers(salt, 0, SAMPLES * height * width * channels)
    return flat.reshape(SAMPLES, height, width, channels).permute(0, 3, 1, 2)


def put_parameters(name, module, gradients):
    for (layer, part, path, tensor), gradient in zip(layers.arrays(module),
                                                     gradients):
        if gradient is None:
            gradient = torch.zeros_like(tensor)
        put(name + "." + path, layers.to_library(layer, part, gradient),
            MOST_OF_VIEW)


def put_case(name, module, shape):
    print("case", name, set_parameters(module))
    for path, layer in module.named_modules():
        for part in ("weight_u", "weight_v"):
            if hasattr(layer, part):
                numbers_of = getattr(layer, part)
                put(path + "." + part,
                    layers.to_library(layer, part, numbers_of),
                    numbers_of.numel(), digits=9)
    x = sample(2, shape).clone().requires_grad_()
    v = sample(3, shape)
    parameters = [entry[3] for entry in layers.arrays(module)]
    energy = module(x, LABELS)
    put("energy", energy, SAMPLES, digits=9)
    slope = torch.autograd.grad(energy.sum(), x, create_graph=True)[0]
    put("gradient", rows_of(slope), MOST)
    put_parameters("parameters", module, torch.autograd.grad(
        (SCALE * energy).sum(), parameters, retain_graph=True,
        allow_unused=True))
    along = (slope * v).flatten(1).sum(1)
    put("hv", rows_of(torch.autograd.grad(along.sum(), x,
                                          retain_graph=True)[0]), MOST)
    put_parameters("mixed", module, torch.autograd.grad(
        (SCALE * along).sum(), parameters, allow_unused=True))


def main():
    for name, rows in SMALL.items():
        put_case(name, Network([6, 5, 3], rows), [6, 5, 3])
    for name in PRESETS:
        for variant in ("paper", "code"):
            for classes in (0, CLASSES):
                if (name == "digits-small" and (classes or variant == "code")
                        or name == "du2020-celeba" and classes):
                    continue
                shape, networks, tree = make_preset(name, variant == "code",
                                                    classes)
                parts = [Network(*network) for network in networks]
                module = (parts[0] if len(parts) == 1
                          else Composition(tree, parts))
                put_case("%s/%s/%d" % (name, variant, classes), module, shape)


if __name__ == "__main__":
    main()
