#!/bin/sh
# The reference manual is complete: Doxygen has nothing to complain about.
#
#     sh tests/docs/doxygen.sh TOP OUT
#
# 77 (skipped) without Doxygen.
set -eu
top=$1
out=$2
command -v doxygen >/dev/null || {
    echo "doxygen is not installed"
    exit 77
}
mkdir -p "$out"
cd "$top"
{
    cat docs/Doxyfile
    echo "OUTPUT_DIRECTORY = $out"
    echo "WARN_AS_ERROR = FAIL_ON_WARNINGS"
} >"$out/Doxyfile"
doxygen "$out/Doxyfile"
# An empty manual has no warnings either.
pages=$(grep -l 'Thread safety' "$out"/html/*_8h.html | wc -l)
headers=$(grep -l EBM_API include/ebm/*.h | grep -vc /export.h)
echo "$pages pages of functions for $headers headers with functions"
[ "$pages" -eq "$headers" ]
