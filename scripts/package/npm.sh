# shellcheck shell=bash
# npm's packages: one for each platform with the program, and one that starts the right one of them. Sourced by
# scripts/package.sh.

# As npm calls them; .github/workflows/release.yml builds each of them.
platforms=(linux-x64 linux-arm64 darwin-x64 darwin-arm64)

make_npm() {
    local platform=$system-$processor folder=$scratch/npm
    mkdir -p "$folder/platform/bin"
    cp -r packaging/npm/cli "$folder/cli"
    install -m 755 "$program" "$folder/platform/bin/emp-events"
    cp LICENSE-MIT LICENSE-APACHE "$folder/cli"
    cp LICENSE-MIT LICENSE-APACHE "$folder/platform"
    describe_platform "$platform" >"$folder/platform/package.json"
    describe_cli "$folder/cli/package.json" >"$folder/package.json" && mv "$folder/package.json" "$folder/cli"
    local one
    for one in cli platform; do npm pack --silent --ignore-scripts --pack-destination dist "$folder/$one" >/dev/null; done
}

describe_platform() {
    local libc=
    # Not for Alpine: npm leaves it out there, and the other package says so.
    [ "$system" = darwin ] || libc='"libc": ["glibc"],'
    cat <<END
{
  "name": "@emp/events-cli-$1",
  "version": "$version",
  "description": "The program of @emp/events-cli for $1",
  "license": "MIT OR Apache-2.0",
  "os": ["$system"],
  "cpu": ["$processor"],
  $libc
  "preferUnplugged": true,
  "files": ["bin", "LICENSE-MIT", "LICENSE-APACHE"]
}
END
}

# With this version, and with exactly this version of each platform's program.
describe_cli() {
    node -e '
        const { readFileSync } = require("node:fs");
        const [file, version, ...platforms] = process.argv.slice(1);
        const described = JSON.parse(readFileSync(file, "utf8"));
        described.version = version;
        described.optionalDependencies = Object.fromEntries(platforms.map((one) => [`@emp/events-cli-${one}`, version]));
        console.log(JSON.stringify(described, null, 2));
    ' "$1" "$version" "${platforms[@]}"
}
