# Every target that a person needs has a line after "##"; 'make help' shows them.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# .ci/prepare puts a newer Node there where the system's is too old.
export PATH := $(CURDIR)/.cache/node/bin:$(PATH)

# Empty outside a repository: the binary then tells what Go knows of it.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X github.com/portico-id/portico/pkg/cli.Version=$(VERSION)

# Tools are pinned and kept below .cache, a folder per version.
LINT_VERSION := v2.15.0
LINT := .cache/bin/golangci-lint-$(LINT_VERSION)/golangci-lint
COUNT := .cache/bin/count

# The counter lives in a hidden folder, which ./... leaves out.
PACKAGES := ./... ./.ci/count
# Two packages at a time: more only fight for the cores with their servers.
TEST_FLAGS := -p 2 -timeout 15m
# Folders with a package.json whose modules the Go tests run in Node.
NODE_PROJECTS := pkg/porticotest/testdata/node sdk/express
FUZZTIME ?= 10s
BENCH ?= .

.PHONY: help
help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## start Portico for development on http://localhost:8080
	@exec bin/portico dev

.PHONY: build
build: ## write bin/portico
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/portico ./cmd/portico

.PHONY: test
test: prepare vet node $(COUNT) ## everything that must pass, with the race detector; installs what is absent
	@CGO_ENABLED=1 go test -race $(TEST_FLAGS) -json $(PACKAGES) | $(COUNT) .cache/test-summary

.PHONY: test-fast
test-fast: $(COUNT) ## the short tests without the race detector
	@go test -short $(TEST_FLAGS) -json $(PACKAGES) | $(COUNT)

.PHONY: bench
bench: prepare ## benchmarks of the hot paths, each beside its bound; BENCH=pattern picks some
	go test -p 1 -run '^$$' -bench '$(BENCH)' -benchmem -timeout 30m \
		$$(git grep -l --untracked '^func Benchmark' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's|^|./|')

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: vet
vet: ## go vet
	go vet $(PACKAGES)

.PHONY: lint
lint: $(LINT) ## run the linter of .golangci.yml (the first time it is built, which takes minutes)
	$(LINT) run $(PACKAGES)

.PHONY: fmt
fmt: $(LINT) ## format the Go code
	$(LINT) fmt

.PHONY: docs
docs: ## write the generated files again
	go generate ./...

.PHONY: clean
clean: ## remove what was built; data of 'make run' stays in .portico
	rm -rf bin .cache

.PHONY: prepare
prepare:
	@.ci/prepare

# npm ci only after the lock file has changed: it starts from nothing each time.
.PHONY: node
node:
	@for dir in $(NODE_PROJECTS); do \
		[ -f $$dir/package.json ] || continue; \
		[ $$dir/node_modules/.package-lock.json -nt $$dir/package-lock.json ] && continue; \
		echo "npm ci in $$dir"; \
		(cd $$dir && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json) || exit 1; \
	done

$(COUNT): .ci/count/main.go
	@mkdir -p $(@D)
	@go build -buildvcs=false -o $@ ./.ci/count

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION)"
	@GOBIN=$(CURDIR)/$(@D) CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
