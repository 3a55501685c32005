# The task runner. `make help` lists what there is.
.DEFAULT_GOAL := help
VENV := .venv/bin
PYTHON_CODE := backend scripts tests training
SHELL_CODE := start-vllm-direct.sh .ci/run $(wildcard scripts/*.sh training/*.sh)
.PHONY: help env test unit check page page-check e2e fix dev gpu images stack lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

env: ## make or update the Python environment in .venv
	@scripts/install.sh cpu-dev

test: env page ## everything: style, types, contracts, all tests, the page in a browser
	@$(MAKE) --jobs=2 --output-sync=target check page-check
	@scripts/test.sh

unit: env ## the quick tests: no engine
	$(VENV)/pytest tests/unit

check: env ## style, types and room contracts; the page's types of the API where Node's packages are
	$(VENV)/ruff check $(PYTHON_CODE)
	$(VENV)/ruff format --check $(PYTHON_CODE)
	$(VENV)/mypy
	$(VENV)/lint-imports --no-cache
	shellcheck $(SHELL_CODE)
	@[ ! -d frontend/node_modules ] || { cd frontend && npm run --silent types:check; }

page: ## build the web page into frontend/dist (needs Node)
	@scripts/build-page.sh --must

page-check: env page ## the page: style, types, types of the API, component tests, size
	cd frontend && npm run --silent lint && npm run --silent types:check && npm run --silent test
	cd frontend && npm run --silent size

e2e: env page ## the page in headless Chromium, against the service
	cd frontend && CHROMIUM="$$(../scripts/browser.sh)" npm run --silent e2e

fix: env ## format, and mend what can be mended without thinking
	$(VENV)/ruff check --fix $(PYTHON_CODE)
	$(VENV)/ruff format $(PYTHON_CODE)

dev: env page ## the service with the small model, logging at DEBUG, and Vite beside it on port 5173
	@trap 'kill 0' EXIT; (cd frontend && npm run --silent dev) & LOG_LEVEL=DEBUG $(VENV)/folio serve

gpu: ## the tests that need a GPU, with the Python that has vLLM for it (PYTHON=...)
	$(or $(PYTHON),python3) -m pytest -m gpu tests/gpu

images: ## build the container images without Docker, and read a page in them (root; minutes)
	scripts/try-images.sh

stack: ## start docker-compose.yml on images of this checkout, without Docker, and use it (root; minutes)
	scripts/try-images.sh worker cpu
	scripts/try-compose.sh

lock: ## write the lock files anew (needs uv)
	scripts/lock.sh

clean: ## remove what the other targets made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache data frontend/dist frontend/node_modules
