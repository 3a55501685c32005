# The task runner. `make help` lists what there is.
.DEFAULT_GOAL := help
VENV := .venv/bin
PYTHON_CODE := backend tests training
.PHONY: help env test unit check fix dev gpu lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

env: ## make or update the Python environment in .venv
	@scripts/install.sh cpu-dev

test: env check ## everything: style, types, room contracts, all tests on the real engine
	$(VENV)/pytest -m "not gpu"

unit: env ## the quick tests: no engine
	$(VENV)/pytest tests/unit

check: env ## style, types and room contracts
	$(VENV)/ruff check $(PYTHON_CODE)
	$(VENV)/ruff format --check $(PYTHON_CODE)
	$(VENV)/mypy
	$(VENV)/lint-imports --no-cache

fix: env ## format, and mend what can be mended without thinking
	$(VENV)/ruff check --fix $(PYTHON_CODE)
	$(VENV)/ruff format $(PYTHON_CODE)

dev: env ## the service with the small model, logging at DEBUG
	LOG_LEVEL=DEBUG $(VENV)/folio serve

gpu: ## the tests that need a GPU, with the Python that has vLLM for it (PYTHON=...)
	$(or $(PYTHON),python3) -m pytest -m gpu tests/gpu

lock: ## write the lock files anew (needs uv)
	scripts/lock.sh

clean: ## remove what the other targets made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache data
