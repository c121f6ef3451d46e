# Each target installs what it needs: a fresh machine must only have Python 3.11 or newer.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
# Modules are compiled once, not again by each of the hundreds of processes that a run of the tests starts.
export PYTHONDONTWRITEBYTECODE :=
# Each worker runs whole files of tests and has servers of its own: tests/side_by_side.py says how many, and in which order.
# With a database of yours, one process runs all tests.
SIDE_BY_SIDE := $(if $(TEST_FASTAPI_SESSION_POSTGRES_URL)$(TEST_FASTAPI_SESSION_MYSQL_URL),,\
	--numprocesses=auto --dist=loadfile --no-loadscope-reorder)
FAULTS := tests/reliability tests/core/test_rotation_machine.py tests/web/test_hostile.py
# The earlier build that the benchmarks put beside this one: the last in which every refresh was a statement of its own.
AGAINST ?= 419bc09
BENCHMARKS := in_process dpop create_and_refresh served database_check peers stores memory revoke_to_close calls "against $(AGAINST)"

# What says nothing of bounds, or needs packages of the extra check, which hold others back.
BEYOND := tests/benchmarks tests/browser tests/consumers tests/recipes tests/release tests/reliability tests/typing \
	tests/test_docs.py tests/test_house.py tests/doctor/outside/test_recipes.py \
	tests/example_app/test_document.py tests/moving/adopters/test_fastapi_users.py tests/test_back_channel_logout.py \
	tests/web/forward_auth/test_proxies.py

HOUSE := tests/test_public_api.py tests/test_house.py tests/typing
comma := ,

.PHONY: help install demo test lowest dist faults check style types contracts house docs bench clean

help:
	@echo "make demo    run the example application on http://localhost:8000; PORT=8001 chooses another port"
	@echo "make test    run every test"
	@echo "make lowest  run the tests on the oldest versions that pyproject.toml allows, on Python 3.11"
	@echo "make dist    build the archives of a release into dist/, and check them"
	@echo "make faults  run the reliability tests at full length on every store, and print what was seen (hours)"
	@echo "make install install what check, docs and test need, all at once"
	@echo "make check   check style, types, import contracts and house rules"
	@echo "make docs    build the documentation into site/"
	@echo "make bench   measure what sessions cost, and print ratios of one run; AGAINST=commit chooses the build beside it"
	@echo "make clean   remove what the other targets made"

install: .venv/installed-check$(comma)docs

demo: .venv/installed-demo
	@$(BIN)/python -m example_app --port $(PORT)

# With SKIP=house it leaves out what make check has run.
test: .venv/installed-check
	$(BIN)/python -m tests.browser.setup
	$(BIN)/python -m tests.recipes.setup
	$(BIN)/python -m tests.release.setup
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(if $(filter house,$(SKIP)),$(HOUSE:%=--ignore=%))

# An environment of its own, in which pip must find nothing to do but what tests/lowest.txt says.
# The oldest uvicorn calls what its websockets warns of.
lowest: .venv-lowest/installed
	.venv-lowest/bin/python -m pytest $(SIDE_BY_SIDE) -W "default:websockets:DeprecationWarning" \
		-W "default:remove second argument of ws_handler:DeprecationWarning" $(BEYOND:%=--ignore=%)

.venv-lowest/installed: tests/lowest.txt pyproject.toml
	@test -x .venv-lowest/bin/pip || $(PYTHON) -m venv .venv-lowest
	@.venv-lowest/bin/pip install --quiet --disable-pip-version-check --requirement tests/lowest.txt
	@.venv-lowest/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

dist: .venv/installed-check
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

faults: .venv/installed-test
	$(BIN)/python -m pytest $(FAULTS) --full --durations=0

check: style types contracts house

style: .venv/installed-check
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/installed-check
	$(BIN)/mypy

contracts: .venv/installed-check
	$(BIN)/lint-imports

# After mypy, whose cache it uses.
house: .venv/installed-check | types
	$(BIN)/python -m pytest --quiet $(HOUSE)

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv-bench/installed
	@for each in $(BENCHMARKS); do echo; echo "== $$each"; .venv-bench/bin/python -m benchmarks.$$each || exit 1; done

clean:
	rm -rf example_app.db* .cache .venv .venv-bench .venv-lowest site dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The benchmarks have an environment of their own: what they compare with may need older packages than the tests.
.venv-bench/installed: pyproject.toml
	@test -x .venv-bench/bin/pip || $(PYTHON) -m venv .venv-bench
	@echo "Installing what make bench needs ..."
	@.venv-bench/bin/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

# One environment for the rest; each target adds its extra, or several with commas between, and again only if pyproject.toml
# has changed. The extra check has all of the extra test.
.venv/installed-%: pyproject.toml
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "Installing what make $* needs ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $(sort $@ $(addprefix .venv/installed-,$(subst $(comma), ,$*)))
