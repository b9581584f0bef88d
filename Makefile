# The commands of this repository: `make` lists them. Needed: GNU make, git, and CPython 3.11 to 3.14 with venv.

PYTHON ?= python3
PORT ?= 8000
MODELS := flights diabetes breast_cancer
LOCK_FLAGS ?=
UV ?= uv

# What is run here finds its packages in .venv and in this folder, and nowhere else.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
RUN := .venv/bin/python
INSTALL := -m pip install -qq --disable-pip-version-check --require-hashes -r

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# --- the environments: from the locks, by hash -----------------------------------------------------------------------

# $(call environment,FOLDER,LOCK): an environment that works is brought up to date, any other is made again.
define environment
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || { $(CHECK_PYTHON) && $(PYTHON) -m venv --clear $(1); }
	@echo "installing what $(2) pins into $(1): a minute or two"
	@$(1)/bin/python $(INSTALL) $(2)
	@touch $@
endef

define CHECK_PYTHON
{ $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || { \
  echo "expected CPython 3.11 to 3.14 as $(PYTHON), found $$($(PYTHON) --version 2>&1 | head -n 1); name another: make PYTHON=python3.13" >&2; exit 2; } && \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
  echo "expected $(PYTHON) with venv and pip, found it without; on Debian: apt-get install python3-venv" >&2; exit 2; } }
endef

.venv/installed: requirements-dev.txt
	$(call environment,.venv,requirements-dev.txt)

.venv-serve/installed: requirements-serve.txt
	$(call environment,.venv-serve,requirements-serve.txt)

# Beside what .venv has: the same versions of what both need.
.venv/boosters: .venv/installed requirements-boosters.txt
	@echo "installing what requirements-boosters.txt pins into .venv"
	@$(RUN) $(INSTALL) requirements-boosters.txt
	@touch $@

.venv-clients/installed: requirements-clients.txt
	$(call environment,.venv-clients,requirements-clients.txt)

# --- models: trained, converted, proven ------------------------------------------------------------------------------

TRAINING := $(filter-out models/demo.py,$(wildcard models/*.py))
CONVERTER := $(wildcard convert/*.py convert/*/*.py runtime/*.py)
PIPELINES := $(MODELS:%=build/%/pipeline.joblib)
BUNDLES := $(MODELS:%=build/models/%/production/manifest.json)

$(PIPELINES): build/%/pipeline.joblib: models/%/train.py $(TRAINING) requirements-dev.txt | .venv/installed
	@$(RUN) -m models.$*.train

build/flights/pipeline.joblib: models/flights/data.py

# The manifest is seen through the alias: `production` leads to what was converted last.
$(BUNDLES): build/models/%/production/manifest.json: build/%/pipeline.joblib $(CONVERTER)
	@$(RUN) -m convert $< --sample build/$*/sample.parquet --out build/models/$* --promote production

.PHONY: models
models: $(BUNDLES) ## train and convert every model, below build/

# --- to see it -------------------------------------------------------------------------------------------------------

DEMO := $(RUN) -m models.demo build/flights build/models/flights --server .venv-serve/bin/python

.PHONY: demo
demo: build/models/flights/production/manifest.json .venv-serve/installed ## train, convert, prove, serve and measure a model: everything, once
	@$(DEMO)

.PHONY: serve
serve: build/models/flights/production/manifest.json .venv-serve/installed ## the same, then keep serving on PORT (8000) until Ctrl-C
	@$(DEMO) --keep --port $(PORT)

# --- to work on it ---------------------------------------------------------------------------------------------------

# One thread each, for more threads than cores wait for one another; three for two cores, for while a test waits for a
# server another computes. Each begins with a third of its own, whose fixtures it alone makes.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(RUN) -m pytest -n 3 --dist worksteal

.PHONY: test
test: .venv/installed ## the tests, minutes
	@$(PYTEST) -m "not slow"

.PHONY: test-all
test-all: .venv/installed ## the tests, those that are slow too
	@$(PYTEST)

.PHONY: clients
clients: .venv-clients/installed ## the environment of other servers' clients: with it `make test` drives them too

.PHONY: boosters
boosters: .venv/boosters ## LightGBM, XGBoost, CatBoost, imbalanced-learn: with them `make test` converts their models too

.PHONY: check
check: .venv/installed ## formatting, lint, types
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

.PHONY: bench
bench: $(BUNDLES) .venv-serve/installed ## measure every model against its budgets; 1 over budget, 3 could not decide
	@$(RUN) -m benchmarks --check

.PHONY: peers
peers: .venv/installed ## what others would use, each in an environment of its own (half an hour, 5 GB): python -m benchmarks --peers
	@$(RUN) -m benchmarks.peers

.PHONY: workloads
workloads: .venv/boosters ## larger models: python -m benchmarks build/workloads/models --trained build/workloads
	@$(RUN) -m benchmarks.workloads

STRESS ?=

.PHONY: stress
stress: .venv/installed ## swap, kill, end and restart the service under load; STRESS="--nightly", or counts: STRESS="--kills 100"
	@$(RUN) -m tests.stress $(STRESS)

.PHONY: image
image: $(BUNDLES) ## build the image, with docker, podman or buildah
	@.ci/image build

.PHONY: image-check
image-check: $(BUNDLES) ## build the image on Debian's packages, where no image registry is, and predict with it (root; mmdebstrap, buildah)
	@.ci/image check

.PHONY: lock
lock: ## pin what pyproject.toml asks for, with hashes (needs uv); LOCK_FLAGS=--upgrade for newer versions
	@$(UV) --version >/dev/null 2>&1 || { echo "expected uv on PATH, found none; install it or name it: make lock UV=path/to/uv" >&2; exit 2; }
	@$(COMPILE) --extra serve --output-file requirements-serve.txt >/dev/null
	@$(COMPILE) --extra serve --extra convert --group dev --constraint requirements-serve.txt --output-file requirements-dev.txt >/dev/null
	@$(COMPILE_ALL) --group boosters --constraint requirements-dev.txt --output-file requirements-boosters.txt >/dev/null
	@$(COMPILE_CLIENTS) --output-file requirements-clients.txt >/dev/null

COMPILE_ALL = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header $(LOCK_FLAGS)
COMPILE = $(COMPILE_ALL) pyproject.toml
COMPILE_CLIENTS = $(COMPILE_ALL) requirements-clients.in

.PHONY: clean
clean: ## delete what these commands made, environments too
	@rm -rf build dist .venv .venv-serve .venv-clients .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
