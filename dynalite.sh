#!/usr/bin/env bash
# Runs the public test suite of architect/dynalite against the AWS endpoint and
# says how much of it passes. The suite is fetched into a temporary folder; what
# fails must be listed in docs/dynamodb.md. DYNALITE_FROM is another repository
# to fetch it from.
set -euo pipefail
commit=55825d39a23f72033061676b5e81b5049b978c7c # v4.0.0
from=${DYNALITE_FROM:-https://github.com/architect/dynalite}
cd "$(dirname "$0")"
for program in git node npm; do
  command -v "$program" >/dev/null || { echo "make dynalite needs $program: install git, and Node.js 20 or newer with npm." >&2; exit 1; }
done
suite=$(mktemp -d)
trap 'rm -rf "$suite"' EXIT
git -C "$suite" init -q
git -C "$suite" fetch -q --depth 1 "$from" "$commit"
git -C "$suite" checkout -q FETCH_HEAD
npm --prefix "$suite" install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error
DYNALITE=$suite "${GO:-go}" test . -count=1 -run '^TestDynalite$' -v
