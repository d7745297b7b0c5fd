// Functions with the AWS SDK for JavaScript v2, which knows no variable for an
// endpoint.
const { createRequire } = require("node:module");
const AWS = createRequire(process.env.TEST_PACKAGES + "/")("aws-sdk");

const lambda = new AWS.Lambda({ endpoint: process.env.ENDPOINT, maxRetries: 0 });

// event is what a function of the demo gets when a client connects.
const event = (kind) => JSON.stringify({ requestContext: { connectionId: `${process.env.NAME}-${kind}` } });

async function refused(input) {
  try {
    await lambda.invoke(input).promise();
  } catch (e) {
    if (!e.statusCode) throw e;
    console.log("refused:", e.statusCode, e.code, e.message.split(": ")[0]);
    return;
  }
  throw new Error("the call has not failed");
}

async function main() {
  const out = await lambda.invoke({ FunctionName: "connect", LogType: "Tail", Payload: event("waited") }).promise();
  console.log("invoked", out.StatusCode, out.ExecutedVersion, JSON.parse(out.Payload).statusCode, out.FunctionError === undefined);
  const text = Buffer.from(out.LogResult, "base64").toString();
  console.log("logged", ...["START RequestId: ", '"msg":"connected"', "END RequestId: ", "REPORT RequestId: "].map((part) => text.includes(part)));
  for (const InvocationType of ["Event", "DryRun"]) {
    const o = await lambda.invoke({ FunctionName: "connect", InvocationType, Payload: event(InvocationType) }).promise();
    console.log(InvocationType, o.StatusCode, o.Payload?.length ?? 0, "bytes", o.FunctionError === undefined);
  }
  const failed = await lambda.invoke({ FunctionName: "connect", Payload: '"text"' }).promise();
  console.log("function failed:", failed.StatusCode, failed.FunctionError, JSON.parse(failed.Payload).errorType);
  await refused({ FunctionName: "missing" });
  await refused({ FunctionName: "connect", Payload: "{" });
}

main().catch((e) => { console.error(e); process.exit(1); });
