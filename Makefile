# `make` lists every target. Everything runs on the Node that comes with `npm ci`; an old system Node only starts npm.
SHELL := bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
NODE_FLAGS := --disable-warning=ExperimentalWarning
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format sim up down images compose bench up-times lab docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: node_modules/.package-lock.json ## install everything that is needed, under this directory

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm >/dev/null || { echo 'setup: npm is missing; install Node.js (any version from 20 on) to get it' >&2; exit 3; }
	npm ci
	@touch $@

demo: setup ## start three brokers, kill them in turn and all at once, prove the log, write a report
	@./faultline lab run 00-durability $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(ENGINE),--engine $(ENGINE))

test: setup ## run every test that this machine can, and name what it skipped
	@node $(NODE_FLAGS) scripts/test.ts

check: setup ## types, lint, format and house rules
	tsc --noEmit
	tsc --noEmit -p scripts/report/page
	oxlint --type-aware --deny-warnings
	prettier --check --log-level warn .
	vitest run --project tidy

format: setup ## bring all files into form
	prettier --write --log-level warn .

sim: setup ## run the deterministic simulator: SEEDS=200, or one SEED=…
	@node $(NODE_FLAGS) simulator/main.ts $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200))

lab: setup ## run one lab: NAME=07-acks-matrix RUNTIME=process ENGINE=faultline
	@./faultline lab run $(or $(NAME),$(error NAME is missing: make lab NAME=07-acks-matrix; ./faultline lab list names them)) $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(ENGINE),--engine $(ENGINE))

up: setup ## start a local cluster of three brokers
	@./faultline up $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(ENGINE),--engine $(ENGINE))

down: setup ## stop the cluster and remove its files
	@./faultline down

images: setup ## build the container image faultline/broker:dev
	docker build -t faultline/broker:dev -f images/broker/Dockerfile $(if $(NODE_EXTRA_CA_CERTS),--secret id=ca$(comma)src=$(NODE_EXTRA_CA_CERTS)) .

compose: setup ## write compose/ again from topologies/
	@node $(NODE_FLAGS) scripts/cluster/compose/topologies.ts

bench: setup ## measure side by side with Apache Kafka (needs Java and Maven)
	@node $(NODE_FLAGS) bench/main.ts

up-times: setup ## measure how long up takes: processes, containers, simulated; 1, 3, 5 brokers; both engines (docs/up-times.md)
	@node $(NODE_FLAGS) bench/up-times.ts --write

docs: setup ## write docs/compatibility.md (registry, newest conformance run), docs/faults.md (catalogue of faults), docs/lessons (labs)
	@node $(NODE_FLAGS) tests/conformance/write-compatibility.ts
	@node $(NODE_FLAGS) scripts/faults/write-page.ts
	@node $(NODE_FLAGS) scripts/labs/lessons/write-pages.ts

clean: down ## remove clusters, reports and installed packages
	rm -rf .faultline out node_modules

comma := ,
