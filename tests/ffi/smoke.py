"""libebm from Python, through ctypes and nothing else.

Usage: smoke.py INCLUDE_FOLDER SHARED_LIBRARY

What a binding needs has to work without a C compiler: constants read from
the headers, handles as plain pointers, callbacks, and a status instead of a
crash for a wrong handle.
"""
import ctypes as c
import math
import pathlib
import re
import sys

handle, status, number = c.c_void_p, c.c_int, c.c_double
floats, sizes, labels = c.POINTER(c.c_float), c.c_size_t, c.POINTER(c.c_int32)
out = c.POINTER(handle)

ENERGY_GRAD = c.CFUNCTYPE(c.c_int, floats, floats, labels, sizes, floats,
                          floats, handle)
TRANSITION = c.CFUNCTYPE(c.c_int, floats, labels, sizes, sizes, sizes, sizes,
                         c.POINTER(c.c_uint64), handle)


class EnergyOps(c.Structure):
    _fields_ = [("struct_size", sizes), ("parameter_count", sizes),
                ("energy_grad", ENERGY_GRAD), ("param_grad", handle),
                ("tangent", handle)]


PROTOTYPES = {
    "ebm_version_number": (c.c_int,),
    "ebm_version_string": (c.c_char_p,),
    "ebm_status_name": (c.c_char_p, status),
    "ebm_context_create": (status, out),
    "ebm_context_destroy": (None, handle),
    "ebm_context_set": (status, handle, c.c_int, number),
    "ebm_context_last_error": (c.c_char_p, handle),
    "ebm_context_machinery": (c.c_char_p, handle),
    "ebm_network_create": (status, handle, sizes, sizes, sizes, out),
    "ebm_network_destroy": (None, handle),
    "ebm_network_conv2d": (status, handle, sizes, sizes, sizes, sizes),
    "ebm_network_swish": (status, handle),
    "ebm_network_flatten": (status, handle),
    "ebm_network_dense": (status, handle, sizes),
    "ebm_model_create_network": (status, handle, c.c_uint64, out),
    "ebm_model_create_custom": (status, handle, sizes, sizes, sizes,
                                c.POINTER(EnergyOps), handle, out),
    "ebm_model_destroy": (None, handle),
    "ebm_model_parameter_count": (sizes, handle),
    "ebm_model_energy": (status, handle, floats, labels, sizes, floats),
    "ebm_chains_create": (status, handle, sizes, sizes, sizes, sizes,
                          c.c_uint64, out),
    "ebm_chains_destroy": (None, handle),
    "ebm_chains_init_uniform": (status, handle, number, number),
    "ebm_chains_states": (floats, handle),
    "ebm_chains_step_count": (c.c_uint64, handle),
    "ebm_sampler_create": (status, handle, c.c_int, out),
    "ebm_sampler_destroy": (None, handle),
    "ebm_sampler_set": (status, handle, c.c_int, number),
    "ebm_sampler_run": (status, handle, handle, handle),
    "ebm_transition_create_callback": (status, handle, TRANSITION, handle,
                                       out),
    "ebm_transition_create_preset": (status, handle, c.c_char_p, out),
    "ebm_transition_create_sequence": (status, handle, out, sizes, out),
    "ebm_transition_destroy": (None, handle),
    "ebm_transition_apply": (status, handle, floats, labels, sizes, sizes,
                             sizes, sizes, c.c_uint64, c.c_uint64,
                             c.c_uint64),
}


