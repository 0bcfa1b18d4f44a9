# The checks that CI runs, and what is generated. `just --list` shows the recipes.

# Everything that has to pass
check: format lint types contracts test

# Formatting, checked only; `ruff format .` applies it
format:
    ruff format --check .

# Lint rules
lint:
    ruff check .

# Static types, strict
types:
    mypy

# Who may import whom
contracts:
    lint-imports

# Tests; arguments go to pytest: `just test tests/taskcore -k update`
test *arguments:
    pytest {{ arguments }}

# Isolation to the full: each wall alone, every mutant, many generated programs
isolation:
    pytest --without rls -m "not inspects and not mutants and not thorough"
    pytest --without predicates -m "not inspects and not mutants and not thorough"
    pytest --through-pgbouncer tests/isolation -m "not inspects and not mutants and not thorough"
    pytest --through-router tests/isolation tests/taskcore/tasks tests/taskcore/users tests/taskcore/tokens tests/taskcore_http tests/taskcore_cli -m "not inspects and not mutants and not thorough"
    pytest -m mutants
    pytest -m thorough

# Line and branch coverage of the tests; arguments go to pytest
coverage *arguments:
    coverage erase
    coverage run -m pytest {{ arguments }}
    coverage combine -q
    coverage report

# Benchmarks beside peers, on a quiet machine; needs the extra bench, and wrk
bench *arguments:
    python -m tests.benchmarks {{ arguments }}

# Renew the pinned catalog of the database
catalog:
    python tests/write_catalog.py

# Renew the pinned OpenAPI document
openapi:
    python tests/write_openapi.py

# Build the documentation into site/; its references between pages are checked
docs:
    sphinx-build -qW --keep-going docs site

# Check the links of the documentation that lead elsewhere; needs the internet
docs-links:
    sphinx-build -qb linkcheck docs site/links

# Serve the API on 127.0.0.1:8000
serve *arguments:
    taskctl serve {{ arguments }}
