# make demo    the main job on public data: pretrain, transfer, compare; results/demo.json and report.html
# make test    the tests, with coverage
# make lint    ruff and mypy          make docs      the documentation, into site/
# make bench-accuracy  what is missing of docs/results.md: all tasks, shares and seeds, an hour and a half
# make bench-speed  docs/speed.md: against gensim, RecTools, ranx and pandas; memory, start-up, compression
# make bench-accuracy-quick  two cells, into results/quick      make examples  every script in examples/
# make clean   removes what these leave behind; make distclean removes the environment, too
#
# Each installs what it needs into .venv, once. Options for pip go into PIP_ARGS.

VENV ?= .venv
PIP_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3; do \
	"$$python" -c "$(NEW_ENOUGH)" 2>/dev/null && echo "$$python" && break; done)

# On small data threads mostly wait for each other. The demo's data isn't small.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format docs examples bench bench-accuracy bench-accuracy-quick bench-ablation \
	bench-explain bench-options bench-scoring bench-selection bench-speed constraints clean distclean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.installed-demo
	@mkdir -p results
	$(BIN)/rectransfer demo --json results/demo.json --report results/report.html

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=90 $(TEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "the documentation is in site/index.html; its search needs a server: python3 -m http.server -d site"

examples: $(VENV)/.installed-demo
	@set -e; for script in examples/[0-9]*.py; do echo "== $$script"; $(ONE_THREAD) $(BIN)/python "$$script"; done

# --stale measures again what other code was measured with, --task, --shares and --seeds choose cells:
#   make bench-accuracy BENCH_ARGS='--task movielens --seeds 0 --again'
bench: bench-accuracy
bench-accuracy: $(VENV)/.installed-dev
	$(BIN)/python tests/benchmarks/accuracy.py $(BENCH_ARGS); status=$$?; \
	$(BIN)/python tests/benchmarks/render.py && exit $$status

bench-accuracy-quick: $(VENV)/.installed-dev
	$(BIN)/python tests/benchmarks/accuracy.py --quick $(BENCH_ARGS)
	$(BIN)/python tests/benchmarks/render.py --cells results/quick --page results/quick/results.md

# Twenty minutes on a quiet machine, the large log ten of them and 2 GB; RecTools and ranx are installed into a scratch environment.
bench-speed: $(VENV)/.installed-dev
	@set -e; for name in pretraining large metrics reading retrieval startup compression; do \
		echo "== $$name"; $(ONE_THREAD) $(BIN)/python tests/benchmarks/speed/$$name.py; done
	$(BIN)/python tests/benchmarks/speed/page.py

bench-ablation: $(VENV)/.installed-dev
	$(ONE_THREAD) $(BIN)/python tests/benchmarks/ablation.py
	$(ONE_THREAD) $(BIN)/python tests/benchmarks/ablation_departments.py
	$(ONE_THREAD) $(BIN)/python tests/benchmarks/ablation_viewers.py
	$(ONE_THREAD) $(BIN)/python tests/benchmarks/ablation_distant.py

bench-options: $(VENV)/.installed-dev
	$(ONE_THREAD) $(BIN)/python tests/benchmarks/options.py

# One after the other: the first measures time.
bench-explain: $(VENV)/.installed-dev
	$(BIN)/python tests/benchmarks/explain.py $(BENCH_ARGS)
	$(BIN)/python tests/benchmarks/faithfulness.py $(BENCH_ARGS)

bench-selection: $(VENV)/.installed-dev
	$(ONE_THREAD) $(BIN)/python tests/benchmarks/source_selection.py

bench-scoring: $(VENV)/.installed-dev
	OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/benchmarks/scoring.py
	$(ONE_THREAD) $(BIN)/python tests/benchmarks/scoring_depth.py
	$(BIN)/python tests/benchmarks/scoring_page.py

# Pins what an environment with everything has now. To move to newer versions: empty the file, make distclean first.
constraints: $(VENV)/.installed-dev $(VENV)/.installed-docs
	@sed -n '/^#/p' constraints.txt > constraints.new
	@$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip | sed 's/+cpu$$//' >> constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf build dist site results htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

$(VENV)/.created:
	@"$(PYTHON)" -c "$(NEW_ENOUGH)" 2>/dev/null || { \
		echo "rectransfer needs Python 3.11 or newer, with venv; python3 is $$(python3 --version 2>&1 || echo missing)."; \
		echo "Name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; } >&2
	"$(PYTHON)" -m venv --clear $(VENV)
	$(PIP) setuptools hatchling editables
	@touch $@

# The build backend is installed above, pinned as the rest is, so pip need not fetch it apart.
$(VENV)/.installed-demo: EXTRAS := data,explain,ials,report,tune
$(VENV)/.installed-dev: EXTRAS := dev
$(VENV)/.installed-docs: EXTRAS := docs
$(VENV)/.installed-%: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing into $(VENV), once"
	$(PIP) --no-build-isolation -e '.[$(EXTRAS)]'
	@touch $@
