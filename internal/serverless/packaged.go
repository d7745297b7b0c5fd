package serverless

import (
	"encoding/json"
	"path"
	"path/filepath"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// readPackaged reads the template that "serverless package" has left in
// .serverless. Its functions lie in archives beside it, under the last part of
// the keys that they will have in S3.
func readPackaged(file string, data []byte, opts Options) (template.Made, template.Options, error) {
	root, notices, err := template.ReadValue(file, data)
	if err != nil {
		return template.Made{}, template.Options{}, err
	}
	dir := filepath.Dir(file)
	for _, r := range entriesOf(root.Get("Resources")) {
		switch typ := r.Value.Get("Type"); {
		case typ == nil:
		case typ.Text == "AWS::Lambda::Function":
			unpackKey(r.Value.Get("Properties"), "Code", dir)
		case typ.Text == "AWS::Lambda::LayerVersion":
			unpackKey(r.Value.Get("Properties"), "Content", dir)
		}
	}
	made := template.Made{File: file, Root: root, Notices: notices, Generated: map[string]bool{"ServerlessDeploymentBucket": true, "ServerlessDeploymentBucketPolicy": true}}
	state := readState(dir)
	if opts.Region == "" {
		opts.Region = state.Service.Provider.Region
	}
	if opts.StackName == "" {
		opts.StackName = state.stackName(dir)
	}
	opts.Parameters = declaredOf(opts.Parameters, root)
	return made, opts.Options, nil
}

// stateFile is where "serverless package" writes the configuration down as it has
// resolved it, beside the template.
const stateFile = "serverless-state.json"

// state is the part of it that is read.
type state struct {
	Service struct {
		Name     string `json:"service"`
		Provider struct {
			Region    string `json:"region"`
			Stage     string `json:"stage"`
			StackName string `json:"stackName"`
		} `json:"provider"`
	} `json:"service"`
}

// readState reads the state beside a template; it is empty when there is none that
// can be read.
func readState(dir string) (s state) {
	if data, err := readFile(filepath.Join(dir, stateFile)); err != nil || json.Unmarshal(data, &s) != nil {
		return state{}
	}
	return s
}

// stackName is the stack's, made of the folder's name where the state says nothing.
func (s state) stackName(dir string) string {
	switch service := s.Service; {
	case service.Provider.StackName != "":
		return stackName(service.Provider.StackName)
	case service.Name != "" && service.Provider.Stage != "":
		return stackName(service.Name + "-" + service.Provider.Stage)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		return stackName(filepath.Base(filepath.Dir(abs)))
	}
	return ""
}

// declaredOf are the parameters that a template declares; others were the
// configuration's own.
func declaredOf(given map[string]string, root *template.Value) map[string]string {
	declared := make(map[string]string)
	for name, value := range given {
		if root.Get("Parameters").Get(name) != nil {
			declared[name] = value
		}
	}
	return declared
}

// unpackKey puts the archive beside the template in the place of one in S3.
func unpackKey(properties *template.Value, name, dir string) {
	key := properties.Get(name).Get("S3Key")
	if !key.IsScalar() {
		return
	}
	if archive := path.Base(key.Text); isFile(filepath.Join(dir, archive)) {
		properties.With(name, template.Scalar(key.Place, template.String, archive))
	}
}

func entriesOf(v *template.Value) []template.Entry {
	if v == nil {
		return nil
	}
	return v.Entries
}
