package clients

import "testing"

// streamed is what each program of streams prints.
const streamed = `created ACTIVE with 2 shards for 24 hours
put one to shardId-000000000000
put shardId-000000000000 shardId-000000000001 0 failed
read ann "b\x00", 56 digits, true
read bob "Rome", 56 digits, true
read bob "Rome", 56 digits, true
put failed: ResourceNotFoundException
deleted
`

// TestStreams: every SDK makes a data stream of the running program, puts records
// into it and reads them. Old ones get their endpoint in code, newer ones by
// variables.
func TestStreams(t *testing.T) {
	t.Parallel()
	r := start(t)
	const everything, kinesis, inCode = "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_KINESIS=", "ENDPOINT="
	for _, c := range []struct {
		name     string
		program  func(*testing.T) ([]string, []string)
		variable string
	}{
		{"gov1-17", goProgram("streams/gov1-17"), inCode},
		{"gov1-55", goProgram("streams/gov1-55"), inCode},
		{"gov2-3", goProgram("streams/gov2-3"), inCode},
		{"gov2-47", goProgram("streams/gov2-47"), kinesis},
		{"js-v2", nodeProgram("streams", "streams/js-v2.cjs"), inCode},
		{"js-v3", nodeProgram("streams", "streams/js-v3.cjs"), kinesis},
		{"boto3", pythonProgram("streams/streams.py"), everything},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, env := c.program(t)
			r.compare(t, append(env, "STREAM="+c.name, c.variable+r.run.AWS), streamed, program...)
		})
	}
}
