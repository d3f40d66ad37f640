"""libebm for Python, by cffi, over NumPy arrays.

    from ebm import load
    ebm = load("build/libebm.so", "include")
    context = ebm.context_create()
    network = context.network_create(1, 1, 2)
    network.dense(32)

The headers are the declarations, read when the library is loaded, and the
manual. Every function of theirs is here by one rule: `ebm_sampler_run` is the
method `run` of a sampler; what is not named after its first argument keeps its
name, so `ebm_sampler_create(context, ...)` is the method `sampler_create` of a
context. Enumerators lose their prefix: `ebm.SAMPLER_STEPS`.

- Arguments come in C's order. What a call makes or reads comes back: handles,
  and the numbers of `get`, `shape` and their like.
- Arrays are contiguous NumPy arrays of the C type, passed by pointer; None is
  NULL. Arrays that the library lends (`chains.states()`) are views of its own
  memory, and keep the object alive that owns it.
- A status other than EBM_OK is an Error with the library's text.
- Callbacks get views that are valid during the call. What they raise stops the
  call, which raises it again, the same object.
- Handles are destroyed when nothing refers to them any more, or by close(), in
  any order.
"""
import pathlib
import re
import threading
import weakref

import cffi
import numpy as np

# Functions whose last parameters are single numbers to be read. All other
# outputs are arrays, and the caller brings them.
READERS = re.compile(
    r"_(get|get_statistic|get_result|option|shape|view|origin|age|diverged"
    r"|transitions|implied_temperature|beta|bits_per_dimension)$")
DTYPES = {"float": np.float32, "double": np.float64, "int32_t": np.int32,
          "uint64_t": np.uint64, "size_t": np.uintp, "char": np.uint8}


class Error(Exception):
    """A call that failed; `status` is the enumerator's name."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


def read_headers(include):
    """What the headers declare, without comments and preprocessor."""
    seen = set()

    def read(name):
        if name in seen:
            return ""
        seen.add(name)
        text = pathlib.Path(include, name).read_text()
        before = "".join(map(read, re.findall(r"#include <(ebm/\w+\.h)>",
                                              text)))
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
        text = re.sub(r"^#(.*\\\n)*.*$", "", text, flags=re.M)
        return before + text.replace("EBM_API", "")

    return read("ebm/ebm.h")


class Parameter:
    """One parameter of a prototype, and what it is for."""

    def __init__(self, text, reader):
        constant, self.base, stars, self.name = re.fullmatch(
            r"(const )?(\w+) ((?:\*const |\*)*)(\w+)",
            " ".join(text.split())).groups()
        output = stars == "**" or reader and stars == "*" and not constant
        self.constant = bool(constant)
        self.kind = (
            "callback" if self.base.endswith("_fn") else
            "user" if self.base == "void" else
            "number" if not stars else
            "out" if output else
            "list" if stars == "*const *" else
            "text" if self.base == "char" and constant else
            "array" if self.base in DTYPES else
            "energy" if self.base == "ebm_energy_ops" else
            "raw" if self.base == "ebm_allocator" else
            "handle")


class Function:
    """A prototype: what goes in, and what comes back."""

    def __init__(self, result, name, parameters):
        self.name, self.result = name, " ".join(result.split())
        self.parameters = [Parameter(text, READERS.search(name))
                           for text in parameters.split(",")
                           if text.strip() != "void"]
        self.inputs = [p for p in self.parameters
                       if p.kind not in ("out", "user")]
        self.outputs = [p for p in self.parameters if p.kind == "out"]
        self.has_arrays = any(p.kind == "array" for p in self.inputs)

    def belongs_to(self, kind):
        return bool(self.parameters) and \
            self.parameters[0].base == f"ebm_{kind}"


class Held:
    """The C object behind a handle, destroyed with the last reference to this
    one. `roots` is what callbacks of the object need."""

    def __init__(self, pointer, destroy, context=None, owner=None):
        self.pointer, self.destroy, self.owner = pointer, destroy, owner
        self.context = context or self
        self.roots = owner.roots if owner else {}
        self.sample = 1  # elements of a sample, where the object has a shape

    def __del__(self):
        if self.destroy:
            self.destroy(self.pointer)


class Handle:
    """A handle; its methods are the functions that take it first."""

    def __init__(self, ebm, kind, held):
        self._ebm, self._kind, self._held = ebm, kind, held

    def __getattr__(self, name):
        for full in (f"ebm_{self._kind}_{name}", f"ebm_{name}"):
            function = self._ebm.functions.get(full)
            if function and function.belongs_to(self._kind):
                return lambda *given: self._ebm.call(full, self, *given)
        raise AttributeError(f"a {self._kind} has no {name}")

    def close(self):
        """Destroys the object, once no view of it is left."""
        self._held = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def model_create_custom(self, height, width, channels, energy_grad,
                            param_grad=None, tangent=None, parameter_count=0):
        """ebm_model_create_custom() of the functions

            energy_grad(params, x, labels, energy, grad)
            param_grad(params, x, labels, scale, param_grad)
            tangent(params, x, labels, v, scale, hv, param_grad)

        which write energy, grad and hv and add to param_grad."""
        functions = {"energy_grad": energy_grad, "param_grad": param_grad,
                     "tangent": tangent}
        return self._ebm.call(
            "ebm_model_create_custom", self, height, width, channels,
            Callback(functions, (height, width, channels), parameter_count))


class Callback:
    """Functions of the caller's, and what their arrays look like."""

    def __init__(self, functions, shape=(), parameters=0):
        self.functions, self.shape = functions, shape
        self.parameters = parameters


