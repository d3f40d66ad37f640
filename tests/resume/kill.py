"""Kills a training run again and again and asks for the bits of one that was
left alone.

Usage: kill.py [--kills N] [--seed S] [--longest SECONDS] FOLDER COMMAND...

COMMAND is a program of the examples with its options but for --out,
--checkpoint and --resume. It runs once undisturbed. Then it is started over
and over with one file for --checkpoint and --resume, and gets SIGKILL after a
random time, until that has happened N times; whenever a run comes to its end
in between, all its files must be those of the undisturbed one, and it begins
anew.

After each kill every file that is there must be whole: the checkpoint one that
the undisturbed run had too (a program that knows --keep shows all of these;
otherwise it must be readable), metrics.csv the beginning of the undisturbed
one's but for a torn last line, and everything else the undisturbed one's.
"""
import argparse
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

CHECKPOINT = "run.safetensors"
CLOCK = "timings.csv"  # the one file that may differ


def die(text):
    print("kill.py:", text)
    sys.exit(1)


def read_checkpoint(path):
    """The iteration of a safetensors file whose tensors cover its data."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    end = 0
    spans = [entry["data_offsets"] for name, entry in header.items()
             if name != "__metadata__"]
    for begin, after in sorted(spans):
        if begin != end:
            die(f"{path}: a hole at {end}")
        end = after
    if end != len(data) - 8 - length:
        die(f"{path}: {len(data)} bytes, not {end + 8 + length}")
    return int(json.loads(header["__metadata__"]["libebm.numbers"])
               ["iteration"])


class Kills:
    def __init__(self, options):
        self.top = pathlib.Path(options.folder)
        self.command = options.command
        self.random = random.Random(options.seed)
        self.whole = self.top / "whole"
        self.keep = self.top / "keep"
        self.out = self.top / "killed"
        self.killed = self.finished = self.resumed = self.compared = 0
        self.iterations = set()
        self.longest = options.longest

    def start(self, out, *more):
        file = out / CHECKPOINT
        return subprocess.Popen(
            [*self.command, "--out", out, "--checkpoint", file, *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def run_whole(self):
        shutil.rmtree(self.top, ignore_errors=True)
        self.keep.mkdir(parents=True)
        help_text = subprocess.run([self.command[0], "--help"],
                                   capture_output=True, text=True).stdout
        keeps = ["--keep", self.keep] if "--keep" in help_text else []
        begin = time.monotonic()
        process = self.start(self.whole, *keeps)
        errors = process.communicate()[1]
        if process.returncode:
            die(f"the undisturbed run failed: {errors.decode()}")
        if self.longest is None:
            self.longest = 1.2 * (time.monotonic() - begin)
        last = self.whole / CHECKPOINT
        shutil.copy(last, self.keep / str(read_checkpoint(last)))
        self.knows_all = bool(keeps)

    def check_checkpoint(self, path):
        iteration = read_checkpoint(path)
        self.iterations.add(iteration)
        same = self.keep / str(iteration)
        if same.exists():
            self.compared += 1
            if path.read_bytes() != same.read_bytes():
                die(f"the checkpoint of iteration {iteration} differs")
        elif self.knows_all:
            die(f"there is no checkpoint of iteration {iteration}")
        return iteration

    def check_metrics(self, path, iteration):
        lines = path.read_bytes().split(b"\n")
        expected = (self.whole / path.name).read_bytes().split(b"\n")
        if lines[:-1] != expected[:len(lines) - 1]:
            die(f"{path} is not the beginning of the undisturbed one's")
        rows = max(len(lines) - 2, 0)
        if rows < iteration:
            die(f"{path} has {rows} rows at iteration {iteration}")

    def check_files(self):
        """What a kill has left."""
        iteration = 0
        if (self.out / CHECKPOINT).exists():
            iteration = self.check_checkpoint(self.out / CHECKPOINT)
        for path in self.out.iterdir() if self.out.exists() else ():
            if path.name in (CHECKPOINT, CLOCK):
                continue
            if path.suffix == ".part" or path.name.startswith(".ebm-"):
                path.unlink()  # what a kill may leave behind
            elif path.name == "metrics.csv":
                self.check_metrics(path, iteration)
            else:
                self.check_same(path)

    def check_same(self, path):
        if path.read_bytes() != (self.whole / path.name).read_bytes():
            die(f"{path} differs from the undisturbed run's")

    def check_end(self):
        names = sorted(path.name for path in self.whole.iterdir())
        if sorted(path.name for path in self.out.iterdir()) != names:
            die(f"the files are not {names}")
        for name in names:
            if name != CLOCK:
                self.check_same(self.out / name)
        self.finished += 1
        shutil.rmtree(self.out)

    def once(self, seconds):
        """A start; whether it came to its end before the kill."""
        self.resumed += (self.out / CHECKPOINT).exists()
        process = self.start(self.out, "--resume", self.out / CHECKPOINT)
        try:
            errors = process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            errors = process.communicate()[1]
        if process.returncode == -signal.SIGKILL:
            self.killed += 1
            self.check_files()
            return False
        if process.returncode:
            die(f"a resumed run failed: {errors.decode()}")
        self.check_end()
        return True

    def run(self, kills):
        self.run_whole()
        while self.killed < kills:
            self.once(self.random.uniform(0, self.longest))
        while not self.once(None):
            pass
        shutil.rmtree(self.top)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float)
    parser.add_argument("folder")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    begin = time.monotonic()
    kills = Kills(options)
    kills.run(options.kills)
    print(f"{kills.killed} kills, {kills.resumed} resumes from "
          f"{len(kills.iterations)} different iterations, "
          f"{kills.compared} checkpoints compared to the byte, "
          f"{kills.finished} ends with all files equal, "
          f"{time.monotonic() - begin:.0f} s")


main()
