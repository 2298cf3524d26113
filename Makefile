# Each target is complete on a machine that has Python 3.11 or newer: it makes the environment itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Callers in real time share the machine with other tests: what fails is tried twice more, and that is told.
PYTEST := $(BIN)/pytest -q --reruns 2 --reruns-delay 1 --dist worksteal
REPORT := build/tests.xml
# So many at once, of these tests. What still failed is tried once more alone, with processes of its own; if that fails
# too, or not every test was run, the target fails.
RUN = rm -f $(REPORT); $(PYTEST) -n $(1) --junitxml $(REPORT) $(2) || { test -s $(REPORT) && ! grep -q "collection failure" $(REPORT) \
	&& echo "Trying what failed once more, alone:" && $(PYTEST) -n 0 --last-failed --last-failed-no-failures none $(2); }
TELEPHONY := tests/sip tests/unit/control/telephony tests/integration/telephony tests/conformance/test_carrier_streams_oracle.py \
	tests/integration/control/test_outbound_calls.py tests/integration/embedded/test_keys.py tests/unit/control/test_tasks_transfers.py
RETENTION := tests/unit/control/test_records.py tests/unit/control/test_transcript.py tests/unit/control/test_usage.py tests/unit/control/test_turn_notes.py tests/unit/worker/test_usage.py tests/unit/control/test_consents.py tests/unit/control/redaction tests/unit/control/test_handlers.py tests/unit/control/test_vault.py tests/integration/control/test_kept_sessions.py tests/unit/voicebackend/test_tape.py tests/integration/records tests/chaos/test_retention_kills.py \
	tests/unit/control/test_tasks_retention.py tests/unit/control/test_told_arguments.py tests/unit/control/test_names.py tests/unit/control/test_remembering.py \
	tests/unit/control/test_recording_disk.py tests/integration/telephony/test_call_erasure.py tests/integration/redis/test_users.py

unexport PYTHONDONTWRITEBYTECODE  # hundreds of processes start: none needs to compile anew what the one before did

# What the images install beside the library itself
CONTROL := flower opus otlp prometheus records sip
WORKER := livekit local opus otlp pipecat prometheus
PIN := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header $(UPGRADE)

.PHONY: demo up test examples test-contract test-retention test-browser test-peers test-telephony test-topology check docs format bench bench-quick fuzz chaos chaos-redis chaos-takeover soak lock audit clean

demo: $(VENV)/.local  ## Hold a spoken conversation through five real processes; writes demo/report.json and demo/conversation.wav
	$(BIN)/voicebackend demo

up: $(VENV)/.local  ## The whole development stack on port 8080
	$(BIN)/voicebackend up

test: $(VENV)/.dev  ## Every test, but those against vendors' own packages
	$(call RUN,3,-m "not peers" --ignore tests/chaos)
	$(call RUN,2,-m "not peers" tests/chaos)  # callers in real time: fewer at once

test-contract: $(VENV)/.dev  ## What was promised before it was written, row by row: tests/contract
	$(PYTEST) -n 2 --timeout 900 -m "not peers" tests/contract $$($(BIN)/python tests/helpers/contract_rows.py)

test-retention: $(VENV)/.dev  ## Records, recordings, retention; on a folder and on S3
	VOICEBACKEND_PEERS=required VOICEBACKEND_RETENTION_HISTORIES=300 $(PYTEST) -n 2 --timeout 900 $(RETENTION)

test-peers: $(VENV)/.dev  ## Against vendors' own packages and servers, each in an environment under build/peers
	$(call RUN,2,--timeout 900 -m peers)  # the first of each builds its environment

test-telephony: $(VENV)/.dev  ## Everything of telephone calls, by other makers' SIP clients too; as root on a Debian it installs sipp
	$(PYTEST) -n 2 --timeout 900 $(TELEPHONY)

test-topology: export VOICEBACKEND_TEST_REDIS := cluster
test-topology: $(VENV)/.dev  ## The integration tests with audio in a Redis Cluster, state and broker behind Sentinels that fail over
	$(call RUN,3,--dist loadfile --timeout 900 -m "not peers" tests/integration tests/chaos/test_redis_faults.py)

test-browser: $(VENV)/.dev  ## Console and playground in a real Chromium, with a voice for its microphone; pictures go to docs/images
	VOICEBACKEND_SCREENSHOTS=docs/images $(PYTEST) --timeout 400 -m peers tests/browser

examples: $(VENV)/.dev  ## Every example, as its README tells to run it, held to what it prints; a table at the end
	PYTHONPATH=tests/helpers $(PYTEST) -p example_table -n 2 -p no:randomly tests/fundamentals/test_examples.py tests/integration/test_custom_provider.py tests/integration/webhooks/test_web_apps.py

check: $(VENV)/.dev  ## Everything a machine can say about the code without running it
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/.dev  ## The documentation into build/docs/index.html; a broken link, or a page that no navigation names, is an error
	$(BIN)/sphinx-build -q -E -W --keep-going -j auto -b html -d build/doctrees -c docs . build/docs

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## Every benchmark, under 40 minutes on an idle machine: build/bench/*.json and a table
	$(BIN)/python -m benchmarks.suite

bench-quick: $(VENV)/.dev  ## Whether every benchmark runs, in under 3 minutes
	$(BIN)/python -m benchmarks.suite --quick

chaos: $(VENV)/.dev  ## Make 25 faults happen to real processes, and print what held; under 15 minutes
	$(BIN)/python tests/helpers/fault_table.py -q --reruns 2 --reruns-delay 1 -n 2

fuzz: $(VENV)/.dev  ## Every bad input, and every parser with changed and coverage-guided ones, about 15 minutes: a table
	PYTHONPATH=tests/helpers $(BIN)/python tests/fuzz

soak: $(VENV)/.dev  ## Callers by lot for 30 minutes (VOICEBACKEND_SOAK_S): what was held, what is left, whether anything said was written down
	VOICEBACKEND_SOAK_S=$${VOICEBACKEND_SOAK_S:-1800} $(BIN)/pytest -q -s tests/chaos/test_soak.py

chaos-takeover: $(VENV)/.dev  ## What callers hear when workers are killed, stopped, drained, joined or poisoned
	VOICEBACKEND_CHAOS=full $(BIN)/pytest -q -s tests/chaos/test_takeover.py

chaos-redis: $(VENV)/.dev  ## What callers hear when a Redis is killed, frozen, full or replaced: build/chaos/redis.jsonl and a table
	rm -f build/chaos/redis.jsonl
	VOICEBACKEND_CHAOS=full VOICEBACKEND_CHAOS_JSON=build/chaos/redis.jsonl $(BIN)/pytest -q tests/chaos/test_redis_faults.py
	$(BIN)/python tests/helpers/redis_table.py build/chaos/redis.jsonl

lock: | $(VENV)/bin/python  ## Pin every package with its hashes in requirements/*.txt; UPGRADE=--upgrade takes the newest
	$(BIN)/python -m pip install --quiet "uv>=0.10"
	$(PIN) --extra dev --extra docs -o requirements/dev.txt
	$(PIN) $(CONTROL:%=--extra %) -c requirements/dev.txt -o requirements/control.txt
	$(PIN) $(WORKER:%=--extra %) -c requirements/dev.txt -o requirements/worker.txt

audit: $(VENV)/.dev  ## Licences, known vulnerabilities, bills of materials of what is pinned
	$(BIN)/python requirements/audit.py

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.local: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[local]"
	touch $@

$(VENV)/.dev: pyproject.toml requirements/dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@ $(VENV)/.local
