# Every command of the project. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := core site test dev
VENDOR := assignments/static/assignments/vendor
SITE_STAMP := $(VENV)/.site-installed
DEV_STAMP := $(VENV)/.dev-installed
BROWSER_STAMP := $(VENV)/.browser-libraries-2

# What `make check` sets to judge the settings as production would have them; nothing is connected to.
PRODUCTION := DATABASE_URL=postgres://db.example/crowdsite REDIS_URL=redis://db.example HTTPS=1 \
  ALLOWED_HOSTS=crowdsite.example CROWDSITE_URL=https://crowdsite.example SECRET_KEY=$$(head -c 64 /dev/urandom | base64 | tr -d '\n') \
  CROWDSITE_ENCRYPTION_KEYS=$$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')

.DEFAULT_GOAL := help
.PHONY: help install libraries run test fuzz bench bench-claims bench-bulk bench-stats bench-all sweep screenshots soak soak-site soak-guards guards hosts check format requirements wheel clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@echo "Making $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Crowdsite needs Python 3.11 or later.") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

# uv is used where it is found, else a copy of it is put into the environment; where that fails pip does its work.
define install-requirements
	@echo "Installing requirements/$(1).txt into $(VENV)"
	@if uv=$$(command -v uv || command -v $(BIN)/uv) || { $(BIN)/python -m pip install --quiet uv && uv=$(BIN)/uv; }; \
	then "$$uv" pip sync --require-hashes --python $(BIN)/python requirements/$(1).txt; \
	else $(BIN)/python -m pip install --require-hashes -r requirements/$(1).txt; fi
endef

$(SITE_STAMP): requirements/site.txt | $(BIN)/python
	$(call install-requirements,site)
	@rm -f $(DEV_STAMP)
	@touch $@

$(DEV_STAMP): requirements/dev.txt | $(BIN)/python
	$(call install-requirements,dev)
	@touch $(SITE_STAMP) $@

# The browser's libraries come by npm, pinned in package-lock.json. Where npm is missing a copy of Node from PyPI has it.
$(BROWSER_STAMP): package-lock.json | $(BIN)/python
	@echo "Installing the browser's libraries into $(VENDOR)"
	@npm=$$(command -v npm) || { $(BIN)/python -m venv $(VENV)/node \
	    && $(VENV)/node/bin/python -m pip install --quiet --require-hashes -r requirements/node.txt \
	    && npm=$(CURDIR)/$(VENV)/node/bin/npm && export PATH="$(CURDIR)/$(VENV)/node/bin:$$PATH"; } \
	  && "$$npm" ci --silent
	@rm -rf $(VENDOR) && mkdir -p $(VENDOR)
	@sed '/^\/\/# sourceMappingURL=/d' node_modules/jedison/dist/umd/jedison.umd.js > $(VENDOR)/jedison.js
	@cp node_modules/jedison/LICENSE $(VENDOR)/jedison.LICENSE
	@cp node_modules/uplot/dist/uPlot.iife.min.js $(VENDOR)/uplot.js
	@cp node_modules/uplot/dist/uPlot.min.css $(VENDOR)/uplot.css
	@cp node_modules/uplot/LICENSE $(VENDOR)/uplot.LICENSE
	@touch $@

libraries: $(BROWSER_STAMP) ## bring the browser's libraries into the tree (make run and make test do)

install: $(DEV_STAMP) $(BROWSER_STAMP) ## make .venv with everything that running, testing and checking need

run: $(SITE_STAMP) ## install, migrate, load the demo and serve at http://127.0.0.1:8000/ (PORT, DEMO=0, DATABASE_URL, REDIS_URL)
	@$(MAKE) --no-print-directory $(BROWSER_STAMP) \
	  || echo "Without the browser's libraries, forms are JSON to type and plots are tables; all else works."
	@exec $(BIN)/python manage.py serve

test: $(DEV_STAMP) $(BROWSER_STAMP) ## run the tests on SQLite and on PostgreSQL with Valkey (ARGS="tests/queues -k name", BACKEND=sqlite|postgres)
	@exec $(BIN)/python -m tests.run $(if $(BACKEND),--backend $(BACKEND)) -- $(ARGS)