class Lent:
    """Memory of the library's, in the form in which NumPy takes it."""

    def __init__(self, ffi, pointer, shape, dtype, owner, writeable=False):
        self.owner = owner
        address = int(ffi.cast("uintptr_t", pointer))
        self.__array_interface__ = {
            "version": 3, "shape": shape, "typestr": np.dtype(dtype).str,
            "data": (address, not writeable)}


class Ebm:
    """The library: enumerators, and functions that take no handle first."""

    def __init__(self, library, include):
        text = read_headers(include)
        self.ffi = cffi.FFI()
        self.ffi.cdef(text)
        self.lib = self.ffi.dlopen(str(library))
        self.functions = {name: Function(result, name, parameters)
                          for result, name, parameters in re.findall(
                r"([^;{}]*?)\b(ebm_\w+)\s*\(([^()]*)\)\s*;", text)}
        self.state = threading.local()
        self.handles = weakref.WeakValueDictionary()
        self.callbacks = weakref.WeakValueDictionary()
        self.numbers = 0
        self.trampolines = {}
        for kind, function in (
                ("energy_grad", self.on_energy_grad),
                ("param_grad", self.on_param_grad),
                ("tangent", self.on_tangent),
                ("transition", self.on_transition),
                ("sampler_observer", self.on_observer),
                ("sampler_schedule", self.on_schedule),
                ("log", self.on_log)):
            self.trampolines[f"ebm_{kind}_fn"] = self.ffi.callback(
                f"ebm_{kind}_fn", function, None if kind == "log" else 1,
                lambda kind, error, trace: self.caught(error))

    def __getattr__(self, name):
        if f"ebm_{name}" in self.functions:
            return lambda *given: self.call(f"ebm_{name}", *given)
        return getattr(self.lib, f"EBM_{name}")

    # ---- Calls --------------------------------------------------------------

    def call(self, name, *given):
        """Calls a C function by its full name."""
        function, ffi = self.functions[name], self.ffi
        if len(given) != len(function.inputs):
            raise TypeError(f"{name} takes " + (
                ", ".join(p.name for p in function.inputs) or "nothing"))
        values = {p.name: v for p, v in zip(function.inputs, given)}
        handles = [v for value in given for v in (
            value if isinstance(value, (list, tuple)) else [value])
            if isinstance(v, Handle)]
        types = ffi.typeof(getattr(self.lib, name)).args
        lengths = function.has_arrays and self.lengths(values, handles) or {}
        arguments, outputs, roots = [], [], []
        for p, ctype in zip(function.parameters, types):
            if p.kind == "out":
                outputs.append(ffi.new(ffi.getctype(ctype.item, "[4]")))
                arguments.append(outputs[-1])
            elif p.kind != "user":
                arguments += self.convert(p, values[p.name],
                                          lengths.get(p.name, 0), roots)
        context = handles[0]._held.context if handles else None
        result = self.enter(getattr(self.lib, name), arguments)
        if function.result == "ebm_status" and result != self.lib.EBM_OK:
            self.fail(result, context)
        if roots and not function.outputs:
            # What an object was last given it may still call.
            place = name, values.get("key"), values.get("name")
            roots = [r for r in roots if r is not handles[0]._held.roots]
            handles[0]._held.roots[place] = roots
        if function.result not in ("ebm_status", "void"):
            return self.returned(function, result, handles)
        made = tuple(self.output(p, o, values, handles, roots)
                     for p, o in zip(function.outputs, outputs))
        return made[0] if len(made) == 1 else made or None

    def enter(self, function, arguments):
        """The call itself; raises what callbacks raised in it."""
        frames = self.state.__dict__.setdefault("frames", [])
        frames.append([])
        try:
            result = function(*arguments)
        finally:
            errors = frames.pop()
        if errors:
            raise errors[0]
        return result

    def fail(self, status, context):
        text = self.ffi.string(self.lib.ebm_status_text(status)).decode()
        # (A wrong handle has no context to leave a text with.)
        if context and status != self.lib.EBM_ERROR_HANDLE:
            line = self.ffi.new("char[1024]")
            self.lib.ebm_context_copy_last_error(context.pointer, line, 1024)
            text = self.ffi.string(line).decode(errors="replace") or text
        name = self.ffi.string(self.lib.ebm_status_name(status)).decode()
        raise Error(name, text)

    # ---- Into C -------------------------------------------------------------

    def lengths(self, values, handles):
        """How many elements the arrays must have at least whose names say it.
        C takes the caller's word for it; here it is looked at."""
        sample = max([self.sample(values)] + [
            h._held.sample for h in handles if h._held])
        sample = values.get("d", values.get("size", sample))
        n, m = values.get("n", 0), values.get("m", 0)
        if "chains" in values and "origin" in values and "n" not in values:
            n = handles[0].count()
        rows = dict.fromkeys(("x", "data", "v", "grad", "hv", "images"),
                             n * sample)
        rows.update(dict.fromkeys(("energy", "labels", "scale", "acceptance",
                                   "log_weights", "low"), n))
        rows.update(b=m * sample, y=m * sample, high=m, pixels=sample,
                    values=values.get("count", 0))
        return rows

    @staticmethod
    def sample(values):
        return values.get("height", 1) * values.get("width", 1) * \
            values.get("channels", 1)

    def convert(self, p, value, length, roots):
        """The C arguments for one of ours."""
        ffi = self.ffi
        if p.kind in ("number", "raw"):
            return [value]
        if p.kind in ("callback", "energy") and value is not None:
            return self.convert_callback(p, value, roots)
        if value is None:
            return [ffi.NULL] + [ffi.NULL] * (p.kind == "callback")
        if p.kind == "text":
            return [ffi.new("char[]", str(value).encode())]
        if p.kind == "list" and p.base == "char":
            texts = [ffi.new("char[]", str(v).encode()) for v in value]
            roots.append(texts)
            return [ffi.new("char *[]", texts)]
        if p.kind == "list":
            return [ffi.new(f"{p.base} *[]", [
                self.pointer(p, v, roots) for v in value])]
        if p.kind == "array":
            return [self.array(p, value, length)]
        return [self.pointer(p, value, roots)]

    def pointer(self, p, value, roots):
        if not isinstance(value, Handle) or p.base != f"ebm_{value._kind}":
            raise TypeError(f"{p.name} must be a {p.base}, not {value!r}")
        if value._held is None:
            raise Error("EBM_ERROR_HANDLE", f"{p.name} was closed")
        roots.append(value._held.roots)
        return value._held.pointer

    def array(self, p, value, length):
        dtype = np.dtype(DTYPES[p.base])
        if not isinstance(value, np.ndarray) or value.dtype != dtype:
            raise TypeError(f"{p.name} must be a NumPy array of {dtype}")
        if not value.flags.c_contiguous:
            raise TypeError(f"{p.name} must be contiguous")
        if not p.constant and not value.flags.writeable:
            raise TypeError(f"{p.name} must be writeable")
        if value.size < length:
            raise ValueError(f"{p.name} has {value.size} elements, and "
                             f"{length} are needed")
        return self.ffi.cast(f"{p.base} *", value.ctypes.data)

    def convert_callback(self, p, value, roots):
        """A trampoline and, for its `user`, the number of the function."""
        ffi = self.ffi
        if not isinstance(value, Callback):
            value = Callback(value)
        self.numbers += 1
        self.callbacks[self.numbers] = value
        roots.append(value)
        if p.kind == "callback":
            function = self.trampolines[p.base]
        else:
            function = ffi.new("ebm_energy_ops *", {
                "struct_size": ffi.sizeof("ebm_energy_ops"),
                "parameter_count": value.parameters, **{
                    name: self.trampolines[f"ebm_{name}_fn"]
                    for name, given in value.functions.items() if given}})
        return [function, ffi.cast("void *", self.numbers)]

    # ---- Out of C -----------------------------------------------------------

    def output(self, p, out, values, handles, roots):
        if p.base == "float":  # ebm_model_begin_write()
            count = (handles[0].parameter_count(),)
            return np.asarray(Lent(self.ffi, out[0], count, np.float32,
                                   handles[0]._held, True))
        if p.base == "char":
            return self.ffi.string(out[0]).decode()
        if p.name == "shape":
            return tuple(out)
        if self.ffi.typeof(out).item.kind != "pointer":
            return out[0]
        kind = p.base[len("ebm_"):]
        held = Held(out[0], getattr(self.lib, f"{p.base}_destroy"),
                    handles and handles[0]._held.context)
        held.roots["made of"] = roots
        handle = Handle(self, kind, held)
        self.handles[held.pointer] = handle
        held.sample = self.sample(values)
        if kind in ("model", "dataset"):
            held.sample = int(np.prod(handle.shape()))
        return handle

    def returned(self, function, result, handles):
        """What a function returned that is no status."""
        ffi, ctype = self.ffi, self.ffi.typeof(
            getattr(self.lib, function.name)).result
        if ctype.kind != "pointer":
            return result
        if result == ffi.NULL:
            return None
        if ctype.item.cname == "char":
            return ffi.string(result).decode()
        held, base = handles[0]._held, ctype.item.cname
        if base in DTYPES:
            return np.asarray(Lent(ffi, result, self.lent_shape(
                function.name, handles[0]), DTYPES[base], held))
        kind = base[len("ebm_"):]  # a part: the whole owns it
        return Handle(self, kind, Held(result, None, held.context, held))

    @staticmethod
    def lent_shape(name, handle):
        return {
            "ebm_chains_states": lambda: (handle.count(), *handle.shape()),
            "ebm_chains_labels": lambda: (handle.count(),),
            "ebm_model_parameters": lambda: (handle.parameter_count(),),
            "ebm_model_gradient": lambda: (handle.parameter_count(),),
        }[name]()

    # ---- Callbacks ----------------------------------------------------------

    def caught(self, error):
        self.state.frames[-1].append(error)

    def run(self, user, body):
        """Runs a callback; nothing that it raises goes through C."""
        try:
            number = int(self.ffi.cast("uintptr_t", user))
            result = body(self.callbacks[number])
            return 0 if result is None else int(result)
        except BaseException as error:
            self.caught(error)
            return 1

    def view(self, pointer, *shape, writeable=False):
        """A callback's array."""
        if pointer == self.ffi.NULL or not np.prod(shape):
            return None
        dtype = DTYPES[self.ffi.typeof(pointer).item.cname]
        return np.asarray(Lent(self.ffi, pointer, shape, dtype, None,
                               writeable))

    def on_energy_grad(self, params, x, labels, n, energy, grad, user):
        return self.run(user, lambda c: c.functions["energy_grad"](
            self.view(params, c.parameters), self.view(x, n, *c.shape),
            self.view(labels, n), self.view(energy, n, writeable=True),
            self.view(grad, n, *c.shape, writeable=True)))

    def on_param_grad(self, params, x, labels, n, scale, gradient, user):
        return self.run(user, lambda c: c.functions["param_grad"](
            self.view(params, c.parameters), self.view(x, n, *c.shape),
            self.view(labels, n), self.view(scale, n),
            self.view(gradient, c.parameters, writeable=True)))

    def on_tangent(self, params, x, labels, n, v, scale, hv, gradient, user):
        return self.run(user, lambda c: c.functions["tangent"](
            self.view(params, c.parameters), self.view(x, n, *c.shape),
            self.view(labels, n), self.view(v, n, *c.shape),
            self.view(scale, n), self.view(hv, n, *c.shape, writeable=True),
            self.view(gradient, c.parameters, writeable=True)))

    def on_transition(self, x, labels, n, height, width, channels, keys,
                      user):
        return self.run(user, lambda c: c.functions(
            self.view(x, n, height, width, channels, writeable=True),
            self.view(labels, n), self.view(keys, n)))

    def on_observer(self, step, chains, user):
        return self.run(user, lambda c: c.functions(step,
                                                    self.handles[chains]))

    def on_schedule(self, step, steps, value, user):
        def body(c):
            value[0] = c.functions(step, steps)
        return self.run(user, body)

    def on_log(self, level, text, user):
        self.run(user, lambda c: c.functions(
            level, self.ffi.string(text).decode(errors="replace")))


def load(library="libebm.so.0", include="/usr/include"):
    """Loads the library; `include` is the folder that holds ebm/ebm.h."""
    return Ebm(library, include)
