# shellcheck shell=bash
# A folder to unpack anywhere: sourced by scripts/package.sh.

make_tarball() {
    local name=emp-events-$version-$triple folder=$scratch/emp-events-$version-$triple
    install -d "$folder/man/man1" "$folder/completions"
    install -m 755 "$program" "$folder/emp-events"
    install -m 644 "$scratch"/man/*.1 "$folder/man/man1"
    # By the names under which each shell looks for them.
    install -m 644 "$scratch/completions/bash" "$folder/completions/emp-events"
    install -m 644 "$scratch/completions/zsh" "$folder/completions/_emp-events"
    install -m 644 "$scratch/completions/fish" "$folder/completions/emp-events.fish"
    install -m 644 README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$folder"
    # The same of the same sources: neither times nor users of this machine. macOS' own tar does not know how.
    local same=()
    [ "$system" = darwin ] || same=(--sort=name --owner=0 --group=0 --numeric-owner "--mtime=@$(source_time)")
    tar ${same[@]+"${same[@]}"} -C "$scratch" -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
}

# When the commit was made, where there is one.
source_time() { git log -1 --format=%ct 2>/dev/null || echo 0; }
