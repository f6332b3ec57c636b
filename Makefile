# Every target creates .venv by itself; a second run finds it there and starts at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.demo
PARTS := boards hls host hw model rtl sim
export M3VIT_BUILD ?= build

.DEFAULT_GOAL := help
.PHONY: bitstream deploy hls help install demo test test-slow sim estimate bench bench-gpu bench-rtl bench-reordering test-gpu notebooks results sim-memory lint typecheck clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The virtual environment belongs to this checkout alone: an editable install holds absolute paths.
# The demo installs a fifth of what the tests need.
INSTALL = test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	echo "installing into $(VENV) (a few minutes the first time)"; \
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
$(STAMP): pyproject.toml constraints.txt
	@$(INSTALL) -e '.[model,notebooks,rtl,sim,dask,gpu,hls,pynq,dev]'
	@touch $@ $(DEMO)

$(DEMO): pyproject.toml constraints.txt
	@$(INSTALL) -e '.[model,simulation]'
	@touch $@

install: $(STAMP) ## Create .venv with everything the demo and the tests need

demo: $(DEMO) ## A photo and a rendered scene through the integer accelerator, every task as a picture
	@$(BIN)/m3vit demo --out $(M3VIT_BUILD)/demo

test: $(STAMP) lint typecheck ## Style, import rules, types and the default tests, on every core
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile

test-slow: $(STAMP) ## The tests that take minutes
	@$(BIN)/python -m pytest -q -m slow

sim: $(STAMP) ## Every block of the accelerator against the integer reference, on Verilator; small ones on Icarus too
	@$(BIN)/python -m pytest -q tests/rtl --junitxml=$(M3VIT_BUILD)/sim/junit.xml
	@if command -v iverilog > /dev/null; then \
	SIM=icarus $(BIN)/python -m pytest -q tests/rtl --junitxml=$(M3VIT_BUILD)/sim/junit-icarus.xml; \
	else echo "iverilog is not on the path: the blocks ran on Verilator only"; fi

notebooks: $(STAMP) ## The notebooks, headless, with outputs and pictures (DEVICE=reference|rtl|pynq)
	@test -f $(M3VIT_BUILD)/demo/package/manifest.json || $(BIN)/m3vit demo --out $(M3VIT_BUILD)/demo
	@$(BIN)/m3vit notebooks --device $(or $(DEVICE),reference) --package $(M3VIT_BUILD)/demo/package --out $(M3VIT_BUILD)/notebooks

