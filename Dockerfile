# Two images from one file:
#   docker build --target collector -t emp-events:collector .   the daemon alone, without SQL
#   docker build --target full -t emp-events .                  every command
# Debian is used on both sides, so that what was linked against is what is there.

FROM docker.io/library/rust:1-slim-bookworm AS source
WORKDIR /src
# What cargo needs and no more: .dockerignore has the list.
COPY . .

# Dependencies are built once: what cargo has downloaded and built outlives a build. A source may be older than what
# was built last, from another checkout; cargo goes by its time, so all are touched. The one package is named, since
# any other of the workspace would bring the features that it wants.
FROM source AS build-collector
RUN --mount=type=cache,id=emp-events-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=emp-events-target,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --release --locked --package emp-events --no-default-features \
    && cp target/release/emp-events /usr/local/bin/

FROM source AS build-full
RUN --mount=type=cache,id=emp-events-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=emp-events-target,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --release --locked --package emp-events \
    && cp target/release/emp-events /usr/local/bin/

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
