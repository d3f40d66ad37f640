"""A Markdown page as Doxygen reads it: headings get labels, links find them.

Usage: doxygen_pages.py PAGE    (in the top folder)

GitHub makes an anchor of every heading, Doxygen none, and its labels are those
of the whole manual. So each heading has the label <page>_<anchor> here, and
links go to labels. What is not in the manual, a source file say, is named and
not linked.
"""
import pathlib
import re
import sys

# Folders of pages, and a page, as INPUT of the Doxyfile has them.
MANUAL = {"docs", "examples", "examples/bindings", "CONTRIBUTING.md"}
LINK = re.compile(r"(?<!!)\[((?:[^][]|\[[^]]*\])*)\]\(([^()\s]+)\)")


def anchor(heading):
    """GitHub's anchor of a heading."""
    heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)


def page_name(path):
    """docs/numerics.md is numerics, examples/README.md examples_readme."""
    parts = path.with_suffix("").parts
    return "_".join(parts[1:] if parts[0] == "docs" else parts).lower()


def link(path, text, target):
    if re.match(r"[a-z]+:", target):
        return f"[{text}]({target})"
    name, _, place = target.partition("#")
    other = path
    if name:
        top = pathlib.Path.cwd()
        other = (top / path.parent / name).resolve().relative_to(top)
    if other.suffix == ".h" and other.parts[0] == "include":
        return f"[{text}](@ref {other.name})"
    if other.suffix != ".md" or not {str(other), str(other.parent)} & MANUAL:
        return text
    label = page_name(other) + (f"_{place}" if place else "")
    return f"[{text}](@ref {label})"


def filtered(path):
    name = page_name(path)

    def labelled(match):
        label = name if not match.start() else f"{name}_{anchor(match[2])}"
        return f"{match[0]} {{#{label}}}"

    pieces = re.split(r"(^```.*?^```$)", path.read_text("utf-8"),
                      flags=re.S | re.M)
    # Every second piece is a block of code.
    text = "\0".join(pieces[::2])
    text = re.sub(r"^(#{1,6}) +(.*?)[ \t]*$", labelled, text, flags=re.M)
    text = LINK.sub(lambda m: link(path, m[1], m[2]), text)
    codes = iter(pieces[1::2])
    return re.sub("\0", lambda _: next(codes), text)


if __name__ == "__main__":
    sys.stdout.write(filtered(pathlib.Path(sys.argv[1]).resolve().relative_to(
        pathlib.Path.cwd())))
