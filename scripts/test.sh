#!/usr/bin/env bash
# Builds and tests everything: release, then the same under the address and undefined-behaviour
# sanitizers, the CUDA kernels under the thread sanitizer and broken on purpose, then the CUDA stage
# where nvcc is. Each stage prints its minutes.
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

# Unordered accesses of the CUDA kernels: the SIMT interpreter's threads are ThreadSanitizer's.
find_races() {
  cmake --preset tsan -DKEJU_WERROR=ON >/dev/null
  cmake --build --preset tsan -j "$jobs" --target keju_test_simt_kernels | { grep -vE '^\[[0-9]+/[0-9]+\]' || true; }
  ctest --preset tsan -j "$jobs" -R '^simt_kernels' --no-tests=error
}

# Every mutant of the kernels is caught by a test; scripts/mutate_kernels.md is the last full report.
break_kernels() {
  scripts/mutate_kernels.py build/release --bounds build/asan --races build/tsan --jobs "$jobs" \
    --report build/mutate_kernels.md
}

# The CUDA build of the program: every kernel for every architecture, warnings as errors, no kernel
# that spills registers, and its commands on a machine without a card. The kernels' results are the
# SIMT interpreter's to show (test "simt").
build_cuda() {
  cmake --preset cuda -DKEJU_WERROR=ON >/dev/null
  cmake --build --preset cuda -j "$jobs" --target keju keju_card_ops keju_test_cli | { grep -vE '^\[[0-9]+/[0-9]+\]' || true; }
  ctest --preset cuda -R '^spills$' --no-tests=error
  build/cuda/keju_test_cli --gtest_brief=1 --gtest_filter='Program.*'
}

formatted() {
  command -v clang-format >/dev/null || { echo "clang-format is not there: formatting not checked"; return 0; }
  git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror
}

stage packages prepare
stage format formatted
stage release build_and_test release
# The CPU's kernels take over seven minutes here: run them by hand after a change to them,
# ctest --preset asan -R '^kernels$'.
stage asan build_and_test asan -E '^kernels$'
stage races find_races
stage mutants break_kernels
if command -v nvcc >/dev/null; then
  stage cuda build_cuda
elif [[ "${KEJU_REQUIRE:-}" == *cuda* ]]; then
  echo "== cuda: KEJU_REQUIRE names cuda, but nvcc is not there" >&2
  exit 1
else
  echo "== cuda: not built: nvcc is not there"
fi
echo "== all stages: $(((SECONDS - begin) / 60)) min"
