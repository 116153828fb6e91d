#!/usr/bin/env bash
# From a bare Debian 12 to a posted leaderboard: installs packages, builds the program, fetches two
# small models, examines both on the sample suite and on ten abilities and says where the leaderboard is.
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
examine() {  # MODEL NAME FOLDER
  $keju run --model "$models/$1" --name "$2" --suite keju-sample --out "$out/$3"
  $keju run --model "$models/$1" --name "$2" --suite keju-opt --out "$out/$3-opt"
}
examine SmolLM2-135M-Instruct.Q4_1.gguf "SmolLM2-135M-Instruct Q4_1" smollm2
examine gemma-3-270m-q4_k_m.gguf "Gemma 3 270M Q4_K_M" gemma3
$keju report "$out"/smollm2 "$out"/gemma3 "$out"/smollm2-opt "$out"/gemma3-opt --out "$out/leaderboard"

echo
echo "done in $(((SECONDS - start + 59) / 60)) minutes; the leaderboard is posted:"
echo "  $PWD/$out/leaderboard/leaderboard.html"
