# The verbs of this project; the same here, in CI and in the README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1

# Real data for measuring lies beside some checkouts; tests that need it skip without it.
EMBEDREC_DATA ?= $(abspath $(wildcard ../shared/data))
ifneq ($(EMBEDREC_DATA),)
export EMBEDREC_DATA
endif

# threads that wait by spinning slow everything down as soon as two jobs share the cores
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check check-deps fix bench bench-scale ui

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup:  ## virtual environment in .venv with everything installed
	@PYTHON="$(PYTHON)" sh scripts/setup.sh $(VENV)

demo: setup  ## synthetic shop → train → evaluate → export → page (SERVE=0 stops before the page)
	$(BIN)/python scripts/train.py data=demo name=demo
ifneq ($(SERVE),0)
	$(BIN)/python scripts/serve.py outputs/latest/bundle --port $(or $(PORT),7860)
endif

test: setup  ## the default tests, under five minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: setup  ## every test, the slow ones too
	$(BIN)/python -m pytest -m "not benchmark"

check: setup  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-deps: setup  ## known vulnerabilities of what is installed; asks PyPI
	$(BIN)/python scripts/check_deps.py

fix: setup  ## repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## benchmarks against named peers, ratios in one run
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

bench-scale: setup  ## how seconds and memory grow with a shop: 1, 3, 10 and 30 million purchases
	$(BIN)/python tests/benchmarks/growth.py outputs/growth --millions $(or $(MILLIONS),1 3 10 30)

ui: setup  ## the MLflow UI on what was tracked
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow ui --host 127.0.0.1 --port $(or $(PORT),5000) --workers 1 --backend-store-uri sqlite:///outputs/mlflow.db
