# shellcheck shell=bash
# Where `make test-images` keeps its images, and how it builds and runs them: sourced by its scripts.
# A store of its own, so that nobody's images are touched; it is a cache, and may be removed at any time.

image_cache=${EMP_EVENTS_IMAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/emp-events/images}
# No more than a chroot and a few mounts: neither an engine nor cgroups are needed.
export BUILDAH_ISOLATION=chroot
export CONTAINERS_STORAGE_CONF=$image_cache/storage.conf

use_storage_driver() {
    printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' \
        "$1" "$image_cache/storage" "${XDG_RUNTIME_DIR:-/run}/emp-events-images" >"$CONTAINERS_STORAGE_CONF"
}

can_mount() {
    local container
    container=$(buildah from scratch) || return
    buildah mount "$container" || { buildah rm "$container"; return 1; }
    buildah rm "$container"
}

# Layers lie on each other where the kernel can do that, else each is a copy of the one below.
if [ ! -e "$CONTAINERS_STORAGE_CONF" ]; then
    mkdir -p "$image_cache"
    use_storage_driver overlay
    can_mount >/dev/null 2>&1 || { rm -rf "$image_cache/storage"; use_storage_driver vfs; }
fi
