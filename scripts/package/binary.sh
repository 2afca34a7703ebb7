# shellcheck shell=bash
# The binary that all packages carry, and what it makes itself: sourced by scripts/package.sh.

# Builds all as in development, libraries in C among it, and then the command line once more to link it as a package
# needs it.
build_program() {
    cargo build --release --locked --bin emp-events
    if [ "$system" != darwin ]; then
        touch src/main.rs
        PATH=$PWD/packaging:$tools:$PATH cargo build --release --locked --bin emp-events
    fi
    strip -o "$program" "$binary"
    [ "$system" = darwin ] || check_glibc
    "$program" man "$scratch/man" 2>/dev/null
    mkdir "$scratch/completions"
    local shell
    for shell in bash zsh fish; do "$program" completions "$shell" >"$scratch/completions/$shell"; done
}

# What it asks of glibc, by the versions of the symbols that it uses.
check_glibc() {
    local newest
    newest=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    if [ "$(printf '%s\n' "GLIBC_$EMP_EVENTS_GLIBC" "$newest" | sort -V | tail -n 1)" != "GLIBC_$EMP_EVENTS_GLIBC" ]; then
        echo "the binary needs $newest, newer than glibc $EMP_EVENTS_GLIBC" >&2
        exit 1
    fi
    echo "linked for glibc $EMP_EVENTS_GLIBC: it uses $newest"
}
