"""The program of docs/tutorial.md compiles, runs, and is du_mordatch.

Usage: tutorial.py TOP SHARED_LIBRARY CC FOLDER [MODEL]

All blocks of C of the page, one after the other, are one program. It runs in
FOLDER with fewer iterations, and its model must be, to the byte, the file
MODEL that du_mordatch wrote with the same numbers.
"""
import os
import pathlib
import re
import subprocess
import sys

# Of du_mordatch as the tests run it: --iterations 2 --batch 16.
NUMBERS = {"BATCH": 16, "ITERATIONS": 2, "SAMPLES": 16, "SAMPLE_STEPS": 5}


def program(page):
    blocks = re.findall(r"^```c\n(.*?)^```$", page, re.S | re.M)
    text = "\n".join(blocks)
    for name, number in NUMBERS.items():
        text, count = re.subn(rf"\b{name} = \d+", f"{name} = {number}", text)
        if count != 1:
            sys.exit(f"tutorial.md sets {name} {count} times")
    return text


def main():
    top, shared, compiler, folder, *model = sys.argv[1:]
    top, folder = pathlib.Path(top), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    source, binary = folder / "tutorial.c", folder / "tutorial"
    source.write_text(program((top / "docs/tutorial.md").read_text("utf-8")))
    where = os.path.dirname(os.path.abspath(shared))
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror",
                    f"-I{top / 'include'}", str(source), "-o", str(binary),
                    os.path.abspath(shared), f"-Wl,-rpath,{where}"],
                   check=True)
    data = top / "examples/data/t10k-images-idx3-ubyte.gz"
    subprocess.run([str(binary.resolve()), str(data.resolve())], check=True,
                   cwd=folder)
    if not (folder / "samples.png").read_bytes().startswith(b"\x89PNG"):
        sys.exit("no samples.png")
    made = (folder / "model.safetensors").read_bytes()
    for path in model:
        if pathlib.Path(path).read_bytes() != made:
            sys.exit(f"another model than {path}")
        print("the model of du_mordatch, to the byte")


if __name__ == "__main__":
    main()
