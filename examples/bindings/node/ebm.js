/*
 * libebm for Node, by koffi, over typed arrays.
 *
 *     const ebm = require("./ebm").load("build/libebm.so", "include");
 *     const context = ebm.context_create();
 *     const network = context.network_create(1, 1, 2);
 *     network.dense(32);
 *
 * The headers are the declarations, read when the library is loaded, and the
 * manual. Every function of theirs is here by one rule: `ebm_sampler_run` is
 * the method `run` of a sampler; what is not named after its first argument
 * keeps its name, so `ebm_sampler_create(context, ...)` is the method
 * `sampler_create` of a context. Enumerators lose their prefix:
 * `ebm.SAMPLER_STEPS`.
 *
 * - Arguments come in C's order. What a call makes or reads comes back:
 *   handles, and the numbers of `get`, `shape` and their like (several as an
 *   array).
 * - Arrays are Float32Array and its sisters, passed by pointer; null is NULL.
 *   Arrays that the library lends (`chains.states()`) are views of its own
 *   memory, and keep the object alive that owns it.
 * - A status other than EBM_OK is an EbmError with the library's text.
 * - Callbacks get views that are valid during the call. What they throw stops
 *   the call, which throws it again, the same object.
 * - Handles are destroyed by close(), in any order, or when they are collected.
 *   Node collects between tasks: a long loop without await closes what it
 *   makes.
 */
"use strict";

const fs = require("fs");
const path = require("path");
const koffi = require("koffi");

// Functions whose last parameters are single numbers to be read. All other
// outputs are arrays, and the caller brings them.
const READERS = new RegExp("_(get|get_statistic|get_result|option|shape|view" +
  "|origin|age|diverged|transitions|implied_temperature|beta" +
  "|bits_per_dimension)$");
const ARRAYS = { float: Float32Array, double: Float64Array,
  int32_t: Int32Array, uint64_t: BigUint64Array, size_t: BigUint64Array,
  char: Uint8Array };

class EbmError extends Error {
  constructor(status, text) {
    super(`${status}: ${text}`);
    this.name = "EbmError";
    this.status = status;
  }
}

