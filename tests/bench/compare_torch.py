#!/usr/bin/python3
"""Runs the cases of ebm_bench in PyTorch too (some in SciPy or torchvision)
and prints how many times as fast libebm is.

    python3 tests/bench/compare_torch.py [--bench build/tests/bench/ebm_bench]
        [--case NAME ...] [--threads 2] [--repeat 7] [--rounds 3]
        [--seconds 20] [--all-variants] [--wrap COMMAND] [--markdown] [--force]

PyTorch (Debian: python3-torch) runs at its best. In networks its BLAS is held
to one thread, since its own threads and those of the BLAS get into each
other's way otherwise; elsewhere one or T are tried. Of memory layout (NCHW or
channels last), eager or traced network, and one or T threads, the fastest is
the one that is compared: found one choice after the other, or with
--all-variants among all combinations. oneDNN is on: without it all are slower.

Images are compared with what is in use for them, one by one: SciPy's
map_coordinates (Debian: python3-scipy) for the elastic deformation and
torchvision (python3-torchvision) for SimCLR's, alone, or shared out between T
threads or processes; again the fastest is compared.

The two sides take turns, a process each, so that a slow spell of the machine
meets both. A busy machine is refused: beside another process PyTorch loses
far more than libebm does, and any ratio can come out. With --wrap each
process is started by that command (as with taskset or nice). A process stops
to measure after --seconds, whatever --repeat says.

docs/performance.md says how to read the figures; --markdown prints its tables.

Exit status: 0 when all was measured, 1 when the machine is busy or something
failed, 2 for a wrong command, 77 when none of the libraries is there.
"""

import argparse
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys

from torch_work import ARRAY_WORK, IMAGE_CASES, NETWORK_WORK, library_of

MAX_LOAD = 0.5
CASES = tuple(NETWORK_WORK) + tuple(IMAGE_CASES) + tuple(ARRAY_WORK)
PRODUCTS = ("gemm-square", "gemm-conv64", "gemm-conv32", "gemm-tiles")
HERE = os.path.dirname(os.path.abspath(__file__))


# --------------------------------------------------------- one measurement ---

