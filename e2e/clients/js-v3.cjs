// A client of @connections with the AWS SDK for JavaScript v3. Work comes on
// standard input and results go to standard output, both as clients_test.go
// describes them.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
  GetConnectionCommand,
  DeleteConnectionCommand,
} = createRequire(process.env.TEST_PACKAGES + "/")("@aws-sdk/client-apigatewaymanagementapi");

async function run(step) {
  const client = new ApiGatewayManagementApiClient({
    endpoint: step.endpoint,
    region: step.region,
    credentials: { accessKeyId: step.accessKeyId, secretAccessKey: step.secretAccessKey, sessionToken: step.sessionToken || undefined },
  });
  const input = { ConnectionId: step.id };
  switch (step.op) {
    case "post":
      return client.send(new PostToConnectionCommand({ ...input, Data: Buffer.from(step.data, "base64") }));
    case "get":
      return client.send(new GetConnectionCommand(input));
    case "delete":
      return client.send(new DeleteConnectionCommand(input));
  }
}

async function main() {
  const results = [];
  for (const step of JSON.parse(readFileSync(0, "utf8"))) {
    try {
      const out = await run(step);
      results.push({ status: out.$metadata.httpStatusCode, connectedAt: out.ConnectedAt?.toISOString(), sourceIp: out.Identity?.SourceIp });
    } catch (e) {
      results.push({ status: e.$metadata?.httpStatusCode, code: e.name, message: e.message });
    }
  }
  console.log(JSON.stringify(results));
}

main();
