#!/bin/sh
# Makes the Debian packages, looks into them, installs them with dpkg and
# builds programs against what is installed, with no path named anywhere.
# Usage: package.sh BUILD CMAKE CC CXX VERSION   (CXX may be empty)
#
# The installation is that of the real system, seen by this script alone: /usr,
# /etc and /var are covered in a mount namespace of its own, and what is
# written there is gone with it. That needs root; without, 77 (skipped).
set -eu

build=$1 cmake=$2 cc=$3 cxx=$4 version=$5
here=$(cd "$(dirname "$0")" && pwd)
header=$here/../../include/ebm/version.h
soname=$(sed -n 's/^#define EBM_ABI_MAJOR //p' "$header")
runtime=libebm$soname
triplet=$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || :)

say() {
    echo "package: $*"
}
die() {
    [ ! -f "$log" ] || cat "$log" >&2
    echo "package: $*" >&2
    exit 1
}
quiet() {
    "$@" >"$log" 2>&1 || die "failed: $*"
}
not_here() {
    say "not installed: this needs root, a mount namespace and overlayfs"
    exit 77
}
refused() { # refused MESSAGE COMMAND...
    message=$1
    shift
    ! "$@" >"$log" 2>&1 || die "should have been refused: $*"
    grep -q "$message" "$log" || die "refused for another reason: $*"
}

