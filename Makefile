# `make report` and `make test` do all the set-up themselves; see the README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := reports/runs/latest

.PHONY: install report test browser docs kills strikes baselines candidates detection lint types clean

# Installed again only when what is installed changes.
$(VENV)/.installed: pyproject.toml constraints.txt constraints/all_but_lightning.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --constraint constraints.txt --editable '.[docs,keras,ray,test]'
	touch $@

install: $(VENV)/.installed

report: install
	rm -rf $(RUN)
	$(BIN)/epoch-harness run --jobs 2 --out $(RUN)
	$(BIN)/epoch-harness bench --short --out $(RUN)
	$(BIN)/epoch-harness bench 'parallel_validation/*' --short --out $(RUN)
	$(BIN)/epoch-harness report $(RUN)

test: lint types
	$(BIN)/pytest --numprocesses 2 --dist loadfile

# The HTML report, read by a browser without a network.
browser: install
	@command -v chromium || { echo 'The report is read in Chromium: apt-get install chromium' >&2; exit 1; }
	$(BIN)/pip install -qq --constraint constraints.txt --editable '.[browser]'
	$(BIN)/pytest -rs tests/browser

# Everything is read afresh, so that no page's warnings are of an earlier build: each fails it.
docs: install
	$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going -c docs -d build/doctrees . build/docs
	@echo "docs: build/docs/docs/index.html"

# Trainings killed 200 times for each callback in each framework: some ten minutes.
kills: install
	$(BIN)/python tests/kills/table.py

# Trainings that validate beside training, with workers killed 200 times, hung, interrupted: some minutes.
strikes: install
	$(BIN)/python tests/parallel/table.py

# A baseline of each supported Lightning in reports/baselines: some fifteen minutes.
baselines: install
	$(BIN)/python -m harness.upgrade.baselines

# Thirty-odd planted changes of Lightning, each held against the real one: some fifteen minutes.
candidates: install
	$(BIN)/python tests/upgrade/table.py

# 70 comparisons by the clock, of an interpreter with itself and with a slower one: two hours or more, on a machine that
# does nothing else. Interrupted, it goes on where it was.
detection: install
	mkdir -p reports/runs
	$(BIN)/python tests/upgrade/detection.py --out reports/runs/detection.jsonl

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .tox .mypy_cache .ruff_cache .pytest_cache .hypothesis build reports/runs
