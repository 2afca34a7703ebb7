# shellcheck shell=bash
# A wheel that carries the program, so that `pip install` and `uv tool install` give it: sourced by scripts/package.sh.

make_wheel() {
    local folder=$scratch/wheel/emp_events-$version tag
    case $system in
        linux) tag=manylinux_${EMP_EVENTS_GLIBC/./_}_$machine ;;
        # As old as Rust's own target goes on that processor.
        darwin) tag=macosx_$([ "$machine" = aarch64 ] && echo 11_0 || echo 10_12)_$(uname -m) ;;
    esac
    install -d "$folder/emp_events-$version.data/scripts" "$folder/emp_events-$version.dist-info/licenses"
    install -m 755 "$program" "$folder/emp_events-$version.data/scripts/emp-events"
    install -m 644 LICENSE-MIT LICENSE-APACHE "$folder/emp_events-$version.dist-info/licenses"
    cat >"$folder/emp_events-$version.dist-info/WHEEL" <<END
Wheel-Version: 1.0
Generator: emp-events ($version)
Root-Is-Purelib: false
Tag: py3-none-$tag
END
    {
        cat <<END
Metadata-Version: 2.4
Name: emp-events
Version: $version
Summary: What happened to a job, from the events of all services
License-Expression: MIT OR Apache-2.0
License-File: LICENSE-MIT
License-File: LICENSE-APACHE
Requires-Python: >=3.8
Keywords: telemetry,debugging,jobs,queues,parquet
Description-Content-Type: text/markdown

END
        cat packaging/pypi/README.md
    } >"$folder/emp_events-$version.dist-info/METADATA"
    # It writes the list of files with their checksums.
    SOURCE_DATE_EPOCH=$(source_time) "$tools/python" -m wheel pack --dest-dir dist "$folder" >/dev/null
}
