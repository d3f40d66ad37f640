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


def torch_energies(network, x):
    with torch.no_grad():
        return network(x.permute(0, 3, 1, 2)).flatten()


# ---- the library's side -----------------------------------------------------

class Library:
    """The few calls that the test needs, through ctypes."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(os.path.abspath(path))
        self.lib.ebm_context_last_error.restype = ctypes.c_char_p
        for name in ("ebm_model_destroy", "ebm_network_destroy",
                     "ebm_context_destroy"):
            getattr(self.lib, name).restype = None
        self.context = ctypes.c_void_p()
        self.call("context_create", ctypes.byref(self.context))

    def call(self, name, *arguments):
        status = getattr(self.lib, "ebm_" + name)(*arguments)
        if status != 0:
            text = self.lib.ebm_context_last_error(self.context)
            raise RuntimeError("ebm_%s: %d, %s" % (name, status, text))

    def make_model(self, shape, layers):
        network, model = ctypes.c_void_p(), ctypes.c_void_p()
        size = ctypes.c_size_t
        self.call("network_create", self.context, *map(size, shape),
                  ctypes.byref(network))
        for layer in layers:
            if "bias" in layer:
                self.call("network_set", network, 0,
                          ctypes.c_double(layer["bias"]))
            numbers = [ctypes.c_double(value) if name == "slope"
                       else size(value) for name, value in layer.items()
                       if name not in ("kind", "bias")]
            self.call("network_" + layer["kind"], network, *numbers)
        self.call("model_create_network", network, ctypes.c_uint64(7),
                  ctypes.byref(model))
        self.lib.ebm_network_destroy(network)
        return model

    def load(self, path):
        model = ctypes.c_void_p()
        self.call("model_load", self.context, path.encode(),
                  ctypes.byref(model))
        return model

    def energies(self, model, x):
        x = x.contiguous()
        energy = torch.empty(len(x))
        self.call("model_energy", model, ctypes.c_void_p(x.data_ptr()), None,
                  ctypes.c_size_t(len(x)), ctypes.c_void_p(energy.data_ptr()))
        return energy


# ---- the comparison ---------------------------------------------------------

def compare(what, ours, theirs):
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print("%-32s largest relative difference %.1e" % (what, error))
    return error <= TOLERANCE  # false for NaN


def main(library, folder):
    ebm = Library(library)
    path = os.path.join(folder, "model.safetensors")
    torch.manual_seed(1)
    good = True
    for name, (shape, layers) in NETS.items():
        x = torch.randn(SAMPLES, *shape)

        model = ebm.make_model(shape, layers)
        ebm.call("model_save", model, path.encode())
        metadata, state = read_file(path)
        assert json.loads(metadata["libebm.input"]) == shape
        assert json.loads(metadata["libebm.layers"]) == layers
        network = make_sequential(shape, layers)
        network.load_state_dict(state)  # strict: all names, all shapes
        good &= compare(name + ", libebm to PyTorch",
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
    ebm.lib.ebm_context_destroy(ebm.context)
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    if len(sys.argv) == 3:
        sys.exit(main(sys.argv[1], sys.argv[2]))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(sys.argv[1], temporary))
