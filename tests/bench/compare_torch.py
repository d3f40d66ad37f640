#!/usr/bin/python3
"""Runs the cases of ebm_bench in PyTorch too (transitions: in SciPy or
torchvision) and prints how many times as fast libebm is.

    python3 tests/bench/compare_torch.py [--bench build/tests/bench/ebm_bench]
        [--case NAME ...] [--threads 2] [--repeat 7] [--rounds 3] [--force]

PyTorch (Debian: python3-torch) runs at its best. Its BLAS is held to one
thread, since its own threads and those of the BLAS get into each other's way
otherwise. Then every combination of one or T threads, memory layout (NCHW or
channels last), and eager or traced network is tried, and the fastest of a
case is the one that is compared. oneDNN is on: without it all are slower.

The transitions are compared with what is in use for them, image by image:
SciPy's map_coordinates (Debian: python3-scipy) for the elastic deformation and
torchvision (python3-torchvision) for SimCLR's, alone, or shared out between T
threads or processes; again the fastest is compared.

The two sides take turns, a process each, so that a slow spell of the machine
meets both. A busy machine is refused: beside another process PyTorch loses
far more than libebm does, and any ratio can come out.

Exit status: 0 when all was measured, 1 when the machine is busy or something
failed, 2 for a wrong command, 77 when none of the libraries is there.
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time

BATCH, SIZE, KL_STEPS = 128, 28, 40  # of the image cases, and the KL ones
MAX_LOAD = 0.5
NETWORK_CASES = ("chain-small", "chain-mnist-resnet", "chain-table1",
                 "update-small", "update-table1", "kl1-small", "klall-small")
IMAGE_CASES = {"transition-elastic-28": "scipy",
               "transition-simclr-32": "torchvision"}
CASES = NETWORK_CASES + tuple(IMAGE_CASES)


# ------------------------------------------------------------ the worker ---
# Runs in a process of its own: `compare_torch.py --worker '{...}'`.

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
                x.add_(noise.normal_(0, 0.005)).clamp_(-1, 1).requires_grad_()
                grad, = torch.autograd.grad(net(x), x, ones)
                x = x.detach()
                x.sub_(grad.clamp_(-0.03, 0.03), alpha=10).clamp_(-1, 1)
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
                x.add_(noise.normal_(0, 0.005)).clamp_(-1, 1).requires_grad_()
                grad, = torch.autograd.grad(frozen(x), x, ones)
                x = x.detach()
                x.sub_(grad.clamp_(-0.03, 0.03), alpha=10).clamp_(-1, 1)
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


def measure(run, repeat):
    for _ in range(3):  # traced code is compiled in its first runs
        run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return {"median_ms": statistics.median(times), "min_ms": min(times)}


def image_worker(request):
    import importlib
    library = IMAGE_CASES[request["case"]]
    result = measure(image_case(request), request["repeat"])
    result["machinery"] = "%s %s" % (
        library, importlib.import_module(library).__version__)
    return result


def network_worker(request):
    import torch
    torch.set_num_threads(request["threads"])
    layout = (torch.channels_last if request["channels_last"]
              else torch.contiguous_format)
    case = {"chain-small": chain(SMALL, 60),
            "chain-mnist-resnet": chain(MNIST_RESNET, 10),
            "chain-table1": chain(TABLE1, 4),
            "update-small": update(SMALL), "update-table1": update(TABLE1),
            "kl1-small": kl_small(1), "klall-small": kl_small(KL_STEPS)}
    before = peak_mb()
    run = case[request["case"]](torch, layout, request["traced"])
    result = measure(run, request["repeat"])
    onednn = [line.strip(" -") for line in torch.__config__.show().split("\n")
              if "MKL-DNN" in line or "oneDNN" in line]
    result["peak_mb"] = peak_mb() - before
    result["machinery"] = "PyTorch %s; %s; BLAS: %s; %d threads" % (
        torch.__version__, " ".join(onednn) or "no oneDNN", blas_in_use(),
        torch.get_num_threads())
    return result


def worker(request):
    run = image_worker if request["case"] in IMAGE_CASES else network_worker
    print(json.dumps(run(request)))


# ------------------------------------------------------- the measurement ---

def find_python(library):
    """An interpreter that has the library: this one, else Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        look = [python, "-c", "import importlib.util as u, sys; "
                "sys.exit(u.find_spec('%s') is None)" % library]
        if os.path.exists(python) and subprocess.run(look).returncode == 0:
            return python
    return None


