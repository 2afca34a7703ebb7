#!/usr/bin/env bash
# Makes sure that the Dockerfile's base images are in the local store: takes those that are there, else pulls them,
# else makes stand-ins where no registry answers, from Debian's packages and this machine's Rust.
#
#   scripts/base-images.sh [debian]     Debian's alone where it is named
#
# Nobody with Docker needs this: `make docker` pulls them.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/image-store.sh

debian=docker.io/library/debian:bookworm-slim
rust=docker.io/library/rust:1-slim-bookworm
container=

say() { printf '%s\n' "$*" >&2; }

finish() { [ -z "$container" ] || buildah rm "$container" >/dev/null; }
trap finish EXIT

is_here() { buildah inspect --type image "$1" >/dev/null 2>&1; }

# A stand-in with a Rust that this machine has no more.
is_outdated() {
    local of
    of=$(buildah inspect --type image --format '{{index .OCIv1.Config.Labels "stand-in"}}' "$rust" 2>/dev/null) || return
    [ -n "$of" ] && [ "$of" != "$(rustc --version)" ]
}

have() { is_here "$1" || buildah pull --quiet "$1" >/dev/null 2>&1; }

commit() {
    buildah umount "$container" >/dev/null
    buildah commit --quiet "$container" "$1" >/dev/null
    buildah rm "$container" >/dev/null
    container=
}

make_debian() {
    local root log
    scripts/need.sh debootstrap
    say "no registry answers: making a stand-in for $debian with debootstrap"
    container=$(buildah from scratch)
    root=$(buildah mount "$container")
    log=$image_cache/debootstrap.log
    debootstrap --variant=minbase bookworm "$root" >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
    # As in the slim image: without documentation, and nothing of what apt works with is kept.
    cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
        "$root"/usr/share/{doc,info,locale,man}/* "$root"/var/log/*.log
    buildah config --cmd bash "$container"
    commit "$debian"
}

make_rust() {
    local root toolchain target home=/usr/local/rustup/toolchains/stand-in
    say "no registry answers: making a stand-in for $rust with $(rustc --version)"
    toolchain=$(rustc --print sysroot)
    target=$(rustc -vV | sed -n 's/^host: //p')
    container=$(buildah from --pull=never "$debian")
    buildah run "$container" -- sh -ec '
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends ca-certificates gcc libc6-dev >/dev/null
        rm -rf /var/lib/apt/lists/*
    ' >&2
    root=$(buildah mount "$container")
    mkdir -p "$root$home" "$root/usr/local/cargo"
    (cd "$toolchain" && tar -cf - bin/cargo bin/rustc lib/lib* "lib/rustlib/$target") | tar -xf - -C "$root$home"
    buildah config --env CARGO_HOME=/usr/local/cargo --label "stand-in=$(rustc --version)" \
        --env "PATH=$home/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$container"
    buildah run "$container" -- rustc --version >/dev/null
    commit "$rust"
}

have "$debian" || make_debian
[ "${1:-}" != debian ] || exit 0
! is_outdated || buildah rmi --force "$rust" >/dev/null
have "$rust" || make_rust
