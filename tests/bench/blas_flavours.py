#!/usr/bin/python3
"""How fast chains are with each BLAS that Debian has, as a table.

    python3 tests/bench/blas_flavours.py [--bench build/tests/bench/ebm_bench]
        [--blis PROGRAM] [--repeat 5] [--wrap COMMAND]

The flavours of OpenBLAS (libopenblas0-pthread, -openmp, -serial) are put in
front by LD_LIBRARY_PATH, so the system's alternatives stay as they are. BLIS
(libblis4-openmp) needs a build of its own, whose ebm_bench --blis names:

    cmake -S . -B build-blis -DEBM_BLAS=blis
    cmake --build build-blis --target ebm_bench

What is not there is left out. The last two columns are small products (the
case gemm-conv32): with the BLAS held to one thread, as the library does it,
and left alone (gemm-free).

Exit status: 0, 1 when a program failed or another BLAS ran than was meant, 2
for a wrong command, 77 when there was nothing to measure.
"""

import argparse
import glob
import os
import shlex
import sys

from compare_torch import add_bench, call, positive, print_table

FLAVOURS = ("pthread", "openmp", "serial")
THREADS = (1, 2)


def find_flavours(options):
    """Names, programs and what they need in the environment."""
    found = []
    for flavour in FLAVOURS:
        for folder in glob.glob("/usr/lib/*/openblas-%s" % flavour):
            if glob.glob(folder + "/libopenblas.so.0"):
                found.append(("OpenBLAS " + flavour, options.bench,
                              {"LD_LIBRARY_PATH": folder}))
    if options.blis:
        found.append(("BLIS", options.blis, {}))
    return found


def measure(options, name, program, variables, case, threads):
    result = call(options, [program, "--json", "--case", case, "--threads",
                            str(threads), "--repeat", str(options.repeat)],
                  **variables)
    if not result["machinery"].startswith(name):
        sys.exit("blas_flavours: %s was meant, but this ran: %s"
                 % (name, result["machinery"]))
    print("%s, %s, %d: %.2f ms" % (name, case, threads, result["median_ms"]),
          file=sys.stderr)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add_bench(parser)
    parser.add_argument("--blis", metavar="PROGRAM",
                        help="an ebm_bench that was built with BLIS")
    parser.add_argument("--repeat", type=positive, default=5,
                        help="times in a process (%(default)s)")
    parser.add_argument("--wrap", type=shlex.split, default=[],
                        metavar="COMMAND", help="starts each process")
    options = parser.parse_args()
    for program in (options.bench, options.blis):
        if program and not os.path.exists(program):
            parser.error("no program at " + program)
    rows = []
    for name, program, variables in find_flavours(options):
        def speed(case, threads, key, form):
            return form % measure(options, name, program, variables, case,
                                  threads)[key]
        rows.append([name] + [speed(case, threads, "median_ms", "%.0f")
                              for case in ("chain-small", "chain-table1")
                              for threads in THREADS]
                    + [speed(case, THREADS[-1], "gflops", "%.1f")
                       for case in ("gemm-conv32", "gemm-free")])
    if not rows:
        print("blas_flavours: no BLAS of Debian's is here", file=sys.stderr)
        return 77
    head = ["BLAS"] + ["`%s`, %d thread%s, ms" % (case, t, "s" * (t != 1))
                       for case in ("chain-small", "chain-table1")
                       for t in THREADS]
    print_table(head + ["products held, GFLOP/s", "left alone"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
