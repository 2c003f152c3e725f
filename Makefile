# Everything runs in .venv, which the first target that needs it installs with pip.
.DEFAULT_GOAL := install
.PHONY: install demo test test-faults speed gpu check fix help

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# The kernels of a processor without AVX-512 and without bfloat16 products.
AVX2 := ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2

install: $(INSTALLED)  ## Install into .venv what constraints.txt names (once, until it changes)
	@echo "autoloss is installed in .venv; 'make help' lists what can be made."

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("autoloss needs Python 3.11 or newer: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $(INSTALLED)

demo: $(INSTALLED)  ## Search a loss for the handwritten digits of scikit-learn (anew each time)
	rm -rf reports/demo
	$(BIN)/autoloss search sklearn:digits --space quick --trials 64 --name demo --out reports

test: $(INSTALLED)  ## Run all tests but the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

FAULTS ?= 1
test-faults: $(INSTALLED)  ## Try every fault as often as in reports/reliability (times FAULTS), and count what is found
	OMP_NUM_THREADS=1 FAULTS=$(FAULTS) FAULTS_OUT=$(or $(OUT),reports/reliability/faults.json) $(BIN)/python -m pytest -m faults -n auto --dist loadfile

speed: $(INSTALLED)  ## Measure the figures of reports/speed (four hours; DATA=DIR has the data sets)
	@test -d "$(DATA)" || { echo "DATA must be the folder of the data sets: make speed DATA=DIR"; exit 2; }
	$(BIN)/python -m benchmarks.modules --report
	$(BIN)/python -m benchmarks.scale --report
	$(BIN)/python -m benchmarks.precision --data $(DATA) --out reports/speed/precision.json
	$(BIN)/python -m benchmarks.racing --data $(DATA) --first-seed 7 --out reports/speed/racing.json
	$(BIN)/python -m benchmarks.outside --out reports/speed/outside.json
	$(BIN)/python -m benchmarks.first_looks --report
	$(BIN)/python -m benchmarks.workers --report
	$(BIN)/python -m benchmarks.speed --report
	$(AVX2) $(BIN)/python -m benchmarks.outside --out reports/speed/outside_avx2.json
	$(AVX2) $(BIN)/python -m benchmarks.first_looks --report
	$(AVX2) $(BIN)/python -m benchmarks.workers --report
	$(AVX2) $(BIN)/python -m benchmarks.speed --report

gpu:  ## Run the tests of a GPU and fill its rows of reports/speed, in 8 minutes, with the torch of PYTHON
	$(PYTHON) -m benchmarks.gpu --out $(or $(OUT),reports/speed)

check: $(INSTALLED)  ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(INSTALLED)  ## Repair style and format where that is mechanical
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

help:  ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