def find_python(library):
    """An interpreter that has the library: this one, else Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        look = [python, "-c", "import importlib.util as u, sys; "
                "sys.exit(u.find_spec('%s') is None)" % library]
        if os.path.exists(python) and subprocess.run(look).returncode == 0:
            return python
    return None


def name_of_script():
    return os.path.splitext(os.path.basename(sys.argv[0]))[0]


def call(options, command, **variables):
    # A core type that somebody named would bind both sides to its kernels.
    environment = {k: v for k, v in os.environ.items()
                   if k != "OPENBLAS_CORETYPE"}
    environment.update(variables)
    try:
        done = subprocess.run(options.wrap + command, env=environment,
                              stdout=subprocess.PIPE, check=False)
    except OSError as error:
        sys.exit("%s: %s does not start: %s"
                 % (name_of_script(), (options.wrap + command)[0],
                    error.strerror))
    if done.returncode != 0:
        sys.exit("%s: %s failed with status %d"
                 % (name_of_script(), " ".join(command[:4]), done.returncode))
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit("%s: %s printed no JSON"
                 % (name_of_script(), " ".join(command[:4])))


def run_other(python, options, case, variant, repeat):
    request = dict(variant, case=case, repeat=repeat, seconds=options.seconds)
    return call(options,
                [python, os.path.join(HERE, "torch_work.py"),
                 json.dumps(request)],
                OPENBLAS_NUM_THREADS=str(variant.get("blas", 1)))


def run_ebm(options, case, threads, repeat):
    return call(options, [options.bench, "--json", "--case", case,
                          "--threads", str(threads), "--repeat", str(repeat)])


# ----------------------------------------------- the other side's settings ---

def choices_of(case, threads):
    """Settings to try: lists of values, the first of each to begin with."""
    if case in IMAGE_CASES:
        return {"share": ["none"] + ["threads", "processes"] * (threads > 1)}
    some = [threads] + [1] * (threads > 1)
    if case in NETWORK_WORK:
        return {"channels_last": [False, True], "traced": [False, True],
                "threads": some}
    return {"threads": some, "blas": some}


def complete(variant, threads):
    """Images that one process handles are no matter of threads."""
    if "share" in variant:
        return dict(variant,
                    threads=1 if variant["share"] == "none" else threads)
    return variant


def describe(variant):
    def count(n, what):
        return "%d %s%s" % (n, what, "s" * (n != 1))
    if variant.get("share") == "processes":
        return "%d processes" % variant["threads"]
    parts = [count(variant["threads"], "thread")]
    if "blas" in variant:
        parts.append("BLAS %d" % variant["blas"])
    if "traced" in variant:
        parts += ["channels last" if variant["channels_last"] else "NCHW",
                  "traced" if variant["traced"] else "eager"]
    return ", ".join(parts)


def find_best(python, options, case):
    """The fastest setting, and all figures that led to it."""
    choices = choices_of(case, options.threads)
    figures = {}

    def time_of(variant):
        variant = complete(variant, options.threads)
        key = json.dumps(variant, sort_keys=True)
        if key not in figures:
            figures[key] = run_other(python, options, case, variant,
                                     3)["median_ms"]
            options.say("  %9.2f ms  %s" % (figures[key], describe(variant)))
        return figures[key]
    if options.all_variants:
        tried = [dict(zip(choices, values))
                 for values in itertools.product(*choices.values())]
        return complete(min(tried, key=time_of), options.threads)
    best = {key: values[0] for key, values in choices.items()}
    for key, values in choices.items():
        best = min([dict(best, **{key: value}) for value in values],
                   key=time_of)
    return complete(best, options.threads)


# ------------------------------------------------------------------ a case ---

def middle(results, key):
    values = [r[key] for r in results if r.get(key) is not None]
    return statistics.median(values) if values else None


def compare(python, options, case):
    other = {"torch": "PyTorch", "scipy": "SciPy"}.get(library_of(case),
                                                       library_of(case))
    options.say("%s: %s's settings" % (case, other))
    best = find_best(python, options, case)
    ours, alone, theirs = [], [], []
    for _ in range(options.rounds):
        ours.append(run_ebm(options, case, options.threads, options.repeat))
        theirs.append(run_other(python, options, case, best, options.repeat))
        if options.threads > 1:
            alone.append(run_ebm(options, case, 1, options.repeat))
        options.say("  round: libebm %.2f ms, %s %.2f ms"
                    % (ours[-1]["median_ms"], other, theirs[-1]["median_ms"]))
    ebm_ms, other_ms = middle(ours, "median_ms"), middle(theirs, "median_ms")
    gflop, peak = middle(ours, "gflop"), middle(ours, "gemm_gflops")
    row = {"case": case, "other": other, "variant": describe(best),
           "ebm_ms": ebm_ms, "other_ms": other_ms, "ratio": other_ms / ebm_ms,
           "ebm_mb": middle(ours, "peak_rss_mb"),
           "other_mb": middle(theirs, "peak_mb"),
           "added_mb": middle(theirs, "added_mb"),
           "gb_per_s": middle(ours, "gb_per_s")}
    if gflop is not None:
        row.update(gflops=1e3 * gflop / ebm_ms, peak=peak,
                   other_gflops=1e3 * gflop / other_ms,
                   share=1e3 * gflop / ebm_ms / peak)
    if alone:
        row["scaling"] = middle(alone, "median_ms") / ebm_ms
    options.say("  libebm : %s; %d threads" % (ours[0]["machinery"],
                                               ours[0]["threads"]))
    options.say("  %-7s: %s; %s" % (other, theirs[0]["machinery"],
                                    describe(best)))
    options.say(sentence(row, options))
    return row


def sentence(row, options):
    text = ("%s: libebm %.2f ms, %s %.2f ms (medians of %d rounds), libebm is "
            "%.2f times as fast" % (row["case"], row["ebm_ms"], row["other"],
                                    row["other_ms"], options.rounds,
                                    row["ratio"]))
    if "gflops" in row:
        text += ("; %.1f GFLOP/s, %.0f %% of the %.1f of matrix products"
                 " (%s: %.1f)" % (row["gflops"], 100 * row["share"],
                                  row["peak"], row["other"],
                                  row["other_gflops"]))
    if row["gb_per_s"] is not None:
        text += "; %.1f GB/s" % row["gb_per_s"]
    if "scaling" in row:
        text += ("; %d threads %.2f times one" % (options.threads,
                                                  row["scaling"]))
    if row["other_mb"] is not None:
        text += ("; peak %.0f MB, %s %.0f MB, of which the case added %.0f"
                 % (row["ebm_mb"], row["other"], row["other_mb"],
                    row["added_mb"]))
    return text


# -------------------------------------------------------------- the tables ---

def cell(row, key, form):
    return form % row[key] if row.get(key) is not None else ""


def print_table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def print_products(options):
    """What the share of a peak is of: both numbers of threads."""
    counts = sorted({1, options.threads})
    rows = []
    for case in PRODUCTS:
        speeds = [run_ebm(options, case, t, options.repeat)["gflops"]
                  for t in counts]
        rows.append(["`%s`" % case] + ["%.0f" % s for s in speeds])
    print_table(["matrix product, GFLOP/s"]
                + ["%d thread%s" % (t, "s" * (t != 1)) for t in counts], rows)


def print_markdown(options, rows):
    networks = [r for r in rows if "share" in r]
    others = [r for r in rows if "share" not in r]
    if networks:
        print_table(
            ["case", "PyTorch, ms", "at its best with", "libebm, ms", "ratio",
             "GFLOP/s", "of the peak", "scaling", "peak MB", "PyTorch's"],
            [["`%s`" % r["case"], "%.1f" % r["other_ms"], r["variant"],
              "%.1f" % r["ebm_ms"], "**%.2f**" % r["ratio"],
              "%.1f" % r["gflops"], "%.0f %%" % (100 * r["share"]),
              cell(r, "scaling", "%.2f"), cell(r, "ebm_mb", "%.0f"),
              "%.0f (%.0f)" % (r["other_mb"], r["added_mb"])]
             for r in networks])
    if others:
        print_table(
            ["case", "beside", "ms", "at its best with", "libebm, ms", "ratio",
             "scaling", "GB/s"],
            [["`%s`" % r["case"], r["other"], "%.1f" % r["other_ms"],
              r["variant"], "%.1f" % r["ebm_ms"], "**%.2f**" % r["ratio"],
              cell(r, "scaling", "%.2f"), cell(r, "gb_per_s", "%.1f")]
             for r in others])
    print_products(options)


# ----------------------------------------------------------------- options ---

def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("'%s' is not a whole number from 1"
                                         % text)
    return int(text)


def add_bench(parser):
    parser.add_argument("--bench", metavar="PROGRAM", default=os.path.join(
        HERE, "../../build/tests/bench/ebm_bench"),
        help="ebm_bench, if not that in build/")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add_bench(parser)
    parser.add_argument("--case", action="append", choices=CASES,
                        metavar="NAME", help="one of them, may be given more "
                        "than once (all): " + ", ".join(CASES))
    parser.add_argument("--threads", type=positive, default=2,
                        help="of both sides (%(default)s)")
    parser.add_argument("--repeat", type=positive, default=7,
                        help="times in a process (%(default)s)")
    parser.add_argument("--rounds", type=positive, default=3,
                        help="processes of each side (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=20,
                        help="that a process of the other side may measure "
                        "(%(default)s)")
    parser.add_argument("--all-variants", action="store_true",
                        help="try every combination of settings")
    parser.add_argument("--wrap", type=shlex.split, default=[],
                        metavar="COMMAND", help="starts each process")
    parser.add_argument("--markdown", action="store_true",
                        help="print tables; what happens goes to stderr")
    parser.add_argument("--force", action="store_true",
                        help="measure on a busy machine all the same")
    options = parser.parse_args()
    if not os.path.exists(options.bench):
        parser.error("no program at %s; build it or say where with --bench"
                     % options.bench)
    options.say = lambda text: print(
        text, flush=True, file=sys.stderr if options.markdown else sys.stdout)
    return options


def main():
    options = parse()
    load = os.getloadavg()[0]
    if load > MAX_LOAD and not options.force:
        print("compare_torch: the machine is busy (load %.2f, at most %.1f); "
              "wait, or --force" % (load, MAX_LOAD), file=sys.stderr)
        return 1
    rows = []
    for case in options.case or CASES:
        library = library_of(case)
        python = find_python(library)
        if python is None:
            options.say("compare_torch: %s skipped, there is no %s here "
                        "(Debian: python3-%s)" % (case, library, library))
            continue
        rows.append(compare(python, options, case))
    if rows and options.markdown:
        print_markdown(options, rows)
    return 0 if rows else 77


if __name__ == "__main__":
    sys.exit(main())
