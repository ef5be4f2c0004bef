# Everything that a developer does, by name. `make` alone shows what there is.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
# Nothing is asked of anybody's account, and nobody is told that it ran.
TEMPLATES := $(addprefix infra/,template.yaml data.yaml alarms.yaml)
SAM := AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(VENV)/sam/bin/sam
SOURCES := layers/medic_core:functions/heartbeat:functions/monitor:functions/router:functions/management:functions/playbook_steps/engine:functions/playbook_steps/script_runner
FUNCTIONS := functions/router functions/management
# Where tests are that send parsers anything at all.
PARSERS := tests/fuzz tests/unit/access tests/unit/api tests/unit/adapters/test_spool.py tests/unit/observing \
	tests/unit/repair/test_expressions.py tests/unit/repair/test_language.py tests/unit/repair/test_orders.py \
	tests/unit/routing/test_queue_messages.py tests/unit/watching/test_ping_urls.py
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test fuzz chaos pictures build contract sam-local scan audit lint format bench migrate lock clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.done ## Run everything here, until Ctrl-C (MEDIC_PORT=3000, MEDIC_DATA_DIR=.medic)
	@exec $(PY) -m local

test: $(VENV)/run.done $(VENV)/test.done ## Run the tests (T=tests/unit for one place)
	@$(PY) -m pytest $(T)

fuzz: $(VENV)/run.done $(VENV)/test.done ## Send every parser what nobody means, and look for answers that contradict the description (EXAMPLES=200)
	@MEDIC_FUZZ_EXAMPLES=$$((50 * $(or $(EXAMPLES),200))) $(PY) -m pytest $(PARSERS) --timeout 3600
	@MEDIC_FUZZ_EXAMPLES=$(or $(EXAMPLES),200) $(PY) -m pytest tests/system/test_description.py --timeout 3600

chaos: $(VENV)/run.done $(VENV)/test.done ## Kill, freeze and cut off parts of a running Medic for minutes, and check what it promised (SEED=7 SECONDS=180 RUNS=1)
	@PYTHONPATH=$(SOURCES) $(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RUNS),--runs $(RUNS))

pictures: $(VENV)/run.done $(VENV)/test.done ## Photograph the pages anew for docs/images, and write what they take (needs chromium)
	@MEDIC_PICTURES=1 $(PY) -m pytest tests/system/test_browser.py tests/pictures \
		tests/integration/test_dashboard_pages.py -k "reads_well or photographed or written_down"

build: $(VENV)/sam/done ## Build what is deployed, into .aws-sam (needs Python 3.13; MEDIC_ARCHITECTURE=arm64)
	@$(SAM) build

contract: scan build $(VENV)/test.done $(VENV)/runtime/done ## Check the templates, build, and drive every built function as Lambda does
	@$(PY) -m pytest -n 2 tests/built

sam-local: $(VENV)/run.done $(VENV)/sam/done ## Invoke every function by sam local, and drive the API by start-api (Docker, or root on Debian)
	@$(PY) -m infra.sam_local

scan: $(VENV)/lint.done $(VENV)/sam/done $(VENV)/scan/done ## Hold the templates against SAM, cfn-lint and checkov
	@$(SAM) validate --lint
	@$(VENV)/bin/cfn-lint $(TEMPLATES)
	@$(VENV)/scan/bin/python infra/scan.py

audit: $(VENV)/audit/done ## Ask the package index which of our pins have known weaknesses (PINS=requirements/run.txt for one list)
	@wrong=0; for pins in $(or $(PINS),requirements/*.txt); do \
		echo "$$pins"; \
		$(VENV)/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$pins || wrong=1; \
	done; exit $$wrong

lint: $(VENV)/run.done $(VENV)/lint.done ## Check style, types, imports and the template
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	PYTHONPATH=.:layers/medic_core:functions/router:functions/management $(VENV)/bin/lint-imports
	$(VENV)/bin/cfn-lint $(TEMPLATES)
	$(PY) -m infra.check_machine

format: $(VENV)/lint.done ## Put the code into its style
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

bench: $(VENV)/run.done $(VENV)/test.done ## Measure (WRITE=1 writes docs/benchmarks.md)
	@$(PY) -m bench $(if $(WRITE),--write)

migrate: $(VENV)/run.done ## Bring the database of DATABASE_URL to the newest schema
	@test -n "$$DATABASE_URL" || { echo "make migrate: set DATABASE_URL to the database that is meant." >&2; exit 1; }
	@PYTHONPATH=layers/medic_core:functions/management:migrations $(PY) -c 'import migrate; migrate.handler({}, None)'

lock: $(VENV)/lock.done ## Pin what the .in files ask for (UPGRADE=1 for the newest)
	$(LOCK) requirements/run.in -o requirements/run.txt
	$(LOCK) requirements/test.in -o requirements/test.txt
	$(LOCK) requirements/lint.in -o requirements/lint.txt
	$(LOCK) requirements/lock.in -o requirements/lock.txt
	$(LOCK) requirements/sam.in -o requirements/sam.txt
	$(LOCK) requirements/scan.in -o requirements/scan.txt
	$(LOCK) requirements/audit.in -o requirements/audit.txt
	$(subst --python-version 3.11,--python-version 3.13,$(LOCK)) requirements/runtime.in -o requirements/runtime.txt
	$(foreach place,layers/medic_core $(FUNCTIONS),\
		$(LOCK) -c requirements/run.txt $(place)/requirements.in -o $(place)/requirements.txt &&) true

clean: ## Remove what can be made again (not .medic, which is your data)
	rm -rf $(VENV) .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis

# A Python is found by trying: names on the PATH need not run.
$(VENV)/made:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		if $$python -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
			echo "making $(VENV) with $$($$python --version)"; \
			rm -rf $(VENV) && $$python -m venv $(VENV) && touch $@ && exit 0; \
			exit 1; \
		fi; \
	done; \
	echo "Medic needs Python 3.11, 3.12 or 3.13 (with venv), and found none. PYTHON=/path/to/python names one." >&2; \
	exit 1

# Tools whose own pins clash with ours have a place each.
$(VENV)/sam/done $(VENV)/scan/done $(VENV)/audit/done: $(VENV)/%/done: requirements/%.txt | $(VENV)/lock.done
	@echo "installing $<"
	@$(VENV)/bin/uv venv --quiet --clear --python $(PY) $(@D)
	@$(VENV)/bin/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	@touch $@

# What Lambda puts around a function, for Lambda's own Python.
$(VENV)/runtime/done: requirements/runtime.txt | $(VENV)/lock.done
	@echo "installing $<"
	@python=$$($(PY) infra/python313.py) && rm -rf $(@D) && \
		$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $$python --require-hashes --target $(@D) -r $<
	@touch $@

# Packages are installed again when what pins them changes, and only then.
$(VENV)/%.done: requirements/%.txt | $(VENV)/made
	@echo "installing $<"
	@$(PIP) install --quiet --require-hashes -r $<
	@touch $@
