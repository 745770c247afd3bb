# Shared by the scripts, which are bash. Sets root and defines need_packages.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages WHY PACKAGE...: installs the Debian packages that are missing. Does nothing, and
# needs no network, where all are there. Talks on stderr only.
need_packages() {
    local why=$1 package missing=()
    shift
    for package; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return

    if ! command -v apt-get >/dev/null; then
        echo "$0: this script installs what it needs with apt-get, which is not here." >&2
        echo "Install what these Debian packages hold (needed $why), then build with cmake alone," >&2
        echo "as README.md says: ${missing[*]}" >&2
        exit 1
    fi
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        elif command -v sudo >/dev/null && [ -t 0 ]; then
            as_root=(sudo)
        else
            echo "$0: packages are missing (needed $why), and installing them takes root, which" >&2
            echo "this user is not, nor is there a sudo that does without a password. As root, run:" >&2
            echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
            exit 1
        fi
    fi
    echo "Installing with apt-get, $why: ${missing[*]}" >&2
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q
               -o DPkg::Lock::Timeout=300)
    if ! "${apt[@]}" update >&2 ||
        ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2; then
        echo "$0: apt-get could not install the packages above; its own message says why." >&2
        exit 1
    fi
}

build_packages=(gcc libc6-dev cmake ninja-build libsleef-dev libdeflate-dev nettle-dev \
    libcairo2-dev)

# build_release [CMAKE_OPTION...]: configures and builds into build/; talks on stderr only.
build_release() {
    need_packages "to build graft" "${build_packages[@]}"
    (cd "$root" && cmake --preset release "$@" && cmake --build --preset release) >&2
}
