# Everything lives in .venv. A machine with Python >= 3.11 needs nothing else: no Node, no AWS account.
#   make run LOG=path        another access log than the one that ships
#   make test T="-k oracle"  some of the tests
#   make soak SECONDS=60     a shorter one; SEED=7 for the calls and faults of that seed
#   make setup PYTHON=/path  another Python than the newest one found

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(BIN)/uv $(if $(MAKE_TERMOUT),,--quiet)
.DEFAULT_GOAL := help
.PHONY: help setup run test soak mutants answers openapi commands screenshots check format synth lock clean

# The newest Python that can make a virtual environment (Debian packs `ensurepip` apart).
FIND_PYTHON = for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python); do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; done; \
	test -n "$$python" || { echo "make: needs Python 3.11 or newer with its venv and ensurepip modules$(if $(PYTHON),; $(PYTHON) is not that)\
	 (Debian: apt install python3-venv), or name one: make PYTHON=/path/to/python3" >&2; exit 1; }

help: ## What can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY) ## Everything into .venv; costs nothing the second time

# A virtual environment works only where it was made: one that was moved, with its checkout, is made anew.
MADE_AT := $(shell cat $(READY) 2>/dev/null)
ifneq ($(MADE_AT),$(CURDIR))
.PHONY: $(READY)
endif

# pip takes minutes to resolve these, uv seconds: pip only brings uv, at the version and with the hashes of the lock.
$(READY): requirements.lock pyproject.toml
	@if test -n '$(filter-out $(CURDIR),$(MADE_AT))' || \
	! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		$(FIND_PYTHON); echo "Setting up $(VENV) with $$("$$python" --version) …"; "$$python" -m venv --clear $(VENV); fi
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	@test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$$(sed -n 's/^uv==\([^ ]*\).*/\1/p' $(VENV)/uv.txt)" || \
		$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r $(VENV)/uv.txt
	@$(UV) pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation -e .
	@echo '$(CURDIR)' > $@

run: $(READY) ## The whole of it on this machine: three regions, an access log, the counts beside the log's own
	@exec $(BIN)/tallygate demo $(if $(LOG),--log '$(LOG)')

test: $(READY) ## Every test, with the seconds of each suite
	@exec $(BIN)/python -m pytest -p tests.suite_times -n 2 --dist loadgroup $(T)

soak: $(READY) ## Three minutes of calls while everything goes wrong, and then every count
	@exec $(BIN)/python -m tests.soak $(if $(SECONDS),--seconds '$(SECONDS)') $(if $(SEED),--seed '$(SEED)')

mutants: $(READY) ## Small changes to the counting core, each on trial (a quarter of an hour)
	@exec $(BIN)/python -m tests.mutants

answers: $(READY) ## The examples of docs/answers.md and docs/counters.md, as the service on this machine answers them
	@exec $(BIN)/python -m docs.answers

screenshots: $(READY) ## The pictures of docs/dashboard.md, by Chromium, from a world of their own
	@exec $(BIN)/python -m docs.screenshots

commands: $(READY) ## docs/commands.md, as the commands themselves say it
	@exec $(BIN)/python -m docs.commands

openapi: $(READY) ## The operators' API as OpenAPI, docs/openapi.json
	@exec $(BIN)/python -m docs.openapi

check: $(READY) ## Format, lint, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: $(READY) ## Format, and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

synth: $(READY) ## CloudFormation templates into cdk.out
	$(BIN)/python app.py

lock: $(READY) ## Pin everything that pyproject.toml asks for
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev \
		pyproject.toml -o requirements.lock

clean: ## Remove what was made, but .venv
	rm -rf cdk.out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
