"""The cases of ebm_bench in PyTorch, SciPy and torchvision: what a process of
compare_torch.py measures. Run as

    python3 tests/bench/torch_work.py '{"case": "chain-small", ...}'

it prints one line of JSON. Each case is a function that sets the work up and
returns one that does it once; names and sizes are those of cases.c.
"""

import importlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time

BATCH, SIZE, KL_STEPS = 128, 28, 40  # of the image cases, and the KL ones
IMAGE_CASES = {"transition-elastic-28": "scipy",
               "transition-simclr-32": "torchvision"}


class Shape:
    """A network's input and the batch of a case."""
    def __init__(self, build, batch, channels, size):
        self.build, self.batch = build, batch
        self.channels, self.size = channels, size

    def empty(self, torch, layout):
        return torch.empty(self.batch, self.channels, self.size,
                           self.size).contiguous(memory_format=layout)

    def uniform(self, torch, layout):
        return self.empty(torch, layout).uniform_(-1, 1)


def digits(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, 2, 4), nn.SiLU(),
        nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU(),
        nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(),
        nn.Conv2d(64, 64, 3, 2, 1), nn.SiLU(),
        nn.Flatten(), nn.Linear(256, 64), nn.SiLU(), nn.Linear(64, 1))


def residual_parts(torch):
    """The residual block of libebm's presets, and its attention."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, channels, out=None):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(channels, channels, 3, 1, 1),
                nn.GroupNorm(32, channels), nn.SiLU(),
                nn.Conv2d(channels, channels, 3, 1, 1),
                nn.GroupNorm(32, channels), nn.SiLU())
            self.down = nn.Sequential() if out is None else nn.Sequential(
                nn.Conv2d(channels, out, 3, 1, 1), nn.AvgPool2d(3, 2, 1),
                nn.SiLU())

        def forward(self, x):
            return self.down(self.body(x) + x)

    class Attention(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.split = [channels // 8, channels // 8, channels]
            self.qkv = nn.Conv2d(channels, sum(self.split), 1)
            self.gamma = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            q, k, v = self.qkv(x).flatten(2).split(self.split, 1)
            weights = torch.bmm(q.transpose(1, 2), k).softmax(-1)
            out = torch.bmm(v, weights.transpose(1, 2)).view(x.shape)
            return self.gamma * out + x

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    return Block, Attention, Mean


def mnist_resnet(torch):
    nn = torch.nn
    Block, _, Mean = residual_parts(torch)
    return nn.Sequential(
        nn.Conv2d(1, 64, 3, 1, 1), nn.SiLU(), Block(64, 128), Block(128, 256),
        Block(256, 512), nn.SiLU(), Mean(), nn.Linear(512, 1))


def table1(torch):
    nn = torch.nn
    Block, Attention, Mean = residual_parts(torch)
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1), nn.SiLU(), Block(64), Block(64, 64),
        Block(64), Block(64, 128), Attention(128), Block(128),
        Block(128, 256), Block(256), Block(256, 512), nn.SiLU(), Mean(),
        nn.Linear(512, 1))


SMALL = Shape(digits, 128, 1, 28)
MNIST_RESNET = Shape(mnist_resnet, 32, 1, 28)
TABLE1 = Shape(table1, 8, 3, 32)


def build_network(torch, shape, layout, traced, frozen):
    torch.manual_seed(1)
    net = shape.build(torch).to(memory_format=layout)
    for p in net.parameters():
        p.requires_grad = not frozen
    if traced:
        net = torch.jit.trace(net, shape.uniform(torch, layout))
    return net


def step_free(torch, net, x, noise, ones):
    x.add_(noise.normal_(0, 0.005)).clamp_(-1, 1).requires_grad_()
    grad, = torch.autograd.grad(net(x), x, ones)
    x = x.detach()
    return x.sub_(grad.clamp_(-0.03, 0.03), alpha=10).clamp_(-1, 1)


def chain(shape, steps):
    """Chains from uniform noise; the parameters need no gradient, so none is
    computed."""
    def case(torch, layout, traced):
        net = build_network(torch, shape, layout, traced, frozen=True)
        ones = torch.ones(shape.batch, 1)
        noise = shape.empty(torch, layout)

        def run():
            x = shape.uniform(torch, layout)
            for _ in range(steps):
                x = step_free(torch, net, x, noise, ones)
            return x
        return run
    return case


def update(shape):
    """Energies of data and chains in one pass, NLL with energy L2 0.1,
    gradient, clip of its norm, Adam."""
    def case(torch, layout, traced):
        net = build_network(torch, shape, layout, traced, frozen=False)
        parameters = list(net.parameters())
        adam = torch.optim.Adam(parameters, 1e-4, betas=(0.0, 0.999))
        data = shape.uniform(torch, layout)
        chains = shape.uniform(torch, layout)

        def run():
            adam.zero_grad(set_to_none=True)
            e_pos, e_neg = net(torch.cat([data, chains])).chunk(2)
            loss = (e_pos.mean() - e_neg.mean()
                    + 0.1 * (e_pos.square() + e_neg.square()).mean())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 0.1)
            adam.step()
        return run
    return case


def training(shape, steps):
    """A whole iteration: the chains, then a step of learning from them."""
    def case(torch, layout, traced):
        walk = chain(shape, steps)(torch, layout, traced)
        learn = update(shape)(torch, layout, traced)

        def run():
            walk()
            learn()
        return run
    return case


def kl_small(kept):
    """40 steps, then L_opt = -mean E(x) and its parameter gradient through
    the last `kept` steps, by create_graph. The energy at the end of the path
    is that of a copy, so that only the path has a gradient."""
    def case(torch, layout, traced):
        net = build_network(torch, SMALL, layout, traced, frozen=False)
        frozen = build_network(torch, SMALL, layout, traced, frozen=True)
        parameters = list(net.parameters())
        ones = torch.ones(SMALL.batch, 1)
        noise = SMALL.empty(torch, layout)

        def run():
            x = SMALL.uniform(torch, layout)
            for _ in range(KL_STEPS - kept):
                x = step_free(torch, frozen, x, noise, ones)
            x.requires_grad_()
            for _ in range(kept):
                x = (x + noise.normal_(0, 0.005)).clamp(-1, 1)
                grad, = torch.autograd.grad(net(x), x, ones,
                                            create_graph=True)
                x = (x - 10 * grad.clamp(-0.03, 0.03)).clamp(-1, 1)
            return torch.autograd.grad(-frozen(x).mean(), parameters,
                                       allow_unused=True)
        return run
    return case


def slope(torch, net, x, ones):
    """Energies and their gradient."""
    x = x.detach().requires_grad_()
    energy = net(x)
    grad, = torch.autograd.grad(energy, x, ones)
    return energy.detach(), grad


def choose(torch, old, new, log_alpha):
    """The Metropolis test, for each chain."""
    take = torch.rand_like(log_alpha).log_() < log_alpha
    return tuple(torch.where(take.view([-1] + [1] * (a.dim() - 1)), b, a)
                 for a, b in zip(old, new))


def total(x):
    return x.flatten(1).sum(1, keepdim=True)


def mala_step(torch, net, state, ones, step, beta):
    x, energy, grad = state
    move = math.sqrt(2 * step)
    noise = torch.randn_like(x)
    y = x - step * beta * grad + move * noise
    new_energy, new_grad = slope(torch, net, y, ones)
    back = (x - y + step * beta * new_grad) / move
    log_alpha = (beta * (energy - new_energy)
                 + (total(noise.square()) - total(back.square())) / 2)
    return choose(torch, state, (y, new_energy, new_grad), log_alpha)


def sampler(kind):
    """The digits network's chains by MALA, HMC or BAOAB, and AIS by MALA: as
    many gradients as libebm's, at temperature 1."""
    def case(torch, layout, traced):
        net = build_network(torch, SMALL, layout, traced, frozen=True)
        ones = torch.ones(SMALL.batch, 1)

        def start():
            x = SMALL.uniform(torch, layout)
            return (x,) + slope(torch, net, x, ones)

        def mala():
            state = start()
            for _ in range(20):
                state = mala_step(torch, net, state, ones, 1e-3, 1.0)

        def ais():
            state, weight = start(), 0.0
            for level in range(1, 11):
                weight = weight - 0.1 * state[1]
                state = mala_step(torch, net, state, ones, 1e-3, level / 10)

        def hmc():
            state, step = start(), 0.01
            for _ in range(4):
                x, energy, grad = state
                p = torch.randn_like(x)
                before = energy + total(p.square()) / 2
                for _ in range(5):
                    p = p - step / 2 * grad
                    x = x + step * p
                    energy, grad = slope(torch, net, x, ones)
                    p = p - step / 2 * grad
                log_alpha = before - energy - total(p.square()) / 2
                state = choose(torch, state, (x, energy, grad), log_alpha)

        def baoab():
            (x, _, grad), step = start(), 0.01
            keep = math.exp(-step)
            p = torch.randn_like(x)
            for _ in range(20):
                p.sub_(grad, alpha=step / 2)
                x = x + step / 2 * p
                p.mul_(keep).add_(torch.randn_like(x),
                                  alpha=math.sqrt(1 - keep * keep))
                x = x + step / 2 * p
                _, grad = slope(torch, net, x, ones)
                p.sub_(grad, alpha=step / 2)
        return {"mala": mala, "hmc": hmc, "baoab": baoab, "ais": ais}[kind]
    return case


