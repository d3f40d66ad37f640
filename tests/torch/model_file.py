"""Model files between libebm and PyTorch, both ways.

    python3 model_file.py LIBRARY [FOLDER]

LIBRARY is the shared library, FOLDER where the files go (a temporary one when
left out). The safetensors package is not needed: the format is a length, a
JSON text and the numbers. Exit status: 0 the energies agree, 1 they do not,
77 PyTorch is not installed.
"""

import ctypes
import json
import os
import struct
import sys
import tempfile

# Before any BLAS is loaded: its threads would fight PyTorch's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

try:
    import torch
    from torch import nn
    import layers as ebm_layers
except ImportError:
    print("skipped: PyTorch is not installed")
    sys.exit(77)

TOLERANCE = 1e-5
SAMPLES = 6

NETS = {
    # Sides, kernels, strides and paddings that nothing hides behind.
    "all-kinds": ([9, 7, 3], [
        {"kind": "conv2d", "channels": 5, "kernel": 3, "stride": 1,
         "padding": 1, "bias": False},
        {"kind": "swish"},
        {"kind": "conv2d", "channels": 4, "kernel": 2, "stride": 2,
         "padding": 1, "bias": True},
        {"kind": "leaky_relu", "slope": 0.2},
        {"kind": "flatten"},
        {"kind": "dense", "units": 11, "bias": True},
        {"kind": "relu"},
        {"kind": "dense", "units": 1, "bias": False}]),
    # The network of the papers' experiments on digits.
    "digits": ([28, 28, 1], [
        {"kind": "conv2d", "channels": 16, "kernel": 5, "stride": 2,
         "padding": 4, "bias": True}, {"kind": "swish"},
        {"kind": "conv2d", "channels": 32, "kernel": 3, "stride": 2,
         "padding": 1, "bias": True}, {"kind": "swish"},
        {"kind": "conv2d", "channels": 64, "kernel": 3, "stride": 2,
         "padding": 1, "bias": True}, {"kind": "swish"},
        {"kind": "conv2d", "channels": 64, "kernel": 3, "stride": 2,
         "padding": 1, "bias": True}, {"kind": "swish"},
        {"kind": "flatten"},
        {"kind": "dense", "units": 64, "bias": True}, {"kind": "swish"},
        {"kind": "dense", "units": 1, "bias": True}]),
}


CLASSES = 3


def conv(channels, **settings):
    return {"kind": "conv2d", "channels": channels, "kernel": 3, "stride": 1,
            "padding": 1, "bias": True, **settings}


def block(channels, residual, **settings):
    return {"kind": "res_block", "channels": channels, "residual": residual,
            "bias": True, **settings}


def dense(units, **settings):
    return {"kind": "dense", "units": units, "bias": True, **settings}


SWISH, FLATTEN = {"kind": "swish"}, {"kind": "flatten"}
MEAN = [SWISH, {"kind": "global_mean_pool"}, dense(1)]

# Rows that nn.Sequential has no module for: layers.py.
ROWS = {
    "pools": ([6, 5, 3], [
        {"kind": "avg_pool", "kernel": 3, "stride": 2, "padding": 1,
         "count_include_pad": 1}, conv(4),
        {"kind": "avg_pool", "kernel": 2, "stride": 1, "padding": 1,
         "count_include_pad": 0}, {"kind": "leaky_relu", "slope": 0.1},
        {"kind": "relu"}, {"kind": "global_sum_pool"}, dense(1),
        {"kind": "square"}, {"kind": "softplus"}]),
    "norms": ([6, 5, 3], [
        conv(6), {"kind": "group_norm", "groups": 0}, SWISH,
        {"kind": "group_norm", "groups": 2, "norm_epsilon": 0.25},
        {"kind": "instance_norm"}, FLATTEN, dense(1)]),
    "attention": ([6, 5, 3], [
        conv(16), {"kind": "self_attention", "bias": True},
        {"kind": "self_attention", "bias": False}, *MEAN]),
    "blocks": ([8, 6, 3], [
        conv(4), block(4, 0), block(4, 1, groups=4),
        block(4, 2, norm=2, norm_epsilon=0.5), block(8, 0, norm=0), *MEAN]),
    "standardised": ([6, 5, 3], [
        conv(4, weights=1), block(4, 1, weights=1), FLATTEN,
        dense(5, weights=1), SWISH, dense(1, weights=1)]),
    "spectral": ([6, 5, 3], [
        conv(4, weights=2), block(4, 1, weights=2), FLATTEN,
        dense(5, weights=2), SWISH, dense(1, weights=2)]),
    "conditional": ([6, 5, 3], [
        conv(4), {"kind": "class_affine", "classes": CLASSES},
        block(4, 2, classes=CLASSES), *MEAN]),
}

