# Two images from one file:
#   docker build --target collector -t emp-events:collector .   the daemon alone, without SQL
#   docker build --target full -t emp-events .                  every command
# Debian is used on both sides, so that what was linked against is what is there.

# What the dependencies are built from: every manifest, and of the project's own sources nothing but their places. It is
# the same as long as no manifest changes, and so are the layers of the dependencies.
FROM docker.io/library/rust:1-slim-bookworm AS manifests
WORKDIR /src
# What cargo needs and no more: .dockerignore has the list.
COPY . .
RUN mkdir /manifests \
    && find . -name Cargo.toml -o -name Cargo.lock | tar -cf - -T - | tar -xf - -C /manifests \
    && cd /manifests \
    && for folder in crates/* clients/rust; do mkdir "$folder/src" && touch "$folder/src/lib.rs"; done \
    && mkdir -p src benches/whole \
    && for program in build.rs src/main.rs benches/whole/main.rs; do echo 'fn main() {}' >"$program"; done \
    && find . -exec touch -d @0 {} +

FROM docker.io/library/rust:1-slim-bookworm AS dependencies
WORKDIR /src
COPY --from=manifests /manifests .

# The one package is named, since any other of the workspace would bring the features that it wants. Then the sources
# take the places that were kept for them; cargo goes by their times, so all are newer than what was built.
FROM dependencies AS build-collector
RUN --mount=type=cache,id=emp-events-registry,target=/usr/local/cargo/registry \
    cargo build --release --locked --package emp-events --no-default-features
COPY . .
ARG EMP_EVENTS_COMMIT
RUN --mount=type=cache,id=emp-events-registry,target=/usr/local/cargo/registry \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --release --locked --package emp-events --no-default-features \
    && strip -o /usr/local/bin/emp-events target/release/emp-events

FROM dependencies AS build-full
RUN --mount=type=cache,id=emp-events-registry,target=/usr/local/cargo/registry \
    cargo build --release --locked --package emp-events
COPY . .
ARG EMP_EVENTS_COMMIT
RUN --mount=type=cache,id=emp-events-registry,target=/usr/local/cargo/registry \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --release --locked --package emp-events \
    && strip -o /usr/local/bin/emp-events target/release/emp-events

FROM docker.io/library/debian:bookworm-slim AS runtime
# The authorities that a receiver behind TLS, or a Redis, is known by.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# The store is a volume; its mount point belongs to the user who writes it.
RUN useradd --system --uid 10001 --home-dir /data emp \
    && mkdir -p /data/events /app/logs \
    && chown -R emp /data /app/logs
USER emp
WORKDIR /app
# Who reads the stream is told from the host's name and the id in the volume: each store is a consumer of its own, and
# the next container on the same volume goes on where the last one ended.
ENV EMP_EVENTS_STORE=/data/events \
    REDIS_HOST=redis \
    REDIS_PORT=6379
VOLUME /data
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["emp-events", "health"]
ENTRYPOINT ["emp-events"]
CMD ["collect"]

FROM runtime AS full
COPY --from=build-full /usr/local/bin/emp-events /usr/local/bin/emp-events

# Last, so that it is what a build without a target makes: the daemon.
FROM runtime AS collector
COPY --from=build-collector /usr/local/bin/emp-events /usr/local/bin/emp-events
