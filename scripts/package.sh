#!/usr/bin/env bash
# Packs keju for machines without a compiler: bin/keju, the libraries that Debian 12 and Ubuntu 22.04
# do not have in their base systems, licence and README. The C and C++ runtimes are the system's own;
# the program needs glibc 2.35 and GCC 12's libstdc++ or newer. A CUDA driver is loaded only if there
# is one and the build was made with CUDA.
#
#   scripts/package.sh [build folder] [output folder]      default build/release, keju-out
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:-build/release}"
out="${2:-keju-out}"
program="$build/keju"
[[ -x "$program" ]] || { echo "package.sh: $program: found no program, need one. cmake --build $build --target keju" >&2; exit 7; }

# The newest version of a symbol set that a file asks for: newest FILE GLIBC
newest() { { objdump -T "$1" | grep -o "\b$2_[0-9.]*" || true; } | sort -Vu | tail -1; }
# What Ubuntu 22.04 has (glibc 2.35, GCC 12's runtimes); Debian 12 has glibc 2.36 and the same runtimes.
offered="GLIBC_2.35 GLIBCXX_3.4.30 CXXABI_1.3.13 GCC_12.0.0"

version="$("$program" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -1)"
name="keju-${version}-linux-x86_64"
stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/$name/bin" "$stage/$name/lib" "$out"
install -m 755 "$program" "$stage/$name/bin/keju"
strip "$stage/$name/bin/keju"
install -m 644 LICENSE README.md "$stage/$name/"

# What the system is expected to bring.
system='^(linux-vdso|ld-linux|libc\.|libm\.|libdl\.|libpthread\.|librt\.|libstdc\+\+\.|libgcc_s\.|libcuda\.)'
ldd "$program" | awk '$2 == "=>" { print $1, $3 }' | while read -r soname path; do
  [[ "$soname" =~ $system ]] && continue
  [[ -f "$path" ]] || { echo "package.sh: $soname: not found on this system" >&2; exit 7; }
  install -m 644 "$path" "$stage/$name/lib/$soname"
done

for file in "$stage/$name/bin/keju" "$stage/$name"/lib/*; do
  for has in $offered; do
    needs="$(newest "$file" "${has%_*}")"
    [[ "$(printf '%s\n%s\n' "$needs" "$has" | sort -V | tail -1)" == "$has" ]] && continue
    echo "package.sh: $(basename "$file") needs $needs, Ubuntu 22.04 has $has. Build on Debian 12 or older" >&2
    exit 6
  done
done

# The packed program must run with its own libraries, and with nothing of this checkout.
(cd / && env -i "$stage/$name/bin/keju" --version >/dev/null)
env -i LD_TRACE_LOADED_OBJECTS=1 "$stage/$name/bin/keju" | awk '$2 == "=>" { print $1, $3 }' | while read -r soname path; do
  [[ "$soname" =~ $system || "$(realpath "$path")" == "$(realpath "$stage")"/* ]] ||
    { echo "package.sh: $soname is loaded from $path, not from the package" >&2; exit 8; }
done

# The same input gives the same bytes.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='2000-01-01' -C "$stage" -c "$name" | gzip -9n > "$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
