# Every target sets up what it needs. Python 3.11 or newer and make are enough.
PYTHON ?= python3
VENV ?= .venv
# Tests use every core; PYTEST_ARGS= runs them one by one.
PYTEST_ARGS ?= -n auto
# FULL=1 makes the tests fail unless the modules in .ci/full.coveragerc are covered in full.
COVERED := $(if $(FULL),--cov --cov-config=.ci/full.coveragerc --cov-report=term-missing:skip-covered)

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

.DEFAULT_GOAL := help
.PHONY: help demo test lint types leaks coverage sample sample-report standin lock docs clean mutate fuzz sbom licences advisories benchmark-all benchmark benchmark-custodian benchmark-fleet fleet messages

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

demo: $(VENV)/.base ## Make the report on the bundled sample and print where it is
	@$(BIN)/auditlib demo --out reports/demo

test: $(VENV)/.dev ## Run the tests (browser tests run where Debian's chromium is installed)
	@$(BIN)/python -m pytest $(PYTEST_ARGS) $(COVERED)

lint: $(VENV)/.dev ## ruff, ruff format, stripped notebooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/nbstripout --verify notebooks/*.ipynb

types: $(VENV)/.dev ## mypy, strict
	@$(BIN)/mypy

leaks: $(VENV)/.dev ## Look for credentials, account data, machine paths and package hosts in the tree
	@$(BIN)/python .ci/leaks.py

coverage: $(VENV)/.dev ## Run the tests with branch coverage
	@$(BIN)/python -m pytest $(PYTEST_ARGS) --cov --cov-report=term-missing:skip-covered

docs: $(VENV)/.dev ## Make the generated documents anew: rights, data dictionary, checks
	@$(BIN)/python -m auditlib.aws.policy docs/iam
	@$(BIN)/python -m auditlib.schemas > docs/tables.md
	@$(BIN)/python -m auditlib.catalogue > docs/checks.md

messages: $(VENV)/.dev ## Bring the catalogues of translations up to date; says how many texts lack one
	@$(BIN)/python .ci/messages.py update

prove: $(VENV)/.dev ## Hold reach against the naive evaluator on thousands of new random worlds (long)
	@WORLDS=$(or $(WORLDS),4000) $(BIN)/python -m pytest $(PYTEST_ARGS) tests/test_access_property.py

fleet: $(VENV)/.dev ## Run the great run over accounts with twenty of them, here and on Dask (long)
	@ACCOUNTS=20 $(BIN)/python -m pytest tests/test_fleet.py tests/test_dask.py -k many_accounts

fuzz: $(VENV)/.dev $(VENV)/.atheris ## Fuzz whatever reads somebody else's files, by coverage (long; DOORS=cedar SECONDS=600)
	@PYTHONPATH=.:$(VENV)/.atheris $(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),120) $(DOORS)

mutate: $(VENV)/.dev ## Lose or garble every value of a snapshot in turn: no finding may turn fine (long)
	@MUTATIONS=all $(BIN)/python -m pytest $(PYTEST_ARGS) tests/test_mutations.py

sbom: $(VENV)/.base $(VENV)/.audit ## Write the bill of materials (CycloneDX) of what is installed to dist/sbom.json
	@mkdir -p dist
	@$(VENV)/.audit/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o dist/sbom.json
	@echo dist/sbom.json

licences: $(VENV)/.base ## List the licences of all dependencies; fails on one that is not known to be free to use
	@$(BIN)/python .ci/licences.py

advisories: $(VENV)/.audit ## Ask the PyPI advisory service about every locked version (needs the network)
	@$(BIN)/python .ci/advisories.py $(VENV)/.audit/bin/pip-audit

benchmark-all: $(VENV)/.dev ## Time start, load, check, reach, report and collect against their floors; BIG=1: to a million rules
	@$(BIN)/python -m benchmarks $(if $(BIG),--big)

benchmark: $(VENV)/.base ## Time reach on a million rules against parsing the same files (minutes, some GB)
	@$(BIN)/python -m benchmarks.reach

benchmark-custodian: $(VENV)/.dev ## Time collect and check beside Cloud Custodian, installed from PyPI for that alone
	@$(BIN)/python -m benchmarks.custodian --make $$(mktemp -d)

benchmark-fleet: $(VENV)/.dev ## Time a scheduled run's accounts: collect, judge, report, on one core and on two (long)
	@$(BIN)/python -m benchmarks.fleet

sample: $(VENV)/.dev ## Collect the bundled sample snapshot anew from the stand-in for AWS
	@$(BIN)/python -m tests.standin.sample

sample-report: $(VENV)/.dev ## Make the committed sample pages in reports/sample anew
	@$(BIN)/python -m tests.sample_report

standin: $(VENV)/.dev ## Run the stand-in for AWS with the sample's world, to try collect by hand
	@$(BIN)/python -m tests.standin --world sample

lock: ## Resolve the dependencies of pyproject.toml anew (needs uv)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-strip-extras --upgrade -o requirements.lock
	uv pip compile pyproject.toml --group build --group dev --extra parquet --extra pdf --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-strip-extras --constraint requirements.lock -o requirements-dev.lock

clean: ## Remove the environment and what tools leave behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* htmlcov

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit("auditlib needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say which to use: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: $(VENV)/.venv requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (once; a minute or two) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q auditlib
	@touch $@

# Tools that look at dependencies stand apart from them, so that they list none of their own.
$(VENV)/.audit: $(VENV)/.venv
	@$(PYTHON) -m venv $@
	@$@/bin/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=7,<8' 'pip-audit>=2.9,<3'

# It has wheels for some Pythons and systems only, and nothing else needs it.
$(VENV)/.atheris: $(VENV)/.venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --target $@ 'atheris>=3,<4'

$(VENV)/.dev: $(VENV)/.base requirements-dev.lock
	@echo "Installing what the tests need into $(VENV) (once; a minute or two) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
