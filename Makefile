# Every way to build, try and check the project. `make` alone lists them.

# One profile for the demo, the tests and the benchmarks: DataFusion is built once.
CARGO_FLAGS := --release --locked
# Tests and demos have workers, too. It is the same build of all that the program stands on: only the program itself differs.
ALL_FLAGS := $(CARGO_FLAGS) --features workers
# Who needs the program needs nothing that stands beside it, such as what joins machines.
PROGRAM := --bin emp-events
export CARGO_TERM_PROGRESS_WHEN ?= auto

.DEFAULT_GOAL := help
.PHONY: help build demo demo-page demo-dash0 demo-bucket demo-ops test test-cargo test-others test-beside-load chaos fuzz lint bench watch-month perf-report sample docker test-images package test-packages advisories sbom checksums clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the binary (the first time about fifteen minutes: DataFusion)
	@scripts/need.sh cc
	cargo build $(CARGO_FLAGS) $(PROGRAM)

demo: ## events through a real Redis into a store, then five answers about them
	@scripts/need.sh cc redis
	cargo build $(CARGO_FLAGS) $(PROGRAM)
	@scripts/demo.sh

demo-page: ## the page over a live load in which something goes wrong, until Ctrl-C
	@scripts/need.sh cc redis
	cargo build $(CARGO_FLAGS) $(PROGRAM)
	@scripts/demo-page.sh

demo-dash0: ## a real OTLP collector, a simulated load, and equal counts at both ends
	@scripts/need.sh cc redis python
	cargo build $(CARGO_FLAGS) $(PROGRAM)
	@PATH="$$(scripts/need.sh --tools-path):$$PATH" scripts/demo-dash0.sh

demo-bucket: ## a month of events into a bucket of a local S3 server, and questions to the bucket alone, then with two workers
	@scripts/need.sh cc python
	cargo build $(ALL_FLAGS) $(PROGRAM)
	@PATH="$$(scripts/need.sh --tools-path):$$PATH" scripts/demo-bucket.sh

demo-ops: ## a collector that is killed, and the alerts that arrive and resolve: Prometheus, Alertmanager, watch
	@scripts/need.sh cc redis prometheus python curl
	cargo build $(CARGO_FLAGS) $(PROGRAM)
	@scripts/demo-ops.sh

test: ## all tests, against Redis 7 and 8, Valkey, rotel, DuckDB, Polars, pandas, ClickHouse, Spark, Prometheus, psql, S3 (moto, Ceph), Azure, Node and Chromium
	@scripts/need.sh cc redis servers openssl python java chromium prometheus psql jdbc typescript page packages packaging ceph azure
	npm --prefix clients/typescript run --silent build
	cargo build $(ALL_FLAGS) $(PROGRAM)
	@# Both are built by now. Side by side, since most of a test's time it waits: for a disk, or for another program.
	@$(MAKE) --no-print-directory --jobs=2 test-cargo test-others

test-cargo:
	@# The same random runs each time: what is still to be found, `make chaos` looks for. Four tests a core, for the same reason.
	@# Without make's own flags, which rustdoc takes for a jobserver that it cannot reach.
	MAKEFLAGS= PROPTEST_RNG_SEED=1 RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$((4 * $$(nproc)))} PATH="$$(scripts/need.sh --tools-path):$$PATH" cargo test $(ALL_FLAGS)

test-others:
	scripts/test-others.sh $${CARGO_TARGET_DIR:-target}/release/emp-events

test-beside-load: ## RUNS=20 times `make test` while every core has other work: stress-ng and a compiler; their logs are in LOGS=beside-load
	@scripts/need.sh cc stress
	scripts/test-beside-load.sh $${RUNS:-20} $${LOGS:-beside-load}

chaos: ## a thousand kills each of collectors, forwarders and services, with all else that can go wrong, then fuzz
	@scripts/need.sh cc redis typescript
	EMP_EVENTS_CHAOS_KILLS=$${EMP_EVENTS_CHAOS_KILLS:-1000} cargo test $(CARGO_FLAGS) --test chaos -- --nocapture
	EMP_EVENTS_RANDOM_RUNS_TIMES=$${EMP_EVENTS_RANDOM_RUNS_TIMES:-10} cargo test $(CARGO_FLAGS) --test suite accounting
	EMP_EVENTS_RANDOM_RUNS_TIMES=$${EMP_EVENTS_RANDOM_RUNS_TIMES:-10} cargo test $(CARGO_FLAGS) --test queries statements
	$(MAKE) --no-print-directory fuzz

