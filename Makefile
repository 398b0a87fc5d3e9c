# make demo   try the bot without Discord (ONCE=1: one picture and out; PROMPT="…", PORT=…, OUT=file.png)
# make test   the whole test suite, on all cores (ARGS=… for pytest: a path, -k NAME, "-n 0 --pdb")
# make quick  the tests that need no pipeline, no browser and no loopback Discord
# make check  lint and types
# make mutation   do the tests notice a mistake? Goes on where it was stopped (MUTATION_SEED=1)
# make lock   write constraints.txt again, with the newest releases that pyproject.toml admits

PYTHON ?= python3
PROMPT ?= 1girl, pink hair, twintails, glasses, smile, blue background
PORT ?= 8765
BIN := .venv/bin
MUTATION_SEED ?= 1
MUTATION_TESTS = tests/db tests/service tests/engine tests/policy tests/cogs -m "not (slow or browser)"

.PHONY: demo test quick check mutation lock bench clean

demo: .venv/installed
	$(BIN)/python -m sandbox.demo --prompt "$(PROMPT)" --port $(PORT) $(if $(ONCE),--once) $(if $(OUT),--out "$(OUT)")

# One thread in each process, or the processes would take the cores from each other.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist worksteal $(ARGS)

quick: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not (loopback or pipeline or browser or slow)" $(ARGS)

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

bench: .venv/installed
	$(BIN)/python scripts/bench.py --workload mixed --model tiny

# The map and the sample are made once; remove .mutation to begin again.
mutation: .venv/installed .mutation/lines-all.json .mutation/session.sqlite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --tb=no -p no:cacheprovider -p scripts.mutation.trying $(MUTATION_TESTS)
	$(BIN)/python -m scripts.mutation table

.mutation/tools: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,mutation]'
	mkdir -p .mutation && touch $@

.mutation/lines-all.json: | .mutation/tools
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -p scripts.mutation.cover --covered-lines $@ $(MUTATION_TESTS)

.mutation/session.sqlite: | .mutation/tools
	$(BIN)/python -m scripts.mutation sample --seed $(MUTATION_SEED)

lock: .venv/installed
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --upgrade --no-annotate --quiet \
		--custom-compile-command "make lock" --output-file constraints.txt

.venv/installed: pyproject.toml constraints.txt
	@echo "Installing everything into .venv, once; this takes a few minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv
