#!/usr/bin/python3
"""Where the time of a case goes, by perf (Debian: linux-perf), as a table.

    python3 tests/bench/profile.py [--bench build/tests/bench/ebm_bench]
        [--case NAME ...] [--repeat 5] [--functions 0]

One thread works, so that waiting at the end of a loop does not count. The
functions that were met are put together by what they are for; --functions N
lists the N longest of each case too. perf needs
kernel.perf_event_paranoid <= 2.

Exit status: 0, 1 when perf or the program failed, 2 for a wrong command, 77
without perf.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

from compare_torch import add_bench, positive, print_table

# The first pattern that is found in a function's name decides.
KINDS = (
    ("products in the BLAS", "gemm|gemv|bli_|dot_k|axpy|pack"),
    ("convolutions' sums", "gather"),
    ("Winograd's transforms", "winograd|turn_panel"),
    ("column matrices", "im2col|col2im"),
    ("activations", "swish|exp|softplus|relu|square|multiply|sigmoid"),
    ("norms, attention, pools", "norm(?!als?_)|softmax|pool|channel|attend|combine"),
    ("noise and update", "normal|langevin|philox|log|sin|cos|uniform"),
    ("sums, bias, Adam", "bias|sums|scale|adam|add_up|finite"),
    ("copies", "memmove|memcpy|memset|fork|join"),
    ("the rest", ""),
)


CASES = ("chain-small", "chain-table1", "update-table1")


def kind_of(function):
    return next(name for name, pattern in KINDS
                if re.search(pattern, function))


def profile(options, case, folder):
    """Shares by function."""
    data = os.path.join(folder, "perf.data")
    environment = {k: v for k, v in os.environ.items()
                   if k != "OPENBLAS_CORETYPE"}
    subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "999",
                    "-o", data, options.bench, "--case", case, "--cold",
                    "--threads", "1", "--repeat", str(options.repeat)],
                   stdout=subprocess.DEVNULL, env=environment, check=True)
    report = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "--no-children", "-F",
         "overhead,symbol"], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, check=True).stdout
    found = re.findall(r"^\s*([0-9.]+)%\s+\[.\]\s+(\S+)", report, re.M)
    return {function: float(share) for share, function in found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add_bench(parser)
    parser.add_argument("--case", action="append", metavar="NAME",
                        help="may be given more than once (%s)"
                        % ", ".join(CASES))
    parser.add_argument("--repeat", type=positive, default=5,
                        help="times (%(default)s)")
    parser.add_argument("--functions", type=int, default=0, metavar="N",
                        help="list the N longest of each case too")
    options = parser.parse_args()
    if not os.path.exists(options.bench):
        parser.error("no program at " + options.bench)
    if shutil.which("perf") is None:
        print("profile: there is no perf (Debian: linux-perf)",
              file=sys.stderr)
        return 77
    cases = options.case or CASES
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            try:
                shares = profile(options, case, folder)
            except subprocess.CalledProcessError as error:
                print("profile: %s failed with status %d at %s"
                      % (" ".join(error.cmd[:2]), error.returncode, case),
                      file=sys.stderr)
                return 1
            total = dict.fromkeys((name for name, _ in KINDS), 0.0)
            for function, share in shares.items():
                total[kind_of(function)] += share
            columns.append(total)
            longest = sorted(shares, key=shares.get, reverse=True)
            for function in longest[:options.functions]:
                print("%s: %5.1f %% %s" % (case, shares[function], function),
                      file=sys.stderr)
    print_table(["share of the time, one thread"]
                + ["`%s`" % case for case in cases],
                [[name] + ["%.0f %%" % column[name] for column in columns]
                 for name, _ in KINDS])
    return 0


if __name__ == "__main__":
    sys.exit(main())
