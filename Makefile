# Every target makes .venv itself, with the standard library, when it is missing or out of date.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$p"; break; fi; done)
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := lab,test,lint
# the formatter of the widgets' JavaScript, from npm where Node is there
PRETTIER := 3.10.1
# the tests start some hundred processes: where byte code is not kept, each of them compiles the package again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint types form imports scripts bench lab clean

help:
	@echo "make demo   two weeks of sample traffic, from an alert to a verified recovery"
	@echo "make test   every test"
	@echo "make lint   ruff, mypy --strict, import contracts"
	@echo "make bench  the measured bars"
	@echo "make lab    JupyterLab on notebooks/"

$(STAMP): pyproject.toml constraints.txt
	@if [ ! -x $(BIN)/python ]; then \
		if [ -z "$(PYTHON)" ]; then echo "lmops needs Python 3.11 or newer; none was found (make PYTHON=/path/to/python3)" >&2; exit 1; fi; \
		echo "making .venv with $(PYTHON)"; "$(PYTHON)" -m venv .venv; \
	fi
	@echo "installing into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]' \
	|| { echo "the tested versions do not all exist for this Python; taking the newest that do" >&2; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'; }
	@touch $@

demo: $(STAMP)
	@$(BIN)/lmops demo

# The browser tests run by themselves: the browser's driver keeps an event loop running in their processes.
# A process begins with files that lie side by side, or has whole files, so that what a file's tests share is made once.
# A test that fails is run once more, by itself and named: what fails twice is a fault, not a busy machine.
test: $(STAMP)
	$(call tested,--ignore=tests/browser,-n auto --maxprocesses 4 --dist worksteal)
	$(call tested,tests/browser,-n 2 --dist loadfile)

# $(1) which tests, $(2) how; which of them failed stands in .pytest_cache, of this run alone
# pytest ends with 1 when tests failed, and with 5 when a selection by ARGS leaves it none
define tested
$(BIN)/python -m pytest --cache-clear $(2) $(1) $(ARGS) || case $$? in \
	1) echo "once more, those that failed:"; $(BIN)/python -m pytest $(1) $(ARGS) --last-failed --last-failed-no-failures none ;; \
	5) [ -n "$(ARGS)" ] ;; \
	*) exit 1 ;; \
	esac
endef

# what holds the form of the code, beside what holds its types; each says all that it found
lint: $(STAMP)
	@$(MAKE) --no-print-directory --keep-going --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) types form imports scripts

types: $(STAMP)
	$(BIN)/mypy --strict

form: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

imports: $(STAMP)
	$(BIN)/lint-imports --no-cache

scripts:
	@if command -v npx >/dev/null 2>&1; then \
		npx --yes prettier@$(PRETTIER) --log-level warn --check 'lmops/**/*.js' 'tests/**/*.mjs'; \
	else echo "no Node here: the form of the JavaScript was not checked (tests hold the length of its lines)" >&2; fi

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

lab: $(STAMP)
	$(BIN)/jupyter lab notebooks

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
