#!/bin/sh
# Fuzzing with clang's libFuzzer, address and undefined-behaviour sanitizers.
#
#     sh tests/fuzz/run.sh                 a few seconds a parser, as in CI
#     sh tests/fuzz/run.sh --long          10 minutes a parser
#     sh tests/fuzz/run.sh --minutes 20 model
#                                          20 minutes of one
#
# Builds in build-test/fuzz (or $EBM_FUZZ_BUILD). Inputs that were found go to
# corpus/ there and are begun with the next time; a fault leaves its input in
# faults/ and can be run again by
#
#     build-test/fuzz/tests/fuzz/fuzz_model FILE
set -eu
cd "$(dirname "$0")/../.."

seconds=5
case ${1-} in
--long)
    seconds=600
    shift
    ;;
--minutes)
    seconds=$((60 * $2))
    shift 2
    ;;
-*)
    sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' tests/fuzz/run.sh
    exit 2
    ;;
esac
if ! command -v clang >/dev/null 2>&1; then
    echo "clang is not there"
    exit 77
fi

build=${EBM_FUZZ_BUILD:-build-test/fuzz}
CC=clang CXX=clang++ cmake -S . -B "$build" -DEBM_WERROR=ON \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEBM_EXAMPLES=OFF \
    -DEBM_BENCHMARKS=OFF \
    -DEBM_SANITIZE=address,undefined,fuzzer-no-link >/dev/null
cmake --build "$build" --target ebm_fuzz --parallel "$(nproc)" >/dev/null

[ $# -gt 0 ] || set -- idx cifar png model checkpoint options
failed=
for parser in "$@"; do
    corpus=$build/corpus/$parser
    mkdir -p "$corpus" "$build/faults"
    "$build/tests/fuzz/fuzz_$parser" --seeds "$corpus" >/dev/null
    dictionary=
    [ ! -f "tests/fuzz/$parser.dict" ] ||
        dictionary=-dict=tests/fuzz/$parser.dict
    # Time and memory are bounded by the harness; the limits here are for what
    # goes round it.
    log=$build/faults/$parser.log
    # shellcheck disable=SC2086
    if UBSAN_OPTIONS=print_stacktrace=1 "$build/tests/fuzz/search_$parser" \
        -max_total_time="$seconds" -timeout=300 -rss_limit_mb=1024 \
        -max_len=16384 -print_final_stats=1 -verbosity=1 $dictionary \
        -artifact_prefix="$build/faults/$parser-" "$corpus" >"$log" 2>&1; then
        result="no fault"
    else
        result=FAULT
        failed="$failed $parser"
        tail -40 "$log"
    fi
    printf '%-10s %6d s  %10s executions  %s\n' "$parser" "$seconds" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$result"
done
[ -z "$failed" ] || exit 1
