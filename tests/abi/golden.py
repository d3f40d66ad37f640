"""Numbers that programs rely on and that no tool for ABIs sees.

Usage: golden.py TOP SHARED [--store]

- options.txt: name, kind, minimum, maximum and initial value of every setting
  of every object, asked from the library. A default that changes changes the
  results of programs that never set it.
- enumerators.txt: the value of every enumerator. Most are passed as numbers,
  so they are in no function's type.

What differs from the committed files is a fault, additions too: --store
writes the files anew, and the difference is looked at and committed with the
change that made it.
"""
import ctypes
import difflib
import pathlib
import sys

import headers

HERE = pathlib.Path(__file__).resolve().parent


def shortest(number):
    return repr(number).removesuffix(".0")


def ask(function, *key):
    """The library's answer about one setting: a status and what it says."""
    name, kind = ctypes.c_char_p(), ctypes.c_int()
    numbers = [ctypes.c_double() for _ in range(3)]
    status = function(*key, ctypes.byref(name), ctypes.byref(kind),
                      *[ctypes.byref(number) for number in numbers])
    if status:
        return status, None
    return 0, " ".join([name.value.decode(), str(kind.value),
                        *[shortest(number.value) for number in numbers]])


def options(include, shared):
    enumerations = headers.enumerations(include)
    unsupported = enumerations["ebm_status"]["EBM_ERROR_UNSUPPORTED"]
    library = ctypes.CDLL(str(shared.resolve()))
    rows = []
    for function in headers.functions(include):
        if not function.name.endswith("_option"):
            continue
        call = getattr(library, function.name)
        thing = function.name[:-len("_option")]
        keys = enumerations[f"{thing}_key"]
        kinds = {"": ()}
        if function.parameters == 7:
            kinds = {f" {name}": (value,) for name, value in
                     enumerations[f"{thing}_kind"].items()}
        for kind, first in kinds.items():
            for key, value in keys.items():
                status, row = ask(call, *first, value)
                if status and not (first and status == unsupported):
                    sys.exit(f"{function.name}({key}): status {status}")
                if row:
                    rows.append(f"{thing}{kind} {key} {row}")
            if not ask(call, *first, max(keys.values()) + 1)[0]:
                sys.exit(f"{function.name} knows a key that no header has")
    return rows


def enumerators(include):
    return [f"{enum} {name} {value}"
            for enum, rows in headers.enumerations(include).items()
            for name, value in rows.items()]


def agrees(path, title, rows, store):
    text = f"# {title}\n" + "".join(f"{row}\n" for row in rows)
    if store:
        path.write_text(text, encoding="utf-8")
    old = path.read_text(encoding="utf-8")
    print(*difflib.unified_diff(old.splitlines(), text.splitlines(), path.name,
                                "the library", lineterm="", n=0), sep="\n",
          end="")
    print(f"{path.name}: {len(rows)} rows")
    return old == text


def main():
    store = sys.argv[3:] == ["--store"]
    include = pathlib.Path(sys.argv[1]) / "include"
    right = agrees(HERE / "options.txt",
                   "object [its kind] key name ebm_option_kind minimum maximum "
                   "initial",
                   options(include, pathlib.Path(sys.argv[2])), store)
    right &= agrees(HERE / "enumerators.txt", "enumeration enumerator value",
                    enumerators(include), store)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
