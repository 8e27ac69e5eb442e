# inbond: everything a contributor types. `make serve` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: browser screenshots serve wheel test test-covered test-again test-network test-container test-others check fmt bench tools lock clean denials attacks bundle-attacks histories findings presets evidence tampering mutations tampered clients static-attacks faults

serve: $(VENV)/.serve ## start inbond on 127.0.0.1:8642 in front of PyPI
	@exec $(BIN)/inbond serve

DIST ?= dist
wheel: $(VENV)/.serve ## build the wheel and the sdist into dist/, with the pinned build backend and without downloads
	@rm -f $(DIST)/inbond-*.whl $(DIST)/inbond-*.tar.gz
	$(BIN)/python -m hatchling build --directory $(DIST)

test: $(VENV)/.dev ## run the tests with coverage
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=95
	@$(MAKE) --no-print-directory test-covered

test-covered: ## that the pure rooms are covered by the last run to the last branch
	$(BIN)/coverage report --fail-under=100 --skip-covered --include='*/inbond/model/*,*/inbond/simple/*,*/inbond/attest/*,*/inbond/bundles/*,*/inbond/archive/*,*/inbond/advisories/*,*/inbond/policy/*,*/inbond/locks/*,*/inbond/access/*,*/inbond/reporting/*'

# A few tests that failed beside all others, on a busy machine, are run three times by themselves. One that fails again
# is wrong; one that does not is unsteady, and stands in the output to be mended.
UNSTEADY := 3
test-again: $(VENV)/.dev ## what failed in the last run of the tests, three times over, where it was little
	@PYTEST_ADDOPTS= $(BIN)/python -m pytest --last-failed --last-failed-no-failures none --collect-only | grep '::' >.unsteady; \
	  failed=$$(grep -c . .unsteady); [ "$$failed" -gt 0 ] && [ "$$failed" -le $(UNSTEADY) ] || exit 1; \
	  echo "UNSTEADY: $$failed failed beside others, and run alone now:"; cat .unsteady
	for round in 1 2 3; do $(BIN)/python -m pytest -v @.unsteady || exit 1; done
	$(BIN)/coverage report --fail-under=95 >/dev/null
	@$(MAKE) --no-print-directory test-covered

# Other Pythons run the same tests where they are found; `make test-others OTHERS=/path/to/python3.13` names one.
OTHERS ?= python3.12 python3.13
test-others: ## the tests under other Pythons
	@for python in $(OTHERS); do \
	  if $$python -c 'import venv' 2>/dev/null; then \
	    venv=.venv-$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	    echo "testing with $$python in $$venv"; \
	    { [ -d $$venv ] || $$python -m venv $$venv; } && \
	    $$venv/bin/python -m pip install --quiet --require-hashes -r requirements/dev.txt -r requirements/browser.txt && \
	    $$venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . && \
	    $$venv/bin/python -m pytest -n auto --dist worksteal || exit 1; \
	  else echo "$$python is not found here"; fi; done

test-network: $(VENV)/.dev ## the tests that use the package registry
	$(BIN)/python -m pytest -m network

test-container: $(VENV)/.dev ## build and try deploy/Containerfile, as root with buildah and debootstrap; no container engine
	$(BIN)/python -m pytest -m container

# `make screenshots DIR=/tmp/pages` chooses where.
screenshots: $(VENV)/.browser ## pictures of every page, light, dark and on a phone, as an admin, a reader and nobody see it
	$(BIN)/python -m pytest tests/e2e/test_walk.py -k wrong_with_any_page --screenshots $(or $(DIR),screenshots)

browser: $(VENV)/.browser ## what the walk through the pages needs besides the system's Chromium

check: $(VENV)/.dev ## lint, types, import order
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.13
	$(BIN)/lint-imports --no-cache

