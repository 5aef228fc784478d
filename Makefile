# Every target sets up what it needs and is quick when nothing changed. `make help` lists them.
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
MODEL := $(or $(REMBG_SESSION_PATH),models)/u2netp.prepared.json
# The first interpreter here that is new enough; PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
CODE := app.py cli.py config.py bgremove.py paths.py run.py sweeper.py worker.py gunicorn.conf.py bootstrap settings commands services routes library migrations tests benchmarks docs scripts clients/generate.py clients/python/bgremove_client

# pytest keeps what it has rewritten between runs: half of the time that finding the tests takes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run check test unit long web browser coverage lint types bench quality fuzz jobs drills model image lock digests wheel reference release audit clients clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (python3 --version); install it or set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making a virtual environment with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
		|| { $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(PY) install --quiet pip; } \
		|| { rm -rf $(VENV); echo "Could not make a virtual environment: $(PYTHON) has neither ensurepip nor pip (on Debian: apt install python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.runtime: requirements.txt $(VENV)/.created
	@echo "Installing what the service needs (about a minute, once) ..."
	@# Up to 1.0 this was the engine; it has the same files as onnxruntime.
	@$(PY) -m pip uninstall --quiet --yes --disable-pip-version-check onnxruntime-openvino >/dev/null 2>&1 || true
	@$(PY) -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing what the tests need ..."
	@$(PY) -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(MODEL): $(VENV)/.runtime services/inference/prepare.py services/inference/recentre.py services/inference/int8.py services/inference/int8.json services/inference/record.py
	@$(PY) cli.py models fetch u2netp && $(PY) cli.py models prepare u2netp
	@touch -c $@

run: $(MODEL)  ## serve on port 5001, with a worker for jobs, and print a curl line that works
	@ANNOUNCE="make run" exec $(PY) run.py

check: $(VENV)/.dev $(MODEL)  ## lint, types, unit tests: what to run while working (under a minute)
	@$(MAKE) --silent --no-print-directory --jobs 2 unit types lint web

# Real servers wait about as often as they work: four files run at a time, the long end-to-end ones first.
# RETRY=1 repeats failed tests once, one after another, for a machine that is busy with other work.
test:  ## everything that must hold: lint, types, all tests (RETRY=1 repeats failures)
	@# Packages are installed one after another: the page and the model use the other processor meanwhile.
	@$(MAKE) --silent --no-print-directory --jobs 2 web $(MODEL) types lint
	@# The page's tests run separately: their driver leaves its thread in a state that disturbs other tests.
	@export REDUCED_MOTION=1; for part in "-n 4 --ignore=tests/browser" "-n 2 tests/browser"; do \
		$(PY) -m pytest --dist loadfile --no-loadscope-reorder -m "not long" $$part || { \
			[ $$? -eq 1 ] && [ "$(RETRY)" = 1 ] && \
			$(PY) -m pytest --dist loadfile -m "not long" $$part --last-failed --last-failed-no-failures none; } || exit 1; \
	done

unit: $(VENV)/.dev $(MODEL)  ## unit tests; of one package: PACKAGE=imaging, or PACKAGE=routes/http
	@$(PY) -m pytest -n 2 -m "not slow and not long" tests/unit$(if $(PACKAGE),/$(PACKAGE)) $(if $(PACKAGE),,tests/repository/test_conventions.py)

long: $(VENV)/.dev $(MODEL)  ## the tests that take many seconds, which `make test` leaves out
	@$(PY) -m pytest -n 2 --dist loadfile -m long --ignore=tests/browser

# Node checks the page; it is not needed to serve it.
tests/web/node_modules/.installed: tests/web/package-lock.json
	@npm --prefix tests/web ci --silent --no-audit --no-fund && touch $@

web:  ## types and unit tests of the page's modules (skipped without Node)
	@if command -v npm >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory tests/web/node_modules/.installed \
		&& tests/web/node_modules/.bin/tsc -p web/tsconfig.json \
		&& node --test --test-reporter=dot $$(find tests/web -name '*.test.mjs' -not -path '*/node_modules/*') && echo "web: clean"; \
	else echo "web: skipped, there is no Node"; fi

browser: $(VENV)/.dev $(MODEL)  ## the page in Chromium: the long tests too, and the others again over plain HTTP under a host name
	@$(PY) -m pytest -n 2 --dist loadfile tests/browser
	@INSECURE_ORIGIN=1 $(PY) -m pytest -n 2 --dist loadfile -m "not long" tests/browser

coverage: $(VENV)/.dev $(MODEL)  ## run the unit and integration tests and report what they cover
	@$(PY) -m pytest -n 2 --dist loadfile --cov=services --cov=routes --cov-report=term:skip-covered tests/unit tests/integration

lint: $(VENV)/.dev  ## ruff: rules and format
	@$(VENV)/bin/ruff check --quiet . && $(VENV)/bin/ruff format --check --quiet . && echo "lint: clean"

types: $(VENV)/.dev  ## mypy --strict
	@$(VENV)/bin/mypy --strict $(CODE)

bench: $(VENV)/.dev $(MODEL)  ## measure speed: beside rembg's server, by stage, by engine
	@$(PY) -m benchmarks.stages
	@$(PY) -m benchmarks.engines
	@$(PY) -m benchmarks.versus_rembg

quality: $(VENV)/.dev $(MODEL)  ## measure edges and colours beside rembg's, on composites with known alpha
	@$(PY) -m benchmarks.quality

fuzz: $(VENV)/.dev $(MODEL)  ## send damaged pictures to the running service (FUZZ="--count 5000 --seed 7")
	@$(PY) -m benchmarks.load.fuzz $(FUZZ)

jobs: $(VENV)/.dev $(MODEL)  ## jobs by the hundred, and while their parts are killed (JOBS="kills --images 300 --stack remote")
	@$(PY) -m benchmarks.load.jobs $(or $(JOBS),throughput)

drills: $(VENV)/.dev $(MODEL)  ## overload and break the service (DRILLS="overload --minutes 2")
	@$(PY) -m benchmarks.load.drills $(DRILLS)

model: $(VENV)/.runtime  ## fetch the default model, checked; another one: NAME=u2net (FILE=/path/to/it)
	@$(if $(NAME),$(PY) cli.py models fetch "$(NAME)" $(if $(FILE),--file "$(FILE)"),$(PY) cli.py models fetch u2netp && $(PY) cli.py models prepare u2netp) \
		&& $(PY) cli.py models list

image: $(VENV)/.dev  ## build the container image from scratch and try it (root, buildah, debootstrap; minutes)
	@IMAGE=1 $(PY) -m pytest -q -rs tests/repository/test_smoke_image.py

lock: $(VENV)/.dev  ## pin the requirements again, with hashes (needs uv); KEEP=1 keeps the versions that are pinned
	@lock() { uv pip compile --quiet --universal $(if $(KEEP),,--upgrade) --generate-hashes --python-version 3.11 --no-header --no-annotate $$1 -o $$2 && \
		grep -v '^# Pinned by' $$2 > $$2.tmp; printf '# Pinned by `make lock` from %s; edit that file.\n' $${1##* } | cat - $$2.tmp > $$2; rm $$2.tmp; }; \
	lock "--extra otel --extra accounts pyproject.toml" requirements.txt && lock requirements-gpu.in requirements-gpu.txt && lock requirements-dev.in requirements-dev.txt

digests: $(VENV)/.created  ## pin the images of Dockerfile and docker-compose.yml by their digests (needs docker buildx)
	@$(PY) deploy/digests.py

wheel: $(VENV)/.dev  ## build the wheel that `pip install` takes, into dist/
	@$(PY) -m pip wheel --quiet --no-deps --disable-pip-version-check --wheel-dir dist .


release: $(VENV)/.dev  ## commit and tag a release: VERSION=1.2.0 (the changelog's unreleased changes become its section)
	@$(PY) deploy/release.py "$(VERSION)"

clients: $(VENV)/.dev  ## write what the clients take from the API's description (TypeScript's needs Node)
	@if command -v npm >/dev/null 2>&1; then npm --prefix clients/typescript ci --silent --no-audit --no-fund; fi
	@$(PY) clients/generate.py

reference: $(VENV)/.runtime  ## write docs/reference/ from the code
	@$(PY) -m docs.generate

audit: $(VENV)/.dev  ## look for known vulnerabilities in the pinned dependencies
	@$(VENV)/bin/pip-audit --requirement requirements.txt --disable-pip

clean:  ## remove the virtual environment and caches
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
