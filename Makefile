# Everything runs inside .venv, which `make setup` makes; nothing is installed on the machine.
PY := .venv/bin/python
CODE := api client deploy jobs pipeline transcript worker tests benchmarks
TESTS_AT_ONCE ?= 2 # files; each has servers of its own, and they mostly wait
MODELS := tiny.en base segmentation-3.0 campplus
override AUDIO := $(value AUDIO)
override DO := $(value DO)
export DO
export AUDIO # reaches the shell as it is, whatever characters a path has

.DEFAULT_GOAL := help
.PHONY: help setup models demo up down logs keys check format test outages fuzz chaos bench lock

help: ## show this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/	/' | expand -t 10

setup: .venv/.set-up ## make .venv from the locked requirements

.venv/.set-up: requirements/dev.txt pyproject.toml deploy/local/setup.sh
	@sh deploy/local/setup.sh requirements/dev.txt
	@touch $@

models: setup ## fetch and verify the models that demo and tests use
	@$(PY) -m pipeline pull $(MODELS)

demo: models ## run the whole service once, on the sample call or AUDIO=path, and leave nothing
	@$(PY) -m deploy.local demo $${AUDIO:+"$$AUDIO"}

up: models ## run the service in the background: API on :9000, Flower on :5555
	@$(PY) -m deploy.local up

down: setup ## stop what `make up` started
	@$(PY) -m deploy.local down

logs: setup ## follow the logs of `make up`
	@$(PY) -m deploy.local logs

keys: setup ## keys of `make up`: make keys DO="create speakr", DO=list, DO="revoke speakr"
	@$(PY) -m deploy.local keys $${DO:-list}

check: setup ## format, lint, types, import contracts, unit tests
	@.venv/bin/ruff format --check --quiet $(CODE)
	@.venv/bin/ruff check --quiet $(CODE)
	@.venv/bin/mypy $(CODE)
	@.venv/bin/lint-imports
	@$(PY) -m pytest -q tests/unit

format: setup ## put the code into its form
	@.venv/bin/ruff format $(CODE)
	@.venv/bin/ruff check --fix $(CODE)

test: check models ## everything that needs no GPU, against real servers and real models
	@$(PY) -m pytest -m "not slow" -n $(TESTS_AT_ONCE) --dist loadfile tests/integration tests/end_to_end

outages: setup ## the tests that take minutes: long outages of Redis and storage, growth
	@$(PY) -m pytest -m slow tests/integration

fuzz: setup ## schemathesis over every route for some minutes; FUZZ_EXAMPLES=n each
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100} $(PY) -m pytest -q -s --timeout 3700 \
		tests/integration/test_contract.py -k no_call

chaos: setup ## kills, outages and floods, and what was lost (nothing): CHAOS="--seed 7 --faults 300"
	@$(PY) -m tests.chaos $(CHAOS)

bench: models ## accuracy and speed beside WhisperX, an hour: BENCH="--quick", BENCH="whole backlog"
	@$(PY) -m benchmarks $(BENCH)

lock: setup ## compile the pinned, hashed requirements anew, one file per image
	@sh deploy/local/lock.sh