# Preset, variant, classes, width.
PRESETS = [("digits-small", 0, 0, 4)] + [
    (name, variant, classes, 4)
    for name in ("du2020-mnist", "du2020-cifar", "du2020-celeba")
    for variant in (0, 1) for classes in (0, CLASSES)]

# Compositions of small networks: the tree and the networks' numbers of rows.
TREE = {"kind": "sum", "weights": [1.5, -1, 1 / 3, 0.5], "parts": [
    {"network": 0},
    {"kind": "mixture", "weights": [0.3, 0.7], "parts": [
        {"network": 0},
        {"kind": "tempered", "temperature": 3, "parts": [{"network": 1}]}]},
    {"kind": "downsampled", "factor": 2, "parts": [
        {"kind": "negated", "parts": [{"network": 2}]}]},
    {"network": 1}]}
PARTS = [([8, 6, 3], [conv(4), SWISH, FLATTEN, dense(1)]),
         ([8, 6, 3], [conv(4), block(4, 1), *MEAN]),
         ([4, 3, 3], [conv(2, weights=2), SWISH, *MEAN])]


# ---- safetensors, in a few lines --------------------------------------------

def read_file(path):
    """Returns the metadata and a state_dict."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__")
    state = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        begin, end = entry["data_offsets"]
        numbers = struct.unpack("<%df" % ((end - begin) // 4), data[begin:end])
        state[name] = torch.tensor(numbers).reshape(entry["shape"])
    return metadata, state


def write_file(path, metadata, state):
    """Sorted by name, as the safetensors package does it."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in sorted(state.items()):
        numbers = tensor.flatten().tolist()
        begin = len(data)
        data += struct.pack("<%df" % len(numbers), *numbers)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- PyTorch's side ---------------------------------------------------------

def make_sequential(shape, layers):
    """The network of a file's libebm.input and libebm.layers."""
    modules, (height, width, channels) = [], shape
    for layer in layers:
        kind = layer["kind"]
        if kind == "conv2d":
            kernel, stride, padding = (
                layer["kernel"], layer["stride"], layer["padding"])
            modules.append(nn.Conv2d(channels, layer["channels"], kernel,
                                     stride, padding, bias=layer["bias"]))
            channels = layer["channels"]
            height = (height + 2 * padding - kernel) // stride + 1
            width = (width + 2 * padding - kernel) // stride + 1
        elif kind == "dense":
            modules.append(nn.Linear(channels, layer["units"],
                                     bias=layer["bias"]))
            channels = layer["units"]
        elif kind == "flatten":
            modules.append(nn.Flatten())
            height, width, channels = 1, 1, height * width * channels
        else:
            modules.append({"swish": nn.SiLU, "relu": nn.ReLU,
                            "leaky_relu": lambda: nn.LeakyReLU(layer["slope"])
                            }[kind]())
    return nn.Sequential(*modules)


def make_module(metadata):
    """Any model of a file, as a module of layers.py."""
    if "libebm.model" not in metadata:
        return ebm_layers.Network(json.loads(metadata["libebm.input"]),
                                  json.loads(metadata["libebm.layers"]))
    return ebm_layers.Composition(
        json.loads(metadata["libebm.model"]),
        [ebm_layers.Network(network["input"], network["layers"])
         for network in json.loads(metadata["libebm.networks"])])


