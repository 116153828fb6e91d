#!/usr/bin/env bash
# Monte Carlo of the gate's own rule (src/gate/verdict.h) over synthetic pairs of models: how often it
# passes and calls a regression where the truth is known. Writes scripts/simulate_gate.md; the seeds
# are fixed, so the same program writes the same file. About three minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:-build/release}"
cmake --build "$build" --target keju_gate_simulation >&2
"$build/keju_gate_simulation" > scripts/simulate_gate.md
