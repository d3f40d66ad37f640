"""Every place that states the version states the same one.

Usage: versions.py TOP SHARED EBM_PC CMAKE_VERSION_FILE

The macros of version.h against: the functions, the soname and the name of the
library's file, the newest node of the version script, ebm.pc as pkg-config
reads it, the CMake package, the newest part of CHANGELOG.md, and the triple
current:revision:age in version.h (its current - age is the soname's number).
"""
import ctypes
import os
import pathlib
import re
import subprocess
import sys

import headers
from gate import output


def pkg_config(path):
    where = {**os.environ, "PKG_CONFIG_PATH": str(path.parent)}
    return subprocess.run(["pkg-config", "--modversion", path.stem], env=where,
                          check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def main():
    top, shared, pc, cmake = map(pathlib.Path, sys.argv[1:])
    numbers = headers.numbers(top / "include")
    parts = [numbers[f"EBM_VERSION_{part}"]
             for part in ("MAJOR", "MINOR", "PATCH")]
    version = ".".join(map(str, parts))
    abi = numbers["EBM_ABI_MAJOR"]
    triples = re.findall(r"\b(\d+):(\d+):(\d+)\b", (
        top / "include/ebm/version.h").read_text(encoding="utf-8"))
    library = ctypes.CDLL(str(shared.resolve()))
    library.ebm_version_string.restype = ctypes.c_char_p

    rows = [  # what, what it says, what it should
        ("ebm_version_string()", library.ebm_version_string().decode(),
         version),
        ("ebm_version_number()", library.ebm_version_number(),
         parts[0] * 1000000 + parts[1] * 1000 + parts[2]),
        ("ebm_abi_major()", library.ebm_abi_major(), abi),
        ("soname", re.search(r"soname: \[(.*)\]",
                             output("readelf", "-d", str(shared)))[1],
         f"libebm.so.{abi}"),
        ("file", shared.resolve().name, f"libebm.so.{version}"),
        ("newest node", headers.listed(top / "src/libebm.map")[1][-1],
         f"LIBEBM_{parts[0]}.{parts[1]}"),
        ("pkg-config", pkg_config(pc), version),
        ("CMake package", re.search(r'set\(PACKAGE_VERSION "(.*)"\)',
                                    cmake.read_text())[1], version),
        ("CHANGELOG.md", re.search(r"^## ([\d.]+)", (
            top / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[1],
         version),
        ("current - age", int(triples[-1][0]) - int(triples[-1][2]), abi),
    ]
    wrong = [row for row in rows if row[1] != row[2]]
    for what, seen, wanted in wrong:
        print(f"{what}: {seen}, not {wanted}")
    print(f"version {version}: {len(rows) - len(wrong)} of {len(rows)} places")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