def load(path):
    library = c.CDLL(path)
    for name, (result, *arguments) in PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def constants(include):
    """All enumerators of the headers, as a binding generator reads them."""
    values = {}
    for header in sorted(pathlib.Path(include, "ebm").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for name, value in re.findall(r"\b(EBM_\w+)\s*=\s*(\w+)", text):
            values[name] = int(value, 0)
    return values


def check(condition, what):
    if not condition:
        sys.exit(f"smoke.py: {what}")


class Session:
    """The library, a context, and the names of the headers."""

    def __init__(self, include, path):
        self.lib, self.names = load(path), constants(include)
        self.context = handle()
        self.ok(self.lib.ebm_context_create(c.byref(self.context)))

    def ok(self, result):
        if result != self.names["EBM_OK"]:
            name = self.lib.ebm_status_name(result).decode()
            text = self.lib.ebm_context_last_error(self.context).decode()
            sys.exit(f"smoke.py: {name}: {text}")

    def make(self, create, *arguments):
        made = handle()
        self.ok(getattr(self.lib, create)(*arguments, c.byref(made)))
        return made

    def set(self, sampler, **settings):
        for key, value in settings.items():
            key = self.names["EBM_SAMPLER_" + key]
            self.ok(self.lib.ebm_sampler_set(sampler, key, value))


def small_network(s):
    lib = s.lib
    network = s.make("ebm_network_create", s.context, 8, 8, 1)
    s.ok(lib.ebm_network_conv2d(network, 4, 3, 2, 1))
    s.ok(lib.ebm_network_swish(network))
    s.ok(lib.ebm_network_flatten(network))
    s.ok(lib.ebm_network_dense(network, 1))
    model = s.make("ebm_model_create_network", network, 1)
    lib.ebm_network_destroy(network)
    count = lib.ebm_model_parameter_count(model)
    check(count == 3 * 3 * 4 + 4 + 4 * 4 * 4 + 1, f"{count} parameters")
    return model


def sample(s, model, threads):
    """States and energies of 20 short chains, as bytes and as a list."""
    lib, n = s.lib, 20
    s.ok(lib.ebm_context_set(s.context, s.names["EBM_CONTEXT_THREADS"],
                             threads))
    chains = s.make("ebm_chains_create", s.context, n, 8, 8, 1, 7)
    s.ok(lib.ebm_chains_init_uniform(chains, -1, 1))
    start = lib.ebm_chains_states(chains)[:n * 64]
    sampler = s.make("ebm_sampler_create", s.context,
                     s.names["EBM_SAMPLER_LANGEVIN"])
    s.set(sampler, STEPS=10, STEP_SIZE=1, NOISE_STD=0.01, GRADIENT_CLIP=0.03,
          STATE_MIN=-1, STATE_MAX=1)
    s.ok(lib.ebm_sampler_run(sampler, model, chains))
    check(lib.ebm_chains_step_count(chains) == 10, "the steps are not counted")
    energy = (c.c_float * n)()
    states = lib.ebm_chains_states(chains)
    s.ok(lib.ebm_model_energy(model, states, None, n, energy))
    moved = states[:n * 64]
    check(moved != start, "the chains did not move")
    check(all(-1 <= value <= 1 for value in moved), "a state out of bounds")
    lib.ebm_chains_destroy(chains)
    lib.ebm_sampler_destroy(sampler)
    return moved, energy[:]


def check_network(s):
    model = small_network(s)
    moved, energy = sample(s, model, 1)
    check(all(map(math.isfinite, energy)), f"energies {energy}")
    check(len(set(energy)) > 1, "all energies are the same")
    for threads in (1, 2, 3):
        check(sample(s, model, threads) == (moved, energy),
              f"other bits with {threads} threads")
    return model


def check_wrong_handles(s, model):
    lib, names = s.lib, s.names
    chains = s.make("ebm_chains_create", s.context, 2, 8, 8, 1, 7)
    sampler = s.make("ebm_sampler_create", s.context,
                     names["EBM_SAMPLER_LANGEVIN"])
    for wrong in (chains, sampler, s.context, None):
        check(lib.ebm_sampler_run(sampler, wrong, chains) ==
              names["EBM_ERROR_HANDLE"], f"{wrong} passed as a model")
    check(lib.ebm_sampler_run(sampler, model, model) ==
          names["EBM_ERROR_HANDLE"], "a model passed as chains")
    check(lib.ebm_sampler_set(sampler, 12345, 1.0) ==
          names["EBM_ERROR_ARGUMENT"], "an unknown key was taken")
    check(lib.ebm_sampler_set(sampler, names["EBM_SAMPLER_STEPS"],
                              math.nan) == names["EBM_ERROR_RANGE"],
          "NaN was taken")
    check(lib.ebm_context_last_error(s.context), "no text for the last error")
    lib.ebm_sampler_destroy(sampler)
    lib.ebm_chains_destroy(chains)


def check_custom(s):
    """E = x^2 / 2 of our own: the noise-first chain on it is linear, with
    a = 1 - step and stationary variance a^2 std^2 / (1 - a^2)."""
    lib, n, width = s.lib, 500, 8
    stop = [0]

    def energy_grad(_, x, __, count, energy, grad, ___):
        c.memmove(grad, x, count * width * c.sizeof(c.c_float))
        for i in range(count):
            row = x[i * width:(i + 1) * width]
            energy[i] = sum(value * value for value in row) / 2
        return stop[0]

    ops = EnergyOps(c.sizeof(EnergyOps), 0, ENERGY_GRAD(energy_grad))
    model = s.make("ebm_model_create_custom", s.context, 1, 1, width,
                   c.byref(ops), None)
    chains = s.make("ebm_chains_create", s.context, n, 1, 1, width, 3)
    sampler = s.make("ebm_sampler_create", s.context,
                     s.names["EBM_SAMPLER_LANGEVIN"])
    step, std = 0.2, 0.6
    s.set(sampler, STEPS=60, STEP_SIZE=step, NOISE_STD=std)
    s.ok(lib.ebm_sampler_run(sampler, model, chains))
    x = lib.ebm_chains_states(chains)[:n * width]
    mean = sum(x) / len(x)
    variance = sum(value * value for value in x) / len(x)
    a = 1 - step
    law = a * a * std * std / (1 - a * a)
    check(abs(mean) < 5 * math.sqrt(law / len(x)), f"mean {mean}, not 0")
    check(abs(variance / law - 1) < 5 * math.sqrt(2 / len(x)),
          f"variance {variance}, not {law}")

    stop[0] = 1
    check(lib.ebm_sampler_run(sampler, model, chains) ==
          s.names["EBM_ERROR_CALLBACK"], "a failing callback went unnoticed")
    for destroy, made in (("model", model), ("chains", chains),
                          ("sampler", sampler)):
        getattr(lib, f"ebm_{destroy}_destroy")(made)
    return variance, law


def check_transition(s):
    """A preset by name, and a function of our own behind it."""
    lib, n, size = s.lib, 3, 8 * 8 * 3

    def shift(x, _, count, height, width, channels, keys, __):
        for i in range(count * height * width * channels):
            x[i] += 4
        return len({keys[i] for i in range(count)}) != n

    function = TRANSITION(shift)
    parts = (handle * 2)(
        s.make("ebm_transition_create_preset", s.context, b"du2020-cifar"),
        s.make("ebm_transition_create_callback", s.context, function, None))
    whole = s.make("ebm_transition_create_sequence", s.context, parts, 2)
    before = [math.sin(i) for i in range(n * size)]
    x = (c.c_float * len(before))(*before)
    s.ok(lib.ebm_transition_apply(whole, x, None, n, 8, 8, 3, 1, 0, 0))
    check(all(3 <= value <= 5 for value in x), "an image out of its range")
    check(any(abs(a - 4 - b) > 0.1 for a, b in zip(x, before)),
          "the images did not change")
    for part in (*parts, whole):
        lib.ebm_transition_destroy(part)


def main():
    include, path = sys.argv[1:]
    s = Session(include, path)
    check(s.lib.ebm_version_string().count(b".") == 2, "the version's text")
    print(s.lib.ebm_version_string().decode(),
          s.lib.ebm_context_machinery(s.context).decode(), sep=", ")
    model = check_network(s)
    check_wrong_handles(s, model)
    check_transition(s)
    variance, law = check_custom(s)
    # The context goes first: the model keeps it alive.
    s.lib.ebm_context_destroy(s.context)
    s.lib.ebm_model_destroy(model)
    print(f"variance {variance:.4f}, by law {law:.4f}; all well")


if __name__ == "__main__":
    main()
