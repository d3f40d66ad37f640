"""Every public function says what a caller has to know.

Usage: comments.py TOP

- The comment of each function has Errors, Thread safety and Since, in this
  order, at its end; the labels are whole on their line, so that a search for
  them finds them. What returns an ebm_status can fail in some way.
- No line of prose begins with a sign: Doxygen takes it for a list's, and the
  equation loses its minus.
- Each enumerator has a comment of its own.
- The errors are those of status.h, written without EBM_ERROR_; "as
  ebm_other()" names a function that there is.
- Functions, enumerators and types that a comment names exist, in some header.
- docs/errors.md has a row for each status.
- A status that the function's code returns, with the functions of the same
  file that it calls, is among its errors.
- The filter that Doxygen reads comments through says nothing of a parameter
  that the declaration does not have.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "docs"))
import doxygen_filter as reader  # noqa: E402

# A text that looks like a name.
NOT_DECLARED = {"EBM_STATUS_UNKNOWN"}


def fault(header, match, text):
    return f"{header}: {match['name']}: {text}"


def function_faults(header, block, match):
    """What a function's comment lacks."""
    comment = reader.Comment(block)
    faults = []
    if tuple(comment.last) != reader.LABELS:
        found = ", ".join(comment.last) or "none"
        faults.append(f"ends in {found}, not in {', '.join(reader.LABELS)}")
    if re.search(r"\bThread\n|Since:\n|Errors, |[^\s*] +Errors: ", block):
        faults.append("a label is broken, or not at the beginning of a line")
    errors = comment.last.get("Errors", "")
    status = match["type"].strip() == "ebm_status"
    if status and not re.search(r"\b[A-Z]{2,}\b|\bas ebm_|\bof ebm_", errors):
        faults.append(f"returns a status, but its errors are: {errors}")
    if not status and not errors.startswith("none"):
        faults.append("returns no status, so it has no errors")
    for word in re.findall(r"\b[A-Z][A-Z_]{4,}\b", strip_groups(errors)):
        if word not in reader.STATUSES:
            faults.append(f"{word} is no status")
    declared = {name for _, name in reader.parameters(match["list"])}
    for name in comment.given:
        if name not in declared:
            faults.append(f"@param {name} is not a parameter")
    return [fault(header, match, text) for text in faults]


def errors_of(name, lasts, seen=()):
    """The statuses that a comment names, those of "as ebm_other()" too."""
    text = lasts[name]
    found = set(re.findall(r"\b[A-Z_]{2,}\b", text)) & reader.STATUSES
    for other in re.findall(r"\b(?:as|of) (ebm_\w+)", text):
        if other in lasts and other not in seen:
            found |= errors_of(other, lasts, (*seen, name))
    return found


def returned(name, bodies, seen=()):
    """Statuses that a body and the functions it calls of its file name."""
    found = set(re.findall(r"\bEBM_ERROR_(\w+)", bodies[name]))
    if "EBM_CHECK_HANDLE" in bodies[name]:
        found.add("HANDLE")
    for other in set(re.findall(r"\b(\w+)\(", bodies[name])) - {name, *seen}:
        if other in bodies:
            found |= returned(other, bodies, (*seen, name))
    return found


def body_faults(source, lasts):
    """What code names with EBM_ERROR_ and the function's comment does not."""
    pattern = re.compile(
        r"^[a-z][\w \*]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.S | re.M)
    faults, count = [], 0
    for path in sorted(source.rglob("*.c")):
        bodies = dict(pattern.findall(path.read_text("utf-8")))
        for name in bodies.keys() & lasts.keys():
            if lasts[name].startswith("none"):
                continue
            missing = returned(name, bodies) - errors_of(name, lasts)
            count += len(missing) + len(errors_of(name, lasts))
            faults += [f"{path.name}: {name}: {status} is not among its errors"
                       for status in sorted(missing)]
    return faults if count else ["no function's body was found"]


def enumerator_faults(header, text):
    """Enumerators, but for the last of a list, without a comment."""
    listed = re.findall(r"(\*/)?\s*^ +(EBM_\w+) = (\w+),?$",
                        text, re.M)
    return [f"{header}: {name}: no comment" for before, name, value in listed
            if not before and value != "0x7fffffff"]


def list_faults(header, block):
    """Lines that begin like a list's item, but where no list can begin."""
    faults, before = [], ""
    for line in reader.text_of(block):
        if re.match(r"[-+*] ", line) and before and \
                not before.startswith(line[0]):
            faults.append(f"{header}: a line begins with a sign: {line}")
        if not line.startswith("  "):
            before = line
    return faults


def strip_groups(text):
    """The text without what stands in parentheses."""
    while True:
        shorter = re.sub(r"\([^()]*\)", "", text)
        if shorter == text:
            return text
        text = shorter


def main():
    top = pathlib.Path(sys.argv[1])
    headers = {path.name: path.read_text("utf-8")
               for path in sorted((top / "include" / "ebm").glob("*.h"))}
    code = "".join(re.sub(r"/\*.*?\*/", "", text, flags=re.S)
                   for text in headers.values())
    known = set(re.findall(r"\b(?:ebm|EBM)_\w+", code)) | NOT_DECLARED
    faults, functions, lasts = [], 0, {}
    for header, text in headers.items():
        faults += enumerator_faults(header, text)
        for block, match in reader.comments(text):
            faults += list_faults(header, block[1])
            for name in re.findall(r"(?<!\w)(?:ebm|EBM)_\w+", block[1]):
                if name not in known and not name.endswith("_"):
                    faults.append(f"{header}: there is no {name}")
            if match and "EBM_API" in match[0]:
                functions += 1
                lasts[match["name"]] = reader.Comment(block[1]).last.get(
                    "Errors", "")
                faults += function_faults(header, block[1], match)
    faults += body_faults(top / "src", lasts)
    errors = (top / "docs" / "errors.md").read_text("utf-8")
    faults += [f"errors.md: nothing about EBM_ERROR_{name}"
               for name in sorted(reader.STATUSES)
               if f"`EBM_ERROR_{name}` |" not in errors]
    declared = len(re.findall(r"\bEBM_API\b(?=[^;{}]*\()",
                              re.sub(r"^\s*#.*$", "", code, flags=re.M)))
    if functions != declared:
        faults.append(f"{declared} functions are declared, "
                      f"{functions} have a comment")
    for line in faults:
        print(line)
    print(f"{functions} functions, {len(faults)} faults")
    return 1 if faults or not functions else 0


if __name__ == "__main__":
    sys.exit(main())
