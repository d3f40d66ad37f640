#!/bin/sh
# Fetches Fashion-MNIST: installs Debian's package dataset-fashion-mnist if it
# is missing, and says where its files lie. The library reads them as they are.
set -eu

package=dataset-fashion-mnist
folder=/usr/share/datasets/fashion-mnist

say() {
    echo "fetch_fashion: $*"
}

complete() {
    for part in train-images-idx3 train-labels-idx1 \
        t10k-images-idx3 t10k-labels-idx1; do
        [ -f "$folder/$part-ubyte.gz" ] || return 1
    done
}

if ! complete; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            say "$package is missing; install it, or run this as root" >&2
            exit 1
        }
        as_root=sudo
    fi
    say "installing $package by apt-get (31 MB)"
    $as_root apt-get update -q
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $package
fi
if ! complete; then
    say "$package is installed, but its files are not in $folder" >&2
    exit 1
fi
say "60,000 training pictures: $folder/train-images-idx3-ubyte.gz"
say "10,000 test pictures:     $folder/t10k-images-idx3-ubyte.gz"
say "labels lie beside them, with labels-idx1 for images-idx3"
