package intercept

import (
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// Surroundings is what Environment needs to know. Empty fields leave their
// variables out.
type Surroundings struct {
	// AWSEndpoint is the address of the AWS endpoint, "http://127.0.0.1:4566".
	AWSEndpoint string
	// Callbacks are the management endpoints of the APIs with their stage,
	// "http://127.0.0.1:3001/main".
	Callbacks []string
	// ProxyURL is Proxy.URL for the function.
	ProxyURL string
	// CAFile and BundleFile are those of the CA, HookFile is that of WriteHook.
	CAFile, BundleFile, HookFile string
	// Domains are names beside AWS's that the proxy answers for.
	Domains     []string
	Region      string
	Credentials awswire.Credentials
	// Offline says that the proxy refuses what it does not answer for.
	Offline bool
}

// servedVariables are the service-specific endpoint variables of what the AWS
// endpoint serves ("Service-specific endpoints" in the AWS SDKs and Tools guide).
var servedVariables = []string{"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_SNS", "AWS_ENDPOINT_URL_SQS"}

const (
	endpointVariable   = "AWS_ENDPOINT_URL"
	managementVariable = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
	nodeVariable       = "NODE_OPTIONS"
	// proxiedVariable tells the Node.js hook which hosts are to go through the
	// proxy.
	proxiedVariable = "GATEPOST_PROXIED"
)

// Environment returns the variables that lead a function's AWS calls here,
// joined with the function's own.
//
// A function's own value wins over ours, and so does what it says in another
// way: a proxy of its own in either spelling takes the place of ours, and
// a common endpoint of its own that of ours for single services. An empty value
// leaves ours out and sets none. NODE_OPTIONS are joined.
//
// No single variable reaches every program, so each of them is set:
//
//   - AWS_ENDPOINT_URL and its variants for single services are honoured by
//     current SDKs (Go v2 since November 2023, JavaScript v3, boto3 since 1.28) for
//     clients without an endpoint of their own. Plain http: no program needs to
//     trust us for it. An endpoint in code always wins over it.
//   - AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI is set only where there is exactly
//     one API to lead to: it holds one stage, and a wrong API would be worse than
//     none.
//   - HTTPS_PROXY catches what names an amazonaws.com host in code, which a third
//     of real applications do, and the SDKs that know no variables (Go v1, Go v2
//     before, boto3 before). Go and boto3 read it; Node's SDKs do not. Programs
//     differ in the spelling that they read.
//   - NODE_OPTIONS loads a small file that leads Node.js to the same proxy, for the
//     hosts of GATEPOST_PROXIED.
//   - HTTP_PROXY is set offline alone, so that plain HTTP is refused as well.
//   - NO_PROXY keeps https://localhost:PORT (requestContext.domainName) and our
//     own addresses from the proxy. Go does so by itself for loopback, Python does
//     not.
//   - SSL_CERT_FILE replaces the roots of Go (Linux and BSD; macOS and Windows
//     ask the system) and OpenSSL, AWS_CA_BUNDLE those of boto3, the AWS CLI and
//     Go's SDKs, REQUESTS_CA_BUNDLE those of Python's requests: all need the
//     system's roots as well, for hosts that are passed on. NODE_EXTRA_CA_CERTS
//     adds to Node's own.
//   - The region and the credentials: without them an SDK asks the instance
//     metadata service, or fails before its first call.
func Environment(s Surroundings, own map[string]string) map[string]string {
	env := s.variables()
	for name, value := range env {
		if value == "" {
			delete(env, name)
		}
	}
	s.yield(env, own)
	for name, value := range own {
		switch {
		case name == nodeVariable && env[name] != "" && value != "":
			env[name] += " " + value
		case value == "" && s.sets(name):
			delete(env, name)
		default:
			env[name] = value
		}
	}
	return env
}

// variables are all of ours, also those without a value.
func (s Surroundings) variables() map[string]string {
	env := map[string]string{
		endpointVariable:        s.AWSEndpoint,
		managementVariable:      "",
		"HTTPS_PROXY":           s.ProxyURL,
		"https_proxy":           s.ProxyURL,
		"HTTP_PROXY":            "",
		"http_proxy":            "",
		"NO_PROXY":              s.direct(),
		"no_proxy":              s.direct(),
		"SSL_CERT_FILE":         s.BundleFile,
		"AWS_CA_BUNDLE":         s.BundleFile,
		"REQUESTS_CA_BUNDLE":    s.BundleFile,
		"NODE_EXTRA_CA_CERTS":   s.CAFile,
		nodeVariable:            "",
		proxiedVariable:         "",
		"AWS_REGION":            s.Region,
		"AWS_DEFAULT_REGION":    s.Region,
		"AWS_ACCESS_KEY_ID":     s.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": s.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":     s.Credentials.SessionToken,
	}
	for _, name := range servedVariables {
		env[name] = s.AWSEndpoint
	}
	if len(s.Callbacks) == 1 {
		env[managementVariable] = s.Callbacks[0]
	}
	if s.ProxyURL != "" && s.HookFile != "" {
		env[nodeVariable] = "--require " + strconv.Quote(s.HookFile)
		env[proxiedVariable] = strings.Join(append(append([]string(nil), awsDomains...), s.Domains...), ",")
		if s.Offline {
			env[proxiedVariable] = "*"
		}
	}
	if s.Offline {
		env["HTTP_PROXY"], env["http_proxy"] = s.ProxyURL, s.ProxyURL
	}
	return env
}

// sets reports whether a variable is one that Environment may set.
func (s Surroundings) sets(name string) bool {
	_, ours := s.variables()[name]
	return ours
}

// direct is NO_PROXY: this machine, and where we listen.
func (s Surroundings) direct() string {
	if s.ProxyURL == "" {
		return ""
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	for _, address := range append([]string{s.AWSEndpoint}, s.Callbacks...) {
		u, err := url.Parse(address)
		if err == nil && u.Hostname() != "" && !strings.Contains(","+strings.Join(hosts, ",")+",", ","+u.Hostname()+",") {
			hosts = append(hosts, u.Hostname())
		}
	}
	return strings.Join(hosts, ",")
}

// yield takes out of env what would stand against a function's own variables.
func (s Surroundings) yield(env, own map[string]string) {
	given := func(names ...string) bool {
		for _, name := range names {
			if _, set := own[name]; set {
				return true
			}
		}
		return false
	}
	without := func(names ...string) {
		maps.DeleteFunc(env, func(name, _ string) bool {
			for _, n := range names {
				if n == name {
					return true
				}
			}
			return false
		})
	}
	if given(endpointVariable) {
		without(append([]string{managementVariable}, servedVariables...)...)
	}
	if given("HTTPS_PROXY", "https_proxy") { // the hook would talk to it as to ours
		without("HTTPS_PROXY", "https_proxy", nodeVariable, proxiedVariable)
	}
	if given("HTTP_PROXY", "http_proxy") {
		without("HTTP_PROXY", "http_proxy")
	}
	if given("NO_PROXY", "no_proxy") {
		without("NO_PROXY", "no_proxy")
	}
}
