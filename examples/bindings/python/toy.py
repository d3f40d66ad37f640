"""A network and an energy of our own, trained in the plane, from Python.

    toy.py FOLDER [LIBRARY [INCLUDE]]

The programs of this name in the other folders do the same in their languages,
with the same numbers: the files that they write are equal to the bit. First a
network learns four Gaussians by maximum likelihood, and how many nats a point
of the data costs, log Z included, is measured by a grid; then a callback
energy learns where a Gaussian is and how narrow.
"""
import pathlib
import sys

import numpy as np

from ebm import load

POINTS, BATCH = 2000, 128
REACH = 4.0  # of the box in which the network is a density


def draw_data(ebm, context):
    """Four Gaussians, as 2,000 chains of MALA have drawn them."""
    means = np.array([[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]])
    mixture = context.model_create_gaussian_mixture(2, 4, None, means,
                                                    np.full(4, 0.4))
    chains = context.chains_create(POINTS, 1, 1, 2, 1)
    mala = context.sampler_create(ebm.SAMPLER_MALA)
    mala.set(ebm.SAMPLER_STEPS, 100)
    mala.set(ebm.SAMPLER_STEP_SIZE, 0.05)
    chains.init_normal(0.0, 1.5)
    mala.run(mixture, chains)
    return chains.states()


def nats(model, data):
    """Mean of E over the data, plus log Z over the box by a grid."""
    cell = 2 * REACH / 80
    axis = (np.arange(80) + 0.5) * cell - REACH
    x = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2).astype(np.float32)
    energy = np.empty(len(x), np.float32)
    seen = np.empty(POINTS, np.float32)
    model.energy(x, None, len(x), energy)
    model.energy(data, None, POINTS, seen)
    mean = seen.mean(dtype=float)
    return mean + np.log(np.exp(-energy.astype(float)).sum() * cell * cell)


def tied_langevin(ebm, context, steps):
    sampler = context.sampler_create(ebm.SAMPLER_TIED_LANGEVIN)
    sampler.set(ebm.SAMPLER_STEPS, steps)
    sampler.set(ebm.SAMPLER_STEP_SIZE, 0.02)
    return sampler


def train_network(ebm, context, path):
    x = draw_data(ebm, context)
    dataset = context.dataset_create_array(x, None, POINTS, 1, 1, 2, 2)

    network = context.network_create(1, 1, 2)
    network.dense(32)
    network.swish()
    network.dense(32)
    network.swish()
    network.dense(1)
    model = network.model_create_network(3)

    sampler = tied_langevin(ebm, context, 20)
    sampler.set(ebm.SAMPLER_STATE_MIN, -REACH)
    sampler.set(ebm.SAMPLER_STATE_MAX, REACH)
    buffer = context.buffer_create(1024, 1, 1, 2, 4)
    buffer.fill_uniform(1024, -REACH, REACH)
    chains = context.chains_create(BATCH, 1, 1, 2, 5)
    nll = context.loss_create(ebm.LOSS_NLL)
    adam = context.optimizer_create(ebm.OPTIMIZER_ADAM, model)
    adam.set(ebm.OPTIMIZER_LEARNING_RATE, 0.002)

    before = nats(model, x)
    data = np.empty((BATCH, 2), np.float32)
    for _ in range(600):
        dataset.next(BATCH, data, None)
        buffer.draw(chains)
        sampler.run(model, chains)
        nll.backward(model, data, None, BATCH, chains, None)
        adam.step()
        buffer.store(chains)
    print(f"network: {before:.3f} nats, then {nats(model, x):.3f}")
    model.save(path)


def bowl_energy_grad(params, x, labels, energy, grad):
    """E(x) = k |x - (a, b)|^2 / 2 with the parameters k, a, b."""
    k = float(params[0])
    d = x.astype(float) - params[1:].astype(float)
    energy[:] = 0.5 * k * (d[..., 0] ** 2 + d[..., 1] ** 2).ravel()
    grad[:] = k * d


def bowl_param_grad(params, x, labels, scale, param_grad):
    k = float(params[0])
    d = (x.astype(float) - params[1:].astype(float)).reshape(-1, 2)
    terms = np.stack([0.5 * (d[:, 0] ** 2 + d[:, 1] ** 2),
                      -(k * d[:, 0]), -(k * d[:, 1])])
    # Sums in order, as the other languages have them: one element after the
    # other, where sum() adds in pairs.
    terms = terms * scale.astype(float)
    param_grad += np.add.accumulate(terms, axis=1)[:, -1].astype(np.float32)


def train_bowl(ebm, context, path):
    """The data are N((1, 1), 0.5^2), so k = 4 is what there is to learn."""
    drawn = context.chains_create(POINTS, 1, 1, 2, 6)
    drawn.init_normal(1.0, 0.5)
    dataset = context.dataset_create_array(drawn.states(), None, POINTS, 1, 1,
                                           2, 7)
    model = context.model_create_custom(1, 1, 2, bowl_energy_grad,
                                        bowl_param_grad, parameter_count=3)
    model.set_parameters(0, np.array([1, 0, 0], np.float32), 3)

    sampler = tied_langevin(ebm, context, 10)
    chains = context.chains_create(BATCH, 1, 1, 2, 8)
    chains.init_normal(0.0, 1.0)
    nll = context.loss_create(ebm.LOSS_NLL)
    adam = context.optimizer_create(ebm.OPTIMIZER_ADAM, model)
    adam.set(ebm.OPTIMIZER_LEARNING_RATE, 0.03)
    data = np.empty((BATCH, 2), np.float32)
    for _ in range(300):
        dataset.next(BATCH, data, None)
        sampler.run(model, chains)
        nll.backward(model, data, None, BATCH, chains, None)
        adam.step()
    k, a, b = model.parameters()
    print(f"bowl: k {k:.3f} at ({a:.3f}, {b:.3f})")
    model.parameters().tofile(path)


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit("usage: toy.py FOLDER [LIBRARY [INCLUDE]]")
    folder = pathlib.Path(sys.argv[1])
    ebm = load(*sys.argv[2:])
    context = ebm.context_create()
    train_network(ebm, context, folder / "network.safetensors")
    train_bowl(ebm, context, folder / "bowl.f32")


if __name__ == "__main__":
    main()
