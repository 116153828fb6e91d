#!/usr/bin/env bash
# From a bare Debian 12 to a posted leaderboard: installs packages, builds the program, fetches two
# small models, examines both on the sample suite and says where the leaderboard is.
#   scripts/demo.sh [OUT]     OUT defaults to keju-out
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-keju-out}
start=$SECONDS

scripts/packages.sh
cmake --preset release -DKEJU_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target keju
models=$(scripts/fetch_models.sh)

keju=build/release/keju
$keju run --model "$models/SmolLM2-135M-Instruct.Q4_1.gguf" --name "SmolLM2-135M-Instruct Q4_1" --suite keju-sample --out "$out/smollm2"
$keju run --model "$models/gemma-3-270m-q4_k_m.gguf" --name "Gemma 3 270M Q4_K_M" --suite keju-sample --out "$out/gemma3"
$keju report "$out/smollm2" "$out/gemma3" --out "$out/leaderboard"

echo
echo "done in $(((SECONDS - start + 59) / 60)) minutes; the leaderboard is posted:"
echo "  $PWD/$out/leaderboard/leaderboard.html"
