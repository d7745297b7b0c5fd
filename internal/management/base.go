package management

import (
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

// BasePath returns what stands before the routes in the URLs of an API at a
// host: "/STAGE", or "/KEY" at a custom domain with that mapping key, and "" at
// one with an empty key. Of several keys of one domain it is the first; Rest
// knows them all. ok is false where the API does not answer: at a host name of
// another API, and at the API's own one under amazonaws.com when it is turned
// off.
//
// host is the request's Host header: its port does not count, nor does case.
func BasePath(api *apigw.API, host string) (prefix string, ok bool) {
	host = hostName(host)
	switch placeOf(api, host) {
	case nowhere:
		return "", false
	case customDomain:
		for _, d := range api.Domains {
			if strings.EqualFold(d.Name, host) {
				prefix = strings.Trim(d.MappingKey, "/")
				break
			}
		}
	default:
		prefix = api.Stage.Name
	}
	if prefix != "" {
		prefix = "/" + prefix
	}
	return prefix, true
}

// Rest returns what follows the base path in a decoded URL path, without
// slashes before it: "" for the stage itself, which is what a handshake asks
// for. Where several mapping keys match, the longest one counts, as on AWS
// ("API mappings for WebSocket APIs" in the developer guide). Slashes may be
// doubled. ok is false where BasePath's is, and for a path that is not under
// the base path.
func Rest(api *apigw.API, host, path string) (rest string, ok bool) {
	host = hostName(host)
	switch placeOf(api, host) {
	case nowhere:
		return "", false
	case customDomain:
		return cutMappingKey(api, host, path)
	}
	return cutBase(path, api.Stage.Name)
}

func cutMappingKey(api *apigw.API, host, path string) (rest string, ok bool) {
	longest := -1
	for _, d := range api.Domains {
		if len(d.MappingKey) <= longest || !strings.EqualFold(d.Name, host) {
			continue
		}
		if r, under := cutBase(path, strings.Trim(d.MappingKey, "/")); under {
			rest, ok, longest = r, true, len(d.MappingKey)
		}
	}
	return rest, ok
}

// place says what a host name is to an API.
type place int

const (
	// local is any name that AWS does not know: localhost, an address.
	local place = iota
	// defaultEndpoint is the API's name under amazonaws.com.
	defaultEndpoint
	customDomain
	// nowhere is a name where the API does not answer.
	nowhere
)

func placeOf(api *apigw.API, host string) place {
	for _, d := range api.Domains {
		if strings.EqualFold(d.Name, host) {
			return customDomain
		}
	}
	id, is := executeAPIHost(host)
	switch {
	case !is:
		return local
	case api.DisableExecuteAPIEndpoint || !strings.EqualFold(id, api.ID):
		return nowhere
	}
	return defaultEndpoint
}

// hostName is a Host header without its port and without the dot that may end
// a full domain name.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

// executeAPIHost takes the API's id from a default host name of API Gateway,
// ID.execute-api.REGION.amazonaws.com, also of China's and of the dual-stack
// endpoints.
func executeAPIHost(host string) (id string, is bool) {
	id, rest, _ := strings.Cut(host, ".")
	service, rest, _ := strings.Cut(rest, ".")
	if !strings.EqualFold(service, "execute-api") {
		return "", false
	}
	rest = strings.ToLower(rest)
	return id, strings.HasSuffix(rest, ".amazonaws.com") || strings.HasSuffix(rest, ".amazonaws.com.cn") || strings.HasSuffix(rest, ".api.aws")
}

// cutBase cuts a base path of any number of segments off a path.
func cutBase(path, base string) (rest string, ok bool) {
	rest = trimSlashes(path)
	for base != "" {
		var want, got string
		want, base, _ = strings.Cut(base, "/")
		if got, rest = cutSegment(rest); got != want {
			return "", false
		}
	}
	return rest, true
}

// cutSegment splits off a path's first segment; slashes may be doubled.
func cutSegment(path string) (first, rest string) {
	first, rest, _ = strings.Cut(path, "/")
	return first, trimSlashes(rest)
}

func trimSlashes(path string) string { return strings.TrimLeft(path, "/") }
