# Two images from one file:
#   docker build --target collector -t emp-events:collector .   the daemon alone, without SQL
#   docker build --target full -t emp-events .                  every command
# Debian is used on both sides, so that what was linked against is what is there.

FROM rust:1-slim-bookworm AS source
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY benches benches
COPY sql sql
COPY src src

FROM source AS build-collector
RUN cargo build --release --locked --no-default-features --bin emp-events

FROM source AS build-full
RUN cargo build --release --locked --bin emp-events

FROM debian:bookworm-slim AS runtime
# The store is a volume; its mount point belongs to the user who writes it.
RUN useradd --system --uid 10001 --home-dir /data emp \
    && mkdir -p /data/events /app/logs \
    && chown -R emp /data /app/logs
USER emp
WORKDIR /app
ENV EMP_EVENTS_STORE=/data/events \
    EMP_EVENTS_CONSUMER=collector \
    REDIS_HOST=redis \
    REDIS_PORT=6379
VOLUME /data
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["emp-events", "health"]
ENTRYPOINT ["emp-events"]
CMD ["collect"]

FROM runtime AS full
COPY --from=build-full /src/target/release/emp-events /usr/local/bin/emp-events

# Last, so that it is what a build without a target makes: the daemon.
FROM runtime AS collector
COPY --from=build-collector /src/target/release/emp-events /usr/local/bin/emp-events
