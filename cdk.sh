#!/usr/bin/env bash
# Installs the AWS CDK's library, as pinned in the test's package.json, into a
# temporary folder and loads what a real app of it synthesizes.
set -euo pipefail
cd "$(dirname "$0")"
for program in node npm; do
  command -v "$program" >/dev/null || { echo "make cdk needs $program: install Node.js 20 or newer with npm." >&2; exit 1; }
done
app=$(mktemp -d)
trap 'rm -rf "$app"' EXIT
cp -r internal/template/testdata/cdk/. "$app"
npm --prefix "$app" install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error
CDK_APP=$app "${GO:-go}" test ./internal/template -count=1 -run '^TestCDKSynth$' -v
