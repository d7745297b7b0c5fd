#!/usr/bin/env bash
# Packages the deployments with the tools that they are written for, the AWS CDK
# and osls (the maintained fork of the Serverless Framework), lints what comes
# out where cfn-lint is installed, and runs it with Gatepost through the same
# scenario as the SAM templates. Nothing is sent to AWS.
set -euo pipefail
osls=4.3.1
go=${GO:-go}
cd "$(dirname "$0")/../.."
for program in node npm; do
  command -v "$program" >/dev/null || { echo "make deployments needs $program: install Node.js 20.19 or newer with npm." >&2; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Copies, beside the programs of this machine's kind.
arch=$("$go" env GOARCH)
"$go" run ./push/deploy/lambda -arch "$arch" -out "$folder/dist/lambda" >/dev/null
mkdir -p "$folder/push/deploy"
for tool in cdk serverless; do
  mkdir "$folder/push/deploy/$tool"
  git ls-files -z "push/deploy/$tool" | xargs -0 -I FILE cp --parents FILE "$folder"
done
[ "$arch" = amd64 ] && export PUSH_ARCHITECTURE=x86_64
export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none CDK_DISABLE_CLI_TELEMETRY=true

(cd "$folder/push/deploy/cdk" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npx cdk synth --quiet --no-version-reporting --no-notices)

npm --prefix "$folder" install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error "osls@$osls"
(cd "$folder/push/deploy/serverless" && node "$folder/node_modules/osls/bin/serverless.js" package --param "zips=../../../dist/lambda/$arch")
# The archives lie outside of the service, from where osls would upload them.
# Gatepost finds them beside the template.
cp "$folder/dist/lambda/$arch/"*.zip "$folder/push/deploy/serverless/.serverless/"

if command -v cfn-lint >/dev/null; then
  cfn-lint push/deploy/sam/template.yaml push/deploy/sam/raw.yaml
  # W3005: both tools write DependsOn where a reference would do.
  cfn-lint --ignore-checks W3005 -- "$folder/push/deploy/cdk/cdk.out/Sockets.template.json" "$folder/push/deploy/serverless/.serverless/cloudformation-template-update-stack.json"
else
  echo "cfn-lint is not here, so nothing was linted: pip install cfn-lint==1.51.0"
fi
DEPLOYMENTS=$folder/push/deploy "$go" test ./e2e -count=1 -run '^(TestPackagedDeployments|TestDeploymentsAreTheSame)$' -v
