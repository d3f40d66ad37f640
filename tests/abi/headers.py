"""What include/ebm declares, read from its text: for the checks beside it."""
import re
from collections import namedtuple

# prototype: "ebm_status ebm_chains_create(...)", without EBM_API and the
# semicolon.
Function = namedtuple("Function", "name prototype parameters")


def _code(path):
    """A header without comments and preprocessor lines."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"),
                  flags=re.S)
    return re.sub(r"^\s*#(?:.*\\\n)*.*$", "", text, flags=re.M)


def _paths(include):
    return sorted(include.glob("ebm/*.h"))


def _parameters(prototype):
    inside = re.sub(r"\s+", " ", prototype[prototype.index("(") + 1:-1])
    return 0 if inside.strip() == "void" else inside.count(",") + 1


def functions(include):
    """All declared functions. No parameter is a bare function pointer, so
    that commas separate parameters."""
    found = []
    for path in _paths(include):
        for statement in re.split(r"[;{}]", _code(path)):
            if "EBM_API" in statement:
                prototype = " ".join(statement.split("EBM_API")[1].split())
                name = re.search(r"(\w+)\s*\(", prototype)[1]
                found.append(Function(name, prototype,
                                      _parameters(prototype)))
            elif re.search(r"^\s*(?!typedef\b)\w[\w\s*]*\bebm_\w+\s*\(",
                           statement):
                raise SystemExit(f"{path.name}: no EBM_API: "
                                 f"{statement.strip()}")
    names = [function.name for function in found]
    if not names or len(names) != len(set(names)):
        raise SystemExit("no function is declared, or one twice")
    return found


def structures(include):
    """The names of the structs whose fields are public."""
    return {name for path in _paths(include)
            for name in re.findall(r"\bstruct\s+(\w+)\s*\{", _code(path))}


def enumerations(include):
    """{"ebm_status": {"EBM_OK": 0, ...}}, without the closing _MAX."""
    found = {}
    for path in _paths(include):
        for name, body in re.findall(r"\benum\s+(\w+)\s*\{(.*?)\}",
                                     _code(path), re.S):
            rows = [row.split("=") for row in "".join(body.split()).split(",")
                    if row]
            if any(len(row) != 2 for row in rows):
                raise SystemExit(f"enum {name}: not every value is written")
            if rows.pop() != [f"{name.upper()}_MAX", "0x7fffffff"]:
                raise SystemExit(f"enum {name} does not end in its _MAX")
            found[name] = {row[0]: int(row[1], 0) for row in rows}
    return found


def constants(include):
    """Names of macros that stand for a value."""
    return [name for path in _paths(include) for name in re.findall(
        r"^#define (EBM_\w+)[ \t]+(?=[\d(\"\\]|\\\n)", path.read_text(), re.M)]


def numbers(include):
    """{"EBM_VERSION_MAJOR": 0, ...}: those that are a plain number."""
    return {name: int(value) for path in _paths(include)
            for name, value in re.findall(r"^#define (EBM_\w+) (\d+)$",
                                          path.read_text(), re.M)}


def listed(map_file):
    """The global names of all nodes of a version script; its nodes."""
    text = re.sub(r"/\*.*?\*/", "", map_file.read_text(), flags=re.S)
    names, nodes = [], []
    for node, body in re.findall(r"(LIBEBM_[\d.]+)\s*\{(.*?)\}", text, re.S):
        nodes.append(node)
        names += re.findall(r"\b(ebm_\w+)\s*;", body)
    return names, nodes
