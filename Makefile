# make run      set up what is missing and serve the marketplace     PORT= DATA= DEMO=0 REHEARSAL=1
# make test     everything that has to hold before a change lands
# make lint     the parts of it that take seconds
# make bench    the table of speed targets                           ONLY=sweeps
# make soak     kill processes at random moments and count           TIMES=200

PYTHON ?= python3
PORT ?= 8000
DATA ?= .local
export DATA

PY := .venv/bin/python

.PHONY: run test lint bench soak env lock messages

run: env
	@$(PY) -m koogallery.engine run --port $(PORT) $(if $(filter 0,$(DEMO)),--no-demo) $(if $(filter 1,$(REHEARSAL)),--rehearsal)

test: env
	@$(PY) -m koogallery.engine.checks all

lint: env
	@$(PY) -m koogallery.engine.checks lint

bench: env
	@$(PY) -m bench $(ONLY)

soak: env
	@KOOGALLERY_KILLS=$(or $(TIMES),200) $(PY) -m pytest tests/ground/test_kills.py -q

env: .venv/.synced

.venv/.synced: requirements-dev.lock requirements-uv.lock
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@echo "env       installing the locked packages into .venv"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@.venv/bin/uv pip sync -q --python $(PY) --require-hashes requirements-dev.lock requirements-uv.lock
	@touch $@

# Resolves pyproject.toml anew; the only way the three lock files change.
lock:
	@test -x .venv/bin/uv || { $(PYTHON) -m venv .venv && $(PY) -m pip install -q uv; }
	@echo uv | $(LOCK) - -o requirements-uv.lock
	@$(LOCK) pyproject.toml -o requirements.lock
	@$(LOCK) pyproject.toml --extra embedded --extra dev -c requirements.lock -o requirements-dev.lock
	@! grep -nE '://|--index|--find-links' requirements*.lock

LOCK := .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade

messages: env
	@$(PY) -m koogallery.engine.translations extract
