# make plan | make test | make lab | make bench: each installs what it needs into .venv once, and nothing anywhere else.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: plan test lab bench
plan: .venv/.plan
	@$(BIN)/perfplan plan data/storefront/scenario.yaml --out plans/storefront
	@$(BIN)/perfplan plan data/measured/scenario.yaml --out plans/measured

lab: .venv/.plan
	@$(BIN)/perfplan lab

test: .venv/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	printf '%s\n' linux win32 darwin | xargs -P 2 -I{} $(BIN)/mypy --strict --platform {} --cache-dir .mypy_cache/{}
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: .venv/.test
	$(BIN)/python benchmarks/execution.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/accuracy.py queueing tests/data/queueing_cases.csv
	$(BIN)/python benchmarks/accuracy.py caches tests/data/cache_cases.csv

# uv installs several times faster than pip; where it cannot, pip does the same
define install
	@$(PYTHON) -c 'import sys; sys.exit("perfplan needs Python 3.11 or newer; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '$(1)' || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '$(1)'
	@touch $@
endef

.venv/.plan: pyproject.toml constraints.txt
	$(call install,.)

.venv/.test: pyproject.toml constraints.txt
	$(call install,.[test])
	@touch .venv/.plan
