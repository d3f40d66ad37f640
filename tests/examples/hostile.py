"""Examples say so when a model is no good, and never print NaN.

Usage: hostile.py FOLDER MODEL OTHER PROGRAM OPTIONS...

Writes spoilt copies of MODEL, which the program takes, and runs it on each;
OTHER is a model of a shape that it does not take, or "-".
"""
import array
import json
import pathlib
import re
import subprocess
import sys


def spoil(model, path, change):
    """A copy with all parameters changed."""
    raw = model.read_bytes()
    begin = 8 + int.from_bytes(raw[:8], "little")
    body = bytearray(raw[begin:])
    for name, entry in json.loads(raw[8:begin]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        low, high = entry["data_offsets"]
        values = array.array("f", bytes(body[low:high]))
        values = array.array("f", [change(x) for x in values])
        body[low:high] = values.tobytes()
    path.write_bytes(raw[:begin] + body)
    return path


def expect(command, model, codes):
    result = subprocess.run([*command, "--model", model], capture_output=True,
                            text=True)
    error = {0: "", 1: "error: ", 2: "error: --model: "}.get(
        result.returncode, "?")
    print(f"{model}: {result.returncode} {result.stderr.strip()}")
    if (result.returncode not in codes or
            not result.stderr.startswith(error) or
            re.search(r"\bnan\b", result.stdout, re.IGNORECASE)):
        sys.exit(f"hostile.py: {result.args}: {result.returncode}, not one of "
                 f"{codes}\n{result.stdout}{result.stderr}")


def main():
    top, model, other, *command = sys.argv[1:]
    top, model = pathlib.Path(top), pathlib.Path(model)
    top.mkdir(parents=True, exist_ok=True)
    command += ["--out", top]
    spoilt = {
        # Refused before anything is done.
        "nan": (lambda x: x * float("nan"), (2,)),
        # Energies that are no numbers.
        "huge": (lambda x: 1e30 * x, (1,)),
        # Energies in which no chain moves, or that are no numbers.
        "steep": (lambda x: 1e3 * x, (0, 1)),
        # The same energy everywhere.
        "zero": (lambda x: 0 * x, (0,))}
    for name, (change, codes) in spoilt.items():
        expect(command, spoil(model, top / f"{name}.safetensors", change),
               codes)
    if other != "-":
        expect(command, other, (2,))


if __name__ == "__main__":
    main()
