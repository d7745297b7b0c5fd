package intercept

import "github.com/gatepost-dev/gatepost/internal/awswire"

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
	// CAFile and BundleFile are those of the CA.
	CAFile, BundleFile string
	Region             string
	Credentials        awswire.Credentials
}

// Environment returns the variables that lead a function's AWS calls here.
// Values that the user sets for the function win over them.
//
// No single variable reaches every program, so each of them is set:
//
//   - AWS_ENDPOINT_URL is honoured by current SDKs (Go v2 since November 2023,
//     JavaScript v3, boto3 since 1.28) for clients without an endpoint of their
//     own. Plain http: no program needs to trust us for it. An endpoint in code
//     always wins over it.
//   - AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI wins over the former. It is set
//     only where there is exactly one API to lead to: it holds one stage, and
//     a wrong API would be worse than none.
//   - HTTPS_PROXY catches what names an amazonaws.com host in code, which a third
//     of real applications do, and the SDKs that know no variables (Go v1, Go v2
//     before, boto3 before). Go and boto3 read it; Node's SDKs do not. Programs
//     differ in the spelling that they read.
//   - NO_PROXY keeps https://localhost:PORT (requestContext.domainName) from
//     the proxy. Go does so by itself, Python does not.
//   - SSL_CERT_FILE replaces the roots of Go (Linux and BSD; macOS and Windows
//     ask the system) and OpenSSL, AWS_CA_BUNDLE those of boto3, the AWS CLI and
//     Go's SDKs: both need the system's roots as well, for hosts that are passed
//     on. NODE_EXTRA_CA_CERTS adds to Node's own.
//   - The region and the credentials: without them an SDK asks the instance
//     metadata service, or fails before its first call.
func Environment(s Surroundings) map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL":      s.AWSEndpoint,
		"HTTPS_PROXY":           s.ProxyURL,
		"https_proxy":           s.ProxyURL,
		"SSL_CERT_FILE":         s.BundleFile,
		"AWS_CA_BUNDLE":         s.BundleFile,
		"NODE_EXTRA_CA_CERTS":   s.CAFile,
		"AWS_REGION":            s.Region,
		"AWS_DEFAULT_REGION":    s.Region,
		"AWS_ACCESS_KEY_ID":     s.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": s.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":     s.Credentials.SessionToken,
	}
	if len(s.Callbacks) == 1 {
		env["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = s.Callbacks[0]
	}
	if s.ProxyURL != "" {
		env["NO_PROXY"] = "localhost,127.0.0.1,::1"
		env["no_proxy"] = env["NO_PROXY"]
	}
	for name, value := range env {
		if value == "" {
			delete(env, name)
		}
	}
	return env
}
