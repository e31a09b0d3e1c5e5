#!/usr/bin/env bash
# A plan for a change of a scenario: plan.sh SCENARIO BASE OUT, in a checkout of the change; BASE is the commit it goes to.
# OUT gets plan/ (with plan.html) and comment.md: the summary, and what the change does, from one side to the other, in the same worlds.
# Exit: that of `perfplan check` (0 every promise holds, 1 one breaks, 2 a mistake in the scenario, 3 anything else).
set -euo pipefail
scenario=$1 base=$2 out=$3
mkdir -p "$out/base"
set +e
perfplan plan "$scenario" --out "$out/plan" 2> "$out/said.txt"
planned=$?
set -e
if [ "$planned" -ne 0 ]; then
  { printf 'This scenario cannot be planned:\n\n'; sed 's/^/    /' "$out/said.txt"; } > "$out/comment.md"
  exit "$planned"
fi
cp "$out/plan/summary.md" "$out/comment.md"
if git cat-file -e "$base:$scenario" 2> "$out/said.txt"; then
  git archive "$base" "$(dirname "$scenario")" | tar -x -C "$out/base"
  perfplan diff "$out/base/$scenario" "$scenario" > "$out/diff.txt" 2> "$out/said.txt" || [ $? -eq 1 ] || cp "$out/said.txt" "$out/diff.txt"
  { printf '\n## What the change does\n\n'; sed 's/^/    /' "$out/diff.txt"; } >> "$out/comment.md"  # indented: nothing in it is markup
fi
set +e
perfplan check "$scenario" > "$out/check.txt" 2>&1
exit $?
