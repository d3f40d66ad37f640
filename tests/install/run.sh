#!/bin/sh
# Installs into a staged prefix, moves that, and builds programs against it:
# through CMake and pkg-config, shared and static, C and C++.
# Usage: run.sh BUILD CMAKE CC CXX VERSION   (CXX may be empty)
set -eu

build=$1 cmake=$2 cc=$3 cxx=$4 version=$5
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log

say() {
    echo "install: $*"
}
die() {
    [ ! -f "$log" ] || cat "$log" >&2
    echo "install: $*" >&2
    exit 1
}
quiet() {
    "$@" >"$log" 2>&1 || die "failed: $*"
}

# ---- The tree ---------------------------------------------------------------
quiet "$cmake" --install "$build" --prefix "$work/first"
mv "$work/first" "$work/moved"
prefix=$work/moved
pc=$(find "$prefix" -name ebm.pc)
libdir=$(dirname "$(dirname "$pc")")
library=$libdir/libebm.so.$version
[ -f "$library" ] || die "$library is missing"
if readelf -d "$library" | grep -E 'RPATH|RUNPATH'; then
    die "the installed library has a run path"
fi
! grep -rIl "$work/first\|$build" "$prefix" || die "an installed file names the build"
(cd "$prefix" && find . ! -type d | sort) | grep -v \
    -e '^\./include/ebm/[a-z]*\.h$' -e '/libebm\.so' -e '/libebm\.a$' \
    -e '/cmake/ebm/[a-z-]*\.cmake$' -e '/pkgconfig/ebm\.pc$' &&
    die "these are installed and should not be"
say "a moved prefix, nothing in it that should not be"

# The two components together are the whole.
for component in runtime development; do
    quiet "$cmake" --install "$build" --prefix "$work/parts" \
        --component "$component"
    if [ "$component" = runtime ] &&
        find "$work/parts" ! -type d | grep -v '/libebm\.so\.'; then
        die "the runtime component is more than the library"
    fi
done
(cd "$prefix" && find . | sort) >"$work/whole.list"
(cd "$work/parts" && find . | sort) | cmp -s - "$work/whole.list" ||
    die "runtime and development are not the whole"

# ---- CMake ------------------------------------------------------------------
consume() { # consume NAME LANGUAGES COMPONENTS
    quiet env CC="$cc" CXX="$cxx" "$cmake" -S "$here" -B "$work/$1" \
        -DCMAKE_PREFIX_PATH="$prefix" -DEBM_WANTED="${version%.*}" \
        -DEBM_LANGUAGES="$2" -DEBM_COMPONENTS="$3"
    quiet "$cmake" --build "$work/$1"
    for program in "$work/$1"/*_shared "$work/$1"/*_static; do
        [ -f "$program" ] || continue
        quiet "$program"
        case $program in
        *_shared) needed=1 ;;
        *) needed=0 ;;
        esac
        count=$(readelf -d "$program" | grep -c 'NEEDED.*libebm\.so\.' || :)
        [ "$count" -eq "$needed" ] || die "$program needs libebm.so: $count"
    done
    say "CMake, $2: $3"
}
if [ -n "$cxx" ]; then
    consume both 'C;CXX' 'shared;static'
    consume plus CXX static
else
    consume only C 'shared;static'
fi

major=${version%%.*}
rest=${version#*.}
minor=${rest%%.*}
for wanted in "$major.$((minor + 1))" "$major.$minor.9999" "$((major + 1)).0"
do
    if env CC="$cc" "$cmake" -S "$here" -B "$work/new" -DEBM_LANGUAGES=C \
        -DCMAKE_PREFIX_PATH="$prefix" -DEBM_WANTED="$wanted" \
        -DEBM_COMPONENTS=shared >"$log" 2>&1; then
        die "find_package(ebm $wanted) took version $version"
    fi
    grep -q "considered but not accepted" "$log" ||
        die "find_package(ebm $wanted) failed for another reason"
    rm -rf "$work/new"
done
say "CMake: versions that are too new are refused"

# ---- pkg-config -------------------------------------------------------------
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
found=$(pkg-config --modversion ebm)
[ "$found" = "$version" ] || die "ebm.pc says version $found"
if pkg-config --atleast-version="$major.$((minor + 1))" ebm; then
    die "ebm.pc passes for a newer version"
fi
case " $(pkg-config --libs ebm) " in
*blas* | *blis* | *sleef* | *png*) die "ebm.pc shows private libraries" ;;
esac

compile() { # compile PROGRAM [--static]
    program=$1
    shift
    # Word splitting is how pkg-config's answer is meant.
    # shellcheck disable=SC2046
    quiet "$cc" -std=c11 "$here/consumer.c" -o "$program.c" \
        $(pkg-config "$@" --cflags --libs ebm)
    quiet env LD_LIBRARY_PATH="$libdir" "$program.c"
    [ -n "$cxx" ] || return 0
    # shellcheck disable=SC2046
    quiet "$cxx" -std=c++11 "$here/consumer.cpp" -o "$program.cpp" \
        $(pkg-config "$@" --cflags --libs ebm)
    quiet env LD_LIBRARY_PATH="$libdir" "$program.cpp"
}
compile "$work/shared"
say "pkg-config, shared"
case $(pkg-config --static --cflags ebm) in
*-DEBM_STATIC*) ;;
*) die "ebm.pc --static lacks -DEBM_STATIC" ;;
esac
# Without the shared library -lebm is the static one.
rm "$libdir"/libebm.so*
# Debian's openblas.pc asks for -lgfortran, which comes with gfortran only: no
# fault of ours where that is absent.
echo 'int main(void) { return 0; }' >"$work/empty.c"
private=$(pkg-config --print-requires-private ebm)
# shellcheck disable=SC2046,SC2086
if "$cc" "$work/empty.c" -o "$work/empty" \
    $(pkg-config --static --libs $private) >"$log" 2>&1; then
    compile "$work/static" --static
    say "pkg-config, static"
else
    cat "$log"
    say "pkg-config, static: LEFT OUT, what ebm.pc requires does not link alone"
fi

# ---- ebm.pc with folders of the packager's own ------------------------------
source=$(cd "$here/../.." && pwd)
blas=$(sed -n 's/^EBM_BLAS:STRING=//p' "$build/CMakeCache.txt")
pc_of() { # pc_of LIBDIR INCLUDEDIR VARIABLE
    rm -rf "$work/pc"
    quiet env CC="$cc" "$cmake" -S "$source" -B "$work/pc" \
        -DCMAKE_INSTALL_PREFIX=/opt/ebm -DCMAKE_INSTALL_LIBDIR="$1" \
        -DCMAKE_INSTALL_INCLUDEDIR="$2" -DEBM_BLAS="$blas" \
        -DEBM_TESTS=OFF -DEBM_EXAMPLES=OFF -DEBM_BENCHMARKS=OFF
    sed -n "s/^$3=//p" "$work/pc/ebm.pc"
}
expect() { # expect SEEN WANTED
    [ "$1" = "$2" ] || die "ebm.pc: $1 instead of $2"
}
# shellcheck disable=SC2016
{
    expect "$(pc_of lib/deep/er include prefix)" '${pcfiledir}/../../../..'
    expect "$(pc_of /srv/lib /srv/include libdir)" /srv/lib
    expect "$(sed -n 's/^includedir=//p' "$work/pc/ebm.pc")" /srv/include
    expect "$(pc_of /opt/ebm/lib include libdir)" '${prefix}/lib'
}
say "ebm.pc: relative, absolute and mixed folders"
