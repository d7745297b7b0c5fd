package template

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// resource is one entry of the Resources section, or one that SAM would
// generate from such an entry.
type resource struct {
	id  string
	typ string
	// declared is the type that the template gives: typ, or the SAM type that
	// typ was made of.
	declared string
	// node is the whole entry, properties its Properties (a map, never nil).
	node, properties *node
	// condition is the name in the resource's Condition, or nil.
	condition *node
	// generated is true for a resource that stands in the template only as a
	// part of a SAM resource.
	generated bool
	// stage is the name of a SAM API's stage, or nil.
	stage *node
	// ordered is true for a route whose SAM API lists it as ordered.
	ordered bool
	line    int
}

// resourceType tells what Ref and Fn::GetAtt give for the resources of a type.
type resourceType struct {
	// complete is true when the attributes below are all there are, so that
	// another one is a mistake and not a gap of Gatepost.
	complete   bool
	ref        attribute
	attributes map[string]attribute
}

// attribute computes one value that a resource has once it is deployed.
type attribute func(e *evaluator, r *resource) (string, error)

// resourceTypes is the table of all types whose values are known.
func resourceTypes() map[string]resourceType {
	all := make(map[string]resourceType)
	for _, family := range []map[string]resourceType{apiTypes(), lambdaTypes(), layerTypes(), queueTypes(), topicTypes(), tableTypes(), streamTypes(), scheduleTypes(), parameterTypes(), otherTypes()} {
		maps.Copy(all, family)
	}
	return all
}

// otherTypes are the types that Gatepost does not run and whose names often
// stand in the environment of functions.
func otherTypes() map[string]resourceType {
	return map[string]resourceType{
		"AWS::IAM::Role": {ref: named("RoleName"), attributes: map[string]attribute{
			"Arn": func(e *evaluator, r *resource) (string, error) {
				name, err := e.nameOf(r, "RoleName")
				return "arn:aws:iam::" + e.opts.Account + ":role/" + name, err
			}}},
		"AWS::S3::Bucket": {ref: named("BucketName"), attributes: map[string]attribute{
			"Arn": func(e *evaluator, r *resource) (string, error) {
				name, err := e.nameOf(r, "BucketName")
				return "arn:aws:s3:::" + name, err
			}}},
	}
}

// named is the attribute that is the resource's name: the property of this
// name, or the logical id.
func named(property string) attribute {
	return func(e *evaluator, r *resource) (string, error) { return e.nameOf(r, property) }
}

// arnOf is the ARN of a resource that has a name: prefix and name after the
// account.
func arnOf(service, prefix, property string) attribute {
	return func(e *evaluator, r *resource) (string, error) {
		name, err := e.nameOf(r, property)
		return e.arn(service, prefix+name), err
	}
}

// generatedID is the attribute for an id that AWS draws: here it follows from
// stack name and logical id, so that it stays the same from run to run.
func generatedID(length int) attribute {
	return func(e *evaluator, r *resource) (string, error) { return e.id(r.id, length), nil }
}

// nameOf returns the text of a naming property, or the logical id. AWS would
// add a random suffix to the latter.
func (e *evaluator) nameOf(r *resource, property string) (string, error) {
	n := r.properties.field(property)
	if n == nil {
		return e.defaultName(r.id, property), nil
	}
	v, err := e.resolve(n)
	if err != nil {
		return "", err
	}
	if v.kind == kindAbsent {
		return e.defaultName(r.id, property), nil
	}
	return e.text(v)
}

// longestName holds how long names may be that are shorter than logical ids.
var longestName = map[string]int{"FunctionName": 64, "QueueName": 75, "RoleName": 64}

// shortestTable is how short the name of a table may be; a logical id may be
// shorter.
const shortestTable = 3

// defaultName is the logical id, cut as AWS cuts it. In a nested stack the names
// of the stacks around it come first, because logical ids may repeat there.
func (e *evaluator) defaultName(logicalID, property string) string {
	name, most := e.prefix+logicalID, longestName[property]
	switch {
	case property == "TableName" && len(name) < shortestTable:
		return name + "-table"
	case most == 0 || len(name) <= most:
		return name
	case e.prefix == "":
		return name[:most]
	}
	sum := e.digest(logicalID)
	return name[:most-9] + "-" + hex.EncodeToString(sum[:4])
}

// arn returns an ARN of this region and account.
func (e *evaluator) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + e.opts.Region + ":" + e.opts.Account + ":" + resource
}

// digest is the source of generated ids.
func (e *evaluator) digest(logicalID string) [sha256.Size]byte {
	return sha256.Sum256([]byte(e.opts.StackName + "\x00" + logicalID))
}

// id returns lower-case letters and digits, the first a letter.
func (e *evaluator) id(logicalID string, length int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	sum := e.digest(logicalID)
	out := make([]byte, length)
	out[0] = letters[sum[0]%26]
	for i := 1; i < length; i++ {
		out[i] = letters[binary.BigEndian.Uint16(sum[2*i-1:])%36]
	}
	return string(out)
}

// uuid returns an id in the form of a UUID.
func (e *evaluator) uuid(logicalID string) string {
	sum := e.digest(logicalID)
	h := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}

// refOf is what a Ref at n to the resource means.
func (e *evaluator) refOf(n *node, r *resource) (string, error) {
	if t := e.types[r.typ]; t.ref != nil {
		return t.ref(e, r)
	}
	return e.standIn(n, r, "Ref", r.id), nil
}

// attributeOf is what Fn::GetAtt at n means.
func (e *evaluator) attributeOf(n *node, r *resource, name string) (string, error) {
	if output, ok := strings.CutPrefix(name, "Outputs."); ok && slices.Contains(nestedTypes, r.typ) {
		return e.outputOfNested(n, r, output)
	}
	t := e.types[r.typ]
	if a := t.attributes[name]; a != nil {
		return a(e, r)
	}
	if t.complete {
		names := slices.Sorted(maps.Keys(t.attributes))
		return "", e.errorf(n, "%s has no attribute %s; it has %s", r.declared, quote(name), strings.Join(names, ", "))
	}
	return e.standIn(n, r, name, r.id+"."+name), nil
}

// standIn gives a value of a resource that is not run, and says so once per
// place: a function that only hands the value on still starts.
func (e *evaluator) standIn(n *node, r *resource, what, value string) string {
	e.addNotice(stack.Notice{File: e.fileOf(n), Line: n.line, LogicalID: r.id, Type: r.declared,
		Text: fmt.Sprintf("%s uses %s of %s, which Gatepost does not run; it gets the stand-in %q", n.path(), what, r.id, value)})
	return value
}

// samMember returns what SAM lets Ref name with a dot: the alias and version
// that a function publishes, and the stage of an API.
func (e *evaluator) samMember(n *node, r *resource, member string) (text string, ok bool, err error) {
	if !e.hasSAMMember(r, member) {
		return "", false, nil
	}
	if member == "Stage" {
		text, err = e.text(r.stage)
		return text, true, err
	}
	arn, err := e.attributeOf(n, r, "Arn")
	if err != nil || member == "Version" {
		return arn + ":1", true, err
	}
	alias, err := e.text(r.properties.field("AutoPublishAlias"))
	return arn + ":" + alias, true, err
}

func (e *evaluator) hasSAMMember(r *resource, member string) bool {
	switch member {
	case "Alias", "Version":
		return r.typ == "AWS::Serverless::Function" && r.properties.field("AutoPublishAlias") != nil
	case "Stage":
		return r.stage != nil
	}
	return false
}
