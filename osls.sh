#!/usr/bin/env bash
# Compares the templates that Gatepost makes of serverless.yml with those that
# osls, the maintained fork of the Serverless Framework, writes for the same files.
# It is installed into a temporary folder.
set -euo pipefail
version=4.3.1
cd "$(dirname "$0")"
for program in node npm; do
  command -v "$program" >/dev/null || { echo "make osls needs $program: install Node.js 20.19 or newer with npm." >&2; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm --prefix "$folder" install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error "osls@$version"
OSLS=$folder/node_modules/osls/bin/serverless.js "${GO:-go}" test ./internal/serverless -count=1 -run '^TestOsls$' -v