fuzz: $(DEV_STAMP) ## try bad input at random, on both databases (TIMES=100: so many times as much as in a run of the tests; BACKEND=sqlite|postgres)
	@exec env CROWDSITE_FUZZ=$(or $(TIMES),20) $(BIN)/python -m tests.run $(if $(BACKEND),--backend $(BACKEND)) -- tests/hostile $(ARGS)

bench: $(DEV_STAMP) ## measure the claim beside its limit, bulk creation and stats/ (QUICK=1: small, beside each other, 75 seconds; HUGE=1: ten million tasks)
	@$(MAKE) --no-print-directory $(if $(QUICK),-j3 --output-sync=target) bench-claims bench-bulk bench-stats

bench-claims bench-bulk bench-stats: bench-%:
	@$(BIN)/python -m benchmarks.$*

bench-all: bench $(BROWSER_STAMP) ## and the admin's lists, the workbench, webhooks, sockets, promotions and runs (QUICK=1: five minutes more)
	@$(BIN)/python -m benchmarks.desk
	@$(BIN)/python -m benchmarks.events
	@$(BIN)/python -m benchmarks.pool
	@exec $(BIN)/python -m benchmarks.routing

sweep: $(DEV_STAMP) $(BROWSER_STAMP) ## open every page in a Chromium, light and dark, and ask axe about it (about a minute)
	@exec $(BIN)/python -m tests.run --backend sqlite -- tests/desk/sweep.py

screenshots: $(DEV_STAMP) $(BROWSER_STAMP) ## write the pictures of docs/images anew (needs a Chromium)
	@CROWDSITE_SCREENSHOTS=$(CURDIR)/docs/images exec $(BIN)/python -m tests.run --backend sqlite -- tests/desk/sweep.py

soak: $(DEV_STAMP) ## two hosts under a crowd while parts fail: rounds of SECONDS_EACH=60, from SEED=1 on, SEEDS=1 of them (ARGS="--report docs/proof.md")
	@exec $(BIN)/python -m tests.faults --seed $(or $(SEED),1) --seeds $(or $(SEEDS),1) --seconds $(or $(SECONDS_EACH),60) $(ARGS)

soak-site: $(DEV_STAMP) ## kill one part of a site after the other for a minute: deliveries, the pool (BACKEND=sqlite|postgres)
	@CROWDSITE_KILL_SECONDS=60 exec $(BIN)/python -m tests.run --backend $(or $(BACKEND),postgres) -- -s tests/site/test_kill_deliveries.py tests/site/test_kill_pool.py

soak-guards: $(DEV_STAMP) ## take guards away and see a round of faults go red, about a minute each (ARGS="lease --report docs/proof.md")
	@exec $(BIN)/python -m tests.faults.guards $(ARGS)

guards: $(DEV_STAMP) ## take each guard of the code away in turn and see its tests go red (ARGS="lease key": those only)
	@exec $(BIN)/python -m tests.guards $(ARGS)

hosts: $(DEV_STAMP) $(BROWSER_STAMP) ## mount the apps in somebody else's site, on each Python found, with the oldest and newest packages (ARGS="/other/python")
	@exec $(BIN)/python -m tests.hostsite.matrix $(ARGS)

check: $(DEV_STAMP) ## lint, format, types, floors between the apps, migrations, settings, and known holes of what is installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/python -m mypy
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && export CROWDSITE_DATA_DIR="$$folder" && set -x \
	  && $(BIN)/python manage.py makemigrations --check --dry-run \
	  && $(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(BIN)/python -m tests.audit

format: $(DEV_STAMP) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: $(DEV_STAMP) $(BROWSER_STAMP) ## build the wheel of the four apps into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

requirements: | $(BIN)/python ## compile requirements/*.in to hashed *.txt
	$(BIN)/python -m pip install --quiet uv
	@set -e; for name in dev test site core node; do \
	  constraint=; [ $$name = dev ] || [ $$name = node ] || constraint="-c requirements/dev.txt"; \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate \
	    --custom-compile-command "make requirements" $$constraint requirements/$$name.in -o requirements/$$name.txt; \
	done

clean: ## remove the environment and caches; var/ stays
	rm -rf $(VENV) node_modules $(VENDOR) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
