# nuos: `make demo` shows what it does, `make test` checks all of it. Both
# install what they need with apt when it is missing.

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
GO   := go

.PHONY: demo test soak bench experiments qemu redis redis-server criu gdb go

demo: go qemu redis
	$(GO) run ./cmd/demo

# The race detector runs where no cgo-free image is involved and the packages
# are small enough for it to be quick.
RACE := ./boot/... ./kernel/internal/sched ./mm/... ./drivers/... ./rack/... ./proclet ./proclet/dist ./proclet/internal/... ./migrate/... ./images/kv/load/... ./qemu/tor/...

test: go qemu redis-server gdb
	$(GO) vet ./...
	$(GO) vet -tags metal ./boot ./mm ./kernel/... ./drivers/... ./rack ./proclet ./migrate ./metrics ./images/...
	$(GO) run ./cmd/nuos vet ./images/...
	$(GO) test -race -short $(RACE)
	$(GO) test -short -tags 'always_moving proclet_debug' ./proclet ./proclet/dist ./migrate
	$(GO) test ./...

# Ten minutes of load with faults on every link of a hosted rack, and ten of a machine
# whose runtime checks itself while it does everything at once.
soak: go qemu redis
	$(GO) run ./cmd/demo --hosted --for 10m --loss 1 --duplicate 1 --reorder 1
	$(GO) test -count 1 -v -timeout 30m ./images/soak -long 10m

# What a call and a move cost, beside floors and beside what people use today: 15 minutes on a
# computer that does nothing else. The results are in bench-results.
bench: go qemu redis-server criu
	$(GO) run ./cmd/bench $(BENCH)

# What applications notice when a machine runs short of memory or of processors: half an hour on a
# computer that does nothing else. The results are in experiment-results.
experiments: go qemu
	$(GO) run ./cmd/experiments $(EXPERIMENTS)

go:
	@command -v $(GO) >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q golang-go; }
	@$(GO) version | grep -qE 'go1\.(2[1-9]|[3-9][0-9])' || { echo "Go 1.21 or later is needed, which fetches the release that go.mod names: https://go.dev/dl"; exit 1; }

qemu:
	@command -v qemu-system-x86_64 >/dev/null || { $(SUDO) apt-get update -q && \
	  $(SUDO) apt-get install -y -q --no-install-recommends qemu-system-x86 ipxe-qemu; }

gdb:
	@command -v gdb >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends gdb; }

redis:
	@command -v redis-benchmark >/dev/null || { $(SUDO) apt-get update -q && \
	  $(SUDO) apt-get install -y -q --no-install-recommends redis-tools; }

# Debian does not have it everywhere; the benchmark says what it leaves out.
criu:
	@command -v criu >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends criu; } || true

# The server is what kv's answers are compared with. Debian would start one as a
# service, on the port that everybody expects kv at; masking it prevents that.
redis-server:
	@command -v redis-server >/dev/null || { $(SUDO) apt-get update -q; \
	  $(SUDO) systemctl mask redis-server.service >/dev/null 2>&1; \
	  $(SUDO) apt-get install -y -q --no-install-recommends redis-server; status=$$?; \
	  $(SUDO) systemctl unmask redis-server.service >/dev/null 2>&1; exit $$status; }