fuzz: ## whatever bytes in place of a segment, an answer of Redis, a spool, a file to import: a minute each
	@scripts/need.sh cc fuzz
	@PATH="$$(scripts/need.sh --tools-path):$$PATH" scripts/fuzz.sh

lint: ## formatting, files that do not belong here, types of the page, rooms, clippy with warnings as errors, licences of dependencies
	@scripts/need.sh cc python page packaging
	scripts/check-files.sh
	@PATH="$$(scripts/need.sh --tools-path)/../packaging/bin:$$PATH" scripts/check-written.sh
	npm --prefix tests/page run --silent types
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy $(ALL_FLAGS) --all-targets -- -D warnings
	cargo clippy $(CARGO_FLAGS) -p emp-events --no-default-features -- -D warnings
	scripts/rooms.py --check
	PATH="$$(scripts/need.sh --tools-path):$$PATH" cargo deny --log-level error check bans licenses sources

bench: ## how fast and in how much memory, side by side with DuckDB, Redis, Python and Node
	@scripts/need.sh cc redis python node typescript
	PATH="$$(scripts/need.sh --tools-path):$$PATH" cargo bench --locked --bench whole

watch-month: ## how soon watch tells, and how often for nothing, over a month of simulated systems: hours; MONTH=--quick is a part of it
	@scripts/need.sh cc python
	cargo build $(CARGO_FLAGS) $(PROGRAM)
	EMP_EVENTS_BINARY=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/emp-events scripts/watch-month.py $(MONTH)

perf-report: ## perf-report.html and .md about EMP_EVENTS_STORE, else the sample; RANGE="--last 7d" is about more
	@scripts/need.sh cc
	@cargo build $(CARGO_FLAGS) $(PROGRAM)
	@scripts/perf-report.sh $(RANGE)

sample: ## make data/sample anew
	cargo build $(CARGO_FLAGS) $(PROGRAM)
	@scripts/sample.sh

docker: COMMIT = $(shell git rev-parse --short=12 HEAD 2>/dev/null)
docker: ## build both images: emp-events (all of it) and emp-events:collector (the daemon alone)
	docker build --build-arg EMP_EVENTS_COMMIT=$(COMMIT) --target collector --tag emp-events:collector .
	docker build --build-arg EMP_EVENTS_COMMIT=$(COMMIT) --target full --tag emp-events:latest .

test-images: ## build both images without an engine, and try them as they are meant to run; IMAGES=collector is the daemon's alone
	@scripts/need.sh cc redis openssl python buildah
	@PATH="$$(scripts/need.sh --tools-path):$$PATH" scripts/test-images.sh $(IMAGES)

package: ## what people install, in dist: a tarball, a .deb, npm's packages, a wheel; KIND=deb makes that alone
	@scripts/need.sh cc packaging
	@scripts/package.sh $(KIND)

test-packages: ## install each of them from nothing, and ask with it; the clients in fresh projects; KIND=deb tries that alone
	@scripts/test-packages.sh $(KIND)

advisories: ## known holes in dependencies; asks GitHub for the list
	@scripts/need.sh cc python
	PATH="$$(scripts/need.sh --tools-path):$$PATH" cargo deny --log-level error check advisories

sbom: ## what the binary is made of, in dist, as CycloneDX
	@scripts/need.sh cc sbom
	@mkdir -p dist
	PATH="$$(scripts/need.sh --tools-path):$$PATH" cargo sbom --cargo-package emp-events --output-format cyclone_dx_json_1_6 >dist/emp-events.cdx.json

checksums: ## dist/SHA256SUMS, of all that is there
	@scripts/package/checksums.sh

clean: ## remove what was built and installed inside the project
	cargo clean
	rm -rf .tools dist tests/packages/fresh fuzz/target fuzz/artifacts perf-report.html perf-report.md
