// Functions with the AWS SDK for JavaScript v3. It finds the endpoint in its
// environment.
const { createRequire } = require("node:module");
const l = createRequire(process.env.TEST_PACKAGES + "/")("@aws-sdk/client-lambda");

const client = new l.LambdaClient({ maxAttempts: 1 });
const invoke = (input) => client.send(new l.InvokeCommand(input));
const parse = (payload) => JSON.parse(Buffer.from(payload).toString());

// event is what a function of the demo gets when a client connects.
const event = (kind) => JSON.stringify({ requestContext: { connectionId: `${process.env.NAME}-${kind}` } });

async function refused(input, type) {
  try {
    await invoke(input);
  } catch (e) {
    if (!(e instanceof type)) throw e;
    console.log("refused:", e.$metadata.httpStatusCode, e.name, e.message.split(": ")[0]);
    return;
  }
  throw new Error("the call has not failed");
}

async function main() {
  const out = await invoke({ FunctionName: "connect", LogType: "Tail", Payload: event("waited") });
  console.log("invoked", out.StatusCode, out.ExecutedVersion, parse(out.Payload).statusCode, out.FunctionError === undefined);
  const text = Buffer.from(out.LogResult, "base64").toString();
  console.log("logged", ...["START RequestId: ", '"msg":"connected"', "END RequestId: ", "REPORT RequestId: "].map((part) => text.includes(part)));
  for (const InvocationType of ["Event", "DryRun"]) {
    const o = await invoke({ FunctionName: "connect", InvocationType, Payload: event(InvocationType) });
    console.log(InvocationType, o.StatusCode, o.Payload?.length ?? 0, "bytes", o.FunctionError === undefined);
  }
  const failed = await invoke({ FunctionName: "connect", Payload: '"text"' });
  console.log("function failed:", failed.StatusCode, failed.FunctionError, parse(failed.Payload).errorType);
  await refused({ FunctionName: "missing" }, l.ResourceNotFoundException);
  await refused({ FunctionName: "connect", Payload: "{" }, l.InvalidRequestContentException);
}

main().catch((e) => { console.error(e); process.exit(1); });
