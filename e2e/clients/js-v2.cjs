// A client of @connections with the AWS SDK for JavaScript v2. Work comes on
// standard input and results go to standard output, both as clients_test.go
// describes them.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const AWS = createRequire(process.env.TEST_PACKAGES + "/")("aws-sdk");

function run(step) {
  const client = new AWS.ApiGatewayManagementApi({
    endpoint: step.endpoint,
    region: step.region,
    credentials: new AWS.Credentials(step.accessKeyId, step.secretAccessKey, step.sessionToken || undefined),
  });
  const input = { ConnectionId: step.id };
  switch (step.op) {
    case "post":
      return client.postToConnection({ ...input, Data: Buffer.from(step.data, "base64") });
    case "get":
      return client.getConnection(input);
    case "delete":
      return client.deleteConnection(input);
  }
}

async function main() {
  const results = [];
  for (const step of JSON.parse(readFileSync(0, "utf8"))) {
    try {
      const out = await run(step).promise();
      results.push({ status: out.$response.httpResponse.statusCode, connectedAt: out.ConnectedAt?.toISOString(), sourceIp: out.Identity?.SourceIp });
    } catch (e) {
      results.push({ status: e.statusCode, code: e.code, message: e.message });
    }
  }
  console.log(JSON.stringify(results));
}

main();
