# `make help` lists the targets. Nothing but Go, make and a Debian or Ubuntu is
# taken for granted: test/setup.sh installs what else is missing.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT   := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
FUZZTIME    ?= 2000x
ROUNDS      ?= 20
LANES       ?= 3
RESTARTS    ?= 100
DEMO        ?=
BENCH       ?=
BENCHFLAGS  ?=
PREDIXY     ?=
OLD         ?=
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS     := -X main.version=$(VERSION)

.PHONY: help build demo test conformance suites failover faults restarts clients compose memory package package-test bench bench-micro screenshot fuzz lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/steadis
	$(GO) build -ldflags "$(LDFLAGS)" -o bin/steadis ./cmd/steadis

demo: ## a deployment on this machine loses its master under load (DEMO="--kind freeze --keep")
	@test/setup.sh
	@$(GO) build -ldflags "$(LDFLAGS)" -o bin/steadis ./cmd/steadis
	@bin/steadis demo $(DEMO)

test: ## every test with the race detector, each fuzz target for FUZZTIME (2000 inputs), no process left behind
	@test/setup.sh --tests
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" test/suite.sh all

conformance: ## the same bytes to Redis and through steadis, 200,000 random commands and more
	@test/setup.sh --tests
	@GO="$(GO)" test/suite.sh conformance

suites: ## Redis' own TCL suite through steadis (9 min; other suites: test/suites/README.md)
	@test/setup.sh --tests
	@test/suites/tcl.sh

failover: ## the failover figures, ROUNDS times each, recorded in test/failover/RESULTS.md
	@test/setup.sh --tests
	@GO="$(GO)" ROUNDS="$(ROUNDS)" test/suite.sh failover

memory: ## 10,000 clients flood a steadis in a container of 256 MB, with a master and without (needs Docker)
	@test/setup.sh --tests
	TEST_MEMORY=container $(GO) test -count=1 -v -timeout 20m ./test/memory

bench: ## direct, steadis, HAProxy, twemproxy compared (16 min; BENCH=all or a regexp of rows, PREDIXY=path)
	@test/setup.sh --bench
	@$(GO) build -ldflags "$(LDFLAGS)" -o bin/steadis ./cmd/steadis
	@$(GO) run ./test/bench -steadis bin/steadis -predixy "$(PREDIXY)" -rows "$(BENCH)" $(BENCHFLAGS)

bench-micro: ## Go benchmarks of the data path through benchstat (OLD=file compares with an earlier bin/bench/micro.txt)
	@mkdir -p bin/bench
	$(GO) test -run '^$$' -bench 'Guard$$|Scanner$$|RedconReader|Lookup$$|Conn$$|Shared$$|Load$$' -benchmem -benchtime 200ms -count 10 \
		./proxy/resp ./proxy/command ./proxy/upstream ./sentinel/topology > bin/bench/micro.txt
	@$(GO) run $(BENCHSTAT) $(OLD) bin/bench/micro.txt

faults: ## every fault in every mode, ROUNDS times, recorded in RESULTS.md (FAULTS=, MODES= choose; LANES= at a time)
	@test/setup.sh --tests
	@GO="$(GO)" ROUNDS="$(ROUNDS)" TEST_LANES="$(LANES)" test/suite.sh faults

clients: ## real applications through failovers, ROUNDS of each kind, recorded in RESULTS.md and README.md (CLIENTS=regexp of tests)
	@test/setup.sh --clients
	@GO="$(GO)" ROUNDS="$(ROUNDS)" CLIENTS="$(CLIENTS)" test/suite.sh clients

restarts: ## RESTARTS (100) restarts under load in each way: no connect, command or connection is lost
	@test/setup.sh --tests
	@GO="$(GO)" TEST_RESTARTS="$(RESTARTS)" test/suite.sh restarts

compose: ## docker-compose.yml with stand-in images: a killed and a paused master, drills (needs Docker)
	@test/compose/run.sh

package: ## the Debian package, in bin/
	@GO="$(GO)" VERSION="$(VERSION)" config/deploy/package/build.sh bin

package-test: ## the Debian package installed, upgraded and purged on a copy of this machine (as root)
	@GO="$(GO)" test/package/run.sh

screenshot: ## config/deploy/live-page.png, the picture in the README, taken of a real failover
	@test/setup.sh --tests
	@dir=$$(mktemp -d) && TEST_SCREENSHOTS=$$dir $(GO) test -count=1 ./test/page && cp $$dir/live-page.png config/deploy/; status=$$?; rm -rf "$$dir"; exit $$status

fuzz: ## each fuzz target for FUZZTIME (inputs, as 2000x, or a time, as 30s)
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" test/suite.sh fuzz

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

clean: ## remove what was built
	rm -rf bin report.html report.json
