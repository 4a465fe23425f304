# One command each; every target makes what it needs, and a second run starts at once.
#
#   make demo    the first chapter of the course, executed on real data
#   make lab     JupyterLab on the course
#   make test    every test
#   make check   format, lint, types and the fast tests: before each commit
#   make lint    format, lint and types only
#   make soak    random programs by the thousand, new ones each time; then the long
#                trainings of the course, anew, whose weights its chapters load
#   make bench   the benchmarks, side by side with their peers
#   make bench-gpu   those of a GPU, where one is at hand, into benchmarks/RESULTS.md
#   make editor  the highlighter for JupyterLab, from its source (the one thing that needs Node)
#
# PYTHON=…  the interpreter to build the environment from (3.11 or newer)
# VENV=…    where the environment lives (.venv)
# EXTRAS=…  what is installed with the package (course,test)
# WORKERS=… processes the tests run in (2)

VENV ?= .venv
EXTRAS ?= course,test
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.nnfp-installed
ASKED := $(JAX_PLATFORMS)
export JAX_PLATFORMS ?= cpu

# The first interpreter that really is 3.11 or newer and can make an environment.
FIND_PYTHON = for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done

.PHONY: demo lab test check lint soak bench bench-gpu editor install clean
.DEFAULT_GOAL := demo

install: $(STAMP)

$(BIN)/python:
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then \
		echo "nnfp needs Python 3.11 or newer with venv (Debian: apt install python3-venv)."; \
		echo "Name one with: make PYTHON=/path/to/python3"; exit 1; fi; \
	echo "making $(VENV) with $$python"; $$python -m venv $(VENV)

# Anew only when what is to be installed has changed.
$(STAMP): setup.cfg pyproject.toml | $(BIN)/python
	@echo "installing nnfp[$(EXTRAS)] into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@$(BIN)/nnfp install --sys-prefix --quiet
	@touch $@

demo: $(STAMP)
	@$(BIN)/python demo_notebooks/run.py demo_notebooks/01_layers_are_functions.ipynb

lab: $(STAMP)
	@$(BIN)/jupyter lab demo_notebooks

test: $(STAMP)
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

check: lint
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not slow and not browser"

soak: $(STAMP)
	@NNFP_SOAK=10 NNFP_FULL_XLA=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal tests/programs tests/views/test_roundtrip.py tests/runtime/test_ragged.py tests/runtime/test_checkpoints.py tests/runtime/test_faults.py tests/kernel/test_struck.py tests/session/test_touched.py
	@$(BIN)/python demo_notebooks/soak.py

bench: $(STAMP)
	@for benchmark in $(filter-out $(addprefix benchmarks/,measuring.py environment.py peers.py gpu.py),$(wildcard benchmarks/*.py)) benchmarks/gradbench/compare.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done

# On whatever device JAX finds, unless JAX_PLATFORMS was asked for.
bench-gpu: $(STAMP)
	@JAX_PLATFORMS=$(ASKED) $(BIN)/python benchmarks/gpu.py

# The builder is JupyterLab's own; what it makes is committed, so that users need no Node.
EDITOR := magics/editor
editor: $(STAMP)
	@npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/editor @jupyter/builder@1.2
	@rm -rf $(EDITOR)/labextension
	@node build/editor/node_modules/@jupyter/builder/lib/build-labextension.js \
		--core-package-file $(VENV)/share/jupyter/lab/static/package.json $(EDITOR)/source
	@rm -f $(EDITOR)/labextension/static/third-party-licenses.json
	@cp $(EDITOR)/source/install.json $(EDITOR)/labextension/install.json
	@cat $(EDITOR)/source/package.json $(EDITOR)/source/src/*.js | sha256sum | cut -d' ' -f1 > $(EDITOR)/labextension/source.sha256
	@$(BIN)/nnfp install --sys-prefix --quiet

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
