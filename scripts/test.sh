#!/usr/bin/env bash
# Builds and tests everything: release, then the same under the address and undefined-behaviour
# sanitizers, then the CUDA stage where nvcc is. Each stage prints its minutes.
# KEJU_REQUIRE=shared,models,cuda makes a test that cannot run for want of those a failure instead
# of a skip.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
begin=$SECONDS

stage() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  "$@"
  echo "== $name: $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s"
}

prepare() {
  scripts/packages.sh tests
  scripts/fetch_models.sh >/dev/null || [[ "${KEJU_REQUIRE:-}" != *models* ]]
}

build_and_test() {
  cmake --preset "$1" -DKEJU_WERROR=ON >/dev/null
  cmake --build --preset "$1" -j "$jobs" | { grep -vE '^\[[0-9]+/[0-9]+\]' || true; }
  ctest --preset "$1" -j "$jobs" --no-tests=error "${@:2}"
}

# The CUDA build of the program: every kernel for every architecture, warnings as errors, and its
# commands on a machine without a card. The kernels' results are the SIMT interpreter's to show
# (test "simt"). "ctest --preset cuda -R spills" is not run yet: two attention kernels spill 8 bytes.
build_cuda() {
  cmake --preset cuda -DKEJU_WERROR=ON >/dev/null
  cmake --build --preset cuda -j "$jobs" --target keju keju_card_ops keju_test_cli | { grep -vE '^\[[0-9]+/[0-9]+\]' || true; }
  build/cuda/keju_test_cli --gtest_brief=1 --gtest_filter='Program.*'
}

formatted() {
  command -v clang-format >/dev/null || { echo "clang-format is not there: formatting not checked"; return 0; }
  git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror
}

stage packages prepare
stage format formatted
stage release build_and_test release
# Kernels and the SIMT interpreter take over seven minutes each here: run them by hand after a change
# to them, ctest --preset asan -R '^(kernels|simt)$'.
stage asan build_and_test asan -E '^(kernels|simt)$'
if command -v nvcc >/dev/null; then
  stage cuda build_cuda
elif [[ "${KEJU_REQUIRE:-}" == *cuda* ]]; then
  echo "== cuda: KEJU_REQUIRE names cuda, but nvcc is not there" >&2
  exit 1
else
  echo "== cuda: not built: nvcc is not there"
fi
echo "== all stages: $(((SECONDS - begin) / 60)) min"
