#!/bin/sh
# Every public header compiles alone, as C99 and as C++11, without a warning.
# Usage: run.sh INCLUDE_FOLDER CC [CXX]
set -eu

include=$1 cc=$2 cxx=${3-}
count=0
for path in "$include"/ebm/*.h; do
    header=ebm/${path##*/}
    # Twice: the guard holds.
    code="#include <$header>
#include <$header>
extern int something;"
    printf '%s\n' "$code" | "$cc" -std=c99 -Wall -Wextra -Wundef \
        -Wstrict-prototypes -pedantic-errors -Werror -fsyntax-only \
        -I "$include" -x c -
    if [ -n "$cxx" ]; then
        printf '%s\n' "$code" | "$cxx" -std=c++11 -Wall -Wextra -Wundef \
            -pedantic-errors -Werror -fsyntax-only -I "$include" -x c++ -
    fi
    if [ "$header" != ebm/ebm.h ] &&
        ! grep -q "^#include <$header>" "$include/ebm/ebm.h"; then
        echo "ebm/ebm.h does not include $header" >&2
        exit 1
    fi
    count=$((count + 1))
done
if [ -n "$cxx" ]; then
    echo "$count headers, C99 and C++11"
else
    echo "$count headers, C99 (no C++ compiler here)"
fi
