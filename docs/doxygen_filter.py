"""What Doxygen reads in place of a header: the same, with nothing unsaid.

Usage: doxygen_filter.py HEADER

Comments in include/ebm are written to be read there. They say of a parameter
what is particular about it and leave out what holds everywhere
(docs/conventions.md); they end in "Errors: ... Thread safety: ... Since: ...".
This filter adds the parameters that follow a convention, puts all of them in
the order of the declaration, and turns the three last lines into sections. A
parameter that neither the comment nor a convention explains stays without a
word, and Doxygen complains.
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"/\*\*(?!\*)(.*?)\*/", re.S)
FUNCTION = re.compile(
    r"\s*EBM_API\s+(?P<type>[\w\s*]*?)(?P<name>\w+)\s*"
    r"\((?P<list>[^;{]*)\)\s*;", re.S)
CALLBACK = re.compile(
    r"\s*typedef\s+(?P<type>[\w\s*]*?)\(\s*\*\s*(?P<name>\w+)\s*\)\s*"
    r"\((?P<list>[^;{]*)\)\s*;", re.S)
LABELS = ("Errors", "Thread safety", "Since")
STATUSES = set(re.findall(
    r"\bEBM_ERROR_(\w+) =", pathlib.Path(
        __file__, "../../include/ebm/status.h").resolve().read_text("utf-8")))


def parameters(declared):
    """[(type, name)] of a parameter list, types without spare spaces."""
    pairs = []
    for one in declared.split(","):
        match = re.fullmatch(r"\s*(.*?)(\w+)\s*(\[\w*\])?\s*", one, re.S)
        if match and match[2] != "void":
            kind = re.sub(r"\s*\*\s*", " *", re.sub(r"\s+", " ", match[1]))
            pairs.append((re.sub(r"\* \*", "**", kind.strip()), match[2]))
    return pairs


def text_of(block):
    """The lines of a comment without its stars, or without its indentation."""
    first, *rest = block.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest
                  if line.strip()), default=0)
    bare = [re.sub(r"^\s*\*(?: |$)", "", line)
            if re.match(r"\s*\*(?: |$)", line) else line[margin:]
            for line in rest]
    return [first.strip()] + [line.rstrip() for line in bare]


class Comment:
    """A comment in pieces: prose, parameters, return, the last lines."""

    def __init__(self, block):
        self.body, self.given, self.last = [], {}, {}
        self.written, self.returns = set(), None
        piece, label = self.body, None
        for line in text_of(block):
            match = re.match(r"@(param|return)(\[out\])?\s+(.*)", line)
            if match:
                piece = self.command(match)
            elif re.match(r"Errors: ", line):
                piece = self.last.setdefault("", [])
                piece.append(line)
            elif line == "" and piece is not self.last.get(""):
                piece = self.body
                piece.append(line)
            elif piece is self.body:
                piece.append(line)
            else:
                piece.append(line.strip())
        tail = " ".join(self.last.pop("", []))
        parts = re.split(r"(Errors|Thread safety|Since): ", tail)
        for label, text in zip(parts[1::2], parts[2::2]):
            self.last[label] = text.strip()

    def command(self, match):
        if match[1] == "return":
            self.returns = [match[3]]
            return self.returns
        names, text = re.match(r"(\w+(?:, ?\w+)*)\s*(.*)", match[3]).groups()
        piece = [text]
        for name in re.split(r", ?", names):
            self.given[name] = piece
            if match[2]:
                self.written.add(name)
        return piece


def comments(header):
    """[(match of the comment, its declaration or None)] of a header."""
    for block in BLOCK.finditer(header):
        after = header[block.end():]
        yield block, FUNCTION.match(after) or CALLBACK.match(after)


# ---- What holds everywhere --------------------------------------------------

SHAPE = {"height": "rows", "width": "columns", "channels": "channels"}
SAMPLES = {
    "x": "samples, [n, height, width, channels], finite.",
    "labels": "[n], or NULL for a model without classes.",
    "n": "number of samples, at least 1.",
}
OPTION = {
    "name": "the setting's name; static storage.",
    "kind": "what values it takes.",
    "option_kind": "what values it takes.",
    "minimum": "smallest value allowed.",
    "maximum": "largest value allowed.",
    "initial": "the value of a new object.",
}


def by_convention(function, kind, name, others):
    """What docs/conventions.md says of a parameter, or None."""
    handle = re.fullmatch(r"(const )?ebm_(\w+) (\*\*?)", kind)
    if handle and handle[2] not in ("allocator", "energy_ops"):
        if handle[3] == "**":
            return (f"the new {handle[2]}, owned by the caller; see "
                    f"ebm_{handle[2]}_destroy().")
        if handle[2] == "context":
            return "threads, memory and the text of the last error."
        return f"the {handle[2]}" + ("; only read." if handle[1] else ".")
    if function.endswith("_option") and name in OPTION:
        return OPTION[name]
    if name == "index" and function.startswith("ebm_chains_"):
        return "0 .. ebm_chains_count() - 1."
    if name in SHAPE and kind in ("size_t", "size_t *"):
        return f"{SHAPE[name]} of a sample."
    if re.fullmatch(r"ebm_\w+_fn", kind):
        return f"the caller's function, see #{kind}."
    if re.fullmatch(r"ebm_\w+", kind):
        return f"an enumerator of #{kind}."
    if function.endswith(("_set", "_get", "_get_statistic", "_get_result")) \
            and name == "value":
        return "receives it." if "*" in kind else "the new value."
    if {"x", "labels", "n"} <= others and name in SAMPLES:
        return SAMPLES[name]
    return {"user": "handed to the callback as it is; may be NULL.",
            "seed": "of all its randomness.",
            "n": "length n in the shapes above, at least 1.",
            "m": "length m in the shapes above, at least 1.",
            "d": "length d in the shapes above, at least 1.",
            "path": "name of the file, as fopen() takes it."}.get(name)


def section(match, comment):
    """The lines that stand for a function's comment."""
    function = match["name"]
    pairs = parameters(match["list"])
    names = {name for _, name in pairs}
    lines = list(comment.body)
    while lines and not lines[-1]:
        lines.pop()
    lines.append("")
    for kind, name in pairs:
        text = comment.given.get(name)
        text = " ".join(text) if text else by_convention(
            function, kind, name, names)
        written = name in comment.written or kind.endswith("**")
        if text:
            lines.append(f"@param{'[out]' * written} {name} {text}")
    if comment.returns:
        lines.append("@return " + " ".join(comment.returns))
    elif match["type"].strip() == "ebm_status":
        lines.append("@return #EBM_OK, or what is said under Errors.")
    elif match["type"].split() not in (["void"], []):
        lines.append("@return as said above.")
    for label, text in comment.last.items():
        if label == "Errors":
            text = re.sub(r"\b([A-Z]{2}[A-Z_]*)\b", linked, text)
        lines += ["", f"@par {label}", text]
    return lines


def linked(match):
    """HANDLE in a list of errors, as a link to EBM_ERROR_HANDLE."""
    if match[1] not in STATUSES:
        return match[1]
    return f'@ref EBM_ERROR_{match[1]} "{match[1]}"'


def escape(lines):
    """Angle brackets are brackets here, not HTML. Verbatim lines stay."""
    quoted = [line if line.startswith("    ") else
              re.sub(r"(?<!\\)<", r"\\<", line) for line in lines]
    return "\n * ".join(quoted)


def filtered(header):
    out, end = [], 0
    for block, match in comments(header):
        out.append(header[end:block.start()])
        end = block.end()
        lines = text_of(block[1])
        if match:
            lines = section(match, Comment(block[1]))
        out.append("/** " + escape(lines) + "\n */")
    text = "".join(out) + header[end:]
    # The last enumerator of each list.
    return re.sub(r"^(\s*EBM_\w+_MAX = 0x7fffffff)$",
                  r"\1 /**< No value: it makes the type 32 bits wide. */",
                  text, flags=re.M)


if __name__ == "__main__":
    sys.stdout.write(filtered(pathlib.Path(sys.argv[1]).read_text("utf-8")))
