"""Do the ABI gate and the comparison of symbols fail when they should?

Usage: canary.py TOP LIBRARY CC

Builds small libraries that export all of the public functions with empty
bodies, from the headers and the version script of TOP or from copies that
were broken on purpose, and hands each to gate.py or symbols.py: both have to
find fault with every broken one, in words that name what was broken, and with
no other. LIBRARY is the real one, built with -g.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

import headers

HERE = pathlib.Path(__file__).resolve().parent


class Sample:
    """A copy of the headers and the version script, and what is built."""

    def __init__(self, top, folder, compiler):
        self.folder, self.compiler = folder, compiler
        self.include = folder / "include"
        # What is compiled may differ from what the checks are shown.
        self.compiled = self.include
        shutil.copytree(top / "include", self.include)
        (folder / "src").mkdir()
        self.map = folder / "src" / "libebm.map"
        shutil.copyfile(top / "src" / "libebm.map", self.map)
        self.soname = "libebm.so.{EBM_ABI_MAJOR}".format(
            **headers.numbers(self.include))
        self.library = folder / "libebm.so"
        self.archive = folder / "libebm.a"
        self.flags, self.before, self.without_debug = ["-g"], "", 0

    def edit(self, name, old, new):
        path = self.map if name == "libebm.map" else (
            self.compiled / "ebm" / name)
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{name} has {text.count(old)} times: {old}")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def build(self):
        bodies = []
        for function in headers.functions(self.include):
            body = "{}" if function.prototype.startswith("void ") and (
                not function.prototype.startswith("void *")) else (
                    "{ return 0; }")
            bodies.append(f"{function.prototype}\n{body}\n")
        cut = len(bodies) - self.without_debug
        objects = []
        for part, flags in (([self.before, *bodies[:cut]], self.flags),
                            (bodies[cut:], [])):
            source = self.folder / f"part{len(objects)}.c"
            source.write_text("#include <ebm/ebm.h>\n" + "".join(part),
                              encoding="utf-8")
            objects.append(str(source.with_suffix(".o")))
            run(self.compiler, "-std=c11", "-fPIC", "-fvisibility=hidden",
                "-DEBM_BUILDING", f"-I{self.compiled}", f"-I{self.folder}",
                *flags, "-c", str(source), "-o", objects[-1])
        run(self.compiler, "-shared", *objects, "-o", str(self.library),
            f"-Wl,-soname,{self.soname}", f"-Wl,--version-script={self.map}",
            "-Wl,--no-undefined-version")
        run("ar", "rc", str(self.archive), *objects)


def run(*command):
    subprocess.run(command, check=True)


# ---- What is done to the sample ---------------------------------------------
def nothing(_):
    pass


def function_added(s):
    s.edit("chains.h", "EBM_API void ebm_chains_destroy(",
           "EBM_API int ebm_chains_added(void);\n"
           "EBM_API void ebm_chains_destroy(")
    s.edit("libebm.map", "    ebm_chains_age;",
           "    ebm_chains_added;\n    ebm_chains_age;")


def enumerator_appended(s):
    s.edit("status.h", "EBM_STATUS_MAX =",
           "EBM_ERROR_ADDED = 90,\n    EBM_STATUS_MAX =")


def field_appended(s):
    s.edit("model.h", "    ebm_tangent_fn tangent;\n",
           "    ebm_tangent_fn tangent;\n    size_t added;\n")


def private_struct(s):
    """In a file that is named like the public header."""
    (s.folder / "buffer.h").write_text("struct ebm_buffer { int secret; };\n")
    s.before = '#include "buffer.h"\n'


def field_inserted(s):
    s.edit("model.h", "    ebm_energy_grad_fn energy_grad;\n",
           "    size_t inserted;\n    ebm_energy_grad_fn energy_grad;\n")


def field_removed(s):
    s.edit("context.h", "    void *user;\n} ebm_allocator;",
           "} ebm_allocator;")


def parameter_type(s):
    s.edit("chains.h", "ebm_chains_init_uniform(ebm_chains *chains, double",
           "ebm_chains_init_uniform(ebm_chains *chains, float")


def parameter_handle(s):
    s.edit("chains.h", "EBM_API void ebm_chains_destroy(ebm_chains *chains",
           "struct ebm_other;\n"
           "EBM_API void ebm_chains_destroy(struct ebm_other *chains")


def parameter_added(s):
    s.edit("context.h", "ebm_context_destroy(ebm_context *context)",
           "ebm_context_destroy(ebm_context *context, int added)")


def return_type(s):
    s.edit("version.h", "EBM_API int ebm_version_number(void)",
           "EBM_API long ebm_version_number(void)")


def callback_type(s):
    s.edit("context.h", "const char *text, void *user);",
           "const char *text, void *user, int added);")


def enumerator_renumbered(s):
    s.edit("status.h", "EBM_ERROR_IO = 40", "EBM_ERROR_IO = 42")


def symbol_hidden(s):
    s.compiled = s.folder / "compiled" / "include"
    shutil.copytree(s.include, s.compiled)
    s.edit("version.h", "EBM_API int ebm_version_number(void)",
           "int ebm_version_number(void)")


def symbol_gone(s):
    s.edit("libebm.map", "    ebm_version_number;\n", "")


def symbol_more(s):
    s.edit("libebm.map", "    ebm_version_number;\n",
           "    ebm_version_number;\n    ebm_not_declared;\n")
    s.before = ('__attribute__((visibility("default")))\n'
                "int ebm_not_declared(void);\n"
                "int ebm_not_declared(void)\n{\n    return 0;\n}\n")


def name_foreign(s):
    s.before = "int foreign(void);\nint foreign(void)\n{\n    return 0;\n}\n"


def node_renamed(s):
    s.edit("libebm.map", "LIBEBM_0.1 {", "LIBEBM_0.9 {")


def soname_other(s):
    s.soname = "libebm.so.7"


def debug_missing(s):
    s.flags = []


def debug_partly(s):
    s.without_debug = 3


# ---- The cases: what is done, and what the check has to say -----------------
PASSES = "compatible with"
GATE = [
    (nothing, PASSES),
    (function_added, PASSES),
    (enumerator_appended, PASSES),
    (field_appended, PASSES),
    (private_struct, PASSES),
    (field_inserted, "'size_t inserted'"),
    (field_removed, "'void* user'"),
    (parameter_type, "'double' to 'float'"),
    (parameter_handle, "ebm_other"),
    (parameter_added, "parameter 2 of type 'int' was added"),
    (return_type, "'int' to 'long int'"),
    (callback_type, "ebm_log_fn"),
    (enumerator_renumbered, "'ebm_status::EBM_ERROR_IO' from value '40'"),
    (symbol_hidden, "[D] 'function int ebm_version_number()'"),
    (symbol_gone, "[D] 'function int ebm_version_number()'"),
    (node_renamed, "LIBEBM_0.1"),
    (soname_other, "SONAME changed"),
    (debug_missing, "no debug information in the library"),
    (debug_partly, "ebm_version_string: no debug information"),
]
AGREES = "headers, map and library agree"
SYMBOLS = [
    (nothing, AGREES),
    (function_added, AGREES),
    (symbol_hidden, "ebm_version_number is not in: shared library"),
    (symbol_gone, "ebm_version_number is not in: shared library, libebm.map"),
    (symbol_more, "ebm_not_declared is not in: the headers"),
    (name_foreign, "global symbol foreign in the static library"),
]


def look(name, wanted, passes, command):
    """One case; True when the check said what it should."""
    seen = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if seen.returncode == 77:
        print(seen.stdout)
        sys.exit(77)
    right = seen.returncode == (0 if wanted == passes else 1) and (
        wanted in seen.stdout)
    print(f"{'ok' if right else 'WRONG'}: {name}")
    if not right:
        print(f"status {seen.returncode}, wanted: {wanted}\n{seen.stdout}")
    return right


def main():
    top, library, compiler = sys.argv[1:]
    top = pathlib.Path(top)
    gate = [sys.executable, str(HERE / "gate.py")]
    right = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for check, passes, rows in (("gate", PASSES, GATE),
                                    ("symbols", AGREES, SYMBOLS)):
            for number, (change, wanted) in enumerate(rows):
                sample = Sample(top, folder / f"{check}{number}", compiler)
                change(sample)
                sample.build()
                command = [*gate, str(sample.library),
                           "--include", str(sample.include)]
                if check == "symbols":
                    command = [sys.executable, str(HERE / "symbols.py"),
                               str(sample.folder), str(sample.library),
                               str(sample.archive)]
                right.append(look(f"{check}, {change.__name__}", wanted,
                                  passes, command))

        right.append(look("gate, the library itself", PASSES, PASSES,
                          [*gate, library]))
        stripped = folder / "stripped.so"
        run("strip", "--strip-debug", "-o", str(stripped), library)
        right.append(look("gate, the library itself, stripped",
                          "no debug information in the library", PASSES,
                          [*gate, str(stripped)]))
    print(f"{sum(right)} of {len(right)} as they should be")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