def torch_energies(network, x):
    with torch.no_grad():
        return network(x.permute(0, 3, 1, 2)).flatten()


def exact_energies(module, x, labels):
    with torch.no_grad():
        return module.double()(x.double().permute(0, 3, 1, 2), labels)


# ---- the library's side -----------------------------------------------------

class Library:
    """The few calls that the test needs, through ctypes."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(os.path.abspath(path))
        self.lib.ebm_context_last_error.restype = ctypes.c_char_p
        for name in ("ebm_model_destroy", "ebm_network_destroy",
                     "ebm_preset_destroy", "ebm_context_destroy"):
            getattr(self.lib, name).restype = None
        self.context = ctypes.c_void_p()
        self.call("context_create", ctypes.byref(self.context))

    def call(self, name, *arguments):
        status = getattr(self.lib, "ebm_" + name)(*arguments)
        if status != 0:
            text = self.lib.ebm_context_last_error(self.context)
            raise RuntimeError("ebm_%s: %d, %s" % (name, status, text))

    def append(self, network, row):
        """A row; settings that it does not name are the builder's own."""
        keys = {"bias": (0, 1), "norm": (2, 1), "groups": (3, 0),
                "norm_epsilon": (4, 1e-5), "weights": (5, 0),
                "classes": (6, 0)}
        arguments = dict(row)
        kind = arguments.pop("kind")
        own = {"group_norm": "groups", "class_affine": "classes"}.get(kind)
        for name, (key, initial) in keys.items():
            value = initial if name == own else arguments.pop(name, initial)
            self.call("network_set", network, key, ctypes.c_double(value))
        convert = {"slope": ctypes.c_double, "count_include_pad": ctypes.c_int,
                   "residual": ctypes.c_int}
        self.call("network_" + kind, network,
                  *[convert.get(name, ctypes.c_size_t)(value)
                    for name, value in arguments.items()])

    def make_model(self, shape, layers):
        network, model = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("network_create", self.context,
                  *map(ctypes.c_size_t, shape), ctypes.byref(network))
        for row in layers:
            self.append(network, row)
        self.call("model_create_network", network, ctypes.c_uint64(7),
                  ctypes.byref(model))
        self.lib.ebm_network_destroy(network)
        return model

    def make_preset(self, name, variant, classes, width):
        preset, model = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("preset_create", self.context, name.encode(),
                  ctypes.byref(preset))
        for key, value in enumerate((width, variant, classes)):
            self.call("preset_set", preset, key, ctypes.c_double(value))
        self.call("preset_make_model", preset, ctypes.c_uint64(7),
                  ctypes.byref(model))
        self.lib.ebm_preset_destroy(preset)
        return model

    def make_composition(self, tree, networks):
        if "network" in tree:
            return networks[tree["network"]]
        parts = [self.make_composition(part, networks)
                 for part in tree["parts"]]
        model, count = ctypes.c_void_p(), len(parts)
        if "weights" in tree:
            arguments = [(ctypes.c_void_p * count)(*parts),
                         (ctypes.c_double * count)(*tree["weights"]),
                         ctypes.c_size_t(count)]
        else:
            arguments = [parts[0]]
            if "factor" in tree:
                arguments.append(ctypes.c_size_t(tree["factor"]))
            if "temperature" in tree:
                arguments.append(ctypes.c_double(tree["temperature"]))
        self.call("model_create_" + tree["kind"], *arguments,
                  ctypes.byref(model))
        return model

    def shape(self, model):
        sizes = [ctypes.c_size_t() for _ in range(3)]
        self.call("model_shape", model, *map(ctypes.byref, sizes))
        return [size.value for size in sizes]

    def shake(self, model):
        """Moves all parameters, so that none is where it began."""
        self.lib.ebm_model_parameter_count.restype = ctypes.c_size_t
        count = self.lib.ebm_model_parameter_count(model)
        numbers = torch.empty(count)
        where = ctypes.c_void_p(numbers.data_ptr())
        begin, size = ctypes.c_size_t(0), ctypes.c_size_t(count)
        self.call("model_get_parameters", model, begin, where, size)
        numbers += 0.1 * torch.randn(count)
        self.call("model_set_parameters", model, begin, where, size)

    def load(self, path):
        model = ctypes.c_void_p()
        self.call("model_load", self.context, path.encode(),
                  ctypes.byref(model))
        return model

    def energies(self, model, x, labels=None):
        x = x.contiguous()
        if labels is not None:
            labels = labels.to(torch.int32)
        energy = torch.empty(len(x))
        self.call("model_energy", model, ctypes.c_void_p(x.data_ptr()),
                  labels is not None and ctypes.c_void_p(labels.data_ptr())
                  or None,
                  ctypes.c_size_t(len(x)), ctypes.c_void_p(energy.data_ptr()))
        return energy


