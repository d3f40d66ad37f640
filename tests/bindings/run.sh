#!/bin/sh
# One language's binding: its example program trains what tests/bindings/toy.c
# trains, to the same bits, and learns something; then its laws (laws.*).
# Usage: run.sh LANGUAGE LIBRARY INCLUDE CC CXX   (CXX may be empty)
# Ends with 77 where the language is absent.
set -eu

language=$1 library=$2 include=$3 cc=$4 cxx=$5
here=$(cd "$(dirname "$0")" && pwd)
examples=$(cd "$here/../../examples/bindings" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/c" "$work/other"
# Several tests run side by side. (Bits do not depend on it.)
export OMP_NUM_THREADS=1

die() {
    echo "bindings: $language: $*" >&2
    exit 1
}
skip() {
    echo "bindings: $language: left out: $*"
    exit 77
}
compile() { # compile COMPILER ARGUMENTS...
    "$@" -Wall -Wextra -Werror -ffp-contract=off -I"$include" \
        -I"$examples/cpp" "$library" -Wl,-rpath,"$(dirname "$library")"
}

case $language in
python)
    # A system's NumPy is for the system's interpreter.
    for python in /usr/bin/python3 python3 ''; do
        [ -n "$python" ] || skip "no Python with NumPy and cffi"
        "$python" -c 'import cffi, numpy' 2>/dev/null && break
    done
    toy="$python -B $examples/python/toy.py"
    laws="$python -B $here/laws.py"
    ;;
node)
    command -v node >/dev/null 2>&1 || skip "no node"
    node -e 'require("koffi")' 2>/dev/null || skip "no koffi in NODE_PATH"
    toy="node $examples/node/toy.js"
    laws="node --expose-gc $here/laws.js"
    ;;
luajit)
    command -v luajit >/dev/null 2>&1 || skip "no luajit"
    toy="luajit $examples/luajit/toy.lua"
    laws="luajit $here/laws.lua"
    ;;
cpp)
    [ -n "$cxx" ] || skip "no C++ compiler"
    for name in $(sed -n 's/^typedef struct ebm_\([a-z]*\) ebm_[a-z]*;/\1/p' \
        "$include"/ebm/*.h); do
        [ "$name" = context ] || grep -q "^ *X($name)" "$examples/cpp/ebm.hpp" ||
            die "ebm.hpp does not know ebm_$name"
    done
    compile "$cxx" -std=c++11 -Wpedantic -Wshadow -O1 "$examples/cpp/toy.cpp" \
        -o "$work/toy"
    sanitize=-fsanitize=address
    echo 'int main() {}' >"$work/empty.cpp"
    "$cxx" $sanitize "$work/empty.cpp" -o "$work/empty" 2>/dev/null &&
        "$work/empty" || sanitize=
    # shellcheck disable=SC2086
    compile "$cxx" -std=c++11 -Wpedantic -Wshadow -g $sanitize \
        "$here/laws.cpp" -o "$work/laws"
    toy=$work/toy laws=$work/laws
    ;;
*) die "no such language" ;;
esac

compile "$cc" -std=c11 "$here/toy.c" -o "$work/toy.c.out"
"$work/toy.c.out" "$work/c"
$toy "$work/other" "$library" "$include" >"$work/said" || die "the example"
cat "$work/said"
for file in network.safetensors bowl.f32; do
    cmp "$work/c/$file" "$work/other/$file" || die "other bits than C's"
done
# What it says it has learnt: 0.8 nats at the least (of 1.75 between a density
# that is flat in the box and the true one), and the bowl's three numbers.
awk '
    /^network: / { learnt = $2 - $5 }
    /^bowl: / {
        gsub(/[(),]/, "")
        bowl = ($3 - 4) ^ 2 < 0.25 && ($5 - 1) ^ 2 < 0.01 && \
            ($6 - 1) ^ 2 < 0.01
    }
    END { exit !(learnt >= 0.8 && bowl) }' "$work/said" ||
    die "this was not learnt"
echo "bindings: $language: the bits of C"
$laws "$library" "$include" || die "laws"
