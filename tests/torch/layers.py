"""The library's networks and compositions as PyTorch modules, from what a
model file says of them (docs/model-files.md, include/ebm/network.h). Names,
shapes and orders of parameters are those of the file, so a state_dict is what
the tensors of a file are.

Samples are [n, channels, height, width], labels [n].
"""
import torch
import torch.nn.functional as F
from torch import nn

PLAIN, STANDARDISED, SPECTRAL = 0, 1, 2
NO_NORM, GROUP_NORM, INSTANCE_NORM = 0, 1, 2
RES_PLAIN, RES_DOWN, RES_DOWN_WIDEN = 0, 1, 2


class Weighted(nn.Module):
    """A layer with a weight [out, ...] that may be derived from it."""

    def make(self, shape, bias, weights):
        self.mode = weights
        self.weight = nn.Parameter(torch.empty(shape))
        nn.init.kaiming_uniform_(self.weight, a=5 ** 0.5)
        self.bias = None
        if bias:
            bound = self.weight[0].numel() ** -0.5
            self.bias = nn.Parameter(
                torch.empty(shape[0]).uniform_(-bound, bound))
        if weights == SPECTRAL:
            out, taps = shape[0], self.weight[0].numel()
            self.register_buffer(
                "weight_u", F.normalize(torch.randn(out), dim=0))
            self.register_buffer(
                "weight_v", F.normalize(torch.randn(taps), dim=0))
            self.iterate(15)

    def iterate(self, rounds):
        with torch.no_grad():
            matrix = self.weight.flatten(1)
            for _ in range(rounds):
                self.weight_v.copy_(F.normalize(matrix.t() @ self.weight_u,
                                                dim=0))
                self.weight_u.copy_(F.normalize(matrix @ self.weight_v, dim=0))

    def derived(self):
        w = self.weight
        if self.mode == PLAIN:
            return w
        matrix = w.flatten(1)
        if self.mode == STANDARDISED:
            centred = matrix - matrix.mean(1, keepdim=True)
            std = matrix.std(1, unbiased=True, keepdim=True)
            return (centred / (std + 1e-5)).reshape(w.shape)
        return w / (self.weight_u @ matrix @ self.weight_v)


class Conv2d(Weighted):
    def __init__(self, channels, out, kernel, stride=1, padding=0, bias=True,
                 weights=PLAIN):
        super().__init__()
        self.stride, self.padding = stride, padding
        self.make((out, channels, kernel, kernel), bias, weights)

    def forward(self, x, labels=None):
        return F.conv2d(x, self.derived(), self.bias, self.stride,
                        self.padding)


class Dense(Weighted):
    """unflattened: the (channels, height, width) that became its input."""

    def __init__(self, unflattened, units, bias=True, weights=PLAIN):
        super().__init__()
        channels, height, width = unflattened
        self.unflattened = unflattened
        self.make((units, channels * height * width), bias, weights)

    def forward(self, x, labels=None):
        return F.linear(x.flatten(1), self.derived(), self.bias)


class Norm(nn.Module):
    def __init__(self, channels, groups, epsilon):
        super().__init__()
        self.groups, self.epsilon = groups, epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x, labels=None):
        grouped = x.reshape(len(x), self.groups, -1)
        mean = grouped.mean(2, keepdim=True)
        variance = ((grouped - mean) ** 2).mean(2, keepdim=True)
        y = ((grouped - mean) / (variance + self.epsilon).sqrt()).reshape(
            x.shape)
        return (y * self.weight[None, :, None, None]
                + self.bias[None, :, None, None])


class ClassAffine(nn.Module):
    """What nn.Linear(classes, 2 C) makes of the one-hot label."""

    def __init__(self, channels, classes):
        super().__init__()
        bound = classes ** -0.5
        self.weight = nn.Parameter(
            torch.empty(2 * channels, classes).uniform_(-bound, bound))
        self.bias = nn.Parameter(
            torch.empty(2 * channels).uniform_(-bound, bound))

    def forward(self, x, labels=None):
        both = self.weight.t()[labels] + self.bias
        gain, bias = both[:, :, None, None].chunk(2, dim=1)
        return x * gain + bias


class SelfAttention(nn.Module):
    def __init__(self, channels, bias=True):
        super().__init__()
        self.queries = max(channels // 8, 1)
        self.qkv = Conv2d(channels, channels + 2 * self.queries, 1, bias=bias)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x, labels=None):
        q, k, v = self.qkv(x).flatten(2).split(
            [self.queries, self.queries, x.shape[1]], dim=1)
        a = (q.transpose(1, 2) @ k).softmax(2)
        return x + self.gamma * (v @ a.transpose(1, 2)).reshape(x.shape)