NETWORK_WORK = {
    "chain-small": chain(SMALL, 60),
    "chain-mnist-resnet": chain(MNIST_RESNET, 10),
    "chain-table1": chain(TABLE1, 4),
    "update-small": update(SMALL), "update-table1": update(TABLE1),
    "kl1-small": kl_small(1), "klall-small": kl_small(KL_STEPS),
    "sampler-mala": sampler("mala"), "sampler-hmc": sampler("hmc"),
    "sampler-baoab": sampler("baoab"), "ais-small": sampler("ais"),
    "train-small": training(SMALL, 60)}


# ------------------------------------------------------- arrays of numbers ---

def copy(torch):
    x, y = torch.rand(16384, 784), torch.rand(16384, 784)
    return lambda: y.copy_(x)


def normals(torch):
    y = torch.rand(16384, 784)
    return lambda: y.normal_()


def langevin(torch):
    x, g, y = (torch.rand(16384, 784) for _ in range(3))
    clipped = torch.empty_like(g)

    def run():
        y.normal_(0, 0.005).add_(x).clamp_(-1, 1)
        torch.clamp(g, -0.03, 0.03, out=clipped)
        y.sub_(clipped, alpha=10).clamp_(-1, 1)
    return run


def nearest(torch):
    x, b = torch.rand(128, 784), torch.rand(10000, 784)
    return lambda: torch.cdist(x, b).min(1)


