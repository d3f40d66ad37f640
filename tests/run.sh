#!/bin/sh
# Installs what is missing, builds, and runs every test.
#
#     sh tests/run.sh          all of it, about half an hour on two cores
#     sh tests/run.sh --quick  gcc and every test once
#
# Builds are kept in build-test/, so a second run compiles only what changed.
# To run a part by hand: ctest --test-dir build-test/gcc -L short
# (labels: short, long, check, threads, valgrind).
set -eu
cd "$(dirname "$0")/.."

quick=
case ${1-} in
--quick) quick=yes ;;
--help | -h)
    sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' tests/run.sh
    exit 0
    ;;
'') ;;
*)
    echo "usage: sh tests/run.sh [--quick]" >&2
    exit 2
    ;;
esac

step=start
finish() {
    status=$?
    if [ "$status" -eq 0 ]; then
        echo "tests/run.sh: everything passed"
    else
        echo "tests/run.sh: FAILED at: $step" >&2
    fi
    exit "$status"
}
trap finish EXIT
# A signal ends the run as a failure, not as a pass.
trap 'exit 130' INT
trap 'exit 143' TERM
begin() {
    step=$*
    echo
    echo "==== $step"
}

begin packages
. tests/support/packages.sh
# (gfortran: openblas.pc names its library for static links.)
install_packages gcc g++ gfortran libc6-dev make cmake pkg-config python3 \
    libopenblas-openmp-dev libsleef-dev zlib1g-dev libpng-dev libjansson-dev \
    libcmocka-dev dpkg-dev file libopenblas0
[ "$quick" ] || install_packages clang libomp-dev clang-format doxygen valgrind \
    libc6-dbg libopenblas0-serial libblis-openmp-dev libblas-dev \
    liblapack-dev abigail-tools \
    python3-numpy python3-cffi luajit

# (Node's binding stands on koffi, which Debian does not have. Where npm is
# absent too, Debian's brings 350 packages along.)
if [ -z "$quick" ]; then
    command -v npm >/dev/null 2>&1 || install_packages nodejs npm
    export NODE_PATH="$PWD/build-test/node/node_modules"
    mkdir -p build-test/node
    cp examples/bindings/node/package.json build-test/node/
    npm install --prefix build-test/node --no-package-lock --no-audit \
        --no-fund --ignore-scripts
fi

jobs=$(nproc)
# OpenBLAS shall choose its kernels by itself; the tests of determinism name
# others where they need them.
unset OPENBLAS_CORETYPE
# Several tests run side by side: a thread that waits shall not spin.
export OMP_WAIT_POLICY=passive

configure() { # configure NAME CMAKE-ARGUMENTS...
    name=$1
    shift
    cmake -S . -B "build-test/$name" -DEBM_WERROR=ON "$@" >/dev/null
}
build() { # build NAME CMAKE-ARGUMENTS...
    configure "$@"
    cmake --build "build-test/$1" --parallel "$jobs"
}
run() { # run NAME CTEST-ARGUMENTS...
    name=$1
    shift
    ctest --test-dir "build-test/$name" --output-on-failure \
        --no-tests=error --parallel "$jobs" "$@"
}

if [ -z "$quick" ]; then
    begin "format (clang-format)"
    find include src tests examples -name '*.[ch]' \
        -exec clang-format --dry-run -Werror {} +
fi

begin "gcc, Release"
# With Debian's prefix and so its folders, for check.package; nothing is
# installed there.
CC=gcc CXX=g++ build gcc -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX=/usr \
    -DEBM_VALGRIND="$([ "$quick" ] && echo OFF || echo ON)"
run gcc --label-exclude valgrind
[ -z "$quick" ] || exit 0

begin "ABI, in a build with debug information"
CC=gcc CXX=g++ configure abi -DCMAKE_BUILD_TYPE=Debug
cmake --build build-test/abi --parallel "$jobs" --target ebm ebm_static
run abi --tests-regex '^check\.(abi|canary)$'

# What each further step adds. The statistical laws of samplers are looked at
# once, above: they take most of the time of all tests, and what a compiler or
# another BLAS may break, the other tests see.
laws='_law$'

# Another compiler: its warnings, its code, its OpenMP. Documents, floors and
# bindings are the same for it.
begin "clang, Release"
CC=clang CXX=clang++ build clang -DCMAKE_BUILD_TYPE=Release
run clang --exclude-regex "$laws|^check\.(docs|floors|bindings|torch|bench)"

# What is read or written beyond a block, leaked, or undefined.
begin "address and undefined-behaviour sanitizers"
CC=gcc CXX=g++ build sanitize -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DEBM_SANITIZE=address,undefined
UBSAN_OPTIONS=print_stacktrace=1 run sanitize \
    --exclude-regex "$laws|^check\.(docs|floors|headers|bench)"

# The same by clang, which checks more, on inputs that it searches for.
begin "fuzzing, some seconds a parser"
sh tests/fuzz/run.sh

# Races. With clang's OpenMP and its tool Archer the sanitizer knows what a
# parallel loop waits for, which it does not of gcc's. OpenBLAS is the serial
# build, found by path and not by Debian's alternatives: the OpenMP build's
# own threads would have to be known too.
begin "thread sanitizer"
CC=clang CXX=clang++ configure tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DEBM_SANITIZE=thread -DEBM_EXAMPLES=OFF -DEBM_BENCHMARKS=OFF
cmake --build build-test/tsan --parallel "$jobs" --target ebm_thread_tests
serial=/usr/lib/$(gcc -print-multiarch)/openblas-serial
LD_LIBRARY_PATH=$serial TSAN_OPTIONS=ignore_noninstrumented_modules=1 \
    run tsan --label-regex threads

# What is used before it was written, which no sanitizer of gcc sees.
begin "valgrind"
run gcc --label-regex valgrind

# What differs is matrix products, eigenvalues, and how programs are linked.
begin "another BLAS: BLIS, and the pkg-config module blas"
for blas in blis blas; do
    CC=gcc CXX=g++ build "$blas" -DCMAKE_BUILD_TYPE=Release \
        -DEBM_BLAS="$blas" -DEBM_EXAMPLES=OFF -DEBM_BENCHMARKS=OFF
    run "$blas" --label-exclude valgrind --exclude-regex \
        "$laws|^fuzz|^test_allocation|^check\.(docs|floors|headers|bindings)"
done
