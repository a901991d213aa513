# `make demo` shows the program at work; `make test` runs its tests, `make quick` most of them; `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR := .demo
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder
# What is compiled is kept: the tests start the program many times.
SETTINGS := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=

.PHONY: bench campaigns demo test quick check lint types install clean-venv

demo: $(VENV)/.installed
	@rm -rf $(DEMO_DIR)/models $(DEMO_DIR)/results
	$(BIN)/psa train --dataset mnist5k --arch "[4*16, 2*12]" --mode full --lr 1e-3 --meta-loops 200 --seed 1 --threads 1 \
		--model-dir $(DEMO_DIR)/models --results-dir $(DEMO_DIR)/results

test: $(VENV)/.installed-dev
	$(SETTINGS) $(BIN)/python -m pytest $(PARALLEL) -m "not campaign"

campaigns: $(VENV)/.installed-dev
	$(SETTINGS) $(BIN)/python -m pytest $(PARALLEL) -m campaign

quick: $(VENV)/.installed-dev
	$(SETTINGS) $(BIN)/python -m pytest $(PARALLEL) -m "not slow and not campaign"

check: lint types test campaigns

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("psa-tui needs Python 3.11 or newer, found " + sys.version.split()[0] + "; try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

clean-venv:
	rm -rf $(VENV)
