package stack

import (
	"regexp"
	"slices"
	"strings"
)

// placeholderForms are what people write where a value is still to be put. They
// are narrow on purpose: a table may be named todo, a mail may greet {{name}}.
var placeholderForms = []*regexp.Regexp{
	// <insert endpoint>, [your key]; HTML is sorted out in isPlaceholder.
	regexp.MustCompile(`^<[A-Za-z][A-Za-z0-9 _.,:/'-]*>$`),
	regexp.MustCompile(`(?i)^\[(insert|your|enter|replace|add|put)\b[^\]]*\]$`),
	// https://<api-id>.example.com, https://{api-id}.example.com/{stage}
	regexp.MustCompile(`^[a-z][a-z0-9+]*://\S*<[A-Za-z][A-Za-z0-9 _-]*>`),
	regexp.MustCompile(`^[a-z][a-z0-9+]*://[^/\s]*\{[A-Za-z][A-Za-z0-9_-]*\}`),
	// {{NAME}}, https://{{host}}/path, __NAME__, %NAME%
	regexp.MustCompile(`^\{\{[^{}]+\}\}$`),
	regexp.MustCompile(`^[a-z][a-z0-9+]*://\S*\{\{[^{}\s]+\}\}`),
	regexp.MustCompile(`^__[A-Z][A-Z0-9_]*__$`),
	regexp.MustCompile(`^%[A-Z][A-Z0-9_]*%$`),
	// A pseudo parameter without !Sub.
	regexp.MustCompile(`\$\{AWS::[A-Za-z]+\}`),
	// TODO, CHANGEME, replace-me, REPLACE_WITH_TOPIC_ARN, https://example.com/REPLACE
	regexp.MustCompile(`^(TODO|FIXME|TBD)([:! ].*)?$`),
	regexp.MustCompile(`(?i)^(change|replace|fill|set|update)[ _-]?(me|this)([ _-](in|please))?[!.]*$`),
	regexp.MustCompile(`(?i)^replace[ _-](me[ _-])?with[ _-]`),
	regexp.MustCompile(`(?i)^placeholder$`),
	regexp.MustCompile(`(^|[/.@=:_-])(REPLACE|CHANGE|INSERT)(_?ME)?([/.@=:?&]|$)`),
	// your-api-key, https://your-domain.com, yourApiKey, paste-token-here
	regexp.MustCompile(`(?i)(^|[/.@:=])your[-_ ][a-z]`),
	regexp.MustCompile(`^[Yy]our[A-Z][A-Za-z]*(Here|Key|Token|Name|Url|URL|Endpoint|Id|ID|Secret|Bucket|Table|Queue|Topic|Domain|Arn|ARN|Password)$`),
	regexp.MustCompile(`(?i)^(insert|enter|put|paste|add|set)[-_ ].*[-_ ]here$`),
	regexp.MustCompile(`(?i)(key|token|secret|url|endpoint|id|name|value|password|arn)[-_ ](goes[-_ ])?here$`),
	// xxx, sk-xxxxxxxx, AKIAXXXXXXXXXXXXXXXX, https://xxxx.example.com, ***, ...
	regexp.MustCompile(`^[xX]{3,}$`),
	regexp.MustCompile(`(^|[^A-Za-z0-9])[xX]{4,}([^A-Za-z0-9]|$)`),
	regexp.MustCompile(`[xX]{8,}`),
	regexp.MustCompile(`^(\*{3,}|\.\.\.|…)$`),
	regexp.MustCompile(`^[a-z][a-z0-9+]*://(\.\.\.|…)`),
}

// htmlTags are the values between angle brackets that mean themselves.
var htmlTags = []string{"a", "b", "body", "br", "br/", "code", "div", "em", "head", "hr", "hr/", "html", "i", "img", "li", "ol", "p", "pre", "span", "strong",
	"table", "td", "tr", "u", "ul", "xml"}

// maxPlaceholder is the longest value that is looked at, in bytes.
const maxPlaceholder = 512

// isPlaceholder reports whether a value looks as if it was to be replaced.
// A dynamic reference of CloudFormation is none: the template says so itself.
func isPlaceholder(value string) bool {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > maxPlaceholder || strings.Contains(value, "{{resolve:") {
		return false
	}
	if inner, ok := strings.CutPrefix(value, "<"); ok && slices.Contains(htmlTags, strings.ToLower(strings.TrimSuffix(inner, ">"))) {
		return false
	}
	return slices.ContainsFunc(placeholderForms, func(form *regexp.Regexp) bool { return form.MatchString(value) })
}

var (
	// secretName holds what names of secrets have in them.
	secretName = regexp.MustCompile(`(?i)(secret|passw|passphrase|passcode|pwd|token|credential|private|signing|signature|salt|bearer|jwt|dsn|webhook|certificate|` +
		`connection_?string|(^|_)(auth|pin|pem|cert|cookie)(_|$)|(^|_)key$|(?-i:[a-z]Key$)|(^|_)key_?(id|value|material)$|(api|access|account|encryption|shared|session|master)_?key|(database|db|redis|mongo|mongodb|amqp|postgres|mysql)_?ur[il]$)`)
	// userInURL is a URL that carries a password.
	userInURL = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s@]*:[^/\s@]+@`)
)

// secret reports whether the value of a variable must not be shown: its name
// or its form looks like a secret's, or the template gives it by a parameter
// with NoEcho.
func (f *Function) secret(name string) bool {
	return secretName.MatchString(name) || userInURL.MatchString(f.Environment[name]) || slices.Contains(f.NoEcho, name)
}
