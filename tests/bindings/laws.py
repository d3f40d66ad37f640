"""What the Python binding promises. Usage: laws.py LIBRARY INCLUDE"""
import gc
import pathlib
import random
import re
import sys
import weakref

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] /
                       "examples/bindings/python"))
import ebm as binding  # noqa: E402

LIBRARY, INCLUDE = sys.argv[1:]
ebm = binding.load(LIBRARY, INCLUDE)


def raises(kind, function, *given):
    try:
        function(*given)
    except kind as error:
        return error
    raise AssertionError(f"{function} raised no {kind.__name__}")


def quadratic(params, x, labels, energy, grad):
    grad[:] = x
    energy[:] = (x.astype(float) ** 2).sum((1, 2, 3)) / 2


def make(context, energy_grad=quadratic, **more):
    """A custom energy in the plane, chains, and a sampler of 5 steps."""
    model = context.model_create_custom(1, 1, 2, energy_grad, **more)
    chains = context.chains_create(8, 1, 1, 2, 7)
    chains.init_normal(0.0, 1.0)
    sampler = context.sampler_create(ebm.SAMPLER_TIED_LANGEVIN)
    sampler.set(ebm.SAMPLER_STEPS, 5)
    sampler.set(ebm.SAMPLER_STEP_SIZE, 0.1)
    return model, chains, sampler


