# The words to learn. Everything is installed into .venv; nothing outside this folder is touched.

PYTHON ?= python3
PORT ?= 3001
HOSTS ?= 10
FUZZ_SECONDS ?= 120
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench isolation page screenshots slow systemd faults fuzz clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/.demo ## the live page of this machine and ten simulated hosts; PORT=, HOSTS=
	@$(BIN)/vstats-server demo --port $(PORT) --hosts $(HOSTS)

test: .venv/.dev ## run the tests, less those below (2 minutes)
	$(BIN)/python -m pytest -n 3 --dist worksteal

slow: .venv/.dev ## run the slow tests: a browser, strangers' clients, conformance (4 minutes; needs chromium, java, node)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

fuzz: .venv/.dev ## look for input that does harm: ten times what the tests try, and FUZZ_SECONDS of atheris
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3.0'
	env -u CI VSTATS_FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest -n 2 --timeout 1800 tests/hostile/test_fuzz_messages.py tests/hostile/test_fuzz_wire.py
	$(BIN)/python tests/hostile/fuzz_bytes.py messages -max_total_time=$(FUZZ_SECONDS)
	$(BIN)/python tests/hostile/fuzz_bytes.py frames -max_total_time=$(FUZZ_SECONDS)

bench: .venv/.dev ## measure the relay and the agent beside their peers (half an hour; needs cc)
	$(BIN)/python -m lab.benchmarks $(ARGS)

isolation: .venv/.dev ## measure what ill-behaved collectors cost the others (4 minutes)
	$(BIN)/python lab/benchmarks/isolation.py

systemd: .venv/.dev ## boot a Debian and run the services there (4 minutes; root, debootstrap, systemd-container)
	$(BIN)/python -m pytest -m systemd tests/systemd

page: .venv/.dev ## measure what 500 hosts on the live page cost a browser (2 minutes; needs Chromium)
	$(BIN)/python -m lab.benchmarks.page

screenshots: .venv/.dev ## take the pictures in docs/images: page and terminal (2 minutes; needs Chromium)
	$(BIN)/python -m lab.benchmarks.screenshots
	$(BIN)/python docs/images/terminal.py

faults: .venv/.dev ## break things for real, count what is lost (14 minutes, as root; ARGS=--quick: 1.5)
	PATH="$$PATH:/usr/sbin:/sbin" $(BIN)/python -m lab.faults $(ARGS)

check: .venv/.dev ## lint, check types, check who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev ## lay the code out, mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove what these commands made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("vStats needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "make: no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }

.venv/.demo: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.dev: pyproject.toml $(wildcard plugins/*/pyproject.toml) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' $(patsubst %,--editable ./%,$(wildcard plugins/*))
	@touch $@ .venv/.demo
