# Sourced by examples/run.sh and tests/run.sh: installs the Debian packages
# that are missing, says which, and does nothing when none is.
#
#     . tests/support/packages.sh
#     install_packages gcc make ...

is_installed() {
    dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^.i'
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

install_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        echo "No Debian here: nothing is installed. What Debian calls"
        echo "    $*"
        echo "has to be there already."
        return 0
    fi
    missing=
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        echo "All needed packages are installed."
        return 0
    fi
    echo "Installing:$missing"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
        echo "This needs root, and there is no sudo. As root, run" >&2
        echo "    apt-get install --no-install-recommends$missing" >&2
        return 1
    fi
    # Names are split on purpose. Package lists that are missing or out of
    # date are fetched once.
    # shellcheck disable=SC2086
    if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 ||
        ! as_root apt-get install -y -q --no-install-recommends $missing; then
        as_root apt-get update -q &&
            as_root apt-get install -y -q --no-install-recommends $missing
    fi
}
