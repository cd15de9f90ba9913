# make help lists the targets. Each takes PROFILE=smoke|quick|cpu|restorer|paper, SEED, DATA_DIR and RESULTS_DIR.
# make env TORCH=cpu TORCH_INDEX=<address> installs PyTorch without CUDA, see docs/install.md; the choice is remembered.

# bash, because an old make with its default shell runs simple lines without the PATH that is set below
SHELL := /bin/bash

PROFILE ?= quick
SEED ?= 0
DATA_DIR ?=
RESULTS_DIR ?= results
PYTHON ?= python3
CORES ?= all

VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
SOURCES := orelib benchmarks tests notebooks  # not the results of a reader, which hold executed notebooks
INSTALLED := $(VENV)/installed
TORCH_CHOICE := $(VENV)/torch.mk
-include $(TORCH_CHOICE)
# The pins of requirements.txt without the libraries of CUDA, and with PyTorch's builds for processors alone.
CPU_PINS := sed -E -e '/^(nvidia-|cuda-|triton)/d' -e "/^torch.* platform_machine == 'x86_64'/s/ ;/+cpu ;/"
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Folders may have any name, such as 007 or it's {mine}: so recipes take them from the environment, and Snakemake, which
# would read 007 as a number, gets a list of one text.
override DATA_DIR := $(value DATA_DIR)
override RESULTS_DIR := $(or $(value RESULTS_DIR),results)
export PROFILE SEED DATA_DIR RESULTS_DIR
# How long PyTorch's threads wait in a busy loop, see orelib/utils/process.py.
export GOMP_SPINCOUNT ?= 5000
TEXT := python -c 'import os, sys; print("[\"" + "".join(f"\\U{ord(c):08x}" for c in os.environ[sys.argv[1]]) + "\"]")'
CONFIG = profile="$$PROFILE" seed="$$SEED" results_dir="$$($(TEXT) RESULTS_DIR)" data_dir="$$($(TEXT) DATA_DIR)"
# One training for each GPU at a time; --resources gpu=0 would let nothing run that asks for one.
GPUS = $(shell $(BIN)/python -c 'from orelib.utils.devices import gpus_given; print(max(1, gpus_given()))')
SNAKEMAKE = snakemake --cores $(CORES) --resources gpu=$(GPUS) --quiet progress rules host reason
EXECUTE := python -m orelib.utils.execute --in-place
# Snakemake's reasons are shown, but not its messages about every step, nor its surprise at the files of the rule keep.
BRIEFLY := 2> >(grep --line-buffered -v -E '^(Select|Execute) .*jobs?|^(Touching|Complete log|Elapsed|Assuming|Building|Using shell|Warning: the following output files of rule keep|\{'"'"')' >&2)
INTERRUPTED := trap 'echo "Interrupted. What is finished is kept: the same command goes on from there."' INT

.DEFAULT_GOAL := help
.PHONY: help env torch-choice reproduce study tables segmenter test test-cluster lint lab notebooks reference restorer bench requirements clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PROFILE=smoke|quick|cpu|restorer|paper (now $(PROFILE)), SEED=0, DATA_DIR=<your pairs>, RESULTS_DIR=results"

env: $(INSTALLED)  ## create the environment in .venv/; TORCH=cpu TORCH_INDEX=<address>: without CUDA

# The marker is written last, so that an interrupted installation is started again.
$(INSTALLED): requirements.txt pyproject.toml | torch-choice
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("Python 3.11 to 3.13 is needed, this is %d.%d: name another one, for instance make PYTHON=python3.11" % v)'
	@echo "== creating $(VENV) (some minutes; on x86-64 Linux 6.8 GiB, with TORCH=cpu or elsewhere about 2.3 GiB)"
	@$(PYTHON) -m venv $(VENV)
	@printf 'TORCH ?= %s\nTORCH_INDEX ?= %s\n' '$(TORCH)' '$(TORCH_INDEX)' > $(TORCH_CHOICE)
ifeq ($(TORCH),cpu)
	@$(CPU_PINS) requirements.txt > $(VENV)/requirements-cpu.txt
	@$(BIN)/python -m pip install $(if $(TORCH_INDEX),--extra-index-url '$(TORCH_INDEX)') --requirement $(VENV)/requirements-cpu.txt \
	    || { echo 'If pip found no torch that ends in +cpu: name an index that has it, make env TORCH=cpu TORCH_INDEX=<address>'; exit 1; }
else
	@$(BIN)/python -m pip install --requirement requirements.txt
endif
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

torch-choice:
	@case '$(TORCH)' in ''|cpu) ;; *) echo 'TORCH=$(TORCH) is unknown: say TORCH=cpu, or leave it out'; exit 1;; esac
	@test ! -e $(TORCH_CHOICE) || grep -qx 'TORCH ?= $(TORCH)' $(TORCH_CHOICE) \
	    || { echo '$(VENV) was made with another TORCH: delete it first (rm -r $(VENV))'; exit 1; }

