# Three commands matter: `make demo`, `make check` while you work, and `make test`. `make help` lists the others.
# A step runs again only when what it depends on changed: stamps lie in .venv.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-reset check test bench simulate scans pictures lint format lock run-time development clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Python keeps what it compiled, out of the tree: each worker and each command that a test starts would compile 700 files anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache
PORT := $(or $(PASS_DEMO_PORT),8000)
# One worker each core, and never fewer than two: the browser tests keep one of them busy.
WORKERS := $(or $(WORKERS),$(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ "$$n" -gt 2 ] && echo "$$n" || echo 2))

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: run-time  ## prepare the demonstration, print its addresses and accounts, serve it on 127.0.0.1:$PASS_DEMO_PORT (8000)
	@exec $(BIN)/python -m voucher.cli demo --port $(PORT)

demo-reset: run-time  ## the same, starting over with new data
	@exec $(BIN)/python -m voucher.cli demo --reset --port $(PORT)

# A quick answer while one works. Left out: PostgreSQL, browsers, kills and long lives (the markers stand in pyproject.toml).
check: development  ## lint, types, floors, and the tests on SQLite, without browser, kill or long life
	@status=0; \
	$(MAKE) --no-print-directory lint || status=1; \
	PASS_TEST_SQLITE_ONLY=1 $(BIN)/pytest -n $(WORKERS) -m "not postgresql and not browser and not kill and not long" || status=1; \
	exit $$status

# Every check runs even when one before it fails: one run tells all there is to mend, and pytest's summary comes last.
test: development  ## lint, types, floors and all tests, on SQLite and PostgreSQL, with a real browser
	@$(BIN)/python -m tools.chromium
	@status=0; \
	$(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/pytest -n $(WORKERS) || status=1; \
	exit $$status

lint: development  ## lint, format, types, floors
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/lint-imports --no-logo || status=1; \
	exit $$status

format: development  ## put code in the house's form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

simulate: development  ## long random lives of vouchers (PASS_SIMULATE_EXAMPLES, 2000), new ones each time
	@$(BIN)/pytest -n $(WORKERS) -m hypothesis --hypothesis-profile=simulate

scans: development  ## a long day of a counter by dice (PASS_SCANS_EVENTS, 2000): no scan is lost
	@PASS_SCANS_EVENTS=$${PASS_SCANS_EVENTS:-2000} PASS_SCANS_SEED=$${PASS_SCANS_SEED:-$$(date +%s)} $(BIN)/pytest -n0 tests/counter/test_many_scans.py

bench: development  ## measure, each figure beside its limit
	@$(BIN)/python -m benchmarks

pictures: development  ## take the README's pictures from the running demonstration
	@$(BIN)/python -m tools.chromium
	@$(BIN)/python -m tools.pictures

# `make lock UPGRADE=--upgrade` also takes newer versions.
lock:  ## write the locks again after a change in requirements*.in or package.json
	@command -v uv >/dev/null || { echo "uv is needed to lock: see its documentation, or pip install uv" >&2; exit 1; }
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" $(UPGRADE) requirements.in -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" $(UPGRADE) requirements-dev.in -o requirements-dev.txt
	npm install --package-lock-only --ignore-scripts

clean:  ## remove what the other targets installed (the data in var/ stays)
	rm -rf $(VENV) node_modules voucher/web/static/vendor build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

run-time: $(VENV)/run-time.stamp
	@$(BIN)/python -m tools.assets

development: run-time $(VENV)/development.stamp

$(BIN)/python:
	@tools/venv.sh

$(VENV)/run-time.stamp: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the application needs (requirements.txt)"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/development.stamp: requirements-dev.txt | $(VENV)/run-time.stamp
	@echo "Installing what the tests need (requirements-dev.txt)"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
