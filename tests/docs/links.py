"""Links of the Markdown pages lead somewhere.

Usage: links.py TOP

Every relative link and image of every *.md is a file or folder that is there,
and every #anchor a heading of its page. Pages of docs/ are all reached from
docs/README.md, and what they put into backticks as a file of the repository
exists. Long pages have a table of contents that is theirs.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "docs"))
from doxygen_pages import anchor, without_code  # noqa: E402

SKIPPED = re.compile(r"(^|/)(build|out)[^/]*/|(^|/)\.")
LINK = re.compile(r"\[(?:[^][]|\[[^]]*\])*\]\(([^()\s]+)\)")
# Like `tests/test_kl.c` or `src/core/`.
PATH = re.compile(r"`((?:src|tests|docs|examples|include)/[\w./-]+)`")


def made_later(top):
    """Folders that programs make, which git ignores."""
    lines = (top / ".gitignore").read_text("utf-8").splitlines()
    return {line.strip("/") for line in lines}


def check_contents(page, complain):
    """A long page lists its sections, all of them, in their order."""
    headings = re.findall(r"^## +(.*?)\s*$", without_code(page), re.M)
    if page.count("\n") < 100 or len(headings) < 4:
        return
    listed = re.findall(r"^- \[[^]]*\]\(#([^)]*)\)$", page, re.M)
    if listed != [anchor(heading) for heading in headings]:
        complain("the table of contents is missing or not that of the page")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    seen, result = {}, set()
    for heading in re.findall(r"^#{1,6} +(.*?)\s*$", without_code(page),
                              re.M):
        name = anchor(heading)
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.add(name if not count else f"{name}-{count}")
    return result


def check_page(path, top, made, complain):
    """Complains, and returns the pages that it leads to."""
    text, reached = without_code(path.read_text("utf-8")), set()
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        if not other.exists():
            complain(f"{target}: there is no such file")
        elif anchor and (other.suffix != ".md" or
                         anchor not in anchors(other.read_text("utf-8"))):
            complain(f"{target}: there is no such heading")
        else:
            reached.add(other)
    for name in PATH.findall(text):
        if not (top / name).exists() and name.strip("/") not in made:
            complain(f"`{name}`: there is no such file")
    return reached


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    pages = [path for path in sorted(top.rglob("*.md"))
             if not SKIPPED.search(path.relative_to(top).as_posix())]
    faults, links, made = [], {}, made_later(top)
    for path in pages:
        name = path.relative_to(top)
        if path != top / "README.md":
            check_contents(path.read_text("utf-8"),
                           lambda text, name=name: faults.append(
                               f"{name}: {text}"))
        links[path] = check_page(
            path, top, made,
            lambda text, name=name: faults.append(f"{name}: {text}"))
    index = top / "docs" / "README.md"
    for path in (top / "docs").glob("*.md"):
        if path != index and path not in links[index]:
            faults.append(f"docs/README.md has no link to {path.name}")
    for fault in faults:
        print(fault)
    count = sum(map(len, links.values()))
    print(f"{len(pages)} pages, {count} links, {len(faults)} faults")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
