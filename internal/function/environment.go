package function

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
)

// functionVersion is the only version: what the template declares.
const functionVersion = "$LATEST"

// environment returns the variables of a sandbox's process as NAME=value,
// sorted. Nothing of Gatepost's own environment is in it but PATH. Later ones
// win: defaults, the runtime's variables, the host's, the function's, Lambda's
// reserved ones.
func (s *sandbox) environment() []string {
	all := s.defaults()
	libraries := all["LD_LIBRARY_PATH"]
	maps.Copy(all, s.program.environment)
	if layers := s.program.environment["LD_LIBRARY_PATH"]; layers != "" {
		all["LD_LIBRARY_PATH"] = libraries + ":" + layers
	}
	maps.Copy(all, s.host.config.Environment)
	maps.Copy(all, s.function.spec.Environment)
	maps.Copy(all, s.reserved())
	if n := s.function.pool.limits.seats; n > 1 {
		all[concurrencyVariable] = strconv.Itoa(n)
	} else {
		delete(all, concurrencyVariable)
	}
	list := make([]string, 0, len(all))
	for name, value := range all {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// defaults are the variables that a function may set otherwise.
func (s *sandbox) defaults() map[string]string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	root := s.program.taskRoot(s.dir)
	return map[string]string{
		"LANG": "en_US.UTF-8",
		"PATH": path,
		"TZ":   ":UTC",
		// Libraries that lie beside the code, behind the system's own; the runtime
		// adds those of layers.
		"LD_LIBRARY_PATH": "/lib64:/usr/lib64:" + root + ":" + filepath.Join(root, "lib"),
		// An empty home keeps SDKs from the user's own ~/.aws.
		"HOME":   s.dir,
		"TMPDIR": s.dir,
		// A sandbox has one event at a time. With one thread for its goroutines
		// it needs a fifth less CPU where there are more sandboxes than cores.
		"GOMAXPROCS": "1",
		// X-Ray's SDKs send datagrams: to nobody, and without complaint.
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":  "127.0.0.1:2000",
	}
}

// reserved are the variables that Lambda sets and nobody can override
// ("Defined runtime environment variables" in the Lambda developer guide).
func (s *sandbox) reserved() map[string]string {
	spec := s.function.spec
	reserved := map[string]string{
		"_HANDLER":                        spec.Handler,
		"AWS_REGION":                      s.host.config.Region,
		"AWS_DEFAULT_REGION":              s.host.config.Region,
		"AWS_LAMBDA_FUNCTION_NAME":        spec.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     functionVersion,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(spec.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_FORMAT":           "Text",
		"AWS_LAMBDA_LOG_GROUP_NAME":       cmp.Or(spec.Logging.Group, "/aws/lambda/"+spec.Name),
		"AWS_LAMBDA_LOG_STREAM_NAME":      s.stream,
		"AWS_LAMBDA_RUNTIME_API":          s.api.address(),
		"LAMBDA_TASK_ROOT":                s.program.taskRoot(s.dir),
		"LAMBDA_RUNTIME_DIR":              s.program.taskRoot(s.dir),
	}
	if spec.Logging.JSON() {
		reserved["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
		reserved["AWS_LAMBDA_LOG_LEVEL"] = cmp.Or(spec.Logging.ApplicationLevel, "INFO")
	}
	if s.program.runtimeDir != "" {
		reserved["LAMBDA_RUNTIME_DIR"] = s.program.runtimeDir
	}
	if s.bridge != nil {
		reserved[runtimes.PortVariable] = strconv.Itoa(s.bridge.port)
	}
	if runtime, err := runtimes.Parse(spec.Runtime); err == nil && runtime.ExecutionEnv() != "" {
		reserved["AWS_EXECUTION_ENV"] = runtime.ExecutionEnv()
	}
	return reserved
}

// logStream returns a name of the form that CloudWatch's streams of Lambda
// functions have.
func logStream(now time.Time) string {
	var random [16]byte
	rand.Read(random[:])
	return fmt.Sprintf("%s/[%s]%s", now.UTC().Format("2006/01/02"), functionVersion, hex.EncodeToString(random[:]))
}
