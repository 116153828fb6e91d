#!/usr/bin/env bash
# Installs what a build needs on Debian 12 or a system like it; does nothing where all is there.
# Run by demo.sh and test.sh; with "tests" as an argument also what only the tests need.
set -euo pipefail

packages=(g++ cmake ninja-build ccache pkg-config git ca-certificates python3 python3-pip python3-venv
  libfmt-dev libcli11-dev libyaml-cpp-dev nlohmann-json3-dev libsimdjson-dev libpcre2-dev
  libutf8proc-dev libsqlite3-dev zlib1g-dev libseccomp-dev libbenchmark-dev
  bubblewrap)
if [[ "${1:-}" == tests ]]; then
  packages+=(libgtest-dev libgmock-dev libboost-context-dev)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
((${#missing[@]} == 0)) && exit 0

sudo=""
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "packages.sh: need root or sudo to install: ${missing[*]}" >&2; exit 7; }
  sudo=sudo
fi
echo "installing: ${missing[*]}" >&2
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