def call(command, environment=None):
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                          check=False)
    if done.returncode != 0:
        sys.exit("compare_torch: %s failed with status %d"
                 % (" ".join(command[:2]), done.returncode))
    return json.loads(done.stdout)


def run_torch(python, case, variant, repeat):
    request = dict(variant, case=case, repeat=repeat)
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    return call([python, os.path.abspath(__file__), "--worker",
                 json.dumps(request)], environment)


def run_ebm(bench, case, threads, repeat):
    return call([bench, "--case", case, "--threads", str(threads),
                 "--repeat", str(repeat)])


def describe(variant):
    if variant.get("share") == "processes":
        return "%d processes" % variant["threads"]
    threads = "%d thread%s" % (variant["threads"],
                               "" if variant["threads"] == 1 else "s")
    if "share" in variant:
        return threads
    return "%s, %s, %s" % (
        threads, "channels last" if variant["channels_last"] else "NCHW",
        "traced" if variant["traced"] else "eager")


def variants_of(case, threads):
    if case in IMAGE_CASES:
        shares = [("none", 1)]
        if threads > 1:
            shares += [("threads", threads), ("processes", threads)]
        return [{"share": s, "threads": t} for s, t in shares]
    return [{"threads": t, "channels_last": c, "traced": j}
            for t, c, j in itertools.product(
                sorted({1, threads}), (False, True), (False, True))]


def compare(python, options, case):
    name = {"scipy": "SciPy"}.get(IMAGE_CASES.get(case),
                                  IMAGE_CASES.get(case, "PyTorch"))
    variants = variants_of(case, options.threads)
    print("%s: %s's settings" % (case, name))
    tried = []
    for variant in variants:
        result = run_torch(python, case, variant, 5)
        tried.append((result["median_ms"], variant))
        print("  %8.2f ms  %s" % (result["median_ms"], describe(variant)),
              flush=True)
    best = min(tried, key=lambda pair: pair[0])[1]

    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(run_ebm(options.bench, case, options.threads,
                            options.repeat))
        theirs.append(run_torch(python, case, best, options.repeat))
        print("  round: libebm %.2f ms, %s %.2f ms"
              % (ours[-1]["median_ms"], name, theirs[-1]["median_ms"]),
              flush=True)
    ebm_ms = statistics.median(r["median_ms"] for r in ours)
    torch_ms = statistics.median(r["median_ms"] for r in theirs)
    print("  libebm : %s; %d threads" % (ours[0]["machinery"],
                                         ours[0]["threads"]))
    print("  %-7s: %s; %s" % (name, theirs[0]["machinery"], describe(best)))
    peak = theirs[0].get("peak_mb")
    print("%s: libebm %.2f ms, %s %.2f ms (medians of %d rounds), "
          "libebm is %.2f times as fast%s"
          % (case, ebm_ms, name, torch_ms, options.rounds, torch_ms / ebm_ms,
             "" if peak is None else
             "; the case adds %.0f MB to PyTorch's process" % peak),
          flush=True)


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("'%s' is not a whole number from 1"
                                         % text)
    return int(text)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        worker(json.loads(sys.argv[2]))
        return 0
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bench", metavar="PROGRAM", default=os.path.join(
        here, "../../build/tests/bench/ebm_bench"))
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--repeat", type=positive, default=7)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--force", action="store_true",
                        help="measure on a busy machine all the same")
    options = parser.parse_args()

    if not os.path.exists(options.bench):
        parser.error("no program at %s; build it or say where with --bench"
                     % options.bench)
    load = os.getloadavg()[0]
    if load > MAX_LOAD and not options.force:
        print("compare_torch: the machine is busy (load %.2f, at most %.1f); "
              "wait, or --force" % (load, MAX_LOAD), file=sys.stderr)
        return 1
    done = 0
    for case in options.case or CASES:
        library = IMAGE_CASES.get(case, "torch")
        python = find_python(library)
        if python is None:
            print("compare_torch: %s skipped, there is no %s here "
                  "(Debian: python3-%s)" % (case, library, library))
            continue
        compare(python, options, case)
        done += 1
    return 0 if done else 77


if __name__ == "__main__":
    sys.exit(main())
