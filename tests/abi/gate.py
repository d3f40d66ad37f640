"""Does the library still have the ABI that was published?

Usage: gate.py LIBRARY [--include FOLDER] [--baseline FILE] [--store]

Compares a shared library of a Debug build by GCC with the baseline beside this
script, libebm-<machine>.abi, through libabigail. Whatever linked with the
baseline's library must run with this one: nothing may be gone or changed.
What is added is allowed, and named, since it is not guarded before the next
--store, which writes the baseline anew.

abidiff alone passes much that it should not: a library without debug
information is compared by the names of its symbols only. So what is read from
a library has to be whole, or the gate fails: every exported function, with as
many parameters as in the headers, and no field of a private struct.

Exit status: 0 compatible, 1 not, 2 usage, 77 the tools or a baseline for this
machine are missing.
"""
import argparse
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import headers

HERE = pathlib.Path(__file__).resolve().parent
WRITE = ["abidw", "--suppressions", str(HERE / "private.suppr"),
         "--exported-interfaces-only", "--drop-undefined-syms",
         "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs",
         "--no-elf-needed", "--no-parameter-names",
         "--type-id-style", "hash"]
COMPARE = ["abidiff", "--suppressions", str(HERE / "allowed.suppr"),
           "--no-added-syms"]


def output(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def exported(library):
    """{name: name with version} of the functions that a library exports."""
    found = {}
    for line in output("nm", "-D", "--defined-only", library).splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the version node itself
            found[name.split("@")[0]] = name
    return found


def describe(library, include, path):
    """Writes what abidw reads from the library; returns what is wrong."""
    if not any(".debug_info" in line for line in output(
            "readelf", "-SW", library).splitlines()):
        return ["there is no debug information in the library"]
    subprocess.run([*WRITE, "--out-file", str(path), library], check=True)
    root = xml.etree.ElementTree.parse(path).getroot()

    parameters = {}
    for function in root.iter("function-decl"):
        symbol = function.get("elf-symbol-id", "").split("@")[0]
        parameters[symbol] = len(function.findall("parameter"))
    declared = {f.name: f.parameters for f in headers.functions(include)}
    faults = []
    for name in sorted(exported(library)):
        if name not in parameters:
            faults.append(f"{name}: no debug information (or folded into an "
                          "equal function, by optimisation)")
        elif declared.get(name, parameters[name]) != parameters[name]:
            faults.append(f"{name}: {declared[name]} parameters in the "
                          f"headers, {parameters[name]} read")
    public = headers.structures(include)
    for struct in root.iter("class-decl"):
        if struct.get("is-declaration-only") != "yes" and (
                struct.get("name") not in public):
            faults.append(f"struct {struct.get('name')} is private, but its "
                          "fields were read")
    return faults


def symbols(path):
    root = xml.etree.ElementTree.parse(path).getroot()
    return {symbol.get("name") for symbol in root.iter("elf-symbol")}


def compare(baseline, seen):
    """True when programs built with the baseline run with what is seen."""
    answer = subprocess.run([*COMPARE, str(baseline), str(seen)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    added = sorted(symbols(seen) - symbols(baseline))
    if added:
        print(f"{len(added)} functions are not guarded yet (gate.py --store): "
              f"{', '.join(added)}")
    if answer.returncode == 0:
        return True
    # 4 and 8 are changes, 1 and 2 errors, negative ones signals.
    print(answer.stdout)
    print(f"abidiff: status {answer.returncode}")
    return False


def main():
    arguments = argparse.ArgumentParser(description="The ABI gate")
    arguments.add_argument("library")
    arguments.add_argument("--include", type=pathlib.Path,
                           default=HERE.parents[1] / "include")
    arguments.add_argument("--baseline", type=pathlib.Path,
                           default=HERE / f"libebm-{platform.machine()}.abi")
    arguments.add_argument("--store", action="store_true")
    chosen = arguments.parse_args()
    if not shutil.which("abidw") or not shutil.which("abidiff"):
        print("abidw and abidiff are missing (Debian: abigail-tools)")
        return 77
    if not chosen.store and not chosen.baseline.exists():
        print(f"no baseline {chosen.baseline.name} for this machine")
        return 77

    with tempfile.TemporaryDirectory() as folder:
        seen = pathlib.Path(folder) / "seen.abi"
        faults = describe(chosen.library, chosen.include, seen)
        for fault in faults:
            print(fault)
        if faults:
            return 1
        if chosen.store:
            if chosen.baseline.exists():
                compare(chosen.baseline, seen)
            shutil.copyfile(seen, chosen.baseline)
            print(f"{chosen.baseline.name}: {len(symbols(seen))} functions")
            return 0
        if not compare(chosen.baseline, seen):
            return 1
        print(f"compatible with {chosen.baseline.name}: "
              f"{len(symbols(chosen.baseline))} functions")
        return 0


if __name__ == "__main__":
    sys.exit(main())
