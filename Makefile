# What one can do here; `make help` lists it. Everything below goes through the same CMake presets.
PRESET ?= release
JOBS   ?= $(shell nproc)
BUILD  := build/$(PRESET)
CASES  ?= data/cases
METHODS ?= all

.DEFAULT_GOAL := all
.PHONY: all bootstrap configure test check format format-check tidy layers asan tsan fuzz golden fault-plots testbed-smoke bench against-python eval new-method install clean quickstart help

quickstart: configure  ## Build the program and diagnose the bundled incident, recorded from a real LLM service
	@cmake --build --preset $(PRESET) -j $(JOBS) --target culprit_app
	@$(BUILD)/bin/culprit diagnose examples/incidents/gpu-power-cap

all: configure  ## Build everything (PRESET=release)
	@cmake --build --preset $(PRESET) -j $(JOBS)

bootstrap:  ## Install the Debian packages that the build needs
	@tools/bootstrap

configure: bootstrap
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET) >/dev/null

test: all  ## Build and run every test (under ten minutes on two cores from nothing)
	@ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure --no-tests=error | tools/quiet_ctest

check: format-check layers tidy test  ## What must hold before a change lands: format, layers, lint, tests

format:  ## Format the C++ sources in place
	@git ls-files '*.h' '*.cpp' | xargs clang-format-14 -i

format-check:
	@git ls-files '*.h' '*.cpp' | xargs clang-format-14 --dry-run -Werror

layers:  ## Check include directions and the house rules
	@python3 tools/check_layers.py
	@python3 tools/tidy.py

tidy: configure  ## clang-tidy on the files that changed since main; PRODUCT=1 or ALL=1 for every file, QUICK=1
	@tools/bootstrap libclang-14-dev
	@tools/lint $(if $(PRODUCT),--product) $(if $(ALL),--all) $(if $(QUICK),--quick) --build $(BUILD) --jobs $(JOBS)

asan:  ## Every test under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory test PRESET=asan

tsan:  ## Every test under the thread sanitizer
	@$(MAKE) --no-print-directory test PRESET=tsan

fuzz: bootstrap  ## Run each fuzzer for SECONDS (60) on its corpus
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz -j $(JOBS) --target culprit_fuzzer
	@tools/fuzz build/fuzz $(or $(SECONDS),60)

fault-plots:  ## Draw what each recorded fault moved (docs/faults)
	@tools/fault_plots.py datasets/llm-testbed docs/faults

testbed-smoke: all  ## Start the serving stack, break it, record, diagnose, clean up (root; 3 minutes)
	@testbed/bootstrap
	@testbed/smoke $(BUILD)/bin/culprit

golden: all  ## Only the comparison with recorded answers of reference implementations
	@ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure -R 'Golden|golden'

bench: all  ## Benchmarks; each checks its answer before it is timed
	@tools/bench $(BUILD)

against-python: all  ## Times the Python reference and Culprit on CASES in one run (installs it from PyPI)
	@tools/python_reference build/python
	@build/python/bin/python benchmarks/against_python.py $(or $(wildcard $(CASES)/*/*),$(wildcard tests/golden/data/small/cases/*/*)) --program $(BUILD)/benchmarks/rank_case_benchmark
	@build/python/bin/python benchmarks/against_pandas.py --program $(BUILD)/benchmarks/read_table_benchmark

eval: all  ## Rank METHODS (all) on the labelled cases below CASES (data/cases)
	@$(BUILD)/bin/culprit evaluate $(CASES) --methods $(METHODS) --output results

new-method:  ## Start a method: make new-method NAME=my_method
	@tools/new_method "$(NAME)"

install: all  ## Install program and library below PREFIX (/usr/local)
	@cmake --install $(BUILD) --prefix $(or $(PREFIX),/usr/local)

clean:  ## Remove every build folder
	@rm -rf build

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16
