# Two commands matter: `make run` (the whole main job on a simulated population) and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SPARK  := .venv-spark/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test lint lint-python lint-sql unit search docs schedule-demo faults sequences audit sbom bench spark lock clean

help:            ## show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.lock requirements-installer.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-installer.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(STAMP)

setup: $(STAMP)  ## create .venv from the lock file

run: $(STAMP)    ## the whole main job on a simulated population, into out/
	$(BIN)/ccm run

test: lint unit  ## linters, types and the whole test suite

lint: $(STAMP)   ## ruff, mypy, sqlfluff, lock-file check
	@$(MAKE) --no-print-directory -j 2 lint-python lint-sql

lint-python: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@! grep -nE 'https?://|index-url' requirements*.lock || (echo "a lock file names an index" && exit 1)

lint-sql: $(STAMP)
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests --processes 2 --disable-progress-bar --nocolor

unit: $(STAMP)   ## pytest
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

search: $(STAMP) ## the property tests with examples that nobody has tried yet
	$(BIN)/python -m pytest -n 2 --dist loadfile --hypothesis-profile search $$(grep -rl "^from hypothesis" tests --include 'test_*.py')

docs: $(STAMP)   ## regenerate the data dictionary and the rule catalogue
	$(BIN)/python -m pipelines.publish.reference_docs

schedule-demo: $(STAMP)  ## three months arrive in an inbox and go through by themselves
	$(BIN)/python -m pipelines.schedule_demo

faults: $(STAMP) ## kills, full disks, damaged files and the like, tried on the main job (needs out/ from `make run`, and root)
	$(BIN)/python -m tests.faults.harness --template out/warehouse.duckdb --place $$(mktemp -d)

sequences: $(STAMP)  ## random chains of deliveries against one build of all of them, through every model
	$(BIN)/python -m tests.faults.sequences --place $$(mktemp -d) --seeds 1 2 3

audit: $(STAMP)  ## known vulnerabilities of the locked packages; says so where the advisory service cannot be reached
	$(BIN)/python -m pipelines.supply_chain audit

sbom: $(STAMP)   ## software bill of materials of the locked packages: out/sbom.cdx.json (CycloneDX)
	$(BIN)/python -m pipelines.supply_chain sbom --to out/sbom.cdx.json

bench: $(STAMP)  ## time, memory and disk of the main job at 10k, 100k and 1M people
	$(BIN)/python benchmarks/run.py

# An environment of its own: half a gigabyte of jars that only a run on Spark needs. Java 17 or newer must be there.
$(SPARK): requirements-spark.lock $(STAMP)
	$(PYTHON) -m venv .venv-spark
	$(BIN)/uv pip install --quiet --python .venv-spark/bin/python --compile-bytecode --require-hashes -r requirements-spark.lock
	@touch $(SPARK)

spark: $(SPARK)  ## install Spark and compare what it builds with what DuckDB builds, table by table
	$(BIN)/python -m benchmarks.parity

clean:           ## remove what runs leave behind (keeps .venv)
	rm -rf out dbt_project/target dbt_project/logs
