"""Stops a training run and lets it go on: all files are those of a whole one.

Usage: stop.py FOLDER STOP END COMMAND...

COMMAND is a program of the examples with its options but for --out,
--iterations, --checkpoint and --resume. One run goes to iteration END. Another
one ends at STOP, finds a line too many and a torn one in metrics.csv, and goes
on to END. Then every option that decides what a run is must be the same again.
"""
import pathlib
import shutil
import subprocess
import sys

CLOCK = "timings.csv"  # the one file that may differ


def run(command, out, iterations, *more):
    return subprocess.run(
        [*command, "--out", out, "--iterations", str(iterations), *more],
        capture_output=True, text=True)


def run_well(*arguments):
    result = run(*arguments)
    if result.returncode:
        sys.exit(f"stop.py: {result.args}: {result.stderr}")
    return result.stdout


def main():
    top, stop, end, *command = sys.argv[1:]
    top, stop, end = pathlib.Path(top), int(stop), int(end)
    shutil.rmtree(top, ignore_errors=True)
    whole, parts = top / "whole", top / "parts"
    file = parts / "run.safetensors"
    run_well(command, whole, end, "--checkpoint", whole / file.name)
    run_well(command, parts, stop, "--checkpoint", file)
    metrics = parts / "metrics.csv"
    row = metrics.read_text().splitlines()[-1]
    with metrics.open("a") as more:
        more.write(row.replace(f"{stop},", f"{stop + 1},", 1) + f"\n{stop + 2}")

    # What can not go on says so and changes nothing.
    before = metrics.read_bytes(), file.read_bytes()
    for wrong in (["--seed", "77"], ["--batch", "15"], ["--iterations", "1"],
                  ["--resume", parts / "missing"],
                  ["--resume", parts / "model.safetensors"]):
        result = run(command, parts, end, "--resume", file, *wrong)
        if result.returncode != 2 or "--resume: " not in result.stderr:
            sys.exit(f"stop.py: {wrong}: {result.returncode} {result.stderr}")
    if before != (metrics.read_bytes(), file.read_bytes()):
        sys.exit("stop.py: a refused run has changed the files")

    said = run_well(command, parts, end, "--checkpoint", file, "--resume", file)
    if f"at iteration {stop}" not in said:
        sys.exit(f"stop.py: {said}")
    names = sorted(path.name for path in whole.iterdir())
    if names != sorted(path.name for path in parts.iterdir()):
        sys.exit(f"stop.py: the files are not {names}")
    for name in names:
        if name != CLOCK and \
                (whole / name).read_bytes() != (parts / name).read_bytes():
            sys.exit(f"stop.py: {name} differs")
    rows = [len((folder / CLOCK).read_text().splitlines())
            for folder in (whole, parts)]
    if rows != [end + 1, end + 1]:
        sys.exit(f"stop.py: {rows} rows of timings")
    print(f"{len(names) - 1} files equal")
    shutil.rmtree(top)


main()
