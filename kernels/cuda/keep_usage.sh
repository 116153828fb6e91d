#!/usr/bin/env bash
# A compiler launcher: runs the command and keeps what ptxas says of registers and spills beside the
# object file, for scripts/check_spills.py. The compiler's cache replays it, so it is always there.
set -uo pipefail
out=
previous=
for argument in "$@"; do
  [[ $previous == -o ]] && out=$argument
  previous=$argument
done
said=$("$@" 2>&1)
status=$?
[[ $status -eq 0 && $out == *.o ]] && printf '%s\n' "$said" >"$out.usage"
# A sound kernel's registers are not news.
printf '%s\n' "$said" | grep -vE '^ptxas info|bytes stack frame|^$' >&2
exit $status