# ---- the comparison ---------------------------------------------------------

def compare(what, ours, theirs):
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print("%-48s largest relative difference %.1e" % (what, error))
    return error <= TOLERANCE  # false for NaN


def both_ways(ebm, name, path, model):
    """A model of the library's, saved, and the same network with PyTorch's
    parameters, loaded. Ends the model."""
    ebm.shake(model)
    shape = ebm.shape(model)
    x = torch.randn(SAMPLES, *shape)
    labels = torch.arange(SAMPLES) % CLASSES
    ebm.call("model_save", model, path.encode())
    metadata, state = read_file(path)
    module = make_module(metadata)
    module.load_state_dict(state)  # strict: all names, all shapes
    good = compare(name + ", libebm to PyTorch",
                   ebm.energies(model, x, labels),
                   exact_energies(module, x, labels))
    ebm.lib.ebm_model_destroy(model)

    module = make_module(metadata)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    write_file(path, metadata, module.state_dict())
    model = ebm.load(path)
    good &= compare(name + ", PyTorch to libebm",
                    ebm.energies(model, x, labels),
                    exact_energies(module, x, labels))
    ebm.lib.ebm_model_destroy(model)
    return good


def sequential_both_ways(ebm, name, path, shape, layers):
    """The same with nothing but modules of PyTorch's own."""
    x = torch.randn(SAMPLES, *shape)
    model = ebm.make_model(shape, layers)
    ebm.call("model_save", model, path.encode())
    metadata, state = read_file(path)
    assert json.loads(metadata["libebm.input"]) == shape
    assert json.loads(metadata["libebm.layers"]) == layers
    network = make_sequential(shape, layers)
    network.load_state_dict(state)
    good = compare(name + ", libebm to PyTorch",
                   ebm.energies(model, x), torch_energies(network, x))
    ebm.lib.ebm_model_destroy(model)

    network = make_sequential(shape, layers)
    metadata = {"format": "pt", "libebm.format": "1",
                "libebm.input": json.dumps(shape),
                "libebm.layers": json.dumps(layers)}
    write_file(path, metadata, network.state_dict())
    model = ebm.load(path)
    good &= compare(name + ", PyTorch to libebm",
                    ebm.energies(model, x), torch_energies(network, x))
    ebm.lib.ebm_model_destroy(model)
    return good


def main(library, folder):
    ebm = Library(library)
    path = os.path.join(folder, "model.safetensors")
    torch.manual_seed(1)
    good = True
    for name, (shape, layers) in NETS.items():
        good &= sequential_both_ways(ebm, name, path, shape, layers)
    for name, (shape, rows) in ROWS.items():
        good &= both_ways(ebm, name, path, ebm.make_model(shape, rows))
    parts = [ebm.make_model(shape, rows) for shape, rows in PARTS]
    good &= both_ways(ebm, "composition", path,
                      ebm.make_composition(TREE, parts))
    for name, variant, classes, width in PRESETS:
        good &= both_ways(ebm, "%s, %s, %d classes" % (
            name, ("paper", "code")[variant], classes), path,
            ebm.make_preset(name, variant, classes, width))
    ebm.lib.ebm_context_destroy(ebm.context)
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    if len(sys.argv) == 3:
        sys.exit(main(sys.argv[1], sys.argv[2]))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(sys.argv[1], temporary))