def entropy(torch):
    x, b = torch.rand(128, 784), torch.rand(10000, 784)
    return lambda: 784 * torch.cdist(x, b).kthvalue(1, 1)[0].log().mean()


def mmd(torch):
    x, y = torch.rand(1000, 512), torch.rand(1000, 512)

    def kernel(a, b):
        return (a @ b.T / 512 + 1).pow(3)

    def run():
        xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
        n = len(x)
        return ((xx.sum() - xx.trace() + yy.sum() - yy.trace())
                / (n * (n - 1)) - 2 * xy.mean())
    return run


def first_energy(torch):
    """A process of its own, from its start."""
    code = ("import sys; sys.path.insert(0, %r); import torch, torch_work; "
            "net = torch_work.digits(torch); "
            "sys.exit(not net(torch.zeros(1, 1, 28, 28)).isfinite().all())"
            % os.path.dirname(os.path.abspath(__file__)))
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def frechet(_):
    import numpy as np
    from scipy.linalg import sqrtm
    random = np.random.default_rng(1)
    x, y = random.uniform(-1, 1, (2, 2048, 512)).astype(np.float32)

    def run():
        a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
        shift = x.mean(0) - y.mean(0)
        return shift @ shift + np.trace(a + b - 2 * sqrtm(a @ b).real)
    return run


ARRAY_WORK = {"copy-memory": copy, "normals-memory": normals,
              "langevin-memory": langevin, "nearest-10k": nearest,
              "entropy-10k": entropy, "mmd-1000": mmd,
              "first-energy": first_energy, "frechet-512": frechet}


# ------------------------------------------------------------------ images ---

def elastic():
    """An elastic deformation of one image: displacements N(0, 0.5^2) of 3 x 3
    control points, cubic splines for the field and the image. What can be
    computed once for all images is."""
    import numpy as np
    from scipy.ndimage import map_coordinates
    points, std = 3, 0.5
    places = np.linspace(0, points - 1, SIZE)
    grid = np.stack(np.meshgrid(places, places, indexing="ij"))
    pixels = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE),
                                  indexing="ij")).astype(float)
    random = np.random.default_rng(1)
    images = random.uniform(-1, 1, (BATCH, SIZE, SIZE)).astype(np.float32)

    def warp(i):
        controls = random.normal(0, std, (2, points, points))
        field = [map_coordinates(d, grid, order=3, mode="mirror")
                 for d in controls]
        warped = map_coordinates(images[i], pixels + field, order=3,
                                 mode="constant", cval=-1, output=np.float32)
        return warped.clip(-1, 1)
    return warp


