package template

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// authProperties are what Auth of a WebSocketApi has beside its AuthType.
var authProperties = []string{"AuthArn", "IdentitySource", "InvokeRole", "Name"}

// expandAuth hands the API's Auth to its $connect route: the type, and for
// CUSTOM an authorizer with the permission to invoke its function.
func (l *loader) expandAuth(r *resource, route, auth *node) {
	kind := auth.field("AuthType")
	if kind == nil {
		l.problem(auth, "Auth needs an AuthType: NONE, AWS_IAM or CUSTOM")
		return
	}
	if !l.checkAuthProperties(r, auth, kind) {
		return
	}
	route.with("AuthorizationType", kind)
	function := auth.field("AuthArn")
	if function == nil {
		return
	}
	id := r.id + "ConnectAuthorizer"
	route.with("AuthorizerId", madeRef(function, id))
	l.generate(r, id, "AWS::ApiGatewayV2::Authorizer", auth.line, madeObject(auth).
		with("ApiId", madeRef(auth, r.id)).
		with("Name", nodeOr(auth.field("Name"), madeText(auth, id))).
		with("AuthorizerType", madeText(auth, "REQUEST")).
		with("AuthorizerUri", invocationURI(l.opts.Region, function)).
		with("IdentitySource", auth.field("IdentitySource")).
		with("AuthorizerCredentialsArn", auth.field("InvokeRole")))
	if auth.field("InvokeRole") == nil {
		l.generate(r, r.id+"AuthorizerPermission", "AWS::Lambda::Permission", auth.line, madeObject(auth).
			with("FunctionName", function).
			with("Principal", madeText(auth, "apigateway.amazonaws.com")))
	}
}

// checkAuthProperties reports what SAM refuses in Auth, and then returns false.
func (l *loader) checkAuthProperties(r *resource, auth, kind *node) bool {
	if kind.text == "CUSTOM" && auth.field("AuthArn") == nil {
		l.problem(auth, "the AuthType CUSTOM needs an AuthArn, the ARN of the function that decides who may connect")
		return false
	}
	for _, f := range auth.fields {
		switch {
		case f.name == "AuthType":
		case kind.text == "AWS_IAM" || kind.text == "NONE":
			l.problem(f.value, "SAM takes nothing beside the AuthType %s, and %s belongs to CUSTOM", kind.text, quote(f.name))
			return false
		case !slices.Contains(authProperties, f.name):
			l.note(r, f.line, "the property Auth."+f.name+" is not known to SAM and has no effect"+l.hint(f.name, authProperties))
		}
	}
	return true
}

// domainProperties are what Domain of a WebSocketApi may have without meaning
// anything here.
var domainProperties = []string{"CertificateArn", "EndpointConfiguration", "OwnershipVerificationCertificateArn", "Route53", "SecurityPolicy"}

// notInPath are the characters of a base path that SAM leaves out of logical
// ids.
var notInPath = regexp.MustCompile(`[-_/]+`)

// expandDomain makes a DomainName and an ApiMapping for each base path.
func (l *loader) expandDomain(r *resource, domain *node) {
	name := domain.field("DomainName")
	if domain.kind != kindObject || name == nil {
		l.problem(domain, "Domain needs a DomainName, such as ws.example.com")
		return
	}
	if domain.field("CertificateArn") == nil {
		l.note(r, domain.line, "the Domain has no CertificateArn; that is enough here, and SAM refuses it")
	}
	for _, f := range domain.fields {
		known := f.name == "DomainName" || f.name == "BasePath" || f.name == "MutualTlsAuthentication" || slices.Contains(domainProperties, f.name)
		if !known {
			l.note(r, f.line, "the property Domain."+f.name+" is not known to SAM and has no effect"+l.hint(f.name, domainProperties))
		}
	}
	if id := domainID(name); l.resources[id] == nil {
		l.generate(r, id, "AWS::ApiGatewayV2::DomainName", domain.line, madeObject(domain).
			with("DomainName", name).with("MutualTlsAuthentication", domain.field("MutualTlsAuthentication")))
	}
	paths := domain.field("BasePath")
	switch {
	case paths == nil:
		l.expandMapping(r, domain, nil)
	case paths.kind == kindList:
		for _, path := range paths.items {
			l.expandMapping(r, domain, path)
		}
	default:
		l.expandMapping(r, domain, paths)
	}
}

// expandMapping makes the ApiMapping of one base path, or of none.
func (l *loader) expandMapping(r *resource, domain, path *node) {
	id, at := r.id+"ApiMapping", domain
	if path != nil {
		if !path.isScalar() {
			l.problem(path, "a BasePath must be plain text, as SAM makes a logical id of it, not %s", describe(path))
			return
		}
		id, at = r.id+notInPath.ReplaceAllString(path.text, "")+"ApiMapping", path
	}
	mapping := madeObject(at).
		with("ApiId", madeRef(at, r.id)).
		with("DomainName", domain.field("DomainName")).
		with("Stage", r.stage)
	if path != nil {
		mapping.with("ApiMappingKey", madeText(path, strings.Trim(path.text, "/")))
	}
	l.generate(r, id, "AWS::ApiGatewayV2::ApiMapping", at.line, mapping)
}

// domainID is the logical id that SAM gives the DomainName: two APIs of one
// domain share it.
func domainID(name *node) string {
	text := name.text
	if _, argument, ok := name.intrinsic(); ok {
		text = name.fields[0].name + argument.text
	}
	sum := sha1.Sum([]byte(text))
	return "ApiGatewayDomainNameV2" + hex.EncodeToString(sum[:])[:10]
}
