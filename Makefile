# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
.DEFAULT_GOAL := help
.PHONY: help test lint unit sanity docs build integration molecule bench demo lab-up lab-down collections changelog clean

PYTHON ?= python3
GATE := $(PYTHON) tests/gates/gate.py
LAB := $(PYTHON) tests/lab/lab.py
HOSTS ?= 1
DISTRO ?= trixie

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-20s %s\n", $$1, $$2 }'

demo: ## watch a container move to a new image, and another come back from a broken one
	@$(PYTHON) tests/demo/demo.py

test: ## every gate below; ends with a table
	@$(GATE) all

lint: ## ruff, mypy, ansible-lint, yamllint, plugin docs, changelog, licences, shell scripts
	@$(GATE) lint

unit: ## unit tests on Python 3.9 to 3.13, and through ansible-test
	@$(GATE) unit

sanity: ## ansible-test sanity on the oldest promised core, 2.19 and 2.21
	@$(GATE) sanity

docs: ## the plugins' pages in build/docs/html
	@$(GATE) docs

build: ## the tarball in build/, imported as Galaxy does and installed
	@$(GATE) build

integration: ## the modules on the lab's real hosts
	@$(GATE) integration

molecule: ## the Molecule scenarios on the lab's real hosts
	@$(GATE) molecule

bench: ## figures beside podman auto-update in the same lab
	@$(GATE) bench

lab-up: ## start lab hosts; HOSTS=1 DISTRO=trixie|bookworm
	@$(LAB) up --hosts $(HOSTS) --distro $(DISTRO)

lab-down: ## stop the lab's hosts; what was built stays cached
	@$(LAB) down

collections: ## .collections: makes the short `ansible HOST -m image_autoupdate` work in this checkout
	@$(GATE) collections

changelog: ## CHANGELOG.md from the fragments, for the version in galaxy.yml
	@$(GATE) changelog

clean: ## stop the lab and take away everything that the project made
	@$(GATE) clean