RECORDS := host/compare/records
WORKLOADS := tiny-cityscapes tiny-cityscapes-k2 tiny-224 small-224 tiny-pascal tiny-nyud small-pascal small-nyud
NEAR := a100-offload:on-demand monde:monde zcu104:speculative
COUNTED ?= $(M3VIT_BUILD)/bench-rtl/small-pascal/profile.json
RTL = $(addprefix --rtl ,$(wildcard $(COUNTED)))
results: $(STAMP) ## Committed records (results/rtl.jsonl and gpu.jsonl too, if there), and the READMEs' tables
	@for model in $(WORKLOADS); do $(BIN)/m3vit estimate --model $$model --json || exit 1; done > $(RECORDS)/.new
	@mv $(RECORDS)/.new $(RECORDS)/estimate-zcu104.jsonl
	@$(BIN)/m3vit hls estimate --model small-pascal --unroll 2 --records $(RTL) > $(RECORDS)/.new
	@test -n "$(RTL)" || { echo "no $(COUNTED) (make bench-rtl): counted cycles stay as committed"; \
	sed -n '/"device": "zcu104 RTL"/p' $(RECORDS)/hls-small-pascal.jsonl >> $(RECORDS)/.new; }
	@mv $(RECORDS)/.new $(RECORDS)/hls-small-pascal.jsonl
	@$(BIN)/m3vit hls table --write $(RTL)
	@for pair in $(NEAR); do $(BIN)/m3vit simulate --workload m3vit-small --batch 197 --machine $${pair%:*} --policy $${pair#*:} --json || exit 1; done > $(RECORDS)/.new
	@mv $(RECORDS)/.new $(RECORDS)/near-memory-small.jsonl
	@for kind in rtl gpu; do test ! -f results/$$kind.jsonl || cp results/$$kind.jsonl $(RECORDS)/$$kind.jsonl; done
	@$(BIN)/m3vit compare --readme README.md > /dev/null && echo "wrote $(RECORDS) and README.md"

test-gpu: $(STAMP) ## The kernels' tests on a CUDA device instead of the interpreter
	@TRITON_INTERPRET=0 $(BIN)/python -m pytest -q -m "not slow" tests/model/kernels tests/model/gpu

bench-rtl: $(STAMP) ## Whole encoders on the ZCU104 machine in RTL simulation (an hour; resumable); writes results/rtl.jsonl
	@test -f $(M3VIT_BUILD)/demo/package/manifest.json || $(BIN)/m3vit demo --out $(M3VIT_BUILD)/demo
	@$(BIN)/python -m tests.sim.rtl.bench_rtl --package $(M3VIT_BUILD)/demo/package --profiles $(M3VIT_BUILD)/bench-rtl

bench-reordering: $(STAMP) ## Experts reordered against token by token, in RTL: DRAM bytes, cycles, memory (MODELS=..., MACHINE=mini|zcu104)
	@$(BIN)/python -m tests.sim.rtl.bench_reordering $(MODELS) $(if $(MACHINE),--machine $(MACHINE)) --packages $(M3VIT_BUILD)/bench-rtl

bench-gpu: $(STAMP) ## Kernels and encoder on a CUDA device against the best of torch; writes results/gpu.jsonl
	@$(BIN)/m3vit bench --device cuda --out results/gpu.jsonl

estimate: $(STAMP) ## Modelled cycles (MODEL=small-pascal), then size and path lengths of every block by open synthesis
	@$(BIN)/m3vit estimate --model $(or $(MODEL),small-pascal)
	@$(BIN)/python -W ignore -m m3vit.rtl.size

BOARD ?= zcu104
bitstream: $(STAMP) ## BOARD=zcu104 [CONFIG=machine]: Vivado's project, and the bitstream where Vivado is
	@$(BIN)/m3vit bitstream --board $(BOARD) $(if $(CONFIG),--machine $(CONFIG))

deploy: $(STAMP) ## BOARD_IP=... [BOARD=...] [DRY_RUN=1]: bitstream, package and notebooks to a board
	@$(BIN)/m3vit deploy --board $(BOARD) --ip "$(BOARD_IP)" $(if $(DRY_RUN),--dry-run)

hls: $(STAMP) ## The HLS kernels and the hls4ml extension, all tests, and the demo's layers against golden
	@$(BIN)/python -m pytest -q tests/hls -m "slow or not slow"
	@test -f $(M3VIT_BUILD)/demo/package/manifest.json || $(BIN)/m3vit demo --out $(M3VIT_BUILD)/demo
	@$(BIN)/m3vit hls csim --package $(M3VIT_BUILD)/demo/package --out $(M3VIT_BUILD)/hls
	@$(BIN)/m3vit hls table --check

bench: $(STAMP) ## Speed of the reference device as ratios to a float32 PyTorch pass in the same run
	@$(BIN)/m3vit bench

sim-memory: $(STAMP) ## Simulated DRAM against the stored runs, speed included, as a table
	@$(BIN)/python -m pytest -q -m slow tests/sim --ignore=tests/sim/rtl
	@$(BIN)/python -m tests.sim.report_memory
	@$(BIN)/python -m m3vit.sim.system.papers
	@$(BIN)/python -m m3vit.sim.system.findings
	@$(BIN)/m3vit dram stream:1 --memory hbm3-6400 --mapping BgBaCoRo --curve results/sim_curve.png

lint: $(STAMP) ## Style (ruff) and the one-way import rule (import-linter)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache

# Type checkers want one folder that holds the namespace; links give it without moving anything.
.typing/m3vit:
	@mkdir -p $@
	@for part in $(PARTS); do ln -sfn ../../$$part $@/$$part; done

typecheck: $(STAMP) .typing/m3vit ## Strict types (mypy)
	@$(BIN)/mypy --no-error-summary

clean: ## Remove what the targets wrote (not .venv)
	@rm -rf build .typing .pytest_cache .mypy_cache .ruff_cache .hypothesis
