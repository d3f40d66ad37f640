#!/bin/sh
# From a bare Debian 12 to pictures of digits: installs what is missing,
# builds the library, draws from a model that comes trained (out/ready/, some
# seconds), trains on the digits in examples/data, and writes pictures into
# out/.
#
#     sh examples/run.sh                     1,000 iterations, about seven minutes
#                                            on two cores
#     sh examples/run.sh --iterations 5000   any flag of du_mordatch, see --help
#     sh examples/run.sh --again             train anew what is already there
#     sh examples/run.sh --model FILE        only draw, into out-model/
set -eu
cd "$(dirname "$0")/.."

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

# Takes --again out of the flags, and looks where the pictures go and whether
# this trains at all. Every other flag but --help has a value, and names are
# never abbreviated.
again=
out=
trains=yes
flag= # whose value comes next
for argument in "$@"; do
    shift
    if [ "$flag" ]; then
        [ "$flag" != --out ] || out=$argument
        flag=
    else
        case $argument in
        --again)
            again=yes
            continue
            ;;
        --help | -h*) exec build/examples/du_mordatch --help ;;
        --out=*) out=${argument#--out=} ;;
        --model | --model=*) trains= ;;
        esac
        case $argument in
        --*=* | --) ;;
        --*) flag=$argument ;;
        esac
    fi
    set -- "$@" "$argument"
done
if [ -z "$out" ]; then
    out=out
    [ "$trains" ] || out="out-model" # trained pictures stay
fi
case $out in -*) out=./$out ;; esac # not to be a flag of rm

# Defaults first: of two equal flags the program takes the later one.
set -- --data examples/data --out "$out" --iterations 1000 "$@"

# A finished training is remembered by what decides its result, the flags, the
# program and the library, and by its pictures.
describe() {
    printf '%s\n' "$@"
    cksum build/examples/du_mordatch build/libebm.so.*.*.* "$out/samples.png"
}
record=$out/run.settings
if [ "$trains" ] && [ -z "$again" ] && [ -f "$record" ] &&
    [ "$(describe "$@" 2>/dev/null)" = "$(cat "$record")" ]; then
    echo "$out/ already holds the result of this run, see $out/samples.png."
    echo "To train anew: sh examples/run.sh --again"
    exit 0
fi

# Pictures at once, from a model that was trained on these digits before.
if [ "$trains" ]; then
    echo "Drawing from a trained model into $out/ready/ ..."
    build/examples/du_mordatch --data examples/data --out "$out/ready" \
        --model examples/data/digits-plain.safetensors
    echo "See $out/ready/samples.png and chain.png. Now the training:"
fi

# From here until a training is over there is no record, so that one which is
# killed leaves none.
if [ "$trains" ]; then
    rm -f "$record.old"
    [ ! -f "$record" ] || mv "$record" "$record.old"
fi

# Ctrl-C is for the program, which writes what it has and ends.
interrupted=
trap 'interrupted=yes' INT
status=0
build/examples/du_mordatch "$@" || status=$?
if [ "$trains" ]; then
    # Status 2: the program has refused its flags and has written nothing.
    if [ $status -eq 2 ] && [ -f "$record.old" ]; then
        mv "$record.old" "$record"
    fi
    rm -f "$record.old"
    if [ $status -eq 0 ] && [ -z "$interrupted" ]; then
        describe "$@" >"$record"
    fi
fi
[ $status -eq 0 ] || exit $status
if [ "$trains" ]; then
    echo "The pictures are in $out/: samples.png, chain.png and energies.png."
else
    echo "The pictures are in $out/: samples.png and chain.png."
fi