def group_rule(groups, channels):
    return groups if groups else max(1, min(32, channels // 2))


class ResBlock(nn.Module):
    def __init__(self, channels, kind, row):
        super().__init__()
        bias, weights = row["bias"], row.get("weights", PLAIN)
        norm, classes = row.get("norm", GROUP_NORM), row.get("classes", 0)
        groups = (channels if norm == INSTANCE_NORM
                  else group_rule(row.get("groups", 0), channels))
        epsilon = row.get("norm_epsilon", 1e-5)
        for i in ("1", "2"):
            self.add_module("conv" + i, Conv2d(channels, channels, 3, 1, 1,
                                               bias, weights))
            if norm != NO_NORM:
                self.add_module("norm" + i, Norm(channels, groups, epsilon))
            if classes:
                self.add_module("class" + i, ClassAffine(channels, classes))
        if kind != RES_PLAIN:
            out = channels if kind == RES_DOWN else 2 * channels
            self.down = Conv2d(channels, out, 3, 1, 1, bias)

    def forward(self, x, labels=None):
        h = x
        for i in ("1", "2"):
            for part in ("conv", "norm", "class"):
                if hasattr(self, part + i):
                    h = getattr(self, part + i)(h, labels)
            h = F.silu(h)
        h = h + x
        if hasattr(self, "down"):
            h = F.silu(F.avg_pool2d(self.down(h), 3, 2, 1))
        return h


class Plain(nn.Module):
    """A layer without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, labels=None):
        return self.function(x)


def plain_layer(row):
    kind = row["kind"]
    if kind == "leaky_relu":
        return lambda x: F.leaky_relu(x, row["slope"])
    if kind == "avg_pool":
        return lambda x: F.avg_pool2d(
            x, row["kernel"], row["stride"], row["padding"],
            count_include_pad=bool(row["count_include_pad"]))
    return {"swish": F.silu, "relu": F.relu, "softplus": F.softplus,
            "square": lambda x: x * x, "flatten": lambda x: x.flatten(1),
            "global_mean_pool": lambda x: x.flatten(2).mean(2),
            "global_sum_pool": lambda x: x.flatten(2).sum(2)}[kind]


def slid(size, row):
    return (size + 2 * row["padding"] - row["kernel"]) // row["stride"] + 1


class Network(nn.Module):
    """The rows of a file's libebm.layers; row 3 is the module "3"."""

    def __init__(self, shape, rows):
        super().__init__()
        height, width, channels = shape
        unflattened = None  # once the sample is flat
        for index, row in enumerate(rows):
            kind, weights = row["kind"], row.get("weights", PLAIN)
            epsilon = row.get("norm_epsilon", 1e-5)
            if kind == "conv2d":
                layer = Conv2d(channels, row["channels"], row["kernel"],
                               row["stride"], row["padding"], row["bias"],
                               weights)
                channels = row["channels"]
                height, width = slid(height, row), slid(width, row)
            elif kind == "dense":
                layer = Dense(unflattened or (channels, 1, 1), row["units"],
                              row["bias"], weights)
                unflattened = (row["units"], 1, 1)
            elif kind in ("group_norm", "instance_norm"):
                groups = (channels if kind == "instance_norm"
                          else group_rule(row["groups"], channels))
                layer = Norm(channels, groups, epsilon)
            elif kind == "class_affine":
                layer = ClassAffine(channels, row["classes"])
            elif kind == "self_attention":
                layer = SelfAttention(channels, row["bias"])
            elif kind == "res_block":
                layer = ResBlock(channels, row["residual"], row)
                if row["residual"] != RES_PLAIN:
                    height, width = (height + 1) // 2, (width + 1) // 2
                if row["residual"] == RES_DOWN_WIDEN:
                    channels *= 2
            else:
                layer = Plain(plain_layer(row))
                if kind == "avg_pool":
                    height, width = slid(height, row), slid(width, row)
                elif kind == "flatten":
                    unflattened = unflattened or (channels, height, width)
                elif kind.startswith("global"):
                    unflattened = (channels, 1, 1)
            self.add_module(str(index), layer)

    def forward(self, x, labels=None):
        for layer in self.children():
            x = layer(x, labels)
        return x.flatten()


class Composition(nn.Module):
    """The tree of a file's libebm.model over its networks "0", "1", ..."""

    def __init__(self, tree, networks):
        super().__init__()
        self.tree = tree
        for index, network in enumerate(networks):
            self.add_module(str(index), network)

    def energy(self, tree, x, labels):
        if "network" in tree:
            return getattr(self, str(tree["network"]))(x, labels)
        kind = tree["kind"]
        if kind == "downsampled":
            x = F.avg_pool2d(x, tree["factor"])
        parts = [self.energy(part, x, labels) for part in tree["parts"]]
        if kind == "sum":
            return sum(w * e for w, e in zip(tree["weights"], parts))
        if kind == "mixture":
            weights = torch.tensor(tree["weights"], dtype=x.dtype)
            return -torch.logsumexp(weights.log()[:, None]
                                    - torch.stack(parts), 0)
        if kind == "tempered":
            return parts[0] / tree["temperature"]
        return {"negated": -parts[0], "downsampled": parts[0]}[kind]

    def forward(self, x, labels=None):
        return self.energy(self.tree, x, labels)


# ---- The library's order of numbers -----------------------------------------

def to_library(layer, name, tensor):
    """A parameter or state of a layer, flat, as ebm_model_view() has it."""
    if isinstance(layer, Conv2d) and name == "weight":
        tensor = tensor.permute(2, 3, 1, 0)
    elif isinstance(layer, Conv2d) and name == "weight_v":
        tensor = tensor.reshape(layer.weight.shape[1:]).permute(1, 2, 0)
    elif isinstance(layer, Dense) and name == "weight":
        tensor = tensor.reshape(-1, *layer.unflattened).permute(2, 3, 1, 0)
    elif isinstance(layer, Dense) and name == "weight_v":
        tensor = tensor.reshape(layer.unflattened).permute(1, 2, 0)
    elif isinstance(layer, ClassAffine) and name == "weight":
        tensor = tensor.t()
    return tensor.reshape(-1)


def fill_from_library(layer, name, numbers):
    """Sets a parameter from numbers in the library's order."""
    tensor = getattr(layer, name)
    places = to_library(layer, name,
                        torch.arange(tensor.numel()).reshape(tensor.shape))
    with torch.no_grad():
        tensor.view(-1)[places] = numbers.to(tensor.dtype)


def arrays(module, path=""):
    """(layer, name, full name, tensor) of all parameters, in the library's
    order: a module's parts before its own, which is gamma."""
    found = []
    for name, part in module.named_children():
        found += arrays(part, path + name + ".")
    for name, tensor in module.named_parameters(recurse=False):
        found.append((module, name, path + name, tensor))
    return found
