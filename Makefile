# Everything here sets itself up in .venv: Python 3.11 or later and make are enough.
#
#   PYTHON=python3.12 make test     another interpreter
#   PORT=8080 make demo             another port
#   ONCE=1 make demo                play the tour of the example and stop
#   JOBS=0 make test                one process, as a debugger wants it

PYTHON ?= python3
VENV ?= .venv
PORT ?= 3000
JOBS ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs clean

help:
	@echo 'make demo    build examples/notes and serve it on http://127.0.0.1:$(PORT)'
	@echo 'make test    run every test, the ones that compile components included, $(JOBS) files at once'
	@echo 'make lint    ruff and mypy --strict'
	@echo 'make bench   measure instructions and requests per second'
	@echo 'make docs    build the guide and the API reference as a site: build/site/index.html'
	@echo 'make clean   remove $(VENV) and what the tools left behind'

demo: $(READY)
	@PORT='$(PORT)' ONCE='$(ONCE)' $(BIN)/python examples/notes/demo.py

test: $(READY)
	$(BIN)/python -m pytest -n '$(JOBS)' --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(DOCS_READY)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html \
	  --conf-dir docs/site --doctree-dir build/doctrees $(ARGS) . build/site

clean:
	rm -rf $(VENV) build docs/site/reference .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "'$(PYTHON)' was not found: install Python 3.11 or later, or name one with PYTHON=" >&2; \
	  exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "'$(PYTHON)' is older than Python 3.11: name a later one with PYTHON=" >&2; \
	  exit 1; }
	@echo 'Setting up $(VENV), once'
	@'$(PYTHON)' -m venv '$(VENV)'
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --editable '.[tools]' --group dev
	@touch $@

$(DOCS_READY): $(READY)
	@$(BIN)/python -m pip install --quiet --group docs
	@touch $@
