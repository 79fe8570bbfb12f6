# Every target works from a fresh clone on its own; `make` alone lists them.
# Another interpreter: make install PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip -qq --disable-pip-version-check install --no-compile
INPUTS := pyproject.toml constraints.txt Makefile

# Stamps: .run is the package with what it needs, .test adds the test group, .dev the tools too;
# .docs adds to .run what builds the site.
RUN := $(VENV)/.run
TEST := $(VENV)/.test
DEV := $(VENV)/.dev
DOCS := $(VENV)/.docs

# Where it is set, every process compiles thousands of modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install demo test test-all test-portable check docs bench calibration clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

install: $(DEV) ## Make .venv and install bayescale for development; does nothing when up to date
	@echo "bayescale is installed in $(VENV); its command is $(BIN)/bayescale"

demo: $(RUN) ## Fit real runs, compare two laws, plan, draw
	@$(BIN)/bayescale demo

test: $(TEST) ## Run the tests, doctests and notebooks that are not slow
	@$(BIN)/python -m pytest -q --nbmake -n 2 --dist loadfile

test-all: $(TEST) ## Run every test
	@$(BIN)/python -m pytest -q --nbmake -n 2 --dist loadfile -m ""

# Chains are chaotic: other instructions and other numbers of threads give other draws, and no test
# may turn on that. XLA compiles for any set up to the processor's own; MARK="" takes the slow tests
# along. Each set is run on one core or on two, with another seed of hypothesis each time.
ISAS := AVX512/2 AVX2/1 AVX/2 SSE4_2/1
MARK := not slow
test-portable: $(TEST) ## Run the tests under four instruction sets, on one core and on two
	@for set in $(ISAS); do isa=$${set%/*}; cores=$${set#*/}; seed=$$(od -An -N3 -tu4 /dev/urandom); \
	  echo "instruction set $$isa, $$cores cores, seed$$seed"; \
	  XLA_FLAGS="$$XLA_FLAGS --xla_cpu_max_isa=$$isa" taskset -c 0-$$((cores - 1)) \
	    $(BIN)/python -m pytest -q --nbmake -n 2 --dist loadfile -m "$(MARK)" \
	    --hypothesis-seed=$$(echo $$seed) || failed="$$failed $$isa"; \
	done; test -z "$$failed" || { echo "failed under:$$failed"; exit 1; }

check: $(DEV) ## Lint, format, types, and which module may import which
	@echo "ruff check"
	@$(BIN)/ruff check -q .
	@echo "ruff format"
	@$(BIN)/ruff format -q --diff .
	@echo "pyright"
	@$(BIN)/pyright --warnings
	@echo "layers"
	@$(BIN)/python -m pytest -q tests/test_layers.py

docs: $(DOCS) ## Build the documentation site into build/docs, without network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs -q build --strict
	@echo "open build/docs/index.html; its search needs a server, as in python -m http.server -d build/docs"

bench: $(TEST) ## Time and memory: command line, many tables, plans, designs, dynamics
	@$(BIN)/python tests/benchmarks/cli.py
	@$(BIN)/python tests/benchmarks/batch.py loop
	@$(BIN)/python tests/benchmarks/plan.py
	@$(BIN)/python tests/benchmarks/design.py speed
	@$(BIN)/python tests/benchmarks/dmft.py

calibration: $(TEST) ## Learn the drift from real tables, and score forecasts of each source by the others
	@cd tests/benchmarks && for step in fitted drift_reference calibration optimum; do \
	  echo "$$step"; $(CURDIR)/$(BIN)/python -W ignore $$step.py || exit 1; \
	done

clean: ## Remove .venv, caches, and what the demo wrote
	rm -rf $(VENV) bayescale-demo dist build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): $(INPUTS) | $(BIN)/python
	@echo "Installing bayescale in $(VENV) (a minute or more the first time) ..."
	@$(PIP_INSTALL) -c constraints.txt -e .
	@touch $(RUN)

$(TEST): $(INPUTS) | $(BIN)/python
	@echo "Installing bayescale and its tests in $(VENV) (a minute or more the first time) ..."
	@$(PIP_INSTALL) --upgrade pip
	@$(PIP_INSTALL) -c constraints.txt -e . --group test
	@touch $(RUN) $(TEST)

$(DEV): $(INPUTS) | $(BIN)/python
	@echo "Installing bayescale, its tests and tools in $(VENV) (a minute or more the first time) ..."
	@$(PIP_INSTALL) --upgrade pip
	@$(PIP_INSTALL) -c constraints.txt -e . --group dev
	@touch $(RUN) $(TEST) $(DEV)

$(DOCS): $(INPUTS) | $(BIN)/python
	@echo "Installing bayescale and what builds its documentation in $(VENV) ..."
	@$(PIP_INSTALL) --upgrade pip
	@$(PIP_INSTALL) -c constraints.txt -e . --group docs
	@touch $(RUN) $(DOCS)

# Expanded only when $(VENV) has to be made, before anything is.
ask = $(shell $(PYTHON) -c 'import sys; print($(1))' 2>/dev/null)
comma := ,

$(BIN)/python:
	@$(if $(filter True,$(call ask,sys.version_info >= (3$(comma)12))),,$(error \
	bayescale needs Python 3.12 or newer, but $(PYTHON) is \
	$(or $(call ask,sys.version.split()[0]),not to be found): install one and name it, as in \
	"make $(or $(firstword $(MAKECMDGOALS)),demo) PYTHON=python3.12"))
	@echo "Making $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }
