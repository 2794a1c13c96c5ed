PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Processes that `make test` runs in.
WORKERS ?= 2

.PHONY: setup demo test test-all check format docs notebook performance performance-cuda clean

# Build backends, too, come in the versions that are pinned.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)

setup: $(STAMP)

# torch by its exact version and by itself: where a wheel for this machine is at hand, pip takes it.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q torch==2.13.0
	$(BIN)/python -m pip install -q -e '.[all,dev]'
	@touch $@

demo: setup
	$(BIN)/bench demo

# A worker takes whole files, so that what a file's tests share is made once; the longest files go first (conftest.py).
# With one thread each, workers do not take each other's processors.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Real trainings one after the other, with as many threads as users' have.
test-all: test
	$(BIN)/python -m pytest -m slow

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: setup
	$(BIN)/python docs/generate.py

# Trains the default model for some minutes.
notebook: setup
	$(BIN)/python docs/notebook.py

performance: setup
	$(BIN)/python tests/benchmarks/performance.py
	$(BIN)/python -m tests.benchmarks.training_rivals
	$(BIN)/python -m tests.benchmarks.scoring_rivals
	$(BIN)/python -m tests.benchmarks.conversations_page
	$(BIN)/python -m tests.benchmarks.compare_scale --out baselines/performance/compare-cpu.json
	$(BIN)/python -m tests.benchmarks.many_conversations
	$(BIN)/python -m tests.benchmarks.fixed_cost

# On a machine with a GPU, in an environment with CUDA wheels (the script lists them): make performance-cuda BIN=…/bin
performance-cuda:
	$(BIN)/python -m tests.benchmarks.cuda

clean:
	rm -rf $(VENV)
