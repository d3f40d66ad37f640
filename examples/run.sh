#!/bin/sh
# From a bare Debian 12 to pictures of digits: installs what is missing,
# builds the library, trains on the digits in examples/data, and writes
# pictures into out/.
#
#     sh examples/run.sh                     1,000 iterations, a few minutes
#     sh examples/run.sh --iterations 5000   any flag of du_mordatch, see --help
#     sh examples/run.sh --again             train anew what is already there
set -eu
cd "$(dirname "$0")/.."

again=
if [ "${1-}" = --again ]; then
    again=yes
    shift
fi

. tests/support/packages.sh
install_packages gcc libc6-dev make cmake pkg-config libopenblas-openmp-dev \
    libsleef-dev zlib1g-dev libpng-dev libjansson-dev

echo "Building in build/ ..."
mkdir -p build
{
    cmake -S . -B build -DEBM_EXAMPLES=ON &&
        cmake --build build --parallel "$(nproc)" --target du_mordatch
} >build/run.log 2>&1 || {
    cat build/run.log >&2
    echo "The build failed; build/run.log holds the lines above." >&2
    exit 1
}

# Where the pictures go, and whether this trains at all.
out=out
previous=
trains=yes
for argument in "$@"; do
    [ "$previous" != --out ] || out=$argument
    case $argument in
    --out=*) out=${argument#--out=} ;;
    --model | --model=*) trains= ;;
    --help | -h) exec build/examples/du_mordatch --help ;;
    esac
    previous=$argument
done

# Defaults first: of two equal flags the program takes the later one.
set -- --data examples/data --out out --iterations 1000 "$@"

# A finished training is remembered by what decides its result: the flags, the
# program and the library.
settings=$(
    printf '%s\n' "$@"
    cksum build/examples/du_mordatch build/libebm.so.*.*.*
)
record=$out/run.settings
if [ "$trains" ] && [ -z "$again" ] && [ -f "$out/samples.png" ] &&
    [ "$(cat "$record" 2>/dev/null)" = "$settings" ]; then
    echo "$out/ already holds the result of this run, see $out/samples.png."
    echo "To train anew: sh examples/run.sh --again"
    exit 0
fi
rm -f "$record"

# Ctrl-C is for the program, which writes what it has and ends.
interrupted=
trap 'interrupted=yes' INT
build/examples/du_mordatch "$@"
if [ "$trains" ] && [ -z "$interrupted" ] && [ -d "$out" ]; then
    printf '%s\n' "$settings" >"$record"
fi
echo "The pictures are in $out/: samples.png, chain.png and the energies."
