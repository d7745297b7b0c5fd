package template

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// maxLayers is how many layers a function may have ("Lambda quotas").
const maxLayers = 5

var layerNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,140}$`)

func layerTypes() map[string]resourceType {
	// The first version of a layer is all that is ever made here.
	arn := func(e *evaluator, r *resource) (string, error) {
		name, err := e.nameOf(r, "LayerName")
		return e.arn("lambda", "layer:"+name+":1"), err
	}
	layer := resourceType{complete: true, ref: arn, attributes: map[string]attribute{"LayerVersionArn": arn}}
	return map[string]resourceType{"AWS::Lambda::LayerVersion": layer, "AWS::Serverless::LayerVersion": layer}
}

// layerEntry is a layer that the template declares.
type layerEntry struct {
	layer stack.Layer
	// leftOut says why it cannot be had, or is empty.
	leftOut string
}

// loadLayer reads AWS::Lambda::LayerVersion and AWS::Serverless::LayerVersion.
func (l *loader) loadLayer(r *resource) {
	p := l.properties(r)
	property := "Content"
	if r.typ == "AWS::Serverless::LayerVersion" {
		property = "ContentUri"
	}
	name := l.name(p, "LayerName", layerNameForm, "1 to 140 letters, digits, hyphens and underscores")
	if name == "" {
		return
	}
	entry := &layerEntry{layer: stack.Layer{LogicalID: r.id, ARN: l.arn("lambda", "layer:"+name+":1"), BuildMethod: l.buildMethod(r)}}
	entry.layer.Content, entry.leftOut = l.layerContent(p, property)
	if entry.leftOut != "" {
		l.note(r, r.line, "the layer is left out: "+entry.leftOut)
	}
	p.rest([]string{"CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo", "RetentionPolicy", "PublishLambdaVersion"}, nil)
	if l.layers == nil {
		l.layers = make(map[string]*layerEntry)
	}
	l.layers[entry.layer.ARN] = entry
}

// layerContent finds the folder or archive of a layer. leftOut says why it cannot
// be had, or is empty.
func (l *loader) layerContent(p *properties, property string) (path, leftOut string) {
	if path, ok := l.assetPath(p.resource, p.raw(property)); ok {
		return path, ""
	}
	p.require(property, "it is the folder or the zip archive with what Lambda unpacks into /opt")
	v := p.value(property)
	switch {
	case v == nil:
		return "", ""
	case v.isScalar() && strings.HasPrefix(v.text, "s3://"), v.field("S3Key") != nil, v.field("Key") != nil:
		return "", "its content lies in S3, and Gatepost takes layers from files; point " + property + " to a folder or a zip archive"
	case v.isScalar():
		return l.codePath(p.raw(property), v.text), ""
	}
	l.problem(p.raw(property), "%s must be the path of a folder or of a zip archive, not %s", property, v.kind)
	return "", ""
}

// functionLayers resolves the layers of a function. One that is not declared
// here, or not at hand, is noted by its name, and the function starts without.
func (l *loader) functionLayers(p *properties) []stack.Layer {
	arns := l.layerARNs(p)
	if len(arns) > maxLayers {
		l.problem(p.raw("Layers"), "the function has %d layers, and Lambda takes %d", len(arns), maxLayers)
		return nil
	}
	var layers []stack.Layer
	for _, arn := range arns {
		entry := l.layers[arn]
		if entry != nil && entry.leftOut == "" {
			layers = append(layers, entry.layer)
			continue
		}
		why := "which no resource of this template declares, so it lies on AWS only; declare it as an AWS::Serverless::LayerVersion with its folder or zip archive"
		if entry != nil {
			why = "which is left out"
		}
		l.note(p.resource, p.raw("Layers").line, fmt.Sprintf("the function starts without the layer %s, %s", quote(arn), why))
	}
	return layers
}

// layerARNs returns what Layers names. What Gatepost cannot evaluate, such as an
// import, is noted: the function starts without it.
func (l *loader) layerARNs(p *properties) []string {
	given := p.raw("Layers")
	if given == nil {
		return nil
	}
	items := given.items
	if given.kind != kindList { // or one intrinsic function for all of them
		items = []*node{given}
	}
	var arns []string
	for _, item := range items {
		v, err := l.resolve(item)
		if wrong, ok := errors.AsType[*Error](err); ok && wrong.unsupported {
			l.note(p.resource, item.line, "the function starts without the layer at "+item.path()+": "+wrong.Text)
			continue
		}
		if err != nil {
			l.problems.add(err)
			continue
		}
		switch {
		case v.kind == kindAbsent:
		case v.isScalar():
			arns = append(arns, v.text)
		case v.kind == kindList && given.kind != kindList:
			arns = append(arns, p.texts("Layers")...)
		default:
			l.problem(item, "Layers is a list of ARNs, not %s", v.kind)
		}
	}
	return arns
}

// buildMethod is how the code of a function or a layer is to be built, or "".
func (l *loader) buildMethod(r *resource) string {
	method := r.node.field("Metadata").field("BuildMethod")
	if method == nil {
		return ""
	}
	text, err := l.text(method)
	l.problems.add(err)
	return text
}
