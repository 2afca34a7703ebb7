# shellcheck shell=bash
# The clients as packages, each in a project of its own: sourced by scripts/test-packages.sh.

try_clients() {
    npm --prefix clients/typescript run --silent build
    node --test tests/packages/clients.test.mjs
}

try_next() {
    npm --prefix clients/typescript run --silent build
    node --test tests/packages/next.test.mjs
}

# What crates.io would be given, in a project that has it as a dependency: built, tested and run.
try_crate() {
    local folder=$scratch/project target=${CARGO_TARGET_DIR:-target}/packages name port
    CARGO_TARGET_DIR=$target cargo package --quiet --locked --no-verify --allow-dirty --manifest-path clients/rust/Cargo.toml
    name=$(basename "$(only "$target"/package/emp-events-client-*.crate)" .crate)
    tar -C "$scratch" -xzf "$target/package/$name.crate"
    rm "$target/package/$name.crate"
    for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
        [ -s "$scratch/$name/$file" ] || fail "the crate lacks $file"
    done
    cp -r tests/packages/crate "$folder"
    cp Cargo.lock "$folder"
    printf '[patch.crates-io]\nemp-events-client = { path = "%s" }\n' "$scratch/$name" >>"$folder/Cargo.toml"
    start_redis
    (cd "$folder" && CARGO_TARGET_DIR=$target cargo test --quiet --offline >"$scratch/crate.log" 2>&1) ||
        fail "the tests of a project that has the crate fail"
    passed "in a fresh project it is built, and records for its tests"
    (cd "$folder" && REDIS_URL=redis://127.0.0.1:$port CARGO_TARGET_DIR=$target cargo run --quiet --offline \
        >"$scratch/crate.log" 2>&1) || fail "a project that has the crate does not run"
    [ "$(redis-cli -p "$port" xlen emp:events)" = 1 ] || fail "its event is not in Redis"
    passed "its event is in Redis"
}
