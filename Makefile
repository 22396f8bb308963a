# Everything runs in .venv, which the first target that needs it creates.
PYTHON ?= python3
BIN := .venv/bin
RUNS ?= runs

.PHONY: demo test lint format docs bench bioimage clean
.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make demo    train, judge and use a small denoiser on real photographs (a few minutes)"
	@echo "make test    run the tests"
	@echo "make lint    check format, lint and types"
	@echo "make bioimage  run the test of bioimageio.core over exported packages"
	@echo "make docs    run every example of the documentation"
	@echo "make bench   measure what docs/benchmarks.md reports (needs CUELLO_DATA; PEERS=DIR for the peers)"

# torch first, by itself and pinned: anything else that asks for it could pull a build for GPUs, several gigabytes.
.venv/core: pyproject.toml constraints.txt hatch_build.py src/cuello/exporting/page/fetch.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/core
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/core
	$(BIN)/python examples/demo.py $(RUNS)/demo

test: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests  # two workers of one thread each: more would fight for cores

# bioimageio.core in an environment of its own: its spec does not know the newest pydantic, and it brings image codecs.
.venv-bioimage/done: pyproject.toml constraints.txt
	test -x .venv-bioimage/bin/python || $(PYTHON) -m venv .venv-bioimage
	.venv-bioimage/bin/python -m pip install --quiet -c constraints.txt torch
	.venv-bioimage/bin/python -m pip install --quiet -c constraints.txt -e '.[onnx]' bioimageio.core 'pydantic<2.12'
	@touch $@

bioimage: .venv/dev .venv-bioimage/done
	BIOIMAGE_PYTHON=.venv-bioimage/bin/python $(BIN)/python -m pytest tests/exporting/test_bioimage.py -rs

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: .venv/dev
	$(BIN)/python -m pytest --doctest-modules src/cuello
	$(BIN)/python docs/run_examples.py README.md docs/guide docs/extending.md
	$(BIN)/python docs/first_hour.py

bench: .venv/dev
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/apply_memory.py
	$(BIN)/python benchmarks/denoise_quality.py
	$(BIN)/python benchmarks/profile_step.py
	$(BIN)/python benchmarks/serve.py
	$(BIN)/python benchmarks/streaming.py --folder $(RUNS)/streaming-photos
	$(BIN)/cuello study salt-pepper --data bsds400 --output $(RUNS)/study-salt-pepper-bsds400
	$(if $(PEERS),$(BIN)/python benchmarks/train_speed.py --peers $(PEERS) --peer-scripts $(PEER_SCRIPTS))

clean:
	rm -rf .venv .venv-bioimage build dist
