#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for a time each.
set -euo pipefail
time=${1:-30s}
cd "$(dirname "$0")"
grep -rlE '^func Fuzz' --include='*_test.go' . | grep -v '^./bench/' | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d' ' -f2 | sort -u | while read -r target; do
    echo "== $dir $target"
    go test "$dir" -run='^$' -fuzz="^$target\$" -fuzztime="$time" </dev/null
  done
done
