// What the Node binding promises.
// Usage: node --expose-gc laws.js LIBRARY INCLUDE
"use strict";

const assert = require("assert");
const fs = require("fs");
const path = require("path");
const koffi = require("koffi");
const { load, EbmError } = require("../../examples/bindings/node/ebm");

const [LIBRARY, INCLUDE] = process.argv.slice(2);
const ebm = load(LIBRARY, INCLUDE);

function thrown(f) {
  try {
    f();
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
}

/** An EbmError of this status whose text has these words. */
function fails(status, words, f) {
  const error = thrown(f);
  assert(error instanceof EbmError, error);
  assert.strictEqual(error.status, status, error);
  assert(error.message.includes(words), error);
}

async function collect() {
  for (let i = 0; i < 5; i++) {
    global.gc();
    await new Promise(setImmediate);
  }
}

function quadratic(params, x, labels, energy, grad) {
  for (let i = 0; i < energy.length; i++)
    energy[i] = (x[2 * i] ** 2 + x[2 * i + 1] ** 2) / 2;
  grad.set(x);
}

function make(context, energy = { energy_grad: quadratic }) {
  const model = context.model_create_custom(1, 1, 2, energy);
  const chains = context.chains_create(8, 1, 1, 2, 7);
  chains.init_normal(0.0, 1.0);
  const sampler = context.sampler_create(ebm.SAMPLER_TIED_LANGEVIN);
  sampler.set(ebm.SAMPLER_STEPS, 5);
  sampler.set(ebm.SAMPLER_STEP_SIZE, 0.1);
  return [model, chains, sampler];
}

const floats = (n, value) => new Float32Array(n).fill(value);

const tests = {
  "the headers are all there"() {
    const declared = [];
    let names = 0;
    for (const file of fs.readdirSync(path.join(INCLUDE, "ebm"))) {
      const text = fs.readFileSync(path.join(INCLUDE, "ebm", file), "utf8")
        .replace(/\/\*[^]*?\*\//g, "");
      for (const [, name, value] of text.matchAll(/\bEBM_(\w+)\s*=\s*(\w+)/g))
        assert.strictEqual(ebm[name], Number(value), name, ++names);
      for (const [, name] of text.matchAll(/EBM_API\b[^;]*?\b(ebm_\w+)\(/g))
        declared.push(name);
    }
    assert.deepStrictEqual([...ebm.functions.keys()].sort(), declared.sort());
    assert(declared.length > 100);
    assert.strictEqual(ebm.SAMPLER_STEPS, 0);
  },

  "nothing is copied"() {
    const [model, chains, sampler] = make(ebm.context_create());
    const x = floats(6, 1), energy = floats(3, 0), { enter } = ebm;
    let passed;
    ebm.enter = function (native, args) {
      passed = args;
      return enter.call(this, native, args);
    };
    model.energy(x, null, 3, energy);
    delete ebm.enter;
    assert.deepStrictEqual(passed.slice(1),
      [koffi.address(x), null, 3, koffi.address(energy)]);
    assert.deepStrictEqual([...energy], [1, 1, 1]);
    const states = chains.states();
    assert.strictEqual(states.length, 16);
    assert.strictEqual(koffi.address(states),
      ebm.native.ebm_chains_states(chains.held.pointer));
    const before = states.slice();
    sampler.run(model, chains);
    assert(states.every((value, i) => value !== before[i]));
  },

  "arrays are looked at"() {
    const [model, chains] = make(ebm.context_create());
    const x = floats(8, 1), energy = floats(4, 0);
    model.energy(x, null, 4, energy);
    const wrong = [
      [Float64Array.from(x), null, 4, energy], [[1, 2], null, 1, energy],
      [x, null, 5, floats(5, 0)], [x, null, 4, floats(3, 0)],
      [x, new Int32Array(3), 4, energy]];
    for (const given of wrong)
      assert.throws(() => model.energy(...given), /must be|are needed/);
    assert.throws(() => chains.set_states(x, null, ebm.ORIGIN_DATA),
      /16 are needed/);
  },

  "wrong use has the library's text"() {
    const context = ebm.context_create();
    const [model, chains, sampler] = make(context);
    fails("EBM_ERROR_RANGE", "steps = -1",
      () => sampler.set(ebm.SAMPLER_STEPS, -1));
    fails("EBM_ERROR_ARGUMENT", "", () => ebm.sampler_option(12345));
    const other = ebm.context_create().chains_create(8, 1, 1, 2, 7);
    fails("EBM_ERROR_CONTEXT", "contexts", () => sampler.run(model, other));
    fails("EBM_ERROR_HANDLE", "", () => sampler.run(null, chains));
    assert.throws(() => sampler.run(chains, chains), TypeError);
    assert.throws(() => sampler.run(5n, chains), TypeError);
    assert.throws(() => sampler.run(model), TypeError);
    assert.throws(() => sampler.no_such_verb(), TypeError);
    assert.throws(() => sampler.set(ebm.SAMPLER_STEPS, "five"), TypeError);
    model.close();
    fails("EBM_ERROR_HANDLE", "closed", () => sampler.run(model, chains));
  },

  async "numbers come back"() {
    const context = ebm.context_create();
    const [, chains, sampler] = make(context);
    assert.strictEqual(sampler.get(ebm.SAMPLER_STEPS), 5);
    assert.deepStrictEqual(chains.shape(), [1, 1, 2]);
    assert.strictEqual(chains.origin(0), ebm.ORIGIN_NOISE);
    const network = context.network_create(1, 1, 2);
    network.dense(1);
    const model = network.model_create_network(1);
    assert.deepStrictEqual(model.view(0), ["0.weight", 0, 2, [2, 1, 1, 1]]);
    model.begin_write().set([1, 2, 3]);
    model.end_write();
    assert.deepStrictEqual([...model.parameters()], [1, 2, 3]);
    const flip = context.transition_create_simclr(1.0).part(1);
    await collect();
    assert.strictEqual(flip.get_kind(), ebm.TRANSITION_FLIP);
    assert.strictEqual(flip.get(ebm.TRANSITION_PROBABILITY), 0.5);
    const sum = ebm.model_create_sum([model, model], null, 2);
    assert.strictEqual(sum.part_count(), 2);
  },

  "exceptions come back as themselves"() {
    const context = ebm.context_create(), mine = { mine: true };
    const fail = () => { throw mine; };
    const isMine = (f) => assert.strictEqual(thrown(f), mine);
    const x = floats(16, 1), energy = floats(8, 0);
    const broken = (name) => make(context, { energy_grad: quadratic,
      param_grad() {}, tangent() {}, parameter_count: 1, [name]: fail })[0];
    isMine(() => broken("energy_grad").energy(x, null, 8, energy));
    isMine(() => broken("param_grad").backward(x, null, 8, energy, null));
    isMine(() => broken("tangent").hessian_vector(x, null, 8, x,
      floats(16, 0)));

    const [model, chains, sampler] = make(context);
    sampler.set_observer(1, fail);
    isMine(() => sampler.run(model, chains));
    assert.strictEqual(chains.step_count(), 1); // it ended there and then
    for (const [attach, key] of [["set_observer", 1],
      ["set_schedule_callback", ebm.SAMPLER_STEP_SIZE]]) {
      sampler[attach](key, fail);
      isMine(() => sampler.run(model, chains));
      sampler[attach](key, null);
      sampler.run(model, chains);
    }
    const jump = context.transition_create_callback(fail);
    isMine(() => jump.apply(x, null, 8, 1, 1, 2, 1, 0, 0));
    assert(x.every((value) => value === 1));

    // A log line can stop nothing, but what it threw is not lost.
    const lines = [];
    context.set_log((level, text) => lines.push([level, text]));
    const [nan] = make(context, { energy_grad: (p, y, l, e, grad) => {
      grad.fill(NaN);
    } });
    fails("EBM_ERROR_DIVERGED", "", () => sampler.run(nan, chains));
    assert.strictEqual(lines[0][0], ebm.LOG_WARNING);
    context.set_log(fail);
    chains.init_normal(0.0, 1.0);
    isMine(() => sampler.run(nan, chains));
    context.set_log(null);

    chains.init_normal(0.0, 1.0);
    sampler.set_observer(1, (step, c) => c.init_normal(0, 1));
    fails("EBM_ERROR_STATE", "", () => sampler.run(model, chains));
    sampler.set_observer(1, (step) => step === 3);
    fails("EBM_ERROR_CALLBACK", "", () => sampler.run(model, chains));
    const seen = [];
    sampler.set_observer(2, (step, c) => { seen.push([step, c === chains]); });
    sampler.run(model, chains);
    assert.deepStrictEqual(seen, [[2, true], [4, true], [5, true]]);
    sampler.set_schedule_callback(ebm.SAMPLER_STEP_SIZE, () => "long");
    assert.throws(() => sampler.run(model, chains), TypeError);
  },

  async "two settings follow two functions"() {
    const [model, chains, sampler] = make(ebm.context_create());
    const seen = [];
    for (const name of ["STEP_SIZE", "TEMPERATURE"]) {
      sampler.set_schedule_callback(ebm[`SAMPLER_${name}`], () => {
        seen.push(name);
        return 0.1;
      });
      await collect();
    }
    sampler.run(model, chains);
    assert.strictEqual(seen.join(), "STEP_SIZE,".repeat(5) +
      "TEMPERATURE,TEMPERATURE,TEMPERATURE,TEMPERATURE,TEMPERATURE");
  },

  "any order of destroying"() {
    let state = 1;
    const random = (n) => {
      state = (state * 48271) % 2147483647;
      return state % n;
    };
    for (let round = 0; round < 30; round++) {
      const context = ebm.context_create();
      const [model, chains, sampler] = make(context, {
        energy_grad: quadratic, param_grad() {}, parameter_count: 1 });
      const whole = model.create_tempered(2.0);
      const jump = context.transition_create_callback(() => {});
      const buffer = context.buffer_create(16, 1, 1, 2, 1);
      buffer.set_transition(jump);
      sampler.set_transition(jump, 2);
      const adam = context.optimizer_create(ebm.OPTIMIZER_ADAM, whole);
      sampler.run(whole, chains);
      const handles = [context, model, chains, sampler, whole, jump, buffer,
        adam];
      while (handles.length) {
        const [handle] = handles.splice(random(handles.length), 1);
        handle.close();
        handle.close();
      }
    }
  },

  async "what is needed lives, and the rest goes"() {
    let watched;
    const parts = (() => {
      const context = ebm.context_create();
      const energy_grad = (...given) => quadratic(...given);
      watched = new WeakRef(energy_grad);
      const [model, chains, sampler] = make(context, { energy_grad });
      const whole = model.create_negated(), states = chains.states();
      const raw = chains.held.pointer;
      context.close();
      model.close();
      chains.close();
      return { whole, states, sampler, raw, first: states[0] };
    })();
    await collect();
    const energy = floats(3, 0);
    parts.whole.energy(floats(6, 1), null, 3, energy);
    assert.deepStrictEqual([...energy], [-1, -1, -1]);
    assert.strictEqual(parts.states[0], parts.first);
    assert.strictEqual(ebm.native.ebm_chains_count(parts.raw), 8);
    fails("EBM_ERROR_RANGE", "steps = -1",
      () => parts.sampler.set(ebm.SAMPLER_STEPS, -1));
    assert(watched.deref());
    parts.whole.close();
    parts.whole = null;
    await collect();
    assert(!watched.deref(), "a callback that nobody needs is still there");
  },

  async "what is collected is destroyed"() {
    if (!fs.existsSync("/proc/self/statm"))
      return;
    const pages = () =>
      Number(fs.readFileSync("/proc/self/statm", "utf8").split(" ")[0]);
    const before = pages();
    for (let i = 0; i < 60; i++) { // 16 MB each
      ebm.context_create().buffer_create(2e6, 1, 1, 2, 1);
      await collect();
    }
    assert((pages() - before) * 4096 < 300e6, "handles are not destroyed");
  },

  async "nothing is left"() {
    await collect();
    assert.strictEqual(ebm.callbacks.size, 0);
    assert.strictEqual(ebm.handles.size, 0);
  },
};

(async () => {
  for (const [name, test] of Object.entries(tests)) {
    await test();
    console.log(name);
  }
  console.log(`${Object.keys(tests).length} passed`);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
