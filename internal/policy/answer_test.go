package policy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func TestParseAnswer(t *testing.T) {
	a, err := ParseAnswer([]byte(`{"principalId":"user-1","policyDocument":` + allowAll + `,"context":{"z":"text","a":1.50,"b":true,"gone":null,"":"empty"},"usageIdentifierKey":"key","more":{"x":[]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := [][2]string{{"z", "text"}, {"a", "1.50"}, {"b", "true"}, {"", "empty"}}; !reflect.DeepEqual(a.Context, want) {
		t.Errorf("context %v, want %v", a.Context, want)
	}
	if a.PrincipalID != "user-1" || a.UsageIdentifierKey != "key" || a.Document.Decide(Request{}) != Allowed {
		t.Errorf("answer %+v", a)
	}
	for _, plain := range []string{`{"principalId":5,"policyDocument":` + allowAll + `}`, `{"principalId":"u","policyDocument":` + allowAll + `,"context":null,"usageIdentifierKey":null}`} {
		if _, err := ParseAnswer([]byte(plain)); err != nil {
			t.Errorf("%s: %v", plain, err)
		}
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want string }{
		"nothing":                      {``, "no JSON object"},
		"null":                         {`null`, "no JSON object"},
		"a proxy answer":               {`{"statusCode":401}`, "no principalId"},
		"a simple response":            {`{"isAuthorized":true,"principalId":"u"}`, "no policyDocument"},
		"no principal":                 {`{"policyDocument":` + allowAll + `}`, "no principalId"},
		"an empty principal":           {`{"principalId":"","policyDocument":` + allowAll + `}`, "no principalId"},
		"a null principal":             {`{"principalId":null,"policyDocument":` + allowAll + `}`, "no principalId"},
		"an object as principal":       {`{"principalId":{},"policyDocument":` + allowAll + `}`, "principalId"},
		"names in another case":        {`{"PrincipalId":"u","PolicyDocument":` + allowAll + `}`, "no principalId"},
		"no policy":                    {`{"principalId":"u"}`, "no policyDocument"},
		"a null policy":                {`{"principalId":"u","policyDocument":null}`, "policyDocument"},
		"a policy as a text":           {`{"principalId":"u","policyDocument":"{}"}`, "policyDocument"},
		"a policy twice":               {`{"principalId":"u","policyDocument":` + allowAll + `,"policyDocument":` + allowAll + `}`, "twice"},
		"a nested object in context":   {`{"principalId":"u","policyDocument":` + allowAll + `,"context":{"a":{"b":1}}}`, `"a"`},
		"a list in context":            {`{"principalId":"u","policyDocument":` + allowAll + `,"context":{"a":[1]}}`, `"a"`},
		"a context that is a list":     {`{"principalId":"u","policyDocument":` + allowAll + `,"context":[]}`, "context"},
		"a usage key that is a list":   {`{"principalId":"u","policyDocument":` + allowAll + `,"usageIdentifierKey":[]}`, "usageIdentifierKey"},
		"something behind":             {`{"principalId":"u","policyDocument":` + allowAll + `}x`, "follows"},
		"one byte over the limit":      {sized(MaxAnswer + 1), "8193 bytes"},
		"a text":                       {`"Allow"`, "no JSON object"},
		"a document without statement": {`{"principalId":"u","policyDocument":{}}`, "no Statement"},
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := ParseAnswer([]byte(tt.answer)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v; want an error with %q", a, err, tt.want)
			}
		})
	}
	if _, err := ParseAnswer([]byte(sized(MaxAnswer))); err != nil {
		t.Errorf("an answer of exactly the limit: %v", err)
	}
}

// sized returns a good answer of n bytes.
func sized(n int) string {
	head, tail := `{"principalId":"`, `","policyDocument":`+allowAll+`}`
	return head + strings.Repeat("u", n-len(head)-len(tail)) + tail
}

// FuzzParseAnswer holds that an answer which is read is JSON with a principal
// and a policy, and has no more in its context than it came with.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"principalId":"user-1","policyDocument":` + allowAll + `,"context":{"z":"text","a":1.50,"b":true,"gone":null}}`))
	f.Add([]byte(`{"principalId":5,"policyDocument":{"Statement":[]},"usageIdentifierKey":false}`))
	f.Add([]byte(`{"statusCode":401}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseAnswer(raw)
		if err != nil {
			return
		}
		if !json.Valid(raw) || a.PrincipalID == "" || a.Document == nil || len(raw) > MaxAnswer || len(a.Context) > len(raw) {
			t.Errorf("%q was read as %+v", raw, a)
		}
	})
}