reproduce: env  ## make all that is missing: data, five methods, loss curves, Table 3, comparison; PROFILE=cpu: the study, too
	@$(INTERRUPTED); $(SNAKEMAKE) --config $(CONFIG) $(BRIEFLY)
	@python -m orelib.study.table3 --seed="$$SEED" -- "$$RESULTS_DIR/$$PROFILE"
ifeq ($(PROFILE)$(DATA_DIR),cpu)
	$(MAKE) study
endif

test: env  ## run all tests
	python -m ruff check $(SOURCES)
	python -m ruff format --check $(SOURCES)
	python -m pytest

test-cluster: env  ## run the workflow on a Slurm of three virtual nodes, half an hour; as root, with Debian's packages
	python tests/cluster/on_slurm.py

lint: env  ## format the code and fix what ruff can fix
	python -m ruff format $(SOURCES)
	python -m ruff check --fix $(SOURCES)

lab: env  ## open JupyterLab on notebooks/00_start.ipynb
	jupyter lab --ServerApp.root_dir='$(CURDIR)' --LabApp.default_url=/lab/tree/notebooks/00_start.ipynb

notebooks: env  ## execute 00 to 09 and 13 in place, as they are committed: quick profile, embedded scenes
	$(MAKE) reproduce PROFILE=quick SEED=0 DATA_DIR= RESULTS_DIR=results
	$(EXECUTE) notebooks/0*.ipynb notebooks/13_*.ipynb
	python -m ruff format notebooks
	@# The results were made by exactly these notebooks; only their outputs are newer.
	$(SNAKEMAKE) --touch --config profile=quick seed=0

reference: reproduce  ## copy what documents quote to results/reference/<profile>/; then make tables
	@test -z "$$DATA_DIR" || { echo 'make reference publishes the embedded scenes: leave DATA_DIR out'; exit 1; }
	set -o pipefail; mkdir -p "results/reference/$$PROFILE" && \
	cd -- "$$RESULTS_DIR/$$PROFILE" && tar -cf - table3.csv figures/figure8_comparison.png figures/table3.png \
	    $$(for file in config.json provenance.json validation.csv metrics.csv baselines.csv; do ls *-seed"$$SEED"/$$file; done) \
	    | tar -xf - -C "$(CURDIR)/results/reference/$$PROFILE"

study: env  ## the published experiment: all methods and the ablation with several seeds, hours; PROFILE=cpu
	@$(INTERRUPTED); $(SNAKEMAKE) --config $(CONFIG) data_dir= -- study $(BRIEFLY)
	python -m orelib.study keep "$$PROFILE" --results-dir="$$RESULTS_DIR"

tables: env  ## rebuild all tables, figures and quoted numbers from results/reference/, a minute, nothing is trained
	papermill --engine orelib notebooks/07_table3.ipynb - --no-progress-bar -r results_dir results/reference > /dev/null
	$(EXECUTE) notebooks/1[0-2]*.ipynb
	python -m ruff format notebooks
	python -m orelib.study.document

segmenter: env  ## train the segmenter that comes with the kit, within an hour, and put it into orelib/sizing/
	$(SNAKEMAKE) --config profile=cpu -- data/cpu/sizing/manifest.json
	python -m orelib.study segmenter cpu

restorer: env  ## train the restorer that comes with the kit, an hour or two, and put it into orelib/restore/default_restorer/
	$(SNAKEMAKE) --config profile=restorer seed=0 -- results/restorer/nafnet-seed0/finished
	mkdir -p results/reference/restorer/nafnet-seed0
	cd results/restorer/nafnet-seed0 && cp config.json provenance.json validation.csv metrics.csv baselines.csv \
	    '$(CURDIR)/results/reference/restorer/nafnet-seed0'
	python -c 'from orelib.restore.restorer import DEFAULT_RESTORER, publish; publish("results/restorer/nafnet-seed0/generator.safetensors", DEFAULT_RESTORER)'

bench: reproduce  ## measure the kit beside its peers, 40 to 90 minutes, and write results/reference/benchmarks.md
	$(BIN)/python -m venv $(PEERS)
	@# This environment also sees the kit's own, so that PyTorch is not installed twice.
	echo "import site; site.addsitedir('$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')')" \
	    > "$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kit.pth"
	$(PEERS)/bin/python -m pip install --quiet --requirement benchmarks/peers.txt
	$(PEERS)/bin/python -m pip install --quiet --no-deps lightning-bolts==0.7.0  # its requirements are older than PyTorch 2
	$(PEERS)/bin/python benchmarks/run.py

requirements:  ## pin the newest versions that pyproject.toml allows in requirements.txt
	$(PYTHON) -m pip install --quiet uv
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --upgrade --extra dev --constraints torch-pins.txt --no-annotate \
	    --custom-compile-command 'make requirements' --output-file requirements.txt pyproject.toml

clean:  ## delete the embedded data and results of PROFILE
	test -n "$$PROFILE" && rm -rf -- "data/$$PROFILE" "$$RESULTS_DIR/$$PROFILE"
