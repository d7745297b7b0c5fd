package policy

import (
	"fmt"
	"strings"
	"testing"
)

const (
	invoke  = "execute-api:Invoke"
	connect = "arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/$connect"
)

func document(statements string) string {
	return `{"Version":"2012-10-17","Statement":` + statements + `}`
}

func allow(resource string) string {
	return `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + resource + `"}`
}

func deny(resource string) string {
	return `{"Effect":"Deny","Action":"execute-api:Invoke","Resource":"` + resource + `"}`
}

func TestDecisions(t *testing.T) {
	for _, tt := range []struct {
		name, document string
		want           Decision
	}{
		{"an Allow of the ARN", document("[" + allow(connect) + "]"), Allowed},
		{"a single statement without a list", document(allow(connect)), Allowed},
		{"an Allow of everything", document(allow("*")), Allowed},
		{"an Allow of the stage's routes", document(allow("arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/*")), Allowed},
		{"a star stands for text across slashes and colons", document(allow("arn:aws:execute-api:*/$connect")), Allowed},
		{"a question mark stands for one character", document(allow(strings.Replace(connect, "main", "mai?", 1))), Allowed},
		{"a question mark does not stand for none", document(allow(strings.Replace(connect, "main", "main?", 1))), ImplicitDeny},
		{"a REST API's method ARN does not match", document(allow("arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/*/*")), ImplicitDeny},
		{"another stage", document(allow(strings.Replace(connect, "main", "prod", 1))), ImplicitDeny},
		{"resources are compared with case", document(allow(strings.ToUpper(connect))), ImplicitDeny},
		{"no statements", document("[]"), ImplicitDeny},
		{"a Deny", document(deny("*")), ExplicitDeny},
		{"a Deny after an Allow", document("[" + allow("*") + "," + deny("*") + "]"), ExplicitDeny},
		{"a Deny before an Allow", document("[" + deny(connect) + "," + allow("*") + "]"), ExplicitDeny},
		{"a Deny of something else", document("[" + deny("arn:other") + "," + allow("*") + "]"), Allowed},
		{"a list of resources", document(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":["arn:other","` + connect + `"]}`), Allowed},
		{"a list of actions", document(`{"Effect":"Allow","Action":["s3:Get","execute-api:Invoke"],"Resource":"*"}`), Allowed},
		{"actions are compared without case", document(`{"Effect":"Allow","Action":"EXECUTE-API:invoke","Resource":"*"}`), Allowed},
		{"a wildcard in the action", document(`{"Effect":"Allow","Action":"execute-api:In*","Resource":"*"}`), Allowed},
		{"another action", document(`{"Effect":"Allow","Action":"execute-api:ManageConnections","Resource":"*"}`), ImplicitDeny},
		{"NotAction of another action", document(`{"Effect":"Allow","NotAction":"execute-api:ManageConnections","Resource":"*"}`), Allowed},
		{"NotAction of the action", document(`{"Effect":"Allow","NotAction":["s3:*","execute-api:*"],"Resource":"*"}`), ImplicitDeny},
		{"NotResource of another resource", document(`{"Effect":"Deny","Action":"*","NotResource":"arn:other"}`), ExplicitDeny},
		{"NotResource of the resource", document("[" + `{"Effect":"Deny","Action":"*","NotResource":"` + connect + `"},` + allow("*") + "]"), Allowed},
		{"the older version", `{"Version":"2008-10-17","Statement":` + allow("*") + `}`, Allowed},
		{"no version", `{"Statement":` + allow("*") + `}`, Allowed},
		{"an Id and a Sid", `{"Id":"x","Version":"2012-10-17","Statement":{"Sid":"y","Effect":"Allow","Action":"*","Resource":"*"}}`, Allowed},
		{"an Allow with a variable that nobody can fill in", document(allow("arn:aws:execute-api:*/${aws:username}")), ImplicitDeny},
		{"a Deny with a variable that nobody can fill in", document("[" + allow("*") + "," + deny("${aws:username}") + "]"), ExplicitDeny},
		{"a literal dollar by its variable", document(allow(strings.Replace(connect, "$connect", "${$}connect", 1))), Allowed},
		{"a literal star matches only a star", document(allow("${*}")), ImplicitDeny},
		{"in the older version a variable is text", `{"Statement":` + allow("arn:${aws:username}") + `}`, ImplicitDeny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse([]byte(tt.document))
			if err != nil {
				t.Fatal(err)
			}
			if got := d.Decide(Request{Action: invoke, Resource: connect}); got != tt.want {
				t.Errorf("%s: %d, want %d", tt.document, got, tt.want)
			}
		})
	}
}

func TestWhatIsNoPolicyIsAnError(t *testing.T) {
	for name, tt := range map[string]struct{ document, want string }{
		"nothing":                          {``, "no JSON object"},
		"null":                             {`null`, "no JSON object"},
		"a text":                           {`"Allow"`, "no JSON object"},
		"a list":                           {`[]`, "no JSON object"},
		"a proxy answer":                   {`{"statusCode":401}`, `"statusCode"`},
		"no Statement":                     {`{"Version":"2012-10-17"}`, "no Statement"},
		"another version":                  {`{"Version":"2012","Statement":[]}`, "policy version"},
		"a version that is no text":        {`{"Version":2012,"Statement":[]}`, "must be a text"},
		"lower-case element":               {`{"version":"2012-10-17","Statement":[]}`, `"version"`},
		"lower-case effect key":            {document(`{"effect":"Allow","Action":"*","Resource":"*"}`), "effect"},
		"effect in another case":           {document(`{"Effect":"allow","Action":"*","Resource":"*"}`), `"allow"`},
		"no effect":                        {document(`{"Action":"*","Resource":"*"}`), "Effect"},
		"no action":                        {document(`{"Effect":"Allow","Resource":"*"}`), "no Action"},
		"no resource":                      {document(`{"Effect":"Allow","Action":"*"}`), "no Resource"},
		"Action and NotAction":             {document(`{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}`), "twice"},
		"an empty list of actions":         {document(`{"Effect":"Allow","Action":[],"Resource":"*"}`), "empty"},
		"an action that is no text":        {document(`{"Effect":"Allow","Action":5,"Resource":"*"}`), "text"},
		"a nested list":                    {document(`{"Effect":"Allow","Action":[["*"]],"Resource":"*"}`), "text"},
		"a null resource":                  {document(`{"Effect":"Allow","Action":"*","Resource":null}`), "text"},
		"a principal":                      {document(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`), "Principal"},
		"a member twice":                   {document(`{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}`), "twice"},
		"a statement that is no object":    {document(`["x"]`), "statement 1"},
		"something behind":                 {document(`[]`) + `{}`, "follows"},
		"cut off":                          {`{"Version":"2012-10-17","Statement":[`, "unexpected"},
		"a condition that is no object":    {document(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":"x"}`), "Condition"},
		"a condition with an object":       {document(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":{}}}}`), "Bool: a"},
		"a condition without values":       {document(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":[]}}}`), "empty"},
		"a condition with a null":          {document(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":null}}}`), "Bool: a"},
		"the second statement is at fault": {document("[" + allow("*") + `,{}]`), "statement 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(tt.document)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want an error with %q", tt.document, err, tt.want)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	context := map[string]string{"aws:sourceip": "203.0.113.7", "aws:useragent": "Agent/1", "aws:securetransport": "true", "aws:currenttime": "2026-11-20T10:00:00Z", "aws:epochtime": "1795168800"}
	for _, tt := range []struct {
		condition string
		// allow and deny are what an Allow or a Deny with the condition gives,
		// beside an Allow of everything for the Deny.
		allow, deny Decision
	}{
		{`{"StringEquals":{"aws:UserAgent":"Agent/1"}}`, Allowed, ExplicitDeny},
		{`{"StringEquals":{"AWS:useragent":["x","Agent/1"]}}`, Allowed, ExplicitDeny},
		{`{"StringEquals":{"aws:UserAgent":"agent/1"}}`, ImplicitDeny, Allowed},
		{`{"StringNotEquals":{"aws:UserAgent":["x","Agent/1"]}}`, ImplicitDeny, Allowed},
		{`{"StringNotEquals":{"aws:UserAgent":["x","y"]}}`, Allowed, ExplicitDeny},
		{`{"StringEqualsIgnoreCase":{"aws:UserAgent":"AGENT/1"}}`, Allowed, ExplicitDeny},
		{`{"StringNotEqualsIgnoreCase":{"aws:UserAgent":"AGENT/1"}}`, ImplicitDeny, Allowed},
		{`{"StringLike":{"aws:UserAgent":"Agent/*"}}`, Allowed, ExplicitDeny},
		{`{"StringNotLike":{"aws:UserAgent":"Agent/*"}}`, ImplicitDeny, Allowed},
		{`{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, Allowed, ExplicitDeny},
		{`{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.7"]}}`, Allowed, ExplicitDeny},
		{`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, ImplicitDeny, Allowed},
		{`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, Allowed, ExplicitDeny},
		{`{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, ImplicitDeny, Allowed},
		{`{"Bool":{"aws:SecureTransport":true}}`, Allowed, ExplicitDeny},
		{`{"Bool":{"aws:SecureTransport":"false"}}`, ImplicitDeny, Allowed},
		{`{"DateLessThan":{"aws:CurrentTime":"2026-11-21"}}`, Allowed, ExplicitDeny},
		{`{"DateGreaterThan":{"aws:CurrentTime":"2026-11-20T10:00:00Z"}}`, ImplicitDeny, Allowed},
		{`{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-20T10:00:00Z"}}`, Allowed, ExplicitDeny},
		{`{"NumericLessThanEquals":{"aws:EpochTime":1795168800}}`, Allowed, ExplicitDeny},
		{`{"NumericGreaterThan":{"aws:EpochTime":1795168800}}`, ImplicitDeny, Allowed},
		{`{"StringLike":{"aws:UserAgent":"*"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, ImplicitDeny, Allowed},
		{`{}`, Allowed, ExplicitDeny},
		// What cannot be evaluated allows nothing and denies.
		{`{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`, ImplicitDeny, ExplicitDeny},
		{`{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}`, ImplicitDeny, ExplicitDeny},
		{`{"ForAllValues:StringEquals":{"aws:UserAgent":"Agent/1"}}`, ImplicitDeny, ExplicitDeny},
		{`{"StringEqualsIfExists":{"aws:UserAgent":"Agent/1"}}`, ImplicitDeny, ExplicitDeny},
		{`{"Null":{"aws:UserAgent":false}}`, ImplicitDeny, ExplicitDeny},
		{`{"stringequals":{"aws:UserAgent":"Agent/1"}}`, ImplicitDeny, ExplicitDeny},
		{`{"StringEquals":{"aws:UserAgent":"${aws:username}"}}`, ImplicitDeny, ExplicitDeny},
		{`{"IpAddress":{"aws:SourceIp":"not an address"}}`, ImplicitDeny, ExplicitDeny},
		{`{"IpAddress":{"aws:SourceIp":"10.0.0.0/99"}}`, ImplicitDeny, ExplicitDeny},
		{`{"NumericLessThan":{"aws:EpochTime":"soon"}}`, ImplicitDeny, ExplicitDeny},
		{`{"DateLessThan":{"aws:CurrentTime":"soon"}}`, ImplicitDeny, ExplicitDeny},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			statement := func(effect string) string {
				return fmt.Sprintf(`{"Effect":%q,"Action":"*","Resource":"*","Condition":%s}`, effect, tt.condition)
			}
			for _, half := range []struct {
				document string
				want     Decision
			}{
				{document(statement("Allow")), tt.allow},
				{document("[" + allow("*") + "," + statement("Deny") + "]"), tt.deny},
			} {
				d, err := Parse([]byte(half.document))
				if err != nil {
					t.Fatal(err)
				}
				if got := d.Decide(Request{Action: invoke, Resource: connect, Context: context}); got != half.want {
					t.Errorf("%s: %d, want %d", half.document, got, half.want)
				}
			}
		})
	}
}

// FuzzParse holds that no document makes it panic, that a document which is
// read decides the same every time, and that a Deny of everything, added, always
// wins.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		document("[" + allow("*") + "," + deny(connect) + "]"),
		document(`{"Effect":"Allow","NotAction":["a*","?"],"NotResource":"${*}","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8",1,true]}}}`),
		`{"statusCode":401}`, `{`, `{"Statement":[[]]}`, `{"Statement":{"Effect":"Deny","Action":"${","Resource":"}"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := Parse(raw)
		if err != nil {
			return
		}
		r := Request{Action: invoke, Resource: connect, Context: map[string]string{"aws:sourceip": "203.0.113.7"}}
		if first, second := d.Decide(r), d.Decide(r); first != second {
			t.Errorf("%d and then %d", first, second)
		}
		all, err := Parse([]byte(document(deny("*"))))
		if err != nil {
			t.Fatal(err)
		}
		d.statements = append(d.statements, all.statements...)
		if got := d.Decide(r); got != ExplicitDeny {
			t.Errorf("with a Deny of everything: %d", got)
		}
	})
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, subject string
		want             bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false}, {"ab", "a", false}, {"?", "é", true}, {"?", "", false},
		{"*", "", true}, {"*b", "ab", true}, {"*b", "aab", true}, {"*b", "aaab", true}, {"*b", "ba", false}, {"a*", "b", false}, {"*a*b*", "xxaxbx", true}, {"*ab", "aab", true}, {"a?c*", "abcd", true},
	} {
		if got := Match(tt.pattern, tt.subject); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.subject, got)
		}
	}
}

// FuzzMatch compares the matcher with the plain recursive definition.
func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**?", "")
	f.Add("*a*a*a*", "aaab")
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		if len(pattern) > 12 || len(subject) > 12 || strings.ContainsAny(pattern, "\uFDD0\uFDD1") {
			return
		}
		if got, want := Match(pattern, subject), defined([]rune(pattern), []rune(subject)); got != want {
			t.Errorf("Match(%q, %q) = %v", pattern, subject, got)
		}
	})
}

func defined(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return defined(p[1:], s) || len(s) > 0 && defined(p, s[1:])
	case len(s) == 0:
		return false
	}
	return (p[0] == '?' || p[0] == s[0]) && defined(p[1:], s[1:])
}

func BenchmarkDecide(b *testing.B) {
	raw := []byte(document("[" + allow(connect) + "]"))
	for b.Loop() {
		d, err := Parse(raw)
		if err != nil || d.Decide(Request{Action: invoke, Resource: connect}) != Allowed {
			b.Fatal(err)
		}
	}
}
