# The two commands a newcomer needs: `make audit` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
SAMPLE := sample_data

.PHONY: audit test slow lint worlds fuzz quality-check docs browser mutation clean faults ledger-check bench bench-quick bench-sources cluster wheel site checkouts lowest policies databases object-stores container recipes sources

audit: .venv/.installed
	$(BIN)/audit98968 run --calls $(SAMPLE)/calls.csv --visits $(SAMPLE)/visits.csv --providers $(SAMPLE)/providers.csv \
	  --policy $(SAMPLE)/policy.toml --out audit_out --fail-on never

test: lint
	$(BIN)/python -m pytest -n auto

# The tests that take several seconds each, which `make test` leaves out.
slow: .venv/.installed
	$(BIN)/python -m pytest -n auto -m slow

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# 10,000 generated worlds against the slow reference; about half an hour on 2 cores.
worlds: .venv/.installed
	WORLDS=10000 $(BIN)/python -m pytest tests/slow/test_worlds.py -n 2 -m slow

# 5,000 spoilt exports (CASES=N for more, CASE=K for one again); about half an hour on 2 cores.
fuzz: .venv/.installed
	$(BIN)/python tests/slow/fuzz/check.py --workers 2

# Every key of the policy with odd values: exit 0 or 2. About 5 minutes.
policies: .venv/.installed
	$(BIN)/python -m tests.slow.policies.check

# The pages of the rules and the manual page, written from the rules and the commands themselves.
docs: .venv/.installed
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.man

# The HTML report in headless Chromium (Debian package chromium): axe-core (from npm), nothing cut off at 1366 and 390 pixels, no
# console message, no request, filters, sorting and commands.
browser: audit
	$(BIN)/python tests/slow/browser/check.py audit_out/latest/report.html

# 2,000 single damages to sound exports: nothing is lost or accused in silence. About half an hour on 2 cores.
quality-check: .venv/.installed
	$(BIN)/python -m tests.slow.quality.check --workers 2

# Flip every boundary and comparison of the rules and windows; a test must fail for each. About half an hour on 2 cores.
mutation: .venv/.installed
	$(BIN)/python tests/slow/mutation/check.py --workers 2

# Runs killed, starved, locked out and cut off: what was published stays whole. About 20 minutes; more of it as root.
faults: .venv/.installed
	$(BIN)/python -m tests.slow.faults.check

# The ledger over many runs: a quarter against an independent replay, kills, writers at once, a million findings. About 20 minutes.
ledger-check: .venv/.installed
	$(BIN)/python -m tests.slow.ledger.check
	$(BIN)/python -m tests.slow.ledger.million

# Queries of a real PostgreSQL, which is started and stopped (Debian package postgresql); VISITS=N for fewer than 10 million.
databases: .venv/.installed
	$(BIN)/python -m tests.slow.databases.check

# The sample through each kind of source, a real PostgreSQL and moto's S3 server among them: findings equal.
sources: .venv/.stores
	$(BIN)/python -m tests.slow.sources.check

# The suite with the lowest supported versions of the dependencies, in an environment of its own; TESTS limits it to some folders.
lowest: .venv-lowest/.installed
	.venv-lowest/bin/python -m pytest -n auto $(TESTS)

# A refactoring that must change nothing: every output of this checkout and of the one that BASE names, compared byte by byte.
checkouts: .venv/.installed
	$(BIN)/python -m tests.slow.checkouts.check $(BASE)

# The auditor beside DuckDB, pandas and bare reading, into docs/benchmarks.md; FULL=1 adds 30 million visits (7 GB of disk).
bench: .venv/.bench
	$(BIN)/python -m benchmarks $(if $(FULL),--full)

# The sample from emulators of S3, Google Cloud Storage and Azure (npm) and an https server here: findings equal those of files.
object-stores: .venv/.stores
	$(BIN)/python -m tests.slow.object_stores.check

# The same ratios at a small size, printed only; under a minute.
bench-quick: .venv/.bench
	$(BIN)/python -m benchmarks quick

# A workbook beside fastexcel and FHIR Encounters beside polars: the ratios are printed.
bench-sources: .venv/.bench
	$(BIN)/python -m benchmarks.sources $(ROWS)

# The same run folder from Spark: on this machine and on a cluster of two workers, one of which is killed. Needs Java 17.
cluster: .venv/.spark
	$(BIN)/python -m pytest tests/slow/cluster
	$(BIN)/python -m tests.slow.cluster.check

# A source distribution, and from it a wheel that pip, pipx and uvx take, installed into an empty environment and tried there.
wheel: .venv/.installed
	rm -rf dist build
	$(BIN)/python -m build --outdir dist . >/dev/null
	$(PYTHON) -m venv dist/venv
	dist/venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/audit98968-*.whl
	cd dist && venv/bin/audit98968 sample demo
	cd dist && venv/bin/audit98968 run --calls demo/calls.csv --visits demo/visits.csv --providers demo/providers.csv \
	  --policy demo/policy.toml --out out --fail-on never --format none --quiet
	test -s dist/out/latest/report.html

# A container of the wheel in dist/, where there is a builder.
container:
	builder=$$(command -v podman || command -v docker || command -v buildah) || { echo "no podman, docker or buildah"; exit 1; }; \
	  $$builder build -t audit98968 -f docs/examples/Containerfile .

# The recipes for Airflow and Dagster, imported and run in environments of their own.
recipes: .venv/.installed
	$(BIN)/python -m tests.slow.recipes.check

# The same pages as a site, in site/.
site: .venv/.site
	$(BIN)/python -m docs.site

clean:
	rm -rf .venv .venv-lowest audit_out dist build site

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

.venv-lowest/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt -e '.[dev]'
	touch $@

.venv/.stores: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[object-stores-check]'
	touch $@

.venv/.bench: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

.venv/.site: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[site]'
	touch $@

.venv/.spark: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[spark]'
	touch $@
