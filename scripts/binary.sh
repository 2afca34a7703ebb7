# Sourced by the other scripts: where cargo has put the binary.
binary=${CARGO_TARGET_DIR:-target}/release/emp-events