# ---- In the namespace -------------------------------------------------------
use() {
    cover=$work/cover
    mkdir "$cover"
    mount -t tmpfs none "$cover" || not_here
    for folder in usr etc var; do
        mkdir "$cover/$folder" "$cover/$folder.work"
        mount -t overlay none -o "lowerdir=/$folder" \
            -o "upperdir=$cover/$folder,workdir=$cover/$folder.work" \
            "/$folder" || not_here
    done
    refused "$runtime.*not installed" dpkg -i "$work"/libebm-dev_*.deb
    quiet dpkg -i "$work/$runtime"_*.deb "$work"/libebm-dev_*.deb
    dpkg -L "$runtime" libebm-dev | sort -u >"$work/installed"
    ldconfig -p >"$log"
    grep -q "libebm.so.$soname " "$log" || die "ldconfig does not know it"
    say "installed"

    # Word splitting is how pkg-config's answer is meant.
    # shellcheck disable=SC2046
    quiet "$cc" -std=c11 "$here/consumer.c" -o "$work/c" \
        $(pkg-config --cflags --libs ebm)
    quiet "$work/c"
    languages=C
    if [ -n "$cxx" ]; then
        languages='C;CXX'
        # shellcheck disable=SC2046
        quiet "$cxx" -std=c++11 "$here/consumer.cpp" -o "$work/cpp" \
            $(pkg-config --cflags --libs ebm)
        quiet "$work/cpp"
    fi
    ldd "$work/c" >"$log"
    grep -q "libebm.so.$soname => .*/$triplet/" "$log" ||
        die "not the library of the package"
    say "pkg-config: $languages"

    quiet env CC="$cc" CXX="$cxx" "$cmake" -S "$here" -B "$work/consumer" \
        -DEBM_WANTED="${version%.*}" -DEBM_LANGUAGES="$languages" \
        -DEBM_COMPONENTS='shared;static'
    quiet "$cmake" --build "$work/consumer"
    for program in "$work"/consumer/*_shared "$work"/consumer/*_static; do
        quiet "$program"
    done
    say "CMake: $languages, shared and static"

    refused "libebm-dev depends on $runtime" dpkg -r "$runtime"
    quiet dpkg -r libebm-dev "$runtime"
    grep -e ebm "$work/installed" | while read -r path; do
        [ ! -e "$path" ] || die "$path stays behind"
    done
    refused "libebm.so.$soname" "$work/c"
    say "removed"
}
if [ "${6-}" = use ]; then
    work=$7
    log=$work/log
    use
    exit 0
fi

# ---- The packages -----------------------------------------------------------
work=$(mktemp -d)
log=$work/log
trap 'rm -rf "$work"' EXIT
for tool in dpkg-deb dpkg-shlibdeps file; do
    command -v "$tool" >/dev/null || {
        say "$tool is missing (Debian: dpkg, dpkg-dev, file)"
        exit 77
    }
done
quiet "$(dirname "$cmake")/cpack" --config "$build/CPackConfig.cmake" \
    -B "$work"
arch=$(dpkg --print-architecture)
first=$(echo "$work/${runtime}_$version"-*"_$arch.deb")
second=$(echo "$work/libebm-dev_$version"-*"_$arch.deb")
[ "$(find "$work" -maxdepth 1 -name '*.deb' | wc -l)" -eq 2 ] ||
    die "there should be two packages"

depends=$(dpkg-deb -f "$first" Depends)
for package in libc6 libgomp1 libjansson4 libpng16-16 libsleef3 zlib1g; do
    case ", $depends," in
    *", $package "* | *", $package,"*) ;;
    *) die "$runtime does not depend on $package: $depends" ;;
    esac
done
same="$runtime (= $(dpkg-deb -f "$first" Version))"
case $(dpkg-deb -f "$second" Depends) in
"$same, "*) ;;
*) die "libebm-dev does not depend on $same" ;;
esac
[ "$(dpkg-deb -I "$first" shlibs)" = \
    "libebm $soname $runtime (>= $(dpkg-deb -f "$first" Version))" ] ||
    die "shlibs is wrong"

dpkg-deb -I "$first" >"$log"
if grep -E '(post|pre)(inst|rm)' "$log"; then
    die "$runtime has scripts"
fi

# Names, owners and permissions of all that is in them.
lib="\./usr/lib/$triplet"
doc='\./usr/share/doc'
dpkg-deb -c "$first" >"$work/first.list"
dpkg-deb -c "$second" >"$work/second.list"
if cat "$work"/*.list | grep -v -e '^drwxr-xr-x root/root ' \
    -e '^-rw-r--r-- root/root ' -e '^lrwxrwxrwx root/root '; then
    die "owners or permissions of these"
fi
others() { # others LIST PATTERN...: files in it that have none of the names
    list=$1
    shift
    for pattern in "$@"; do
        grep -v '^d' "$list" | grep -q " $pattern\( ->.*\)\?$" ||
            die "not in the package: $pattern"
        echo " $pattern\( ->.*\)\?$"
    done >"$work/patterns"
    ! grep -v '^d' "$list" | grep -v -f "$work/patterns" ||
        die "in the package, and should not be"
}
others "$work/first.list" "$lib/libebm\.so\.$soname" \
    "$lib/libebm\.so\.$version" "$doc/$runtime/copyright" \
    "$doc/$runtime/changelog\.gz" "$doc/$runtime/changelog\.Debian\.gz"
others "$work/second.list" "$lib/libebm\.so" "$lib/libebm\.a" \
    "$lib/pkgconfig/ebm\.pc" "$lib/cmake/ebm/ebm-[a-z-]*\.cmake" \
    '\./usr/include/ebm/[a-z]*\.h' "$doc/libebm-dev/copyright" \
    "$doc/libebm-dev/changelog\.gz" "$doc/libebm-dev/changelog\.Debian\.gz"
dpkg-deb -x "$first" "$work/x"
file "$work"/x/usr/lib/*/libebm.so."$version" >"$log"
grep -q ', stripped' "$log" || die "the library is not stripped"
say "${first##*/}, ${second##*/}"
if command -v lintian >/dev/null; then
    # Not for an upload, and the address is the packager's to set.
    quiet lintian --allow-root --fail-on error,warning --suppress-tags \
        bogus-mail-host,bogus-mail-host-in-debian-changelog \
        --suppress-tags initial-upload-closes-no-bugs "$first" "$second"
    say "lintian is content"
fi

if ! unshare -m true >"$log" 2>&1; then
    cat "$log"
    not_here
fi
unshare -m sh "$0" "$@" use "$work"
