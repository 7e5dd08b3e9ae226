# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV ?= .venv
LABEL_VENV ?= .venv-monailabel
DEPLOY_VENV ?= .venv-deploy
SBOM_VENV ?= .venv-sbom
PYTHON ?= python3
BIN := $(VENV)/bin
OUT ?= demo_output
# MONAI Label and MONAI Deploy, which these two import, have environments of their own.
TESTED := tests s3net_monai --ignore s3net_monai/monailabel --ignore s3net_monai/deploy
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: demo test test-fast viewers lint docs sbom accuracy benchmark benchmark-speed benchmark-faults \
  bench-check weights monailabel test-monailabel test-deploy clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,export,benchmark,dicom-codecs]'
	touch $@

demo: $(VENV)/.installed
	@bash scripts/demo.sh "$(OUT)" "$(DATA)"

# All tests, and the examples in docstrings.
test: $(VENV)/.installed lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --doctest-modules $(TESTED)

# What takes less than about three seconds per test, for the time between two edits.
test-fast: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 -m "not slow" --quiet tests

# OHIF and the current Orthanc for tests/viewers and tests/inference/dicomweb, which skip what is missing.
viewers:
	@bash scripts/get_ohif.sh || echo "no OHIF: the tests that need it are skipped" >&2
	@bash scripts/get_orthanc.sh || echo "no current Orthanc: the tests that need it are skipped" >&2

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

# The site of the documentation, site/index.html, with the API pages; a broken link is an error.
docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The software bill of materials of the product in CycloneDX, sbom.json, with the licenses; its tool stands apart.
$(SBOM_VENV)/.installed: constraints.txt
	$(PYTHON) -m venv $(SBOM_VENV)
	$(SBOM_VENV)/bin/pip install --quiet --constraint constraints.txt cyclonedx-bom
	touch $@

sbom: $(VENV)/.installed $(SBOM_VENV)/.installed
	$(BIN)/python scripts/sbom.py $(SBOM_VENV)/bin/python sbom.json

# Scores the released weights on the report splits: `make accuracy DATA=...`
accuracy: $(VENV)/.installed
	@bash scripts/accuracy.sh "$(DATA)"

# Makes all tables; some rows train for hours: `make benchmark DATA=...`
benchmark: $(VENV)/.installed
	$(BIN)/python -m benchmarks skin --data "$(DATA)" --output docs/benchmark/skin.json
	$(BIN)/python -m benchmarks lung --data "$(DATA)" --output docs/benchmark/lung.json
	$(BIN)/python -m benchmarks corrections --data "$(DATA)" --output docs/benchmark/corrections.json
	$(BIN)/python -m benchmarks cardiac --data "$(DATA)" --output docs/benchmark/cardiac.json
	$(BIN)/python -m benchmarks abdomen --data "$(DATA)" --output docs/benchmark/abdomen.json

# Time and memory beside the build before and other software, half an hour on a quiet machine; DATA holds PH2 and ACDC.
benchmark-speed: $(VENV)/.installed
	$(BIN)/python -m benchmarks speed $(if $(DATA),--data "$(DATA)") --output docs/benchmark/speed.json

# Instructions of three small inputs against stored counts, which UPDATE=1 writes again; a busy machine will do.
bench-check: $(VENV)/.installed
	$(BIN)/python -m benchmarks.speed.instructions $(if $(UPDATE),--update)

# Damaged files, kills, hostile servers, marked identifiers, each counted; half an hour.
benchmark-faults: $(VENV)/.installed
	$(BIN)/python -m benchmarks faults --output docs/benchmark/faults.json

# Trains all released weights again, lung and skin without a mask: `make weights DATA=...`
weights: $(VENV)/.installed
	@bash scripts/train_weights.sh "$(DATA)" weights_output

# MONAI Label has an environment of its own: it needs Python 3.11, numpy 1 and pydicom 2.
$(LABEL_VENV)/.installed: pyproject.toml constraints-monailabel.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11) and 'MONAI Label needs Python 3.11: add PYTHON=python3.11 to make')"
	$(PYTHON) -m venv $(LABEL_VENV)
	$(LABEL_VENV)/bin/pip install --quiet --upgrade pip
	$(LABEL_VENV)/bin/pip install --quiet --requirement constraints-monailabel.txt
	$(LABEL_VENV)/bin/pip install --quiet --no-deps 'monailabel==0.8.5' --editable .
	touch $@

# Serves the bundles on 127.0.0.1: `make monailabel STUDIES=folder-or-dicomweb-address [TASK=skin]`
monailabel: $(LABEL_VENV)/.installed
	@PATH="$(abspath $(LABEL_VENV)/bin):$$PATH" bash scripts/monailabel.sh "$(STUDIES)" "$(TASK)"

# `make test` has the two that need no MONAI Label.
test-monailabel: $(LABEL_VENV)/.installed
	OMP_NUM_THREADS=1 $(LABEL_VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile \
	  --ignore tests/monailabel/test_served.py --ignore tests/monailabel/test_access.py tests/monailabel

# MONAI Deploy has an environment of its own: NVIDIA Holoscan, which runs on a CPU, too, for Linux on x86-64.
$(DEPLOY_VENV)/.installed: pyproject.toml constraints-deploy.txt
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and 'MONAI Deploy needs Python 3.11 to 3.13: add PYTHON=python3.11 to make')"
	$(PYTHON) -m venv $(DEPLOY_VENV)
	$(DEPLOY_VENV)/bin/pip install --quiet --upgrade pip
	$(DEPLOY_VENV)/bin/pip install --quiet --requirement constraints-deploy.txt
	$(DEPLOY_VENV)/bin/pip install --quiet --no-deps 'holoscan-cu13==4.6.0' 'monai-deploy-app-sdk==4.0.0' --editable .
	touch $@

# Holoscan asks for a stack of 32 MB.
test-deploy: $(DEPLOY_VENV)/.installed
	ulimit -S -s 32768 2>/dev/null; OMP_NUM_THREADS=1 $(DEPLOY_VENV)/bin/python -m pytest tests/deploy

clean:
	rm -rf $(VENV) $(LABEL_VENV) $(DEPLOY_VENV) $(SBOM_VENV) $(OUT) sbom.json
