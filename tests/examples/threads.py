"""An example writes and says the same for any number of threads.

Usage: threads.py FOLDER PROGRAM OPTIONS...

Runs the program with 1, 2 and 4 threads, each into a folder of its own below
FOLDER, and compares all files and what was printed, but for speeds.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

# More threads than processors would wait for each other by spinning.
ENVIRONMENT = dict(os.environ, OMP_WAIT_POLICY="passive")


def run(top, threads, command):
    out = top / str(threads)
    shutil.rmtree(out, ignore_errors=True)
    result = subprocess.run(
        [*command, "--out", out, "--threads", str(threads)],
        capture_output=True, text=True, env=ENVIRONMENT)
    if result.returncode:
        sys.exit(f"threads.py: {result.args}: {result.stderr}")
    said = re.sub(r"\S+ it/s  ETA \S+", "", result.stdout)
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    return said.replace(str(out), "OUT"), files


def main():
    top, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    said, files = run(top, 1, command)
    if not files:
        sys.exit("threads.py: nothing was written")
    for threads in (2, 4):
        other_said, other_files = run(top, threads, command)
        lines = zip(said.splitlines(), other_said.splitlines())
        if other_said != said:
            differ = next((pair for pair in lines if pair[0] != pair[1]),
                          "fewer lines")
            sys.exit(f"threads.py: {threads} threads say something else: "
                     f"{differ}")
        names = files.keys() | other_files.keys()
        differ = [name for name in sorted(names)
                  if files.get(name) != other_files.get(name)]
        if differ:
            sys.exit(f"threads.py: {threads} threads write other {differ}")
    print(said, end="")
    print(f"threads.py: {', '.join(sorted(files))}: the same for 1, 2 and 4")


if __name__ == "__main__":
    main()
