# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test check static generate faults soak bench sandbox image lock clean

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## Make .venv with everything pinned, and the command .venv/bin/mintmark.

$(SETUP): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(SETUP)

run: $(SETUP) ## Start everything on embedded defaults, play the journey once, keep serving.
	MINTMARK_DEVELOPMENT=1 $(BIN)/mintmark serve --sandbox

sandbox: $(SETUP) ## Start only the partners' local twins.
	MINTMARK_DEVELOPMENT=1 $(BIN)/mintmark sandbox

test: $(SETUP) ## Run the tests, on PostgreSQL, SQLite and real sockets.
	$(BIN)/python -m pytest

check: static test ## Run the static checks, then the tests.

static: $(SETUP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python protos/generate.py image .venv/image.binpb
	$(BIN)/buf lint .venv/image.binpb --config protos/buf.yaml
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/python protos/generate.py stubs .venv/generated
	diff -r -x __pycache__ generated .venv/generated

generate: $(SETUP) ## Write generated/ from protos/.
	$(BIN)/buf format --write protos
	$(BIN)/python protos/generate.py stubs generated

faults: $(SETUP) ## Run the fault campaigns: kills, crash points, full disks, hostile requests.
	$(BIN)/python -m pytest -n 0 -m campaign --timeout 3600 tests

soak: $(SETUP) ## Half an hour (SOAK_MINUTES) of even load: nothing lost, nothing that grows; raw figures in data/soak.
	$(BIN)/python -m pytest -n 0 -m soak --timeout 0 tests/soak

bench: $(SETUP) ## Measure JWEs, notifications, reads and verifications of cards: medians and ratios of one run, raw figures in data/bench.
	$(BIN)/python -m tests.bench

image: ## Build the container image: the wheel, and what it needs from the lock.
	docker build --tag mintmark .

lock: $(SETUP) ## Pin the newest versions that pyproject.toml allows.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q pyproject.toml --group dev -o requirements-dev.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q --group build -c requirements-dev.lock -o requirements-build.lock

clean: ## Remove everything that can be made again; the data folder stays.
	rm -rf .venv dist build .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
