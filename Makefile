# Everything that a developer types. `make help` lists it.
SHELL := /bin/sh
PYTHON3 ?= /usr/bin/python3
VENV ?= .venv
PYTHON := $(VENV)/bin/python
SUITE ?= trixie
SUITES := trixie sid pypi
DEMO ?=
BENCH ?=
TABLE ?=
SOAK ?=
FLEET ?=

.PHONY: help deps test check unit system table suite suites demo bench soak fleet deb lint reproducible pages picture clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

# What the daemon imports comes from Debian, as on the hosts it runs on; the tools come from PyPI.
$(VENV)/ready: pyproject.toml tests/install.sh
	tests/install.sh $(PYTHON3) $(VENV)
	@touch $@

deps: $(VENV)/ready ## install what is missing: Debian's packages as root, the tools into .venv

test: deps check unit ## lint, types and every test

check: deps
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

# Two at a time: most of them wait most of the time.
unit: deps
	$(PYTHON) -m pytest --numprocesses 2

system: deps ## the tests on a whole Debian 12 and 13, booted; needs root
	$(PYTHON) -m pytest --numprocesses 2 tests/system

suite: ## the tests on another Debian, or with PyPI's newest (SUITE=trixie, sid, pypi); needs root
	tests/suites/run.sh $(SUITE)

suites: ## the tests on all of those
	@set -e; for suite in $(SUITES); do $(MAKE) suite SUITE=$$suite; done

table: deps ## what each case costs a booted Debian 12 and 13, without dnsguard and with it (TABLE="--only killed"); needs root
	$(PYTHON) -m tests.system.table $(TABLE)

demo: deps ## the story, without the guard and with it (DEMO="--standby no", DEMO="--only crash")
	$(PYTHON) -m tests.sandbox.demo $(DEMO)

bench: deps ## how long things take (BENCH="--rounds 20 --only death")
	$(PYTHON) -m tests.sandbox.bench $(BENCH)

soak: deps ## random faults against a guarded host (SOAK="--first 0 --count 1000 --side-by-side 12")
	$(PYTHON) -m tests.sandbox.soak $(SOAK)

fleet: deps ## what 100 000 hosts ask their upstreams: a simulation, three minutes (FLEET="--hosts 5000 --seed 2")
	$(PYTHON) -m tests.fleet.load $(FLEET)

deb: ## dist/dnsguard_VERSION_all.deb, from HEAD, built in a clean Debian 13; needs root
	packaging/build.sh

lint: ## lintian and others at the package in dist/
	packaging/lint.sh

reproducible: ## build the one in dist/ again, under another path, time zone and umask, and compare
	packaging/reproducible.sh

pages: deps ## write the table in docs/log-codes.md from pages/codes.toml
	$(PYTHON) -m pages.codes --document

picture: deps ## draw the phases in ARCHITECTURE.md from the table
	$(PYTHON) -m tests.house.diagram

clean: ## remove what was made here; the cache of Debian packages in ~/.cache/dnsguard stays
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist debian
