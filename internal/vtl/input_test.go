package vtl

import (
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// order is a message with everything in it.
const order = `{"z":1,"name":"Ann \"A\"","price":1.50,"big":12345678901234567890,"gone":null,"ok":true,` +
	`"items":[{"id":"p","n":2},{"id":"q","n":3}],"tags":["x","y"],"empty":[],"user":{"id":"u1","mail":"a@b.c"}}`

func TestInputBody(t *testing.T) {
	conformance.Covers(t, "vtl.input-body vtl.empty-body")
	check(t, &Data{Body: []byte("some raw { data")}, []rendering{
		{"as it came", "$input.body", "some raw { data"},
		{"a member of it is nothing", "[$input.body.access]", "[]"},
		{"as a text", "$input.body.length() $input.body.substring(0, 4)", "15 some"},
	})
	check(t, &Data{}, []rendering{
		{"an empty body is an empty object", "$input.body", "{}"},
		{"for paths too", "$input.json('$') [$input.path('$.a')] $input.json('$.a')", `{} [] ""`},
	})
}

func TestInputJSON(t *testing.T) {
	conformance.Covers(t, "vtl.input-json vtl.input-json-missing vtl.document-changes")
	check(t, &Data{Body: []byte(order)}, []rendering{
		{"the document, its order and its numbers", "$input.json('$')", order},
		{"a text with its quotes", "$input.json('$.name')", `"Ann \"A\""`},
		{"numbers as written", "$input.json('$.price') $input.json('$.big')", "1.50 12345678901234567890"},
		{"a boolean and a null", "$input.json('$.ok') $input.json('$.gone')", "true null"},
		{"an object and an array", "$input.json('$.user') $input.json('$.tags')", `{"id":"u1","mail":"a@b.c"} ["x","y"]`},
		{"what is missing is an empty text", "$input.json('$.missing') $input.json('$.a.b.c')", `"" ""`},
		{"an indefinite path is an array", "$input.json('$.items[*].id') $input.json('$..nothing')", `["p","q"] []`},
		{"a path from a variable", "#set($p = '$.user.id')$input.json($p) $input.json(\"$.items[$n]\")", `"u1" ""`},
		{"what the template changed", "#set($b = $input.path('$.user'))#set($b.id = 'u2')#set($x = $b.put('new', [1, 'a', {'k': true}]))$input.json('$.user')",
			`{"id":"u2","mail":"a@b.c","new":[1,"a",{"k":true}]}`},
		{"and changed again", "#set($b = $input.path('$.tags'))#set($x = $b.add('z'))$input.json('$.tags') #set($x = $b.remove(0))$input.json('$.tags') $input.json('$..tags')",
			`["x","y","z"]["y","z"] [["y","z"]]`},
		{"an element changed", "#set($b = $input.path('$.tags'))#set($b[0] = 'X')$input.json('$.tags')#set($b[1] = 'Y')$input.json('$.tags')", `["X","y"]["X","Y"]`},
	})
	check(t, &Data{Body: []byte("not json")}, []rendering{
		{"a body that is no JSON has no members", "$input.json('$.message') [$input.path('$.message')]", `"" []`},
		{"and is one text", "$input.json('$') $input.path('$')", `"not json" not json`},
	})
}

func TestInputPath(t *testing.T) {
	conformance.Covers(t, "vtl.input-path vtl.missing-is-empty")
	check(t, &Data{Body: []byte(order)}, []rendering{
		{"a scalar", "$input.path('$.name') $input.path('$.price') $input.path('$.ok')", `Ann "A" 1.50 true`},
		{"a null and what is missing are nothing", "[$input.path('$.gone')$input.path('$.missing')$input.path('$').missing]", "[]"},
		{"members and elements", "$input.path('$').user.id $input.path('$.items')[1].id $input.path('$.items[-1]').n", "u1 q 3"},
		{"sizes", "$input.path('$.items').size() $input.path('$.empty').size() $input.path('$.tags').isEmpty()", "2 0 false"},
		{"an object as Java writes it, arrays in it as JSON", "$input.path('$.user') $input.path('$.items') $input.path('$.items[0]')",
			`{id=u1, mail=a@b.c} [{"id":"p","n":2},{"id":"q","n":3}] {id=p, n=2}`},
		{"a loop", "#foreach($i in $input.path('$.items'))$i.id=$i.n;#end", "p=2;q=3;"},
		{"numbers calculate", "#set($x = $input.path('$.z') + 1)#set($y = $input.path('$.price') * 2)$x $y", "2 3.0"},
		{"an indefinite path is a list", "#foreach($i in $input.path('$.items[?(@.n > 2)].id'))$i#end", "q"},
		{"containsKey", "$input.path('$').containsKey('gone') $input.path('$').containsKey('missing')", "true false"},
		{"what is missing equals null and the empty text", "#set($r = $input.path('$.missing'))#if($r == $null)a#end#if($r == '')b#end", "ab"},
		{"an empty list equals neither", "#set($r = $input.path('$.empty'))$r#if($r == $null)a#end#if($r == '')b#end$r.nested", "[]"},
	})
}

func TestInputParams(t *testing.T) {
	conformance.Covers(t, "vtl.input-params")
	d := &Data{
		Path:   map[string]string{"id": "from path"},
		Query:  map[string]string{"id": "from query", "token": "t"},
		Header: map[string]string{"token": "from header", "User-Agent": "curl"},
	}
	check(t, d, []rendering{
		{"the path comes first", "$input.params('id')", "from path"},
		{"then the query string", "$input.params('token')", "t"},
		{"then the headers", "$input.params('User-Agent')", "curl"},
		{"names count with case", "[$input.params('user-agent')]", "[]"},
		{"what is missing is nothing", "[$input.params('x')]#if($input.params('x') == '')e#end$input.params('x').length()", "[]e0"},
		{"all of them", "$input.params()", "{path={id=from path}, querystring={id=from query, token=t}, header={User-Agent=curl, token=from header}}"},
		{"of one kind", "$input.params().header.get('User-Agent') $input.params().querystring.token $input.params().path.id", "curl t from path"},
		{"names in a loop", "#foreach($k in $input.params().querystring.keySet())$k=$input.params().querystring.get($k)#if($foreach.hasNext)&#end#end", "id=from query&token=t"},
	})
	check(t, &Data{}, []rendering{{"none", "$input.params()", "{path={}, querystring={}, header={}}"}})
}

func TestContext(t *testing.T) {
	conformance.Covers(t, "vtl.context vtl.context-authorizer vtl.context-error")
	d := &Data{Context: jsonpath.Of(map[string]any{
		"connectionId": "L0SM9cOFvHcCIhw=", "connectedAt": 1705751697419, "routeKey": "send", "stage": "prod",
		"identity":   map[string]any{"sourceIp": "203.0.113.7"},
		"authorizer": map[string]any{"principalId": "user-1", "tenant": "x", "level": "1"},
		"error":      map[string]any{"message": "no", "messageString": `"no"`},
	})}
	check(t, d, []rendering{
		{"a variable", "$context.connectionId $context.routeKey", "L0SM9cOFvHcCIhw= send"},
		{"a number", "$context.connectedAt", "1705751697419"},
		{"a nested one", "$context.identity.sourceIp", "203.0.113.7"},
		{"the authorizer's", "$context.authorizer.principalId $context.authorizer.tenant $context.authorizer['level']", "user-1 x 1"},
		{"the error's", "{\"message\": $context.error.messageString}", `{"message": "no"}`},
		{"what is missing is nothing", "[$context.foo $context.authorizer.foo.bar $context.error.validationErrorString]", "[  ]"},
		{"as a map", "#foreach($k in $context.authorizer.keySet())$k #end", "level principalId tenant "},
		{"a template may add to it", "#set($context.own = 'o')$context.own", "o"},
	})
}

func TestStageVariables(t *testing.T) {
	conformance.Covers(t, "vtl.stage-variables")
	check(t, &Data{StageVariables: map[string]string{"url": "u", "a-b": "c"}}, []rendering{
		{"by name", "$stageVariables.url ${stageVariables.url}x $stageVariables.a-b", "u ux c"},
		{"by index", "$stageVariables['url'] $stageVariables.get('url')", "u u"},
		{"missing", "[$stageVariables.none]", "[]"},
	})
}

func TestEscapeJavaScript(t *testing.T) {
	conformance.Covers(t, "vtl.util-escape-javascript")
	check(t, &Data{Body: []byte(`{"m":"it's \"q\" </b> \\ é 😀` + "\u007f" + `","n":1}`)}, []rendering{
		{"quotes, slashes and what is beyond ASCII", "$util.escapeJavaScript($input.path('$.m'))", `it\'s \"q\" <\/b> \\ \u00E9 \uD83D\uDE00\u007F`},
		{"JSON within JSON", "$util.escapeJavaScript($input.json('$.n')) $util.escapeJavaScript($input.json('$.missing'))", `1 \"\"`},
		{"control characters", "$util.escapeJavaScript(\"a\tb\nc\u0001\")", `a\tb\nc\u0001`},
		{"what is no text", "$util.escapeJavaScript($list)", "[a, b, c]"},
		{"the usual repair of single quotes", `$util.escapeJavaScript("it's").replaceAll("\\'", "'")`, "it's"},
	})
}

func TestParseJSON(t *testing.T) {
	conformance.Covers(t, "vtl.util-parse-json")
	check(t, &Data{Body: []byte(`{"inner":"{\"a\":[1,{\"b\":\"c\"}]}"}`)}, []rendering{
		{"members of JSON in a text", "#set($x = $util.parseJson($input.path('$.inner')))$x.a[1].b $x.a.size()", "c 2"},
		{"a scalar", "$util.parseJson('5') $util.parseJson('true') $util.parseJson('\"s\"')", "5 true s"},
	})
}

func TestURLFunctions(t *testing.T) {
	conformance.Covers(t, "vtl.util-url")
	check(t, &Data{Body: []byte(`{"some": "value"}`)}, []rendering{
		{"encoding", "$util.urlEncode($input.body)", "%7B%22some%22%3A+%22value%22%7D"},
		{"as java.net.URLEncoder does", "$util.urlEncode('a b*c~d-e_f.g/é+&=')", "a+b*c%7Ed-e_f.g%2F%C3%A9%2B%26%3D"},
		{"decoding", "$util.urlDecode('x%3Da+b%C3%A9')", "x=a bé"},
		{"nothing", "[$util.urlEncode($input.body.access)]", "[]"},
	})
}

func TestBase64Functions(t *testing.T) {
	conformance.Covers(t, "vtl.util-base64")
	check(t, &Data{}, []rendering{
		{"encoding", "$util.base64Encode('hällo?>')", "aMOkbGxvPz4="},
		{"decoding", "$util.base64Decode('aMOkbGxvPz4=')", "hällo?>"},
		{"the other alphabet, without padding", "$util.base64Decode('aMOkbGxvPz4') $util.base64Decode('Pz8_Pj4-')", "hällo?> ???>>>"},
	})
}
