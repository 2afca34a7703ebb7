# shellcheck shell=bash
# The binary that all packages carry, and what it makes itself: sourced by scripts/package.sh.

# Builds what has changed, and links it as a package needs it. Only this last step is another one than in development,
# so nothing below the command line is compiled twice.
build_program() {
    local path=$PATH
    [ "$system" = darwin ] || path=$PWD/packaging:$tools:$PATH
    # Linked anew in any case: the last time it may have been for this machine alone.
    touch src/main.rs
    PATH=$path cargo build --release --locked --bin emp-events
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
