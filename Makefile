# segmentd: one Makefile, not recursive. `make help` lists what it can do.
#
# Sources are found by wildcard: a new .c in a module, a new tests/unit/
# test_*.c, tests/fuzz/fuzz_*.c or tests/bench/bench_*.c needs no line here.

# FAULTS=1: a build for tests, with kill points (segmentd/fault.h).
FAULTS  ?=
BUILD   ?= build$(if $(FAULTS),/faults)
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
PYTHON  ?= /usr/bin/python3
# Tests wait more than they work: two files at a time, each runner with a
# broker of its own. PYTEST_JOBS=1: one after the other.
PYTEST_JOBS ?= 2
SIDE_BY_SIDE = $(shell [ $(PYTEST_JOBS) -gt 1 ] && \
	$(PYTHON) -c 'import xdist' 2>/dev/null && \
	echo '-n $(PYTEST_JOBS) --dist loadfile')
V       ?=

VERSION := 0.1.0

# What may be narrowed for a quick build: MODULES="base model rules"
MODULES ?= base model ingest decode files features rules segments publish \
	store registry ops conf pipeline cli

Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-7s %s\n' $(1) $(2))

# --- libraries ------------------------------------------------------------
# pkg-config name, least version, Debian package
LIBS := rdkafka:2.0.2:librdkafka-dev avro-c:1.11:libavro-dev \
	hiredis:0.14:libhiredis-dev yaml-0.1:0.2:libyaml-dev \
	jansson:2.14:libjansson-dev libmicrohttpd:0.9.75:libmicrohttpd-dev \
	libxxhash:0.8:libxxhash-dev glib-2.0:2.74:libglib2.0-dev \
	libcurl:7.88:libcurl4-openssl-dev
PKGS := $(foreach l,$(LIBS),$(firstword $(subst :, ,$(l))))

# These do without libraries, or install them first.
ifneq ($(filter-out help clean packages format demo test check kafka registry \
	model,\
	$(or $(MAKECMDGOALS),all)),)
LIBS_MISSING := $(shell tests/support/libs $(LIBS) >&2 || echo yes)
ifeq ($(LIBS_MISSING),yes)
$(error libraries are missing, see above (or: make packages))
endif
endif

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

# TLS to Redis needs hiredis >= 1.0 with its own TLS library.
ifeq ($(shell pkg-config --exists hiredis_ssl openssl 2>/dev/null && echo y),y)
CPPFLAGS += -DSEGMENTD_REDIS_TLS
PKG_LIBS += $(shell pkg-config --libs hiredis_ssl openssl)
endif

# --- flags ----------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Werror
OPTIMISE ?= $(if $(FAULTS),-O0,-O2 -g)
SANITIZE ?=
CPPFLAGS += -D_GNU_SOURCE -DSEGMENTD_VERSION='"$(VERSION)"' -Iinclude \
	$(subst -I,-isystem ,$(PKG_CFLAGS))
CPPFLAGS += $(if $(FAULTS),-DSEGMENTD_FAULTS)
CFLAGS   += -std=c11 $(WARN) $(OPTIMISE) $(SANITIZE) -fno-omit-frame-pointer
LDFLAGS  += $(SANITIZE)
LDLIBS   += $(PKG_LIBS) -lpthread -lm

