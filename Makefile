# make demo   try the bot without Discord (ONCE=1: one picture and out; PROMPT="…", PORT=…, OUT=file.png)
# make test   the whole test suite (ARGS="-n 2" runs it in two processes)
# make check  lint and types

PYTHON ?= python3
PROMPT ?= 1girl, pink hair, twintails, glasses, smile, blue background
PORT ?= 8765
BIN := .venv/bin

.PHONY: demo test check bench clean

demo: .venv/installed
	$(BIN)/python -m sandbox.demo --prompt "$(PROMPT)" --port $(PORT) $(if $(ONCE),--once) $(if $(OUT),--out "$(OUT)")

test: .venv/installed
	$(BIN)/python -m pytest $(ARGS)

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

bench: .venv/installed
	$(BIN)/python scripts/bench.py --workload mixed --model tiny

.venv/installed: pyproject.toml
	@echo "Installing everything into .venv, once; this takes a few minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv
