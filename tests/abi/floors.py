"""Rules of the source tree that a compiler does not check.

Usage: floors.py SRC

- The floors are those that CONTRIBUTING.md lists.
- A room (a folder of SRC) includes only its own headers and those of lower
  floors; rooms of one floor do not include each other.
- Only core/blas.c includes cblas.h, only core/lapack.c declares LAPACK.
- The library prints nothing and ends nothing: no printf, exit, abort, assert.
"""
import pathlib
import re
import sys

FLOORS = [
    ["core"],
    ["kernel"],
    ["model", "image"],
    ["dataset", "transition"],
    ["chains"],
    ["buffer"],
    ["sampler", "loss"],
    ["optimizer"],
    ["diagnostics"],
    ["checkpoint"],
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}

# The context chooses the kernels once, when it is created: the one step up.
ALLOWED = {("core/context.c", "kernel/kernels.h")}

FORBIDDEN = re.compile(
    r"(?<![\w.>])(v?f?printf|puts|fputs|putchar|putc|perror|assert|abort"
    r"|_?_?exit|_Exit|quick_exit|raise|rand|srand|random|strtok)\s*\(")


LAPACK = re.compile(r"\b[sd](?:sy|ge|po|or|st)[a-z0-9]{2,6}_\s*\(")


def strip(text):
    """The code without comments and without the insides of strings."""
    pattern = re.compile(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
        re.S)
    return pattern.sub(
        lambda m: '""' if m[0][0] in "\"'" else "\n" * m[0].count("\n"), text)


def check_file(path, name, complain):
    text = path.read_text(encoding="utf-8")
    room = name.split("/")[0]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not match:
            continue
        quote, header = match.groups()
        where = f"{name}:{number}"
        if header.endswith("cblas.h") and name != "core/blas.c":
            complain(f"{where}: only core/blas.c includes cblas.h")
        if quote == "<":
            continue
        other = header.split("/")[0]
        if "/" not in header or other not in FLOOR:
            complain(f'{where}: "{header}" is not named as room/header')
        elif (name, header) in ALLOWED or other == room:
            continue
        elif FLOOR[other] >= FLOOR[room]:
            complain(f'{where}: {room} may not include "{header}"')
    for number, line in enumerate(strip(text).splitlines(), 1):
        match = FORBIDDEN.search(line)
        if match:
            complain(f"{name}:{number}: {match[1]}() in the library")
        if LAPACK.search(line) and name != "core/lapack.c":
            complain(f"{name}:{number}: only core/lapack.c calls LAPACK")


def check_list(path, complain):
    """The list in CONTRIBUTING.md: floors by semicolons, rooms by commas."""
    text = " ".join(path.read_text(encoding="utf-8").split())
    said = re.search(r"lowest first: ([a-z,; ]+?) A folder", text)
    floors = [[room.strip() for room in floor.split(",")]
              for floor in said[1].split(";")] if said else []
    if floors != FLOORS:
        complain(f"{path.name} lists other floors: {floors}")


def main():
    root = pathlib.Path(sys.argv[1])
    faults = []
    check_list(root.parent / "CONTRIBUTING.md", faults.append)
    files = sorted(p for p in root.rglob("*") if p.suffix in (".c", ".h"))
    for path in files:
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] not in FLOOR:
            faults.append(f"{name}: its room has no floor")
            continue
        check_file(path, name, faults.append)
    for fault in faults:
        print(fault)
    print(f"{len(files)} files, {len(faults)} faults")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