def test_the_headers_are_all_there():
    text = "".join(p.read_text() for p in
                   sorted(pathlib.Path(INCLUDE, "ebm").glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    names = re.findall(r"\bEBM_(\w+)\s*=\s*(\w+)", text)
    assert len(names) > 100
    for name, value in names:
        assert getattr(ebm, name) == int(value, 0), name
    declared = re.findall(r"EBM_API\b[^;]*?\b(ebm_\w+)\(", text)
    assert len(declared) > 100
    assert sorted(ebm.functions) == sorted(declared)
    raises(AttributeError, getattr, ebm, "NO_SUCH_NAME")
    assert ebm.version_string().count(".") == 2


def test_nothing_is_copied():
    context = ebm.context_create()
    model, chains, sampler = make(context)
    x, energy = np.ones((3, 2), np.float32), np.zeros(3, np.float32)
    passed, enter = [], ebm.enter

    def watch(function, arguments):
        passed.extend(arguments)
        return enter(function, arguments)

    ebm.enter = watch
    model.energy(x, None, 3, energy)
    del ebm.enter
    assert (energy == 1).all()
    assert [int(ebm.ffi.cast("uintptr_t", p)) for p in passed[1:]] == [
        x.ctypes.data, 0, 3, energy.ctypes.data]

    states = chains.states()
    address = ebm.ffi.cast("uintptr_t", ebm.lib.ebm_chains_states(
        chains._held.pointer))
    assert states.ctypes.data == int(address)
    assert states.shape == (8, 1, 1, 2) and not states.flags.writeable
    before = states.copy()
    sampler.run(model, chains)
    assert (states != before).all()  # the view sees the library's memory
    assert chains.labels().dtype == np.int32


def test_arrays_are_looked_at():
    model, chains, _ = make(ebm.context_create())
    x, energy = np.ones((4, 2), np.float32), np.zeros(4, np.float32)
    model.energy(x, None, 4, energy)
    raises(TypeError, model.energy, x.astype(float), None, 4, energy)
    raises(TypeError, model.energy, x[:, ::-1], None, 4, energy)
    raises(TypeError, model.energy, [[1, 2]], None, 1, energy)
    raises(TypeError, model.energy, x, None, 4, chains.states()[:, 0, 0, 0])
    raises(ValueError, model.energy, x, None, 5, np.zeros(5, np.float32))
    raises(ValueError, model.energy, x, None, 4, energy[:3])
    raises(ValueError, model.energy, x, np.zeros(3, np.int32), 4, energy)
    raises(ValueError, chains.set_states, x, None, ebm.ORIGIN_DATA)


def test_wrong_use_has_the_library_s_text():
    context = ebm.context_create()
    model, chains, sampler = make(context)
    error = raises(binding.Error, sampler.set, ebm.SAMPLER_STEPS, -1)
    assert error.status == "EBM_ERROR_RANGE" and "steps = -1" in str(error)
    error = raises(binding.Error, ebm.sampler_option, 12345)
    assert error.status == "EBM_ERROR_ARGUMENT"
    other = ebm.context_create().chains_create(8, 1, 1, 2, 7)
    error = raises(binding.Error, sampler.run, model, other)
    assert error.status == "EBM_ERROR_CONTEXT", error
    raises(TypeError, sampler.run, chains, chains)
    error = raises(binding.Error, sampler.run, None, chains)
    assert error.status == "EBM_ERROR_HANDLE"
    assert "contexts" not in str(error)  # of the call before
    raises(TypeError, sampler.run, model)
    raises(AttributeError, getattr, sampler, "no_such_verb")
    raises(OverflowError, context.chains_create, -1, 1, 1, 2, 7)
    model.close()
    error = raises(binding.Error, sampler.run, model, chains)
    assert error.status == "EBM_ERROR_HANDLE"


def test_numbers_come_back():
    context = ebm.context_create()
    _, chains, sampler = make(context)
    assert sampler.get(ebm.SAMPLER_STEPS) == 5.0
    assert chains.shape() == (1, 1, 2) and chains.count() == 8
    name, kind, least, most, initial = ebm.sampler_option(ebm.SAMPLER_STEPS)
    assert (name, kind, least, most, initial) == (
        "steps", ebm.OPTION_INTEGER, 1.0, 1e9, 60.0)
    assert chains.origin(0) == ebm.ORIGIN_NOISE
    network = context.network_create(1, 1, 2)
    network.dense(1)
    model = network.model_create_network(1)
    assert model.view(0)[:3] == ("0.weight", 0, 2)
    lent = model.begin_write()
    lent[:] = [1, 2, 3]
    model.end_write()
    assert (model.parameters() == [1, 2, 3]).all()
    simclr = context.transition_create_simclr(1.0)
    flip = simclr.part(1)
    assert flip.get_kind() == ebm.TRANSITION_FLIP
    del simclr
    gc.collect()
    assert flip.get(ebm.TRANSITION_PROBABILITY) == 0.5


class Mine(Exception):
    pass


def test_exceptions_come_back_as_themselves():
    context = ebm.context_create()
    mine = Mine("mine")

    def fail(*_):
        raise mine

    def add(params, x, labels, scale, param_grad):
        param_grad += 1

    x, energy = np.ones((8, 2), np.float32), np.zeros(8, np.float32)
    for broken in ({"energy_grad": fail}, {"param_grad": fail},
                   {"tangent": fail}):
        model, *_ = make(context, **{**{
            "energy_grad": quadratic, "param_grad": add,
            "parameter_count": 1}, **broken})
        name, given = {
            "energy_grad": ("energy", (x, None, 8, energy)),
            "param_grad": ("backward", (x, None, 8, energy, None)),
            "tangent": ("hessian_vector", (x, None, 8, x, x.copy()))}[
                next(iter(broken))]
        assert raises(Mine, getattr(model, name), *given) is mine

    model, chains, sampler = make(context)
    for attach, key in ((sampler.set_observer, 1),
                        (sampler.set_schedule_callback,
                         ebm.SAMPLER_STEP_SIZE)):
        attach(key, fail)
        assert raises(Mine, sampler.run, model, chains) is mine
        attach(key, None)
        sampler.run(model, chains)
    jump = context.transition_create_callback(fail)
    assert raises(Mine, jump.apply, x, None, 8, 1, 1, 2, 1, 0, 0) is mine
    assert (x == 1).all()

    # A log line can stop nothing, but what it raised is not lost.
    lines = []
    context.set_log(lambda level, text: lines.append((level, text)))
    nan, chains, sampler = make(context, lambda p, x, y, energy, grad:
                                grad.fill(np.nan))
    assert raises(binding.Error, sampler.run, nan, chains).status == \
        "EBM_ERROR_DIVERGED"
    assert lines and lines[0][0] == ebm.LOG_WARNING, lines
    context.set_log(fail)
    chains.init_normal(0.0, 1.0)
    assert raises(Mine, sampler.run, nan, chains) is mine
    context.set_log(None)

    # The call ends there and then.
    model, chains, sampler = make(context)
    sampler.set_observer(1, fail)
    assert raises(Mine, sampler.run, model, chains) is mine
    assert chains.step_count() == 1

    # Of all kinds, and from calls within callbacks too.
    def stop(*_):
        raise KeyboardInterrupt

    model, chains, sampler = make(context)
    sampler.set_observer(1, stop)
    raises(KeyboardInterrupt, sampler.run, model, chains)
    sampler.set_observer(1, lambda step, c: c.init_normal(0, 1))
    assert raises(binding.Error, sampler.run, model, chains).status == \
        "EBM_ERROR_STATE"
    sampler.set_observer(1, lambda step, c: step == 3)  # a stop of no fault
    assert raises(binding.Error, sampler.run, model, chains).status == \
        "EBM_ERROR_CALLBACK"
    seen = []
    sampler.set_observer(2, lambda step, c: seen.append((step, c is chains)))
    sampler.run(model, chains)
    assert seen == [(2, True), (4, True), (5, True)], seen
    sampler.set_schedule_callback(ebm.SAMPLER_STEP_SIZE,
                                  lambda step, steps: "long")
    raises(TypeError, sampler.run, model, chains)


def test_any_order_of_destroying():
    generator = random.Random(1)
    for _ in range(30):
        context = ebm.context_create()
        model, chains, sampler = make(
            context, param_grad=lambda *_: None, parameter_count=1)
        whole = model.create_tempered(2.0)
        jump = context.transition_create_callback(lambda *_: None)
        buffer = context.buffer_create(16, 1, 1, 2, 1)
        buffer.set_transition(jump)
        sampler.set_transition(jump, 2)
        loss = context.loss_create(ebm.LOSS_NLL)
        adam = context.optimizer_create(ebm.OPTIMIZER_ADAM, whole)
        sampler.run(whole, chains)
        handles = [context, model, chains, sampler, whole, jump, buffer, loss,
                   adam]
        generator.shuffle(handles)
        for handle in handles:
            handle.close()
            handle.close()


def test_what_is_needed_lives_and_the_rest_goes():
    context = ebm.context_create()

    def energy_grad(*given):
        quadratic(*given)

    function = weakref.ref(energy_grad)
    model, chains, sampler = make(context, energy_grad)
    sampler.run(model, chains)
    del energy_grad
    whole = model.create_negated()
    view = chains.states()
    kept = view.copy()
    context.close()
    model.close()
    chains.close()
    del model, context, chains
    gc.collect()
    x, energy = np.ones((3, 2), np.float32), np.zeros(3, np.float32)
    whole.energy(x, None, 3, energy)
    assert (energy == -1).all()
    assert (view == kept).all()
    # The text is there although the context was closed.
    assert "steps = -1" in str(raises(binding.Error, sampler.set,
                                      ebm.SAMPLER_STEPS, -1))
    assert function() is not None
    del whole
    sampler.close()
    gc.collect()
    assert function() is None


def test_two_settings_follow_two_functions():
    context = ebm.context_create()
    model, chains, sampler = make(context)
    seen = []
    for name in ("STEP_SIZE", "TEMPERATURE"):
        sampler.set_schedule_callback(
            getattr(ebm, f"SAMPLER_{name}"),
            lambda step, steps, name=name: seen.append(name) or 0.1)
        gc.collect()
    sampler.run(model, chains)
    assert seen == ["STEP_SIZE"] * 5 + ["TEMPERATURE"] * 5, seen


def test_all_memory_is_given_back():
    """In any order, and whatever views and callbacks were about."""
    blocks = {}

    @ebm.ffi.callback("void *(size_t, size_t, void *)")
    def allocate(size, alignment, user):
        block = ebm.ffi.new("char[]", size + alignment)
        start = int(ebm.ffi.cast("uintptr_t", block))
        start += -start % alignment
        blocks[start] = block
        return ebm.ffi.cast("void *", start)

    @ebm.ffi.callback("void (void *, size_t, void *)")
    def release(memory, size, user):
        del blocks[int(ebm.ffi.cast("uintptr_t", memory))]

    allocator = ebm.ffi.new("ebm_allocator *", {
        "struct_size": ebm.ffi.sizeof("ebm_allocator"),
        "allocate": allocate, "release": release})
    generator = random.Random(2)
    for _ in range(20):
        context = ebm.context_create_with(allocator)
        context.set(ebm.CONTEXT_THREADS, 1)
        model, chains, sampler = make(context)
        sampler.run(model, chains)
        parts = [context, model, chains, sampler, chains.states(),
                 model.create_negated()]
        assert blocks
        del context, model, chains, sampler
        while parts:
            del parts[generator.randrange(len(parts))]
        gc.collect()
        assert not blocks

    # A view is reason enough to live.
    chains = ebm.context_create_with(allocator).chains_create(8, 1, 1, 2, 7)
    chains.init_normal(0.0, 1.0)
    view = chains.states()[2:4]
    kept = view.copy()
    chains.close()
    del chains
    gc.collect()
    assert blocks and (view == kept).all()
    del view
    gc.collect()
    assert not blocks


def test_nothing_is_left():
    gc.collect()
    assert len(ebm.callbacks) == 0, dict(ebm.callbacks)
    assert len(ebm.handles) == 0, dict(ebm.handles)


def main():
    tests = [(name, function) for name, function in globals().items()
             if name.startswith("test_")]
    for name, function in tests:
        function()
        print(name, flush=True)
    print(f"{len(tests)} passed")


if __name__ == "__main__":
    main()
