# shellcheck shell=bash
# A Debian package: sourced by scripts/package.sh. dpkg-deb alone does it, so that nothing is to be installed for it.

make_deb() {
    local root=$scratch/deb processor
    processor=$(dpkg --print-architecture)
    install -Dm 755 "$program" "$root/usr/bin/emp-events"
    install -d "$root/usr/lib/systemd/system" "$root/usr/share/man/man1" "$root/usr/share/doc/emp-events" "$root/DEBIAN"
    install -m 644 packaging/systemd/*.service "$root/usr/lib/systemd/system"
    install -m 644 "$scratch"/man/*.1 "$root/usr/share/man/man1"
    gzip -9n "$root"/usr/share/man/man1/*
    install -Dm 644 "$scratch/completions/bash" "$root/usr/share/bash-completion/completions/emp-events"
    install -Dm 644 "$scratch/completions/zsh" "$root/usr/share/zsh/vendor-completions/_emp-events"
    install -Dm 644 "$scratch/completions/fish" "$root/usr/share/fish/vendor_completions.d/emp-events.fish"
    install -m 644 README.md LICENSE-MIT LICENSE-APACHE packaging/debian/copyright "$root/usr/share/doc/emp-events"
    gzip -9nc CHANGELOG.md >"$root/usr/share/doc/emp-events/changelog.gz"
    # Keys may stand there.
    install -Dm 600 packaging/emp-events.env "$root/etc/emp-events/emp-events.env"
    echo /etc/emp-events/emp-events.env >"$root/DEBIAN/conffiles"
    install -m 755 packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm "$root/DEBIAN"
    cat >"$root/DEBIAN/control" <<END
Package: emp-events
Version: $version
Architecture: $processor
Maintainer: The emp-events authors <emp-events@localhost>
Installed-Size: $(du -k --apparent-size -s "$root" | cut -f 1)
Depends: libc6 (>= $EMP_EVENTS_GLIBC), passwd
Recommends: ca-certificates
Suggests: redis-server
Section: database
Priority: optional
Description: what happened to a job, from the events of all services
 emp-events collects what API servers, workers and webhooks report from a Redis
 stream into a local, columnar store, and answers what happened to a job, what
 is slow and what has failed, on the command line, in SQL and on a page.
END
    SOURCE_DATE_EPOCH=$(source_time) dpkg-deb --root-owner-group -Zxz --build "$root" "dist/emp-events_${version}_$processor.deb" >/dev/null
}
