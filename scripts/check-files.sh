#!/usr/bin/env bash
# Refuses files that do not belong into the project: anything above 1 MiB, and what lies beside source
# without being part of it. Looks at what git tracks, or would with the next `git add`.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

BYTES_MAX=$((1 << 20))
# Files that may be larger, one a line, each with its reason.
LARGE_FILES=''
# What may lie in a folder `src`: source, what source includes, and snapshots of tests.
SOURCE_KINDS='rs|ts|css|toml|snap|proptest-regressions'

failed=0
refuse() {
    printf '%s\n' "$*" >&2
    failed=1
}

while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    bytes=$(wc -c <"$file")
    if [ "$bytes" -gt "$BYTES_MAX" ] && ! grep -qxF "$file" <<<"$LARGE_FILES"; then
        refuse "$file has $bytes bytes, above $BYTES_MAX: keep it out of git, or list it in scripts/check-files.sh with the reason"
    fi
    case $file in
        data/sample/*) ;;
        */_journal/* | */date=*/hour=*) refuse "$file is of a store: only data/sample belongs here" ;;
    esac
    case $file in
        src/* | */src/*)
            [[ $file =~ \.($SOURCE_KINDS)$ ]] ||
                refuse "$file lies beside source and is none: move it, or add its kind to scripts/check-files.sh"
            ;;
    esac
    case $file in
        src/*.rs | crates/*/src/*.rs | clients/rust/src/*.rs)
            name=$(basename "$file" .rs)
            folder=$(dirname "$file")
            [ "$name" = mod ] && name=$(basename "$folder") && folder=$(dirname "$folder")
            case $name in lib | main) continue ;; esac
            # A module is declared in its folder, or in the file that is named like the folder.
            grep -qsE "^ *(pub(\([a-z]+\))? )?mod $name;|^ *#\[path = \"$name\.rs\"\]" "$folder"/*.rs "$folder.rs" ||
                refuse "$file is part of no module: remove it, or declare it"
            ;;
    esac
done < <(git ls-files -z --cached --others --exclude-standard)

exit $failed
