"""Compares what is declared with what is exported.

Usage: symbols.py TOP SHARED STATIC

- The functions that include/ebm declares, those that src/libebm.map lists,
  and those that the shared library exports are the same; nothing else is
  exported. (A linker accepts a listed function that is hidden, and a header
  may declare one that nobody wrote: only all three together show it.)
- No function is listed twice.
- Every global symbol of the static library begins with ebm_.
"""
import pathlib
import sys

import headers
from gate import exported, output


def global_symbols(static):
    names = set()
    for line in output("nm", "-g", "--defined-only", static).splitlines():
        fields = line.split()
        if len(fields) == 3:
            names.add(fields[2])
    return names


def main():
    top, shared, static = sys.argv[1:]
    top = pathlib.Path(top)
    listed, _ = headers.listed(top / "src" / "libebm.map")
    sets = {"the headers": {f.name for f in
                            headers.functions(top / "include")},
            "shared library": set(exported(shared)),
            "libebm.map": set(listed)}
    faults = []
    everything = set().union(*sets.values())
    for name in sorted(everything):
        missing = [where for where, names in sets.items() if name not in names]
        if missing:
            faults.append(f"{name} is not in: {', '.join(missing)}")
    if len(listed) != len(set(listed)):
        faults.append("libebm.map lists a function twice")
    for name in sorted(global_symbols(static)):
        if not name.startswith("ebm_"):
            faults.append(f"global symbol {name} in the static library")

    for fault in faults:
        print(fault)
    if not faults:
        print(f"{len(everything)} functions: headers, map and library agree")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
