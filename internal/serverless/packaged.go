package serverless

import (
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
	if opts.StackName == "" {
		if abs, err := filepath.Abs(dir); err == nil {
			opts.StackName = stackName(filepath.Base(filepath.Dir(abs)))
		}
	}
	return made, opts.Options, nil
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
