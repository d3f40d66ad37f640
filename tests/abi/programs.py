"""Programs that are generated from the headers, compiled and run.

Usage: programs.py INCLUDE SHARED CC [CXX]

As C99 and as C++11, both pedantic and without a warning:

- The address of every declared function is taken, so each one links.
- Every constant (a macro that stands for a number) has a function of the same
  name in small letters, and that returns it.
- ebm_status_name() gives every status the name of its enumerator.
"""
import pathlib
import subprocess
import sys
import tempfile

import headers

STRICT = ["-pedantic-errors", "-Wall", "-Wextra", "-Werror"]
LANGUAGES = (("C99", "c", "-std=c99"), ("C++11", "cc", "-std=c++11"))


def source(include):
    names = [function.name for function in headers.functions(include)]
    constants = headers.constants(include)
    missing = [name for name in constants if name.lower() not in names]
    if missing:
        sys.exit(f"constants without a function: {', '.join(missing)}")
    addresses = "".join(f"    (function *){name},\n" for name in names)
    checks = "".join(
        f'    wrong += check("{name}", {name.lower()}() == {name});\n'
        for name in constants)
    checks += "".join(
        f'    wrong += check("name of {name}", '
        f'!strcmp(ebm_status_name({name}), "{name}"));\n'
        for name in headers.enumerations(include)["ebm_status"])
    return f"""#include <stdio.h>
#include <string.h>

#include <ebm/ebm.h>

typedef void function(void);
static function *const volatile all[] = {{
{addresses}}};

static int check(const char *what, int right)
{{
    if (!right)
        printf("%s: the library does not agree with the headers\\n", what);
    return !right;
}}

int main(void)
{{
    int wrong = 0;
    size_t i;

    for (i = 0; i < sizeof all / sizeof *all; i++)
        wrong += check("address", all[i] != NULL);
{checks}    return wrong != 0;
}}
"""


def main():
    include, shared = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    compilers = [name for name in sys.argv[3:] if name]
    text = source(include)
    with tempfile.TemporaryDirectory() as folder:
        for (language, ending, standard), compiler in zip(LANGUAGES,
                                                          compilers):
            path = pathlib.Path(folder) / f"program.{ending}"
            path.write_text(text, encoding="utf-8")
            program = path.with_suffix(f".{ending}.out")
            where = shared.resolve().parent
            subprocess.run([compiler, standard, *STRICT, f"-I{include}",
                            str(path), "-o", str(program), str(shared),
                            f"-Wl,-rpath,{where}"], check=True)
            if subprocess.run([str(program)], check=False).returncode:
                sys.exit(f"{language}: the program failed")
            print(f"{len(headers.functions(include))} functions, "
                  f"{len(headers.constants(include))} constants: {language}")


if __name__ == "__main__":
    main()
