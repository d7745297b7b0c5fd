# Every command that CONTRIBUTING.md names. Only Go is needed; the tests of
# other languages' SDKs say what they miss.

BIN := bin
GO  ?= go

.PHONY: build demo test lint dlv bench fuzz dynalite cdk osls lambda deployments clean

build: ## bin/gatepost
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $(BIN)/gatepost ./cmd/gatepost

demo: build ## the push system, running
	$(BIN)/gatepost demo

test: lint dlv ## everything: checks, packages with the race detector, scripts over the binary
	$(GO) test -race -timeout 30m $$($(GO) list ./... | grep -v '/e2e$$')
	$(GO) test -count=1 ./internal/nonblock # has other system calls without the race detector
	$(GO) test -race -count=1 -timeout 30m ./e2e
	$(GO) test -count=1 -timeout 30m ./e2e
	$(GO) -C bench vet ./...

lint: ## gofmt, vet, staticcheck
	@bad=$$(gofmt -l $$(find . -name node_modules -prune -o -name '*.go' -print)); if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) build -C tools -o ../$(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck
	$(BIN)/staticcheck ./...

dlv: ## bin/dlv, with which the tests debug functions
	$(GO) build -C tools -o ../$(BIN)/dlv github.com/go-delve/delve/cmd/dlv

bench: ## speed beside the floor and a peer, in the same run (about ten minutes)
	$(GO) -C bench run .

fuzz: ## every fuzz target for FUZZTIME each
	./fuzz.sh $(FUZZTIME)

dynalite: ## dynalite's public test suite against the tables: fetched with git and npm, half a minute
	GO=$(GO) ./dynalite.sh

cdk: ## a real app of the AWS CDK, synthesized and loaded: npm, half a minute
	GO=$(GO) ./cdk.sh

osls: ## our templates of serverless.yml beside those of osls: fetched with npm, one minute
	GO=$(GO) ./osls.sh

ARCH ?= arm64
lambda: ## dist/lambda/ARCH/*.zip: the push house's functions, the same bytes from the same commit
	$(GO) run ./push/deploy/lambda -arch $(ARCH)

deployments: ## the deployments of push/deploy, packaged with the CDK and osls and run: npm, two minutes
	GO=$(GO) ./push/deploy/deployments.sh

clean:
	rm -rf $(BIN) dist
