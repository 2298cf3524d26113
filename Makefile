# Each target is complete on a machine that has Python 3.11 or newer: it makes the environment itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo up test check format bench bench-quick chaos-redis chaos-takeover clean

demo: $(VENV)/.local  ## Hold a spoken conversation through five real processes; writes demo/report.json and demo/conversation.wav
	$(BIN)/voicebackend demo

up: $(VENV)/.local  ## The whole development stack on port 8080
	$(BIN)/voicebackend up

test: $(VENV)/.dev  ## Every test
	$(BIN)/pytest -q -n 3 --dist worksteal --ignore tests/chaos
	$(BIN)/pytest -q -n 2 --dist worksteal tests/chaos  # callers in real time: fewer at once

check: $(VENV)/.dev  ## Everything a machine can say about the code without running it
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## Every benchmark, under 40 minutes on an idle machine: build/bench/*.json and a table
	$(BIN)/python -m benchmarks.suite

bench-quick: $(VENV)/.dev  ## Whether every benchmark runs, in under 3 minutes
	$(BIN)/python -m benchmarks.suite --quick

chaos-takeover: $(VENV)/.dev  ## What callers hear when workers are killed, stopped, drained, joined or poisoned
	VOICEBACKEND_CHAOS=full $(BIN)/pytest -q -s tests/chaos/test_takeover.py

chaos-redis: $(VENV)/.dev  ## What callers hear when a Redis is killed, frozen, full or replaced: build/chaos/redis.jsonl and a table
	rm -f build/chaos/redis.jsonl
	VOICEBACKEND_CHAOS=full VOICEBACKEND_CHAOS_JSON=build/chaos/redis.jsonl $(BIN)/pytest -q tests/chaos/test_redis_faults.py
	$(BIN)/python tests/helpers/redis_table.py build/chaos/redis.jsonl

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.local: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[local]"
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@ $(VENV)/.local
