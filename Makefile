# One virtual environment in .venv; nothing is installed outside it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TEST_WORKERS ?= 2
BENCHMARKS := $(patsubst benchmarks/%.py,bench-%,$(shell grep -l __main__ benchmarks/*.py))
CODE := platform tests migrations benchmarks

# More threads than cores only make torch slower, and pytest runs several processes anyway.
export OMP_NUM_THREADS ?= 1

.PHONY: help install demo up test test-postgres test-ray crashes check lint clean bench $(BENCHMARKS)

help:
	@echo "make install        make a virtual environment in .venv with everything"
	@echo "make demo           the whole story on generated data: train, drift, retrain, proof"
	@echo "make up             API, console, scheduler, worker and model server on this machine"
	@echo "make test           the tests on SQLite"
	@echo "make test-postgres  the tests on a PostgreSQL server of their own"
	@echo "make crashes        every fault at every step, on both databases; writes docs/crash-matrix.md"
	@echo "make check          lint, format, types, import contracts, tests"
	@echo "make bench-NAME     a measurement: $(BENCHMARKS); ARGS=--quick for a look at drift"
	@echo "make clean          remove what was built; data and .venv stay"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[train,monitor,dev]'
	touch $@

demo: install
	$(BIN)/bailiwick demo

up: install
	$(BIN)/bailiwick up

test: install
	$(BIN)/pytest -n $(TEST_WORKERS)

test-postgres: install
	BAILIWICK_TEST_POSTGRES=1 $(BIN)/pytest -n $(TEST_WORKERS)

test-ray: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	$(BIN)/pytest -m ray tests/training

crashes: install
	rm -rf build/crashes
	CRASH_REPORT=build/crashes $(BIN)/pytest -n $(TEST_WORKERS) -m crashes tests/crashes
	CRASH_REPORT=build/crashes BAILIWICK_TEST_POSTGRES=1 \
		$(BIN)/pytest -n $(TEST_WORKERS) -m crashes tests/crashes
	PYTHONPATH=tests:platform $(BIN)/python -m support.crashes.report \
		build/crashes docs/crash-matrix.md

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint test

bench:
	@echo "choose one: $(BENCHMARKS)"

$(BENCHMARKS): bench-%: install
	$(BIN)/python benchmarks/$*.py $(ARGS)

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