/** What the headers declare, without comments and preprocessor. */
function readHeaders(include) {
  const seen = new Set();
  function read(name) {
    if (seen.has(name))
      return "";
    seen.add(name);
    const text = fs.readFileSync(path.join(include, name), "utf8");
    const before = [...text.matchAll(/#include <(ebm\/\w+\.h)>/g)]
      .map((match) => read(match[1])).join("");
    return before + text.replace(/\/\*[^]*?\*\//g, "")
      .replace(/\\\n/g, "")
      .replace(/#ifdef __cplusplus[^]*?#endif/g, "")
      .replace(/^#.*$/gm, "").replace(/EBM_API/g, "");
  }
  return read("ebm/ebm.h");
}

/** One parameter of a prototype, and what it is for. */
function parseParameter(text, reader) {
  const [, constant, base, stars, name] = text.trim().replace(/\s+/g, " ")
    .match(/^(const )?(\w+) ((?:\*const |\*)*)(\w+)$/);
  const output = stars === "**" || (reader && stars === "*" && !constant);
  const kind = base.endsWith("_fn") ? "callback" :
    base === "void" ? "user" :
    stars === "" ? "number" :
    output ? "out" :
    stars === "*const *" ? "list" :
    base === "char" && constant ? "text" :
    base in ARRAYS ? "array" :
    base === "ebm_energy_ops" ? "ops" :
    base === "ebm_allocator" ? "raw" : "handle";
  // What koffi is told: numbers by their type (enumerators are int), arrays
  // and handles as addresses.
  const type = kind === "text" ? "str" :
    kind !== "number" ? "void *" :
    base.startsWith("ebm_") ? "int" : base;
  return { name, base, constant, kind, type, pointers: stars.length };
}

function parseFunctions(text) {
  const functions = new Map();
  for (const [, result, name, list] of
    text.matchAll(/([^;{}]*?)\b(ebm_\w+)\s*\(([^()]*)\)\s*;/g)) {
    const parameters = list.split(",").filter((p) => p.trim() !== "void")
      .map((p) => parseParameter(p, READERS.test(name)));
    functions.set(name, {
      name, parameters, result: result.trim().replace(/\s+/g, " "),
      inputs: parameters.filter((p) => !["out", "user"].includes(p.kind)),
      outputs: parameters.filter((p) => p.kind === "out"),
    });
  }
  return functions;
}

/** A handle; its methods are the functions that take it first. */
class Handle {
  constructor(ebm, kind, held) {
    this.ebm = ebm;
    this.kind = kind;
    this.held = held;
  }

  /** Destroys the object, once no view of it is left. */
  close() {
    const held = this.held;
    this.held = null;
    // A context waits for what was made from it: it has the errors' text.
    if (held && held.destroy && !held.lent && held.context !== held) {
      this.ebm.registry.unregister(held);
      held.destroy(held.pointer);
      held.destroy = null;
    }
  }
}

/** The library: enumerators, and functions that take no handle first. */
class Ebm {
  constructor(library, include) {
    const text = readHeaders(include);
    this.functions = parseFunctions(text);
    this.frames = [];
    this.numbers = 0;
    this.callbacks = new Map(); // number -> WeakRef of functions
    this.handles = new Map(); // address -> WeakRef of a handle
    this.owners = new WeakMap(); // a view's buffer -> what it must keep alive
    this.registry = new FinalizationRegistry(({ pointer, destroy }) =>
      destroy(pointer));
    this.expired = new FinalizationRegistry(([map, key, ref]) =>
      map.get(key) === ref && map.delete(key));
    for (const [, name, value] of text.matchAll(/\bEBM_(\w+)\s*=\s*(\w+)/g))
      this[name] = Number(value);

    this.ops = koffi.struct({ struct_size: "size_t",
      parameter_count: "size_t", energy_grad: "void *", param_grad: "void *",
      tangent: "void *" });
    const lib = koffi.load(library);
    this.native = {};
    const kinds = {};
    for (const f of this.functions.values()) {
      this.native[f.name] = lib.func(f.name, this.resultType(f),
        f.parameters.map((p) => p.kind === "ops" ? koffi.pointer(this.ops) :
          p.type));
      const kind = (f.parameters[0] || { base: "" }).base.slice("ebm_".length);
      if (f.parameters.length && f.parameters[0].kind === "handle") {
        kinds[kind] = kinds[kind] || class extends Handle {};
        const name = f.name.replace(new RegExp(`^ebm_(${kind}_)?`), "");
        const ebm = this;
        kinds[kind].prototype[name] = function (...given) {
          return ebm.call(f.name, this, ...given);
        };
      } else {
        this[f.name.slice("ebm_".length)] = (...given) =>
          this.call(f.name, ...given);
      }
    }
    this.kinds = kinds;
    this.makeTrampolines(text);
  }

  resultType(f) {
    return f.result.endsWith("char *") ? "str" :
      f.result.includes("*") ? "void *" :
      f.result.startsWith("ebm_") ? "int" : f.result;
  }

  // ---- Calls ----------------------------------------------------------------

  /** Calls a C function by its full name. */
  call(name, ...given) {
    const f = this.functions.get(name);
    if (given.length !== f.inputs.length)
      throw new TypeError(`${name} takes ` +
        (f.inputs.map((p) => p.name).join(", ") || "nothing"));
    const values = {};
    f.inputs.forEach((p, i) => { values[p.name] = given[i]; });
    const handles = given.flat().filter((v) => v instanceof Handle && v.held);
    const context = handles.length ? handles[0].held.context : null;
    const lengths = this.lengths(values, handles);
    const roots = [], args = [], outs = [];
    for (const p of f.parameters) {
      if (p.kind === "out") {
        outs.push(new (p.pointers > 1 ? BigUint64Array :
          ARRAYS[p.base] || Int32Array)(4));
        args.push(koffi.address(outs[outs.length - 1]));
      } else if (p.kind !== "user") {
        args.push(...this.convert(p, values[p.name], lengths[p.name] || 0,
          roots));
      }
    }
    const result = this.enter(this.native[name], args);
    if (f.result === "ebm_status")
      this.check(result, context);
    if (handles.length && !f.outputs.length) {
      // What an object was last given it may still call.
      const place = [name, values.key, values.name].join(" ");
      const own = handles[0].held.roots;
      own.set(place, roots.filter((r) => r !== own));
    }
    if (f.result !== "ebm_status" && f.result !== "void")
      return this.returned(f, result, handles[0]);
    const made = f.outputs.map((p, i) =>
      this.output(p, outs[i], values, handles[0], roots, context));
    return made.length > 1 ? made : made[0];
  }

  /** The call itself; throws what callbacks threw in it. */
  enter(native, args) {
    const frame = [];
    this.frames.push(frame);
    let result;
    try {
      result = native(...args);
    } finally {
      this.frames.pop();
    }
    if (frame.length)
      throw frame[0];
    return result;
  }

  check(status, context) {
    if (status === this.OK)
      return;
    let text = this.native.ebm_status_text(status);
    // (A wrong handle has no context to leave a text with.)
    if (context && status !== this.ERROR_HANDLE) {
      const line = Buffer.alloc(1024);
      this.native.ebm_context_copy_last_error(context.pointer,
        koffi.address(line), line.length);
      text = line.toString("utf8", 0, line.indexOf(0)) || text;
    }
    throw new EbmError(this.native.ebm_status_name(status), text);
  }

  // ---- Into C ---------------------------------------------------------------

  /** How many elements the arrays must have at least whose names say it. C
      takes the caller's word for it; here it is looked at. */
  lengths(v, handles) {
    const sample = Number(v.d || v.size || Math.max(
      (v.height || 1) * (v.width || 1) * (v.channels || 1),
      ...handles.map((h) => h.held.sample)));
    const m = Number(v.m || 0);
    const n = "chains" in v && "origin" in v && !("n" in v) ?
      handles[0].count() : Number(v.n || 0);
    const x = n * sample;
    return { x, data: x, v: x, grad: x, hv: x, images: x, b: m * sample,
      y: m * sample, pixels: sample, values: Number(v.count || 0), energy: n,
      labels: n, scale: n, acceptance: n, log_weights: n, low: n, high: m };
  }

  /** The C arguments for one of ours. */
  convert(p, value, length, roots) {
    switch (p.kind) {
    case "number":
      return [value];
    case "callback":
      if (value === null)
        return [null, null];
      return [this.trampolines[p.base], this.pin({ call: value }, roots)];
    case "ops":
      return this.convertEnergy(value, roots);
    case "handle":
      return [value === null ? null : this.pointer(p, value, roots)];
    case "array":
      return [value === null ? null : this.array(p, value, length)];
    case "list": {
      if (value === null)
        return [null];
      const list = new BigUint64Array(Array.from(value, (v) =>
        p.base === "char" ? koffi.address(this.text(v, roots)) :
        this.pointer(p, v, roots)));
      roots.push(list);
      return [koffi.address(list)];
    }
    default:
      return [value];
    }
  }

  text(value, roots) {
    const bytes = Buffer.from(value + "\0");
    roots.push(bytes);
    return bytes;
  }

  pointer(p, value, roots) {
    if (!(value instanceof Handle) || `ebm_${value.kind}` !== p.base)
      throw new TypeError(`${p.name} must be a ${p.base}`);
    if (!value.held)
      throw new EbmError("EBM_ERROR_HANDLE", `${p.name} was closed`);
    roots.push(value.held.roots);
    return value.held.pointer;
  }

  array(p, value, length) {
    if (!(value instanceof ARRAYS[p.base]))
      throw new TypeError(`${p.name} must be a ${ARRAYS[p.base].name}`);
    if (value.length < length)
      throw new RangeError(`${p.name} has ${value.length} elements, and ` +
        `${length} are needed`);
    return koffi.address(value);
  }

  /** A number for functions, for C's `user`; `roots` keeps them. */
  pin(functions, roots) {
    const number = ++this.numbers, ref = new WeakRef(functions);
    this.callbacks.set(number, ref);
    this.expired.register(functions, [this.callbacks, number, ref]);
    roots.push(functions);
    return BigInt(number);
  }

  /** { parameter_count, energy_grad, param_grad, tangent }, see model.h:

          energy_grad(params, x, labels, energy, grad)
          param_grad(params, x, labels, scale, param_grad)
          tangent(params, x, labels, v, scale, hv, param_grad)

      write energy, grad and hv and add to param_grad. */
  convertEnergy(energy, roots) {
    const functions = { ...energy };
    const ops = { struct_size: koffi.sizeof(this.ops),
      parameter_count: energy.parameter_count || 0 };
    for (const name of ["energy_grad", "param_grad", "tangent"])
      ops[name] = energy[name] ? this.trampolines[`ebm_${name}_fn`] : null;
    return [ops, this.pin(functions, roots)];
  }

  // ---- Out of C -------------------------------------------------------------

  output(p, out, values, first, roots, context) {
    if (p.base === "float") // ebm_model_begin_write()
      return this.lend(out[0], Float32Array, first.parameter_count(),
        first.held);
    if (p.base === "char")
      return koffi.decode.string(out[0]);
    if (p.name === "shape")
      return Array.from(out, Number);
    if (p.pointers === 1)
      return out instanceof BigUint64Array ? small(out[0]) : out[0];
    const kind = p.base.slice("ebm_".length);
    const destroy = this.native[`ebm_${kind}_destroy`];
    const held = { pointer: out[0], destroy, roots: new Map() };
    held.context = context || held;
    held.roots.set("made of", roots);
    held.sample = (values.height || 1) * (values.width || 1) *
      (values.channels || 1);
    this.registry.register(held, { pointer: out[0], destroy }, held);
    const handle = this.wrap(kind, held);
    if (kind === "model" || kind === "dataset")
      held.sample = handle.shape().reduce((a, b) => a * b);
    for (const r of roots) // a custom energy's arrays have this size
      if (r.energy_grad)
        r.sample = held.sample;
    return handle;
  }

  wrap(kind, held) {
    const handle = new this.kinds[kind](this, kind, held);
    const ref = new WeakRef(handle);
    this.handles.set(held.pointer, ref);
    this.expired.register(handle, [this.handles, held.pointer, ref]);
    return handle;
  }

  /** A view of the library's memory, that keeps its owner alive. */
  lend(pointer, Type, length, held) {
    const buffer = koffi.view(pointer, length * Type.BYTES_PER_ELEMENT);
    this.owners.set(buffer, held);
    held.lent = true;
    return new Type(buffer);
  }

  /** What a function returned that is no status. */
  returned(f, result, first) {
    if (!f.result.includes("*") || f.result.includes("char"))
      return result;
    if (result === null)
      return null;
    const base = f.result.replace(/^const | \*$/g, "");
    if (!(base in ARRAYS)) { // a part: the whole owns it
      return this.wrap(base.slice("ebm_".length), { pointer: result,
        context: first.held.context, roots: first.held.roots,
        owner: first.held, sample: 1 });
    }
    const length = { ebm_chains_states: () => first.count() *
        first.held.sample, ebm_chains_labels: () => first.count(),
      ebm_model_parameters: () => first.parameter_count(),
      ebm_model_gradient: () => first.parameter_count() }[f.name]();
    return this.lend(result, ARRAYS[base], length, first.held);
  }

  // ---- Callbacks ------------------------------------------------------------

  /** Runs a callback; nothing that it throws goes through C. */
  run(user, body) {
    try {
      const result = body(this.callbacks.get(Number(user)).deref());
      return result === undefined || result === null ? 0 : Number(result);
    } catch (error) {
      this.frames[this.frames.length - 1].push(error);
      return 1;
    }
  }

  makeTrampolines(text) {
    const floats = (pointer, n) => pointer && n > 0 ?
      new Float32Array(koffi.view(pointer, 4 * n)) : null;
    const labelsOf = (pointer, n) => pointer ?
      new Int32Array(koffi.view(pointer, 4 * n)) : null;
    const bodies = {
      energy_grad: (params, x, labels, n, energy, grad, user) =>
        this.run(user, (c) => c.energy_grad(floats(params, c.parameter_count),
          floats(x, n * c.sample), labelsOf(labels, n), floats(energy, n),
          floats(grad, n * c.sample))),
      param_grad: (params, x, labels, n, scale, gradient, user) =>
        this.run(user, (c) => c.param_grad(floats(params, c.parameter_count),
          floats(x, n * c.sample), labelsOf(labels, n), floats(scale, n),
          floats(gradient, c.parameter_count))),
      tangent: (params, x, labels, n, v, scale, hv, gradient, user) =>
        this.run(user, (c) => c.tangent(floats(params, c.parameter_count),
          floats(x, n * c.sample), labelsOf(labels, n),
          floats(v, n * c.sample), floats(scale, n),
          floats(hv, n * c.sample), floats(gradient, c.parameter_count))),
      transition: (x, labels, n, height, width, channels, keys, user) =>
        this.run(user, (c) => c.call(floats(x, n * height * width * channels),
          labelsOf(labels, n), [n, height, width, channels],
          new BigUint64Array(koffi.view(keys, 8 * n)))),
      sampler_observer: (step, chains, user) =>
        this.run(user, (c) => c.call(step, this.handles.get(chains).deref())),
      sampler_schedule: (step, steps, value, user) =>
        this.run(user, (c) => {
          const given = c.call(step, steps);
          if (typeof given !== "number")
            throw new TypeError("a schedule must return a number");
          new Float64Array(koffi.view(value, 8))[0] = given;
        }),
      log: (level, line, user) => {
        this.run(user, (c) => c.call(level, line));
      },
    };
    this.trampolines = {};
    for (const [, result, name, list] of
      text.matchAll(/typedef (\w+) \(\*(ebm_\w+_fn)\)\(([^()]*)\);/g)) {
      const types = list.split(",").map((p) => parseParameter(p, false).type);
      const proto = koffi.proto(result, types);
      this.trampolines[name] = koffi.register(
        bodies[name.slice("ebm_".length, -"_fn".length)],
        koffi.pointer(proto));
    }
  }
}

/** A number of JavaScript's, unless it would lose digits. */
function small(value) {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Loads the library; `include` is the folder that holds ebm/ebm.h. */
function load(library = "libebm.so.0", include = "/usr/include") {
  return new Ebm(library, include);
}

module.exports = { load, EbmError };
