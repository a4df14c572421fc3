# make demo    set up .venv and run the demo
# make test    run the default test suite and measure its coverage
# make test-faults  kill trainings and preparations many times and fill disks (docs/reliability.md)
# make bench   compare the speed with a baseline written like the published code, with one thread and with two (16 minutes)
# make fuzz    try 100,000 damaged inputs of each reader (about an hour; atheris is used if it is installed)
# make check   run ruff, mypy, import-linter and typos
# make format  fix and format the code with ruff
# make clean   remove everything that these made
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KILLS ?= 20
READY := $(VENV)/ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --no-cache-dir

.PHONY: bench demo test test-faults fuzz check format setup clean

demo: setup
	$(BIN)/rankelastor demo

test: $(VENV)/triton
	$(BIN)/pytest -n 2 --cov

test-faults: setup
	RANKELASTOR_KILLS=$(KILLS) $(BIN)/pytest -m fault

bench: setup
	$(BIN)/python -m benchmarks.speed --short

fuzz: setup
	$(BIN)/python -m tests.fuzz.run

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/typos

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(READY)

# torch is installed first, so that no package that requires it can choose another build. TorchRec comes without what it
# asks for, which is a build for CUDA; the extra `distributed` has what it needs on Linux.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer must run this, but {v.major}.{v.minor} does; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt torch
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@if $(BIN)/python -c 'import fbgemm_gpu' 2>/dev/null; then $(PIP) install --quiet --no-deps -c constraints.txt torchrec; fi
	@touch $@

# Kernels for GPUs are tested in Triton's interpreter. Triton takes 600 MB, so that only the tests get it.
$(VENV)/triton: $(READY)
	$(PIP) install --quiet -c constraints.txt -e '.[triton]'
	@touch $@

clean:
	rm -rf $(VENV) fuzz demo prepared runs reports .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
