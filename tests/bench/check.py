#!/usr/bin/python3
"""The benchmark program as a program: every case runs, and what it prints can
be relied on. How fast it is, is not looked at.

    python3 tests/bench/check.py PROGRAM
"""

import json
import math
import subprocess
import sys

from torch_work import ARRAY_WORK, IMAGE_CASES, NETWORK_WORK

PROGRAM = sys.argv[1]
# Floating-point operations of digits-small for a sample: 5x5 and 3x3
# convolutions of stride 2, out pixels x out channels x taps x in channels, and
# two dense layers.
FIRST = 2 * 16 * 16 * 16 * 25 * 1
DIGITS = FIRST + 2 * (8 * 8 * 32 * 9 * 16 + 4 * 4 * 64 * 9 * 32
                      + 2 * 2 * 64 * 9 * 64 + 256 * 64 + 64)


def bench(*arguments, status=0):
    done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == status, (arguments, done)
    return done.stdout, done.stderr


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def close(a, b, bar=1e-3):
    assert abs(a - b) <= bar * abs(b), (a, b)


def check_list():
    cases = lines(bench("--list", "--json")[0])
    names = [c["case"] for c in cases]
    assert len(set(names)) == len(names), names
    compared = {*NETWORK_WORK, *IMAGE_CASES, *ARRAY_WORK}
    assert compared <= set(names), compared - set(names)
    plain = bench("--list")[0]
    assert [line.split()[0] for line in plain.splitlines()] == names, plain
    return [c["case"] for c in cases if not c["on_request"]]


def check_all(names):
    results = lines(bench("--json", "--cold", "--repeat", "1", "--threads",
                          "2")[0])
    assert [r["case"] for r in results] == names, results
    for r in results:
        assert r["threads"] == 2 and r["repeat"] == 1, r
        assert 0 < r["min_ms"] == r["median_ms"] < math.inf, r
        assert r["peak_rss_mb"] > 1 and r["machinery"], r
        assert any(r[key] is not None for key in
                   ("gflops", "gb_per_s", "items_per_s")) or r["case"] in (
                       "nearest-10k", "entropy-10k", "frechet-512",
                       "mmd-1000", "first-energy"), r


def check_counts():
    """Operations against arithmetic done here."""
    some = ["chain-small", "update-small", "kl1-small", "gemm-conv32"]
    results = lines(bench("--json", "--repeat", "1", "--threads", "1",
                          *(word for name in some
                            for word in ("--case", name)))[0])
    assert [r["case"] for r in results] == some, results
    chain, update, kl, product = results
    close(chain["gflop"], 128e-9 * 60 * 2 * DIGITS)
    close(update["gflop"], 256e-9 * (3 * DIGITS - FIRST))
    close(kl["gflop"], 128e-9 * DIGITS * (40 * 2 + 2 + 6))
    for r in results:
        assert r["min_ms"] <= r["median_ms"], r
        close(r["gflops"], 1e3 * r["gflop"] / r["median_ms"])
    for r in (chain, update, kl):
        close(r["gemm_share"], r["gflops"] / r["gemm_gflops"])
    assert product["gemm_gflops"] is None, product


def check_table():
    head, row = bench("--case", "update-small", "--repeat",
                      "1")[0].splitlines()
    assert head.split()[:2] == ["case", "threads"], head
    assert row.split()[0] == "update-small", row


def check_refusals():
    for wrong in (["--case", "chain"], ["--repeat", "0"], ["--threads", "x"],
                  ["--repeat", "3x"], ["--nothing"], ["chain-small"]):
        out, err = bench(*wrong, status=2)
        assert not out and err, wrong


check_refusals()
check_table()
check_counts()
check_all(check_list())
print("ebm_bench: all cases ran")