# --- sources --------------------------------------------------------------
SRCS := $(foreach m,$(MODULES),$(wildcard processor/$(m)/*.c))
OBJS := $(SRCS:%.c=$(BUILD)/%.o)
# Linked into every program before the libraries (make tsan).
BESIDE ?=
ALONG  := $(BESIDE:%.c=$(BUILD)/%.o)
MAIN := $(BUILD)/processor/main.o
LIB  := $(BUILD)/libsegmentd.a
BIN  := $(BUILD)/segmentd

UNIT_SRCS  ?= $(wildcard tests/unit/test_*.c)
UNIT_BINS  := $(patsubst %.c,$(BUILD)/%,$(wildcard $(UNIT_SRCS)))
FUZZ_SRCS  := $(if $(FUZZ),$(FUZZ:%=tests/fuzz/fuzz_%.c),\
	$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS  := $(FUZZ_SRCS:%.c=$(BUILD)/%)
BENCH_SRCS := $(wildcard tests/bench/bench_*.c)
BENCH_BINS := $(BENCH_SRCS:%.c=$(BUILD)/%)
C_FILES     = $(shell git ls-files -co --exclude-standard \
	'*.c' '*.h' '*.def' 2>/dev/null)

.PHONY: all demo test unit integration scenarios check lint format bench kafka \
	install clean help packages sanitized fuzz conformance registry \
	kill-pairs chaos model soak asan-integration tsan

all: $(BIN) ## build build/segmentd

$(BIN): $(MAIN) $(ALONG) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(MAIN) $(ALONG) $(LIB) $(LDLIBS)

$(LIB): $(OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar qcs $@ $(OBJS)

$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# It carries these files in itself.
$(BUILD)/processor/cli/demo_place.o: config/demo/segmentd.yaml \
	$(wildcard schemas/demo/*.avsc)

$(BUILD)/processor/store/redis_script.o: \
	$(wildcard processor/store/renewals/*.lua)

$(BUILD)/processor/publish/schema_text.o: schemas/change.v1.avsc \
	schemas/current.v1.avsc schemas/renewal.v1.avsc

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(ALONG) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(ALONG) $(LIB) $(LDLIBS) -lcmocka

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# libFuzzer needs clang and an instrumented library: make fuzz does both.
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIB) $(LDLIBS)

.SECONDARY:

# --- what a person types --------------------------------------------------
packages: ## install the Debian packages that building and testing need
	$(Q)tests/support/packages build test

demo: ## build and play a simulated company, everything embedded (60 s)
	$(Q)tests/support/packages build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(BIN) demo

test: ## unit tests, scenarios, and integration on real Kafka and Redis
	$(Q)tests/support/packages build test
	$(Q)$(MAKE) --no-print-directory all
	$(Q)failed=; for target in unit scenarios integration; do \
		$(MAKE) --no-print-directory $$target || \
			failed="$$failed $$target"; \
	done; [ -z "$$failed" ] || { echo "test: FAILED:$$failed"; exit 1; }

unit: $(UNIT_BINS) ## unit tests (cmocka)
	$(Q)tests/support/run-unit $(UNIT_BINS)

scenarios: $(BIN) ## behaviour told in tests/scenarios/*.yaml
	$(Q)$(BIN) test $(sort $(wildcard tests/scenarios/*.yaml) \
		$(wildcard config/examples/*.test.yaml))

TESTS ?= tests/integration
integration: $(BIN) ## integration tests (needs the broker of `make kafka`)
	$(Q)tests/kafka/fetch
	$(Q)$(MAKE) --no-print-directory FAULTS=1 BUILD=$(BUILD)/faults all
	$(Q)SEGMENTD=$(abspath $(BIN)) $(PYTHON) -m pytest -q $(SIDE_BY_SIDE) \
		$(TESTS)

kill-pairs: $(BIN) ## every pair of kill points, twice (half an hour)
	$(Q)tests/kafka/fetch
	$(Q)SEGMENTD=$(abspath $(BIN)) KILL_PAIRS=all REQUIRE_KAFKA=1 \
		$(PYTHON) -m pytest -q tests/integration/test_kill_points.py

.PHONY: inject
inject: $(BUILD)/tests/unit/test_pipeline_inject ## every error code to every request (minutes)
	$(Q)INJECT=all $<

KILLS ?= 1000
chaos: $(BIN) ## disturb everything KILLS times [SEED= SECONDS= INSTANCES= BROKERS=3]
	$(Q)tests/kafka/fetch
	$(Q)SEGMENTD=$(abspath $(BIN)) $(PYTHON) tests/chaos/run \
		"$(KILLS)" "$(SEED)" "$(SECONDS)" "$(INSTANCES)" "$(BROKERS)"

kafka: ## fetch the Kafka broker's jars from Maven Central
	$(Q)tests/kafka/fetch

registry: ## build a schema registry for the tests (needs go; minutes)
	$(Q)tests/registry/fetch

check: ## format, tidy, layering, unit tests under ASan and UBSan
	$(Q)tests/support/packages build check
	$(Q)failed=; for target in lint sanitized; do \
		$(MAKE) --no-print-directory $$target || \
			failed="$$failed $$target"; \
	done; [ -z "$$failed" ] || { echo "check: FAILED:$$failed"; exit 1; }

lint: ## format, tidy, layering
	$(Q)tests/lint/format $(C_FILES)
	$(Q)tests/lint/layers
	$(Q)tests/lint/headers $(CPPFLAGS)
	$(Q)tests/lint/banned
	$(Q)tests/lint/messages
	$(Q)tests/lint/tidy "$(BUILD)" $(CPPFLAGS) -std=c11

ASAN := OPTIMISE="-O1 -g" \
	SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all"
sanitized: ## unit tests under ASan and UBSan
	$(Q)ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	$(MAKE) --no-print-directory BUILD=$(BUILD)/asan $(ASAN) unit

# A report is a file, so that none is lost with a status nobody looks at.
REPORTS = $(abspath $(BUILD))/asan/report
asan-integration: ## integration tests with segmentd under ASan and UBSan [TESTS=]
	$(Q)rm -f $(REPORTS).*
	$(Q)export UBSAN_OPTIONS=print_stacktrace=1:log_path=$(REPORTS); \
	export ASAN_OPTIONS=exitcode=99:quarantine_size_mb=16:log_path=$(REPORTS); \
	$(MAKE) --no-print-directory BUILD=$(BUILD)/asan $(ASAN) integration; \
	status=$$?; for f in $(REPORTS).*; do [ ! -f "$$f" ] || \
		{ cat "$$f"; status=1; }; done; exit $$status

# gcc warns of what it can no longer follow between TSan's calls. Libraries are
# not built with TSan: what they do in a function that it knows is not judged.
# A stop that takes too long leaves threads behind, on purpose (run.c).
MINUTES ?= 5
TSAN := OPTIMISE="-O1 -g -Wno-maybe-uninitialized" \
	SANITIZE="-fsanitize=thread" BESIDE=tests/tsan/c11_threads.c
THREADED := base_log decode_schema ingest_mock ops_health ops_http ops_metrics \
	publish_mock registry
tsan: ## unit tests with threads, and a load, under TSan [MINUTES=5]
	$(Q)tests/kafka/fetch
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan $(TSAN) all
	$(Q)export TSAN_OPTIONS="exitcode=66 second_deadlock_stack=1 \
		history_size=4 ignore_noninstrumented_modules=1 \
		report_thread_leaks=0"; \
	failed=; \
	$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan $(TSAN) \
		UNIT_SRCS="$(THREADED:%=tests/unit/test_%.c)" unit || failed=1; \
	SEGMENTD=$(abspath $(BUILD)/tsan/segmentd) $(PYTHON) tests/tsan/run \
		--minutes $(MINUTES) || failed=1; \
	[ -z "$$failed" ]

# FUZZ="cel conf" narrows it.
FUZZ         ?=
FUZZ_SECONDS ?= 60
fuzz: ## fuzz each of FUZZ (or every tests/fuzz/fuzz_*.c) for FUZZ_SECONDS
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang \
		OPTIMISE="-O1 -g" SANITIZE="-fsanitize=address,undefined,\
	fuzzer-no-link -fno-sanitize-recover=all" fuzz-bins
	$(Q)tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZ)

fuzz-bins: $(FUZZ_BINS)

bench: $(BENCH_BINS) ## micro-benchmarks
	$(Q)for b in $(BENCH_BINS); do $$b || exit 1; done

.PHONY: bench-claims
bench-claims: $(BIN) ## claims a second of the renewal queue (a Redis, 30 s)
	$(Q)SEGMENTD=$(abspath $(BIN)) $(PYTHON) tests/bench/claims.py

.PHONY: bench-timers
bench-timers: $(BIN) ## lateness with 1M armed timers (10 min, 2 GB, a broker)
	$(Q)tests/kafka/fetch
	$(Q)SEGMENTD=$(abspath $(BIN)) $(PYTHON) tests/bench/timers.py

.PHONY: bench-delivery bench-takeover
bench-delivery: $(BIN) ## CPU of exactly once over at least once (10 min, a broker)
	$(Q)tests/kafka/fetch
	$(Q)SEGMENTD=$(abspath $(BIN)) $(PYTHON) tests/bench/delivery.py

bench-takeover: $(BIN) ## a new owner of 1M accounts (10 min, 4 GB, a broker)
	$(Q)tests/kafka/fetch
	$(Q)SEGMENTD=$(abspath $(BIN)) $(PYTHON) tests/bench/takeover.py

model: ## the Promela model of delivery and its mutants (MODEL_QUICK=1: a minute)
	$(Q)tests/support/packages model
	$(Q)tests/model/run

soak: $(BIN) ## steady load, then Redis lost again and again: it must not grow
	$(Q)tests/kafka/fetch
	$(Q)SEGMENTD=$(abspath $(BIN)) $(PYTHON) tests/soak/run \
		--minutes $(MINUTES)

conformance: $(LIB) ## the official CEL cases (needs node and npm)
	$(Q)BUILD=$(abspath $(BUILD)) tests/conformance/run

format: ## rewrite the C files in the house format
	$(Q)clang-format -i $(C_FILES)

install: $(BIN) ## install under $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/segmentd
	install -D -m 644 config/segmentd.yaml \
		$(DESTDIR)$(PREFIX)/share/segmentd/config/segmentd.yaml
	mkdir -p $(DESTDIR)$(PREFIX)/share/segmentd/schemas/examples \
		$(DESTDIR)$(PREFIX)/share/segmentd/schemas/presets \
		$(DESTDIR)$(PREFIX)/share/segmentd/config/presets
	install -m 644 schemas/*.avsc \
		$(DESTDIR)$(PREFIX)/share/segmentd/schemas/
	install -m 644 schemas/examples/*.avsc \
		$(DESTDIR)$(PREFIX)/share/segmentd/schemas/examples/
	install -m 644 schemas/presets/*.avsc \
		$(DESTDIR)$(PREFIX)/share/segmentd/schemas/presets/
	install -m 644 config/presets/*.yaml \
		$(DESTDIR)$(PREFIX)/share/segmentd/config/presets/

clean: ## remove what was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | \
		awk -F '\t' '{printf "  make %-14s %s\n", $$1, $$2}'

-include $(OBJS:.o=.d) $(ALONG:.o=.d) $(MAIN:.o=.d) $(UNIT_BINS:=.d) $(FUZZ_BINS:=.d) \
	$(BENCH_BINS:=.d)
