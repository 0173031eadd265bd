# dmatop: see README.md.
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= 1
FUZZ_TARGET ?= text
TORTURE_RUNS ?= 5000
TORTURE_SEED ?= 1

BASH_COMPLETIONS = $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS = $(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS = $(PREFIX)/share/fish/vendor_completions.d

# The commit for `dmatop --version`; a release tarball has it in the name of its directory.
DMATOP_REVISION ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null \
  || basename "$(CURDIR)" | sed -n 's/^dmatop-[0-9.]*-\([0-9a-f]\{7,40\}\)$$/\1/p' | grep . \
  || echo unknown)
export DMATOP_REVISION

SWIFT ?= swift
RELEASE = .build/release/dmatop
SOURCES = Sources Tests Benchmarks Fuzz Package.swift

.PHONY: all build run test bench bench-memory generate format lint-format fuzz fuzz-all fuzz-ui torture install \
  uninstall clean help

all: build

help:
	@echo 'make run       build, and open the monitor on a simulated desktop (without a terminal: one screen)'
	@echo 'make test      all tests'
	@echo 'make build     release build: $(RELEASE)'
	@echo 'make bench     measure the engine and the reader'
	@echo 'make bench-memory  only that memory does not grow: 10 min of simulation, 10^8 events (5 minutes)'
	@echo 'make fuzz      fuzz FUZZ_TARGET ($(FUZZ_TARGET)) for FUZZ_SECONDS ($(FUZZ_SECONDS)): text, dat, perf, packed,'
	@echo '               log, dump, devices, settings, filter or scenario; make fuzz-all does it for each of them'
	@echo 'make fuzz-ui   press random keys in the monitor for FUZZ_SECONDS, from FUZZ_SEED ($(FUZZ_SEED)) on'
	@echo 'make torture   run every command over damaged and hostile inputs, TORTURE_RUNS ($(TORTURE_RUNS)) times,'
	@echo '               from TORTURE_SEED ($(TORTURE_SEED)); what fails is kept in .build/torture'
	@echo 'make generate  rewrite what is made of the sources: the list of rules, documents, examples, golden files'
	@echo 'make format    format the sources; make lint-format checks them'
	@echo 'make install   install below PREFIX ($(PREFIX)), DESTDIR is honoured'

build:
	@scripts/setup
	$(SWIFT) build -c release --product dmatop

run:
	@scripts/setup
	@$(SWIFT) build -c release --product dmatop >&2
	@$(RELEASE) sim:desktop

test:
	@scripts/setup --test
	$(SWIFT) build -c release --product dmatop
	$(SWIFT) test

bench:
	@scripts/setup
	$(SWIFT) build -c release --product dmatop
	$(SWIFT) run -c release dmatop-bench

bench-memory:
	@scripts/setup
	$(SWIFT) build -c release --product dmatop
	$(SWIFT) run -c release dmatop-bench memory

# What the tests hold to be up to date, they write when they are told to. A part of it may depend on what
# stands before: the list of rules is compiled, the documents are printed, the screens show both.
GOLDEN_TESTS = RuleTests/theBadExample|FrameTests/everyView|LintCommandTests/everyFormat|ReadmeTests/everyExample
generate:
	scripts/generate-rules
	scripts/license-lines
	$(SWIFT) build --build-tests
	.build/debug/dmatop rules --format markdown >docs/RULES.md
	.build/debug/dmatop sim --api-table >docs/API.md
	.build/debug/dmatop replay --keys-table >docs/KEYS.md
	.build/debug/dmatop replay --man-page >docs/dmatop.1
	DMATOP_GOLDEN=update $(SWIFT) test --skip-build --filter '$(GOLDEN_TESTS)'

format:
	$(SWIFT) format format --in-place --parallel --recursive $(SOURCES)

lint-format:
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)

fuzz:
	@scripts/setup
	scripts/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGET)

fuzz-all:
	@scripts/setup
	scripts/fuzz $(FUZZ_SECONDS) all

fuzz-ui:
	@scripts/setup
	DMATOP_FUZZ_UI=$(FUZZ_SECONDS) DMATOP_FUZZ_SEED=$(FUZZ_SEED) $(SWIFT) test --filter MonitorFuzzTests

torture: build
	scripts/torture --runs $(TORTURE_RUNS) --seed $(TORTURE_SEED)

install:
	@scripts/setup
	$(SWIFT) build -c release --product dmatop --static-swift-stdlib --scratch-path .build-install
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/dmatop
	install -m 755 .build-install/release/dmatop $(DESTDIR)$(PREFIX)/bin/dmatop
	install -m 644 README.md LICENSE docs/*.md $(DESTDIR)$(PREFIX)/share/doc/dmatop
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(BASH_COMPLETIONS)
	install -d $(DESTDIR)$(ZSH_COMPLETIONS) $(DESTDIR)$(FISH_COMPLETIONS)
	install -m 644 docs/dmatop.1 $(DESTDIR)$(PREFIX)/share/man/man1/dmatop.1
	.build-install/release/dmatop --generate-completion-script bash >$(DESTDIR)$(BASH_COMPLETIONS)/dmatop
	.build-install/release/dmatop --generate-completion-script zsh >$(DESTDIR)$(ZSH_COMPLETIONS)/_dmatop
	.build-install/release/dmatop --generate-completion-script fish >$(DESTDIR)$(FISH_COMPLETIONS)/dmatop.fish

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/dmatop $(DESTDIR)$(PREFIX)/share/man/man1/dmatop.1
	rm -f $(DESTDIR)$(BASH_COMPLETIONS)/dmatop $(DESTDIR)$(ZSH_COMPLETIONS)/_dmatop
	rm -f $(DESTDIR)$(FISH_COMPLETIONS)/dmatop.fish
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/dmatop

clean:
	rm -rf .build .build-install .build-fuzz
