#!/usr/bin/env bash
# The step of action.yml that runs labs. What it is told comes from its environment, so that no text of a workflow becomes a command.
set -uo pipefail

# Of all lines: `labs: |` gives several. At the end of the text read says that no zero byte came, which is no failure.
read -rd '' -a labs <<<"$LABS" || true
arguments=(lab run "${labs[@]}" --seed "$SEED" --out "$OUT" --yes)
[ -n "$BOOTSTRAP" ] && arguments+=(--bootstrap "$BOOTSTRAP")
[ -n "$COMMAND_CONFIG" ] && arguments+=(--command-config "$COMMAND_CONFIG")
[ -n "$ENGINE" ] && arguments+=(--engine "$ENGINE")
[ -n "$RUNTIME" ] && arguments+=(--runtime "$RUNTIME")

"$FAULTLINE/faultline" "${arguments[@]}"
code=$?

if [ -n "${GITHUB_OUTPUT:-}" ]; then
  printf 'report=%s\njunit=%s\n' "$OUT" "$OUT/junit.xml" >>"$GITHUB_OUTPUT"
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$OUT/matrix.md" ]; then
  cat "$OUT/matrix.md" >>"$GITHUB_STEP_SUMMARY"
fi
# 3: nothing is wrong, and something could not run here. A run of nothing at all is no success.
if [ "$code" = 3 ] && [ "$ALLOW_SKIPPED" = true ] && grep -q '"verdict": "valid"' "$OUT/matrix.json" 2>/dev/null; then
  echo "Some labs were skipped; $OUT/matrix.md says which and why."
  code=0
fi
exit "$code"