def simclr():
    """SimCLR's augmentation of strength 1 of one float image 32 x 32."""
    import torch
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode
    side, s = 32, 1.0
    torch.manual_seed(1)
    images = torch.empty(BATCH, 3, side, side).uniform_(-1, 1)
    augment = transforms.Compose([
        transforms.RandomResizedCrop(
            side, scale=(0.08, 1), interpolation=InterpolationMode.BICUBIC),
        transforms.Lambda(lambda x: x.clamp(0, 1)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomApply(
            [transforms.ColorJitter(0.8 * s, 0.8 * s, 0.8 * s, 0.2 * s)], 0.8),
        transforms.RandomGrayscale(0.2),
        transforms.RandomApply([transforms.GaussianBlur(3, (0.1, 2))], 0.5)])

    def apply(i):
        with torch.no_grad():
            return (2 * augment((images[i] + 1) / 2) - 1).numpy()
    return apply


IMAGE_WORK = {"transition-elastic-28": elastic, "transition-simclr-32": simclr}
one_image = None  # of this process


def start_process(case):
    global one_image
    if IMAGE_CASES[case] == "torchvision":
        import torch
        torch.set_num_threads(1)
        torch.manual_seed(os.getpid())
    one_image = IMAGE_WORK[case]()


def some_images(numbers):
    import numpy as np
    return np.stack([one_image(i) for i in numbers])


def image_case(request):
    """The whole batch, in one of the ways to share it out."""
    import multiprocessing
    import multiprocessing.pool
    import numpy as np
    share, threads = request["share"], request["threads"]
    start_process(request["case"])
    parts = [range(i, BATCH, threads) for i in range(threads)]
    if share == "processes":
        pool = multiprocessing.get_context("spawn").Pool(
            threads, start_process, (request["case"],))
    elif share == "threads":
        pool = multiprocessing.pool.ThreadPool(threads)
    else:
        return lambda: some_images(range(BATCH))
    return lambda: np.concatenate(pool.map(some_images, parts, 1))


# ------------------------------------------------------------ the worker ---

def blas_in_use():
    """The BLAS files in this process and what they say of themselves."""
    import ctypes
    found = []
    with open("/proc/self/maps", encoding="ascii") as maps:
        paths = {line.split()[-1] for line in maps if "blas" in line}
    for path in sorted(paths):
        try:
            library = ctypes.CDLL(path)
            library.openblas_get_config.restype = ctypes.c_char_p
            kind = ("serial", "pthreads", "OpenMP")[
                library.openblas_get_parallel()]
            found.append("%s (%s, %d threads)" % (
                library.openblas_get_config().decode(), kind,
                library.openblas_get_num_threads()))
        except (OSError, AttributeError, IndexError):
            found.append(path)
    # One library goes by several names (libblas, liblapack).
    return "; ".join(dict.fromkeys(found)) or "none seen"


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(run, request):
    """Up to `repeat` runs, in up to `seconds` with those to warm up, of which
    traced code needs three: it is compiled in its first ones."""
    begin = time.perf_counter()

    def left():
        return request["seconds"] - (time.perf_counter() - begin)
    for i in range(3 if request.get("traced") else 1):
        if i and left() < request["seconds"] / 2:
            break
        run()
    times = []
    while not times or (len(times) < request["repeat"]
                        and left() > times[-1] / 1e3):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return {"median_ms": statistics.median(times), "min_ms": min(times),
            "repeat": len(times)}


def library_of(case):
    """What the case needs beside this file."""
    if case == "frechet-512":
        return "scipy"
    return IMAGE_CASES.get(case, "torch")


def torch_work(request):
    import torch
    case = request["case"]
    torch.set_num_threads(request["threads"])
    before = peak_mb()
    if case in NETWORK_WORK:
        layout = (torch.channels_last if request["channels_last"]
                  else torch.contiguous_format)
        run = NETWORK_WORK[case](torch, layout, request["traced"])
    else:
        run = ARRAY_WORK[case](torch)
    result = measure(run, request)
    onednn = [line.strip(" -") for line in torch.__config__.show().split("\n")
              if "MKL-DNN" in line or "oneDNN" in line]
    result["added_mb"] = peak_mb() - before
    result["peak_mb"] = peak_mb()
    result["machinery"] = "PyTorch %s; %s; BLAS: %s; %d threads" % (
        torch.__version__, " ".join(onednn) or "no oneDNN", blas_in_use(),
        torch.get_num_threads())
    return result


def other_work(request):
    case = request["case"]
    run = (image_case(request) if case in IMAGE_CASES
           else ARRAY_WORK[case](None))
    result = measure(run, request)
    library = library_of(case)
    result["machinery"] = "%s %s; BLAS: %s" % (
        library, importlib.import_module(library).__version__, blas_in_use())
    return result


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    work = torch_work if library_of(wanted["case"]) == "torch" else other_work
    print(json.dumps(work(wanted)))
