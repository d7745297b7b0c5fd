package function

import (
	"encoding/json"
	"net/http"

	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// maxExtensions is how many extensions a sandbox may have ("Lambda quotas").
const maxExtensions = 10

// idLength is the length of an extension's id.
const idLength = len("00000000-0000-0000-0000-000000000000")

// extensions are those that a sandbox's own process has registered, as
// aws-lambda-go does with WithEnableSIGTERM: on Lambda that is what makes
// SIGTERM come before SIGKILL. Here it comes in any case, and there are no
// other events for extensions. The errors are those of Lambda's Extensions API.
//
// As on Lambda, init lasts until each has asked for its event: until then the
// sandbox is not frozen.
type extensions struct {
	named map[string]*extension
}

// extension is one of them.
type extension struct {
	id    string
	asked bool
}

// register takes an extension. It answers with the id to ask with.
func (c *apiConn) register(req *request, _, body []byte, _ bool) error {
	kind, message := checkExtension(req, body)
	if kind == "" && c.pool().hasAsked(c.api.sandbox) {
		kind, message = "Extension.RegistrationClosed", "Extension registration closed already"
	}
	var id string
	if kind == "" {
		id, kind, message = c.api.addExtension(string(req.extension))
	}
	if kind != "" {
		return c.forbidden(kind, message)
	}
	f := c.api.sandbox.function
	answer, err := json.Marshal(map[string]string{
		"functionName": f.spec.Name, "functionVersion": functionVersion, "handler": f.spec.Handler,
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, answer, "Lambda-Extension-Identifier: "+id)
}

// checkExtension returns what is wrong with a registration, or nothing.
func checkExtension(req *request, body []byte) (kind, message string) {
	var wants struct {
		Events []string `json:"events"`
	}
	if len(req.extension) == 0 {
		return "Extension.InvalidExtensionName", "Empty extension name"
	}
	if err := json.Unmarshal(body, &wants); err != nil {
		return "InvalidRequestFormat", err.Error()
	}
	for _, event := range wants.Events {
		switch event {
		case "INVOKE":
			return "Extension.InvalidEventType", "INVOKE: Gatepost sends no events to extensions"
		case "SHUTDOWN":
			return "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
		default:
			return "Extension.InvalidEventType", string(clip([]byte(event))) + ": ErrorInvalidEventType"
		}
	}
	return "", ""
}

// addExtension gives an extension its id.
func (a *runtimeAPI) addExtension(name string) (id, kind, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.extensions.named[name] != nil:
		return "", "Extension.InvalidExtensionState", "Extension with this name already registered"
	case len(a.extensions.named) >= maxExtensions:
		return "", "Extension.TooManyExtensions", "Extension limit (10) reached"
	case a.extensions.named == nil:
		a.extensions.named = make(map[string]*extension)
	}
	id = uuid.New()
	a.extensions.named[name] = &extension{id: id}
	a.sandbox.function.pool.owe(a.sandbox)
	return id, "", ""
}

// extensionAsks notes that an extension asks for its event, and reports whether
// there is such an extension.
func (a *runtimeAPI) extensionAsks(id []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.extensions.named {
		if string(id) != e.id {
			continue
		}
		if !e.asked {
			e.asked = true
			a.sandbox.function.pool.settle(a.sandbox)
		}
		return true
	}
	return false
}

// extensionEvent is asked for the next event of an extension, which never
// comes: the question stays open until the process ends.
func (c *apiConn) extensionEvent(req *request, _, _ []byte, _ bool) error {
	switch {
	case len(req.extensionID) == 0:
		return c.forbidden("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
	case len(req.extensionID) != idLength:
		return c.forbidden("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
	case !c.api.extensionAsks(req.extensionID):
		return c.forbidden("Extension.UnknownExtensionIdentifier", "Unknown extension "+string(req.extensionID))
	}
	c.parked = true
	return nil
}

func (c *apiConn) forbidden(kind, message string) error {
	return c.answer(http.StatusForbidden, errorPayload(kind, message))
}
