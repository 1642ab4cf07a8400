# Each target sets up what it needs. The same steps without make are in docs/learning.md.
.DEFAULT_GOAL := help
.PHONY: help setup lab quick test book build grade bench

PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/installed

# Installs in seconds what takes pip minutes. It is used where it runs; `make setup UV=` keeps to pip.
UV ?= uv
# uv reads none of pip's settings, so whoever tells pip where packages come from has told uv too.
comma := ,
space := $() $()
export UV_FIND_LINKS ?= $(subst $(space),$(comma),$(strip $(PIP_FIND_LINKS)))
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)

# nbgrader calls `alembic`, and Jupyter its own subcommands, by name.
export PATH := $(BIN):$(PATH)

help:
	@echo "make lab     open the course in JupyterLab; make lab LANGUAGE=zh in Chinese"
	@echo "make book    write the lessons as a site to read, book/index.html"
	@echo "make quick   style, types, and the tests that start no process: under a minute"
	@echo "make test    style, types, tests, and the course checked against itself"
	@echo "make build   build solutions/ and notebooks/ from the lesson files"
	@echo "make grade   grade a made-up class, in sample_class/"
	@echo "make bench   run the benchmarks"
	@echo "make setup   create .venv and install everything (each target above does this first)"

setup: $(STAMP)
	@echo "Ready: make lab, or activate .venv"

# The stamp is newer than what it was installed from, so the second run takes no time.
$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	if $(UV) --version >/dev/null 2>&1; \
		then $(UV) pip install --python $(BIN)/python -r requirements.txt; \
		else $(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt; fi
	@touch $@

# The course in another language: make lab LANGUAGE=zh
LANGUAGE ?=
# In a container one is root, and Jupyter would refuse to start.
lab: $(STAMP)
	AUTOGRADER_LANGUAGE="$(LANGUAGE)" $(BIN)/python -m jupyterlab --config=jupyter_lab_config.py $(if $(filter 0,$(shell id -u)),--allow-root)

quick: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -m quick -q

# Two workers, since two cores are what every machine has; the browser's tests stay on one of them.
test: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadgroup
	$(BIN)/python -m autograder build --check --every 3
	$(BIN)/python -m autograder verify --seeds 1 --every 3

# The lessons as a site to read, in all their languages: book/index.html
book: $(STAMP)
	$(BIN)/python -m autograder book

build: $(STAMP)
	$(BIN)/python -m autograder build

# A made-up class, in sample_class/: solutions/ and notebooks/ as here, and submitted/STUDENT/UNIT/. Where there is no
# sandbox: make grade ISOLATION=none (the class is the course's own code).
ISOLATION ?= auto
grade: $(STAMP)
	$(BIN)/python -m autograder sample-class sample_class --assignment 02 03
	$(BIN)/python -m autograder grade --course sample_class --isolation $(ISOLATION)
	@echo "Gradebook: sample_class/gradebook.db  Feedback: sample_class/feedback/"

bench: $(STAMP)
	@set -e; for script in tests/benchmarks/[a-z]*.py; do \
		test -e $$script || { echo "tests/benchmarks/ holds no benchmark"; exit 1; }; \
		echo "== $$script"; $(BIN)/python $$script; \
	done
