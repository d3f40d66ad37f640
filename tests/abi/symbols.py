"""Compares what is declared with what is exported.

Usage: symbols.py TOP SHARED STATIC CC

- The functions that include/ebm declares, those that src/libebm.map lists,
  and those that the shared library exports are the same; nothing else is
  exported. (A linker accepts a listed function that is hidden, and a header
  may declare one that nobody wrote: only all three together show it.)
- The newest node of the map is the minor version, the soname the ABI number.
- Every global symbol of the static library begins with ebm_.
- A program that takes the address of every declared function links with the
  shared library and runs.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def run(*command, **more):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE, **more).stdout


def declared(include):
    names = []
    for header in sorted(include.glob("ebm/*.h")):
        text = header.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"^\s*#(?:.*\\\n)*.*$", "", text, flags=re.M)
        for statement in re.split(r"[;{}]", text):
            if "EBM_API" in statement:
                names.append(re.search(r"(\w+)\s*\(", statement)[1])
            elif re.search(r"^\s*(?!typedef\b)\w[\w\s*]*\bebm_\w+\s*\(",
                           statement):
                sys.exit(f"{header.name}: no EBM_API: {statement.strip()}")
    if len(names) != len(set(names)):
        sys.exit("a function is declared twice")
    return set(names)


def listed(map_file):
    """The global names of all nodes, and the newest node."""
    text = re.sub(r"/\*.*?\*/", "", map_file.read_text(), flags=re.S)
    names, nodes = set(), []
    for node, body in re.findall(r"(LIBEBM_[\d.]+)\s*\{(.*?)\}", text, re.S):
        nodes.append(node)
        names |= set(re.findall(r"\b(ebm_\w+)\s*;", body))
    return names, nodes[-1]


def exported(shared):
    names = set()
    for line in run("nm", "-D", "--defined-only", shared).splitlines():
        kind, name = line.split()[-2:]
        if kind == "A":  # the version node itself
            continue
        names.add(name.split("@")[0])
    return names


def global_symbols(static):
    names = set()
    for line in run("nm", "-g", "--defined-only", static).splitlines():
        fields = line.split()
        if len(fields) == 3:
            names.add(fields[2])
    return names


def numbers(version_header):
    return {name: int(value) for name, value in re.findall(
        r"^#define (EBM_\w+) (\d+)$", version_header.read_text(), re.M)}


def take_addresses(top, names, shared, compiler):
    rows = "".join(f"    (function *){name},\n" for name in sorted(names))
    source = ("#include <ebm/ebm.h>\n"
              "typedef void function(void);\n"
              f"static function *volatile all[] = {{\n{rows}}};\n"
              "int main(void)\n{\n"
              "    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)\n"
              "        if (!all[i])\n            return 1;\n"
              "    return ebm_version_number() != EBM_VERSION_NUMBER;\n}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "addresses.c")
        with open(path, "w", encoding="utf-8") as out:
            out.write(source)
        program = os.path.join(folder, "addresses")
        where = os.path.dirname(os.path.abspath(shared))
        run(compiler, "-std=c11", "-Wall", "-Werror", f"-I{top / 'include'}",
            path, "-o", program, shared, f"-Wl,-rpath,{where}")
        run(program)


def main():
    top, shared, static, compiler = sys.argv[1:]
    top = pathlib.Path(top)
    sets = {"the headers": declared(top / "include"),
            "shared library": exported(shared)}
    sets["libebm.map"], node = listed(top / "src" / "libebm.map")
    faults = []
    everything = set().union(*sets.values())
    for name in sorted(everything):
        missing = [where for where, names in sets.items() if name not in names]
        if missing:
            faults.append(f"{name} is not in: {', '.join(missing)}")

    for name in sorted(global_symbols(static)):
        if not name.startswith("ebm_"):
            faults.append(f"global symbol {name} in the static library")

    version = numbers(top / "include" / "ebm" / "version.h")
    minor = "LIBEBM_{EBM_VERSION_MAJOR}.{EBM_VERSION_MINOR}".format(**version)
    if node != minor:
        faults.append(f"the newest node of libebm.map is {node}, not {minor}")
    soname = "libebm.so.{EBM_ABI_MAJOR}".format(**version)
    dynamic = run("readelf", "-d", shared)
    if f"soname: [{soname}]" not in dynamic:
        faults.append(f"the soname is not {soname}")

    for fault in faults:
        print(fault)
    if not faults:
        take_addresses(top, sets["the headers"], shared, compiler)
        print(f"{len(everything)} functions: headers, map and library agree")
    return 1 if faults or not everything else 0


if __name__ == "__main__":
    sys.exit(main())
