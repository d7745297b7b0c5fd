package template

import (
	"regexp"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

func streamTypes() map[string]resourceType {
	return map[string]resourceType{
		"AWS::Kinesis::Stream": {complete: true, ref: named("Name"), attributes: map[string]attribute{
			"Arn": arnOf("kinesis", "stream/", "Name"),
		}},
	}
}

var streamNameForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

// loadDataStream reads AWS::Kinesis::Stream; AWS's ranges are those of CreateStream
// and IncreaseStreamRetentionPeriod in the Kinesis API reference.
func (l *loader) loadDataStream(r *resource) {
	p := l.properties(r)
	d := stack.DataStream{LogicalID: r.id, Line: r.line, Name: l.name(p, "Name", streamNameForm, "1 to 128 letters, digits, dots, hyphens and underscores")}
	if d.Name == "" {
		return
	}
	if slices.ContainsFunc(l.stack.Streams, func(other stack.DataStream) bool { return other.Name == d.Name }) {
		l.problem(nodeOr(p.raw("Name"), r.node), "another stream of this template has the name %s already; names are unique", d.Name)
		return
	}
	d.ARN = l.arn("kinesis", "stream/"+d.Name)
	d.Shards = p.number("ShardCount", 1, stack.MaxShards, 0)
	d.OnDemand = d.Shards == 0
	if mode := p.nested("StreamModeDetails"); mode != nil {
		mode.require("StreamMode", "it is ON_DEMAND or PROVISIONED")
		d.OnDemand = mode.oneOf("StreamMode", "ON_DEMAND", "PROVISIONED") == "ON_DEMAND"
		mode.rest(nil, nil)
	}
	if !d.OnDemand && d.Shards == 0 {
		l.problem(p.node, "the property ShardCount is missing; a stream of the mode PROVISIONED has a number of shards")
	}
	d.Retention = time.Duration(p.number("RetentionPeriodHours", 24, 8760, 24)) * time.Hour
	d.Tags = l.tags(p.raw("Tags"))
	p.rest([]string{"DesiredShardLevelMetrics", "StreamEncryption", "WarmThroughputMiBps"},
		map[string]string{"MaxRecordSizeInKiB": "records have at most 1,024 KiB"})
	l.stack.Streams = append(l.stack.Streams, d)
}