fmt: $(VENV)/.dev ## format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure beside nginx, proxpi and devpi, for hours; writes bench/results/
	$(BIN)/python bench/compare.py
	$(BIN)/python bench/page.py
	$(BIN)/python bench/overload.py
	$(BIN)/python bench/policy.py
	$(BIN)/python bench/settling.py
	$(BIN)/python bench/verification.py
	$(BIN)/python bench/imports.py
	$(BIN)/python bench/bundles.py

tampering: $(VENV)/.dev ## write docs/verification.md: every kind of tampering tried, and a short run of mutations
	$(BIN)/python docs/verification.py

# `make mutations COUNT=1000000 SEED=1` for the long run; PROCESSES=1 leaves a processor to others.
COUNT ?= 100000
SEED ?= 1
mutations: $(VENV)/.dev ## mutate genuine provenance, and fail where one is let through that must not be
	cd tests && ../$(BIN)/python -m attest.mutations.run --count $(COUNT) --seed $(SEED) $(if $(PROCESSES),--processes $(PROCESSES))

tampered: $(VENV)/.dev ## write docs/tampered.md: a tampered file offered directly and through inbond
	cd tests && ../$(BIN)/python -m clients.tampered

denials: $(VENV)/.dev ## write docs/denials.md from what pip and uv print
	$(BIN)/python docs/denials.py

attacks: $(VENV)/.dev ## write docs/attacks.md: five attacks replayed, and what pip and uv print
	$(BIN)/python docs/attacks.py

faults: $(VENV)/.dev ## inject faults into files, processes and upstreams; LONG=1 writes docs/faults.md; PARTS="flips storm"
	$(BIN)/python docs/fault_tables.py $(if $(LONG),--long) $(PARTS)

bundle-attacks: $(VENV)/.dev ## write docs/bundle-attacks.md: attacks on a bundle, and what inbond says to each
	$(BIN)/python docs/bundle_attacks.py

histories: $(VENV)/.dev ## write docs/continuity.md: what continuity says of harmless histories and of attacks, day by day
	$(BIN)/python docs/continuity.py

static-attacks: $(VENV)/.dev ## write docs/static-attacks.md: attacks on a static tree, and what becomes of each
	$(BIN)/python docs/static_attacks.py

findings: $(VENV)/.dev ## write docs/findings.md from the meanings of all findings
	$(BIN)/python docs/findings.py

presets: $(VENV)/.dev ## write docs/presets.md: what each preset stops and what it costs
	$(BIN)/python docs/presets.py

# `make clients ARGS=--check` compares with the pages instead; `ARGS='--only pdm'` runs one client.
ARGS ?=
clients: $(VENV)/.dev ## write docs/clients.md, and what docs/access.md says of clients, from runs of each (needs the package index)
	cd tests && ../$(BIN)/python -m clients $(ARGS)
	cd tests && ../$(BIN)/python -m clients.tokens $(ARGS)

evidence: $(VENV)/.dev ## write docs/evidence.md from files signed in production (uses the package index)
	$(BIN)/python docs/evidence.py

tools: .tools/.installed ## what checks the files in deploy/ against the schemas of their formats, in an environment of its own

lock: $(VENV)/.dev ## resolve requirements/*.in anew, with hashes and without addresses
	cd requirements && for name in serve dev browser tools $$(ls clients/*.in | sed 's/\.in$$//'); do \
	  ../$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $$name.in -o $$name.txt || exit 1; done

$(VENV)/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "inbond needs Python 3.11 or newer; name one: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) could not make $(VENV). Is its venv module there? On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.serve: requirements/serve.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --require-hashes -r requirements/serve.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.serve

$(VENV)/.browser: requirements/browser.txt $(VENV)/.dev
	$(BIN)/pip install --quiet --require-hashes -r requirements/browser.txt
	@touch $@

.tools/.installed: requirements/tools.txt
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --require-hashes -r requirements/tools.txt
	@touch $@

clean:
	rm -rf $(VENV) .venv-3.* .tools .clients .bench .data dist htmlcov screenshots .coverage*
