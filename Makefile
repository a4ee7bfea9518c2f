.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# Compiled modules are kept, as everybody's are: the tests start a thousand programs.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo console check test orders textual bench pictures gpu-wheels mutants soak clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED)  ## Make .venv with vlmft, its training half and the tools of development

# torch comes first: asked for as somebody's dependency, a newer release or another build may be chosen.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,dev]'
	touch $@

demo: install  ## Install, then fine-tune the tiny model on two CPU ranks: preset to adapter in a few minutes
	$(BIN)/vlmft run demo

console: install  ## Install, then open the console; the recorded runs in logs/ are listed as samples
	$(BIN)/vlmft-console

check: install  ## Lint, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

SUITE := --dist=loadgroup --durations=15 --second-try=.venv/.second

# Most tests wait for a screen or a process; a training keeps two cores busy.
test: check  ## Every check and every test
	failed=0; : >.venv/.second; \
	$(BIN)/pytest -m "not train" --numprocesses=4 $(SUITE) || failed=1; \
	$(BIN)/pytest -m train --numprocesses=2 $(SUITE) || failed=1; \
	cat .venv/.second; exit $$failed

orders: install  ## The tests without real trainings in three random orders
	for seed in 1 2 3; do $(BIN)/pytest -p randomly --randomly-seed=$$seed -m "not train" --ignore=tests/e2e || exit 1; done

# The snapshots are pictures of one version alone.
textual: install  ## The tests of the app with the oldest and the newest Textual that is allowed
	range=$$(sed -n 's/^ *"textual\(.*\)",.*/\1/p' pyproject.toml); oldest=$${range%%,*}; \
	for version in "==$${oldest#>=}" "$$range"; do \
		rm -rf .venv/.textual && $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .venv/.textual "textual$$version" && \
		PYTHONPATH=$(CURDIR)/.venv/.textual $(BIN)/pytest -m "not snapshot" tests/app || exit 1; \
	done

bench: install  ## Measure what has a budget, as ratios within one run
	$(BIN)/python tests/bench/startup.py
	$(BIN)/python -m tests.bench.attach
	$(BIN)/python -m tests.bench.load
	$(BIN)/python -m tests.bench.growth
	$(BIN)/python -m tests.bench.chart
	$(BIN)/python -m tests.bench.console
	$(BIN)/python -m tests.bench.ssh
	$(BIN)/python tests/bench/check.py
	-$(PYTHON) -m venv .venv/.rivals && .venv/.rivals/bin/pip install --quiet --disable-pip-version-check wandb==0.31.0 tensorboard==2.21.0
	$(BIN)/python -m tests.bench.readers --rivals .venv/.rivals/bin
	$(BIN)/python tests/bench/health.py
	$(BIN)/python -m tests.bench.noise
	$(BIN)/python -m tests.bench.events
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .venv/.trl trl==1.16.0
	$(BIN)/python -m tests.bench.batches
	$(BIN)/python -m tests.bench.trainer --trl .venv/.trl
	$(BIN)/python tests/bench/demo.py

# For Linux on x86-64 with Python 3.12, PyTorch 2.11 (CUDA 13) and transformers' dependencies, with no network of its own.
GPU_LACKS := annotated-types datasets dill google-crc32c hjson multiprocess orjson peft platformdirs plotext pydantic \
	pydantic_core transformers typing-inspection
GPU_PLATFORMS := $(patsubst %,--platform=%_x86_64,manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014)

# Those of README and docs, with nobody's own settings.
PICTURE := XDG_CONFIG_HOME=$(CURDIR)/.venv/.no-settings $(BIN)/python docs/app_screenshot.py
pictures: install  ## Make the pictures of README.md and docs/ anew; look at each
	$(PICTURE) docs/live.svg 120x40 logs/overfitting "wait:step 96/96" "wait:overfits"
	$(PICTURE) docs/editor.svg 120x48 - n "wait:e edit" g j j j e "wait:learning rate peak"
	$(PICTURE) docs/metrics.svg 160x40 logs/healthy "wait:step 160/160" m "wait:chartqa.augmented"
	$(PICTURE) docs/several.svg 120x40 logs/healthy,logs/overfitting,logs/resumed "wait:0.1099" j p "wait:pinned" c $(patsubst %,left,$(shell seq 36)) "wait:step 88"

gpu-wheels: install  ## Gather in build/gpu-wheels what a machine with a GPU lacks for tests/bench/gpu_day.sh
	rm -rf build/gpu-wheels
	$(BIN)/pip download --quiet --disable-pip-version-check --constraint constraints.txt --no-deps --only-binary=:all: \
		--python-version=3.12 --implementation=cp $(GPU_PLATFORMS) --dest build/gpu-wheels $(GPU_LACKS)
	DS_BUILD_OPS=0 $(BIN)/pip wheel --quiet --disable-pip-version-check --constraint constraints.txt --no-deps \
		--no-build-isolation --wheel-dir build/gpu-wheels deepspeed
	du -sh build/gpu-wheels && test $$(du -sm build/gpu-wheels | cut -f1) -le 60

mutants: install  ## Change the core's rules and sums one at a time: what no test notices (hours; not part of make test)
	$(BIN)/python -m tests.bench.mutants

soak: install  ## Make every fault as often as a release asks for (two hours)
	$(BIN)/pytest --soak --timeout=7200 tests/e2e
	$(BIN)/pytest --soak --timeout=7200 -m soak --ignore=tests/e2e

clean:  ## Remove what the tools left; runs in outputs/ stay
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
