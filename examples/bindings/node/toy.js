/*
 * A network and an energy of our own, trained in the plane, from Node.
 *
 *     node toy.js FOLDER [LIBRARY [INCLUDE]]
 *
 * The programs of this name in the other folders do the same in their
 * languages, with the same numbers: the files that they write are equal to the
 * bit. First a network learns four Gaussians by maximum likelihood, and how
 * many nats a point of the data costs, log Z included, is measured by a grid;
 * then a callback energy learns where a Gaussian is and how narrow.
 */
"use strict";

const fs = require("fs");
const path = require("path");
const { load } = require("./ebm");

const POINTS = 2000, BATCH = 128;
const REACH = 4.0; // of the box in which the network is a density

/** Four Gaussians, as 2,000 chains of MALA have drawn them. */
function drawData(ebm, context) {
  const means = Float64Array.of(-1.5, -1.5, -1.5, 1.5, 1.5, -1.5, 1.5, 1.5);
  const mixture = context.model_create_gaussian_mixture(2, 4, null, means,
    new Float64Array(4).fill(0.4));
  const chains = context.chains_create(POINTS, 1, 1, 2, 1);
  const mala = context.sampler_create(ebm.SAMPLER_MALA);
  mala.set(ebm.SAMPLER_STEPS, 100);
  mala.set(ebm.SAMPLER_STEP_SIZE, 0.05);
  chains.init_normal(0.0, 1.5);
  mala.run(mixture, chains);
  return chains.states();
}

/** Mean of E over the data, plus log Z over the box by a grid. */
function nats(model, data) {
  const side = 80, cell = 2 * REACH / side;
  const x = new Float32Array(side * side * 2);
  const energy = new Float32Array(side * side);
  const seen = new Float32Array(POINTS);
  for (let i = 0; i < side * side; i++) {
    x[2 * i] = (i % side + 0.5) * cell - REACH;
    x[2 * i + 1] = (Math.floor(i / side) + 0.5) * cell - REACH;
  }
  model.energy(x, null, side * side, energy);
  model.energy(data, null, POINTS, seen);
  const z = energy.reduce((sum, e) => sum + Math.exp(-e) * cell * cell, 0);
  return seen.reduce((sum, e) => sum + e / POINTS, 0) + Math.log(z);
}

function tiedLangevin(ebm, context, steps) {
  const sampler = context.sampler_create(ebm.SAMPLER_TIED_LANGEVIN);
  sampler.set(ebm.SAMPLER_STEPS, steps);
  sampler.set(ebm.SAMPLER_STEP_SIZE, 0.02);
  return sampler;
}

function trainNetwork(ebm, context, file) {
  const x = drawData(ebm, context);
  const dataset = context.dataset_create_array(x, null, POINTS, 1, 1, 2, 2);

  const network = context.network_create(1, 1, 2);
  network.dense(32);
  network.swish();
  network.dense(32);
  network.swish();
  network.dense(1);
  const model = network.model_create_network(3);

  const sampler = tiedLangevin(ebm, context, 20);
  sampler.set(ebm.SAMPLER_STATE_MIN, -REACH);
  sampler.set(ebm.SAMPLER_STATE_MAX, REACH);
  const buffer = context.buffer_create(1024, 1, 1, 2, 4);
  buffer.fill_uniform(1024, -REACH, REACH);
  const chains = context.chains_create(BATCH, 1, 1, 2, 5);
  const nll = context.loss_create(ebm.LOSS_NLL);
  const adam = context.optimizer_create(ebm.OPTIMIZER_ADAM, model);
  adam.set(ebm.OPTIMIZER_LEARNING_RATE, 0.002);

  const before = nats(model, x);
  const data = new Float32Array(BATCH * 2);
  for (let i = 0; i < 600; i++) {
    dataset.next(BATCH, data, null);
    buffer.draw(chains);
    sampler.run(model, chains);
    nll.backward(model, data, null, BATCH, chains, null);
    adam.step();
    buffer.store(chains);
  }
  console.log(`network: ${before.toFixed(3)} nats, then ` +
    nats(model, x).toFixed(3));
  model.save(file);
}

/** E(x) = k |x - (a, b)|^2 / 2 with the parameters k, a, b. */
const bowl = {
  parameter_count: 3,

  energy_grad([k, a, b], x, labels, energy, grad) {
    for (let i = 0; i < energy.length; i++) {
      const dx = x[2 * i] - a, dy = x[2 * i + 1] - b;
      energy[i] = 0.5 * k * (dx * dx + dy * dy);
      grad[2 * i] = k * dx;
      grad[2 * i + 1] = k * dy;
    }
  },

  param_grad([k, a, b], x, labels, scale, gradient) {
    const sums = [0, 0, 0];
    for (let i = 0; i < scale.length; i++) {
      const dx = x[2 * i] - a, dy = x[2 * i + 1] - b;
      sums[0] += scale[i] * (0.5 * (dx * dx + dy * dy));
      sums[1] -= scale[i] * (k * dx);
      sums[2] -= scale[i] * (k * dy);
    }
    sums.forEach((sum, j) => { gradient[j] += Math.fround(sum); });
  },
};

/** The data are N((1, 1), 0.5^2), so k = 4 is what there is to learn. */
function trainBowl(ebm, context, file) {
  const drawn = context.chains_create(POINTS, 1, 1, 2, 6);
  drawn.init_normal(1.0, 0.5);
  const dataset = context.dataset_create_array(drawn.states(), null, POINTS, 1,
    1, 2, 7);
  const model = context.model_create_custom(1, 1, 2, bowl);
  model.set_parameters(0, Float32Array.of(1, 0, 0), 3);

  const sampler = tiedLangevin(ebm, context, 10);
  const chains = context.chains_create(BATCH, 1, 1, 2, 8);
  chains.init_normal(0.0, 1.0);
  const nll = context.loss_create(ebm.LOSS_NLL);
  const adam = context.optimizer_create(ebm.OPTIMIZER_ADAM, model);
  adam.set(ebm.OPTIMIZER_LEARNING_RATE, 0.03);
  const data = new Float32Array(BATCH * 2);
  for (let i = 0; i < 300; i++) {
    dataset.next(BATCH, data, null);
    sampler.run(model, chains);
    nll.backward(model, data, null, BATCH, chains, null);
    adam.step();
  }
  const [k, a, b] = model.parameters();
  console.log(`bowl: k ${k.toFixed(3)} at (${a.toFixed(3)}, ${b.toFixed(3)})`);
  fs.writeFileSync(file, model.parameters());
}

function main([folder, library, include]) {
  if (folder === undefined) {
    console.error("usage: node toy.js FOLDER [LIBRARY [INCLUDE]]");
    process.exitCode = 2;
    return;
  }
  const ebm = load(library, include);
  const context = ebm.context_create();
  trainNetwork(ebm, context, path.join(folder, "network.safetensors"));
  trainBowl(ebm, context, path.join(folder, "bowl.f32"));
}

main(process.argv.slice(2));
