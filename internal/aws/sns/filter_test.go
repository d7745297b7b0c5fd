package sns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/pattern"
)

func str(value string) Attribute { return Attribute{DataType: "String", StringValue: value} }
func num(value string) Attribute { return Attribute{DataType: "Number", StringValue: value} }
func arr(value string) Attribute { return Attribute{DataType: "String.Array", StringValue: value} }

// The rules are those of the developer guide's pages under "Amazon SNS
// subscription filter policies".
func TestFilterOnAttributes(t *testing.T) {
	type attributes = map[string]Attribute
	for _, c := range []struct {
		rule, policy string
		attributes   attributes
		want         bool
	}{
		{"an empty policy lets everything pass", `{}`, nil, true},
		{"a property that is missing does not match", `{"a":["x"]}`, attributes{"b": str("x")}, false},
		{"string equal", `{"a":["x","y"]}`, attributes{"a": str("y")}, true},
		{"string not equal", `{"a":["x","y"]}`, attributes{"a": str("z")}, false},
		{"strings are told apart by case", `{"a":["x"]}`, attributes{"a": str("X")}, false},
		{"a string is no number", `{"a":[100]}`, attributes{"a": str("100")}, false},
		{"a number is no string", `{"a":["100"]}`, attributes{"a": num("100")}, false},
		{"numbers are equal by value", `{"a":[301.5]}`, attributes{"a": num("3.015e2")}, true},
		{"a number with a plus and zeros", `{"a":[7]}`, attributes{"a": num("+007.0")}, true},
		{"a number past float64 is compared as written", `{"a":[123456789012345678901234567890e400]}`, attributes{"a": num("123456789012345678901234567890e400")}, true},
		{"any element of an array", `{"a":["x"]}`, attributes{"a": arr(`["w","x"]`)}, true},
		{"no element of an array", `{"a":["x"]}`, attributes{"a": arr(`["w"]`)}, false},
		{"true, false and null in an array", `{"a":[null]}`, attributes{"a": arr(`[true,null]`)}, true},
		{"an array that is no JSON matches nothing", `{"a":["x"]}`, attributes{"a": arr(`['x']`)}, false},
		{"an array that is no array matches nothing", `{"a":["x"]}`, attributes{"a": arr(`"x"`)}, false},
		{"binary attributes are ignored", `{"a":[{"exists":true}]}`, attributes{"a": {DataType: "Binary", BinaryValue: []byte("x")}}, false},
		{"types with labels are ignored", `{"a":["x"]}`, attributes{"a": {DataType: "String.label", StringValue: "x"}}, false},
		{"null does not match what is missing", `{"a":[null,{"anything-but":"x"}]}`, nil, false},
		{"prefix", `{"a":[{"prefix":"bas"}]}`, attributes{"a": str("baseball")}, true},
		{"prefix of something else", `{"a":[{"prefix":"bas"}]}`, attributes{"a": str("rugby")}, false},
		{"prefix is for strings", `{"a":[{"prefix":"1"}]}`, attributes{"a": num("12")}, false},
		{"suffix", `{"a":[{"suffix":"ball"}]}`, attributes{"a": str("baseball")}, true},
		{"suffix of something else", `{"a":[{"suffix":"ball"}]}`, attributes{"a": str("rugby")}, false},
		{"equals-ignore-case", `{"a":[{"equals-ignore-case":"TENNIS"}]}`, attributes{"a": str("tenNis")}, true},
		{"equals-ignore-case of something else", `{"a":[{"equals-ignore-case":"TENNIS"}]}`, attributes{"a": str("tennis ")}, false},
		{"anything-but a string", `{"a":[{"anything-but":"x"}]}`, attributes{"a": str("y")}, true},
		{"anything-but that string", `{"a":[{"anything-but":"x"}]}`, attributes{"a": str("x")}, false},
		{"anything-but a list", `{"a":[{"anything-but":["x","y"]}]}`, attributes{"a": str("y")}, false},
		{"anything-but numbers", `{"a":[{"anything-but":[100,500]}]}`, attributes{"a": num("100.0")}, false},
		{"anything-but matches when one element is something else", `{"a":[{"anything-but":["x"]}]}`, attributes{"a": arr(`["x","y"]`)}, true},
		{"anything-but wants the property", `{"a":[{"anything-but":"x"}]}`, nil, false},
		{"anything-but or missing", `{"a":[{"anything-but":"x"},{"exists":false}]}`, nil, true},
		{"anything-but a prefix", `{"a":[{"anything-but":{"prefix":"order-"}}]}`, attributes{"a": str("order-cancelled")}, false},
		{"anything-but a prefix, of something else", `{"a":[{"anything-but":{"prefix":"order-"}}]}`, attributes{"a": str("order_number")}, true},
		{"numeric equal", `{"a":[{"numeric":["=",301.5]}]}`, attributes{"a": num("301.50")}, true},
		{"numeric below", `{"a":[{"numeric":["<",0]}]}`, attributes{"a": num("-0.1")}, true},
		{"numeric not below", `{"a":[{"numeric":["<",0]}]}`, attributes{"a": num("0")}, false},
		{"numeric range, at its open end", `{"a":[{"numeric":[">",0,"<=",150]}]}`, attributes{"a": num("0")}, false},
		{"numeric range, at its closed end", `{"a":[{"numeric":[">",0,"<=",150]}]}`, attributes{"a": num("150")}, true},
		{"numeric is for numbers", `{"a":[{"numeric":["=",1]}]}`, attributes{"a": str("1")}, false},
		{"exists", `{"a":[{"exists":true}]}`, attributes{"a": str("x")}, true},
		{"exists, but does not", `{"a":[{"exists":true}]}`, attributes{"b": str("x")}, false},
		{"does not exist", `{"a":[{"exists":false}]}`, attributes{"b": str("x")}, true},
		{"does not exist, but does", `{"a":[{"exists":false}]}`, attributes{"a": str("x")}, false},
		{"an empty array does not exist", `{"a":[{"exists":true}]}`, attributes{"a": arr(`[]`)}, false},
		{"cidr", `{"a":[{"cidr":"10.0.0.0/24"}]}`, attributes{"a": str("10.0.0.255")}, true},
		{"cidr of another net", `{"a":[{"cidr":"10.0.0.0/24"}]}`, attributes{"a": str("10.0.1.0")}, false},
		{"cidr of what is no address", `{"a":[{"cidr":"10.0.0.0/24"}]}`, attributes{"a": str("10.0.0.256")}, false},
		{"cidr for IPv6", `{"a":[{"cidr":"2001:db8:1234:1a00::/64"}]}`, attributes{"a": str("2001:0db8:1234:1a00:0000:0000:0000:0000")}, true},
		{"wildcard", `{"a":[{"wildcard":"a*b*c"}]}`, attributes{"a": str("axxbyyc")}, true},
		{"wildcard at both ends", `{"a":[{"wildcard":"*b*"}]}`, attributes{"a": str("b")}, true},
		{"wildcard whose parts overlap", `{"a":[{"wildcard":"ab*ba"}]}`, attributes{"a": str("aba")}, false},
		{"wildcard, escaped", `{"a":[{"wildcard":"a\\*\\\\"}]}`, attributes{"a": str(`a*\`)}, true},
		{"two properties are both wanted", `{"a":["x"],"b":["y"]}`, attributes{"a": str("x"), "b": str("z")}, false},
		{"two properties, both there", `{"a":["x"],"b":["y"]}`, attributes{"a": str("x"), "b": str("y"), "c": str("z")}, true},
		{"$or, first way", `{"s":["v"],"$or":[{"a":["x"]},{"b":["y"]}]}`, attributes{"s": str("v"), "a": str("x")}, true},
		{"$or, second way", `{"s":["v"],"$or":[{"a":["x"]},{"b":["y"]}]}`, attributes{"s": str("v"), "b": str("y")}, true},
		{"$or, no way", `{"s":["v"],"$or":[{"a":["x"]},{"b":["y"]}]}`, attributes{"s": str("v")}, false},
		{"$or does not replace the rest", `{"s":["v"],"$or":[{"a":["x"]},{"b":["y"]}]}`, attributes{"a": str("x")}, false},
		{"$or within $or", `{"$or":[{"a":["x"]},{"b":["y"],"$or":[{"c":["1"]},{"d":["2"]}]}]}`, attributes{"b": str("y"), "d": str("2")}, true},
		{"$or with one object is a name", `{"$or":[{"prefix":"x"}]}`, attributes{"$or": str("xy")}, true},
		{"$or with reserved names is a name", `{"$or":[{"suffix":"9"},{"prefix":"x"}]}`, attributes{"$or": str("xy")}, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f, err := parseFilter(c.policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.passesAttributes(c.attributes); got != c.want {
				t.Errorf("%s on %v: %v", c.policy, c.attributes, got)
			}
		})
	}
}

func TestFilterOnBody(t *testing.T) {
	const s3 = `{"Records":{"s3":{"object":{"key":[{"prefix":"auto-"}]}},"eventName":[{"prefix":"ObjectCreated:"}]}}`
	for _, c := range []struct {
		rule, policy, body string
		want               bool
	}{
		{"a body that is no JSON", `{"a":[{"exists":false}]}`, `hello`, false},
		{"a body that is no object", `{"a":[{"exists":false}]}`, `["a"]`, false},
		{"nested", `{"o":{"k":["v"]}}`, `{"o":{"k":"v"}}`, true},
		{"nested, elsewhere", `{"o":{"k":["v"]}}`, `{"k":"v"}`, false},
		{"null is a value", `{"k":[null]}`, `{"k":null}`, true},
		{"true is a value", `{"k":[true]}`, `{"k":true}`, true},
		{"true is not its name", `{"k":[true]}`, `{"k":"true"}`, false},
		{"an empty string is a value", `{"d":{"v":[""]}}`, `{"r":[],"d":{"v":"","n":null}}`, true},
		{"an object is not a value", `{"k":[{"exists":true}]}`, `{"k":{"x":1}}`, false},
		{"not there while an object is", `{"k":[{"exists":false}]}`, `{"k":{"x":1}}`, true},
		{"elements of arrays", `{"h":{"to":["q2"]}}`, `{"h":{"to":["q1","q2"]}}`, true},
		{"elements of arrays in arrays", `{"k":[1]}`, `{"k":[[2],[[1]]]}`, true},
		{"objects in arrays in arrays", s3, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":[[{"key":"auto-1"}]]}},{"eventName":"ObjectRemoved:X","s3":{"object":{"key":"home"}}}]}`, true},
		{"conditions meet in one element", s3, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"home"}}},{"eventName":"ObjectRemoved:X","s3":{"object":{"key":"auto-1"}}}]}`, false},
		{"dots in the policy", `{"a.b.c":["v"]}`, `{"a":{"b":{"c":"v"}}}`, true},
		{"dots in the body", `{"a":{"b":{"c":["v"]}}}`, `{"a.b":{"c":"v"}}`, true},
		{"dots in both", `{"a.b":{"c":["v"]}}`, `{"a":{"b.c":"v"}}`, true},
		{"two ways to a value", `{"a":{"b":["v"],"c":["w"]}}`, `{"a.b":"v","a":{"b":"x","c":"w"}}`, true},
		{"not there in any way", `{"a":{"b":[{"exists":false}]}}`, `{"a.b":1}`, false},
		{"$or in two places", `{"$or":[{"m":["x"]},{"n":["y"]}],"d":{"s":["1"],"$or":[{"p":["2"]},{"q":["3"]}]}}`, `{"n":"y","d":{"s":"1","q":"3"}}`, true},
		{"$or in two places, one unmet", `{"$or":[{"m":["x"]},{"n":["y"]}],"d":{"s":["1"],"$or":[{"p":["2"]},{"q":["3"]}]}}`, `{"n":"y","d":{"s":"1"}}`, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f, err := parseFilter(c.policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.passesBody(c.body); got != c.want {
				t.Errorf("%s on %s: %v", c.policy, c.body, got)
			}
		})
	}
}

// The messages are what AWS answers.
func TestFilterPolicyErrors(t *testing.T) {
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat(`"v",`, n), ",") }
	for policy, want := range map[string]string{
		`x`:                                                             "failed to parse JSON.",
		`[]`:                                                            "Filter is not an object",
		`{"key":"v"}`:                                                   `"key" must be an object or an array`,
		`{"key":{}}`:                                                    "Empty objects are not allowed",
		`{"key":[]}`:                                                    "Empty arrays are not allowed",
		`{"key":[["v"]]}`:                                               "Match value must be String, number, true, false, or null",
		`{"key":[{}]}`:                                                  "Match expression name not found",
		`{"key":[{"wrong":true}]}`:                                      "Unrecognized match type wrong",
		`{"key":{"suffix":"v"}}`:                                        `"suffix" must be an object or an array`,
		`{"key":[{"suffix":"v","prefix":"w"}]}`:                         "Only one key allowed in match expression",
		`{"key":[{"suffix":100}]}`:                                      "suffix match pattern must be a string",
		`{"key":[{"suffix":null}]}`:                                     "suffix match pattern must be a string",
		`{"key":[{"prefix":["a"]}]}`:                                    "prefix match pattern must be a string",
		`{"key":[{"wildcard":1}]}`:                                      "wildcard match pattern must be a string",
		`{"key":[{"wildcard":"a**"}]}`:                                  "Consecutive wildcard characters at pos 1",
		`{"key":[{"wildcard":"\\a"}]}`:                                  "Invalid escape character at pos 0",
		`{"key":[{"wildcard":"a\\"}]}`:                                  "Invalid escape character at pos 1",
		`{"key":[{"cidr":["x"]}]}`:                                      "prefix match pattern must be a string",
		`{"key":[{"cidr":"bad"}]}`:                                      "Malformed CIDR, one '/' required",
		`{"key":[{"cidr":"bad/64"}]}`:                                   "Nonstandard IP address: bad",
		`{"key":[{"cidr":"bad-/64filter"}]}`:                            "Malformed CIDR, mask bits must be an integer",
		`{"key":[{"cidr":"10.0.0.0/33"}]}`:                              "Malformed CIDR, mask bits must be between 0 and 32",
		`{"key":[{"exists":null}]}`:                                     "exists match pattern must be either true or false.",
		`{"key":[{"exists":"no"}]}`:                                     "exists match pattern must be either true or false.",
		`{"key":[{"numeric":[]}]}`:                                      "Invalid member in numeric match: ]",
		`{"key":[{"numeric":3}]}`:                                       "Value of numeric must be an array.",
		`{"key":[{"numeric":["operator"]}]}`:                            "Unrecognized numeric range operator: operator",
		`{"key":[{"numeric":[1,"<="]}]}`:                                "Invalid member in numeric match: 1",
		`{"key":[{"numeric":["=","000"]}]}`:                             "Value of equals must be numeric",
		`{"key":[{"numeric":[">="]}]}`:                                  "Value of >= must be numeric",
		`{"key":[{"numeric":["=",2e9]}]}`:                               "Value must be between -1.0E9 and 1.0E9, inclusive",
		`{"key":[{"numeric":["<",100,">",10]}]}`:                        "Too many elements in numeric expression",
		`{"key":[{"numeric":[">=",1,">",2]}]}`:                          "Bad numeric range operator: >",
		`{"key":[{"numeric":[">",3,"<",1]}]}`:                           "Bottom must be less than top",
		`{"key":[{"numeric":[">",20,"<="]}]}`:                           "Value of <= must be numeric",
		`{"key":[{"numeric":[">",20,30]}]}`:                             "Bad value in numeric range: 30",
		`{"key":[{"numeric":[">",20,"test"]}]}`:                         "Bad numeric range operator: test",
		`{"key":[{"numeric":[">","20","<","30"]}]}`:                     "Value of > must be numeric",
		`{"key":[{"numeric":[">",20,"<","30"]}]}`:                       "Value of < must be numeric",
		`{"key":[{"numeric":[">",20,"<",30,"<",50]}]}`:                  "Too many terms in numeric range expression",
		`{"key":[{"anything-but":null}]}`:                               "Value of anything-but must be an array or single string/number value.",
		`{"key":[{"anything-but":[]}]}`:                                 "Inside anything but list, either all values are number or string, mixed type is not supported",
		`{"key":[{"anything-but":["a",1]}]}`:                            "Inside anything but list, either all values are number or string, mixed type is not supported",
		`{"key":[{"anything-but":[true]}]}`:                             "Inside anything but list, start|null|boolean is not supported.",
		`{"key":[{"anything-but":{}}]}`:                                 "Anything-But expression name not found",
		`{"key":[{"anything-but":{"wrong":null}}]}`:                     "Unsupported anything-but pattern: wrong",
		`{"key":[{"anything-but":{"suffix":"x"}}]}`:                     "Unsupported anything-but pattern: suffix",
		`{"key":[{"anything-but":{"exists":false}}]}`:                   "Unsupported anything-but pattern: exists",
		`{"key":[{"anything-but":{"prefix":false}}]}`:                   "prefix match pattern must be a string",
		`{"key":[{"anything-but":{"prefix":""}}]}`:                      "Null prefix not allowed",
		`{"a":{"b":["x"]},"a.b":["y"]}`:                                 "Path `a.b` cannot be allowed multiple times",
		`{"a":["x"],"$or":[{"a":["y"]},{"b":["z"]}]}`:                   "Path `a` cannot be allowed multiple times",
		`{"a":["1"],"b":["1"],"c":["1"],"d":["1"],"e":["1"],"f":["1"]}`: "Filter policy can not have more than 5 keys",
		`{"key":[` + many(151) + `]}`:                                   "Filter policy is too complex",
		`{"a":[` + many(100) + `],"b":[` + many(51) + `]}`:              "Filter policy is too complex",
		// 3 x 4 (three deep) x 3 (two deep) x 3 values: 12 * 6 * 3.
		`{"a":{"b":{"c":[` + many(4) + `]}},"d":{"e":[` + many(3) + `]},"f":[` + many(3) + `]}`: "Filter policy is too complex",
		// 4*6 + 4*4*4 + 4*4*4 = 152
		`{"s":[` + many(4) + `],"$or":[{"m":[` + many(6) + `]},{"t":[` + many(4) + `],"$or":[{"i":[1,2,3,4]},{"p":[1,2,3,4]}]}]}`: "Filter policy is too complex",
		`{"s":["` + strings.Repeat("x", maxFilterPolicy) + `"]}`:                                                                  "Filter policy is larger than 262144 bytes",
		`{"x":` + strings.Repeat(`{"x":`, 200) + `["v"]` + strings.Repeat("}", 201):                                               "Filter policy is too complex",
	} {
		if f, err := parseFilter(policy); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.120s: %v, %v; want %q", policy, f, err, want)
		}
	}
	// 3*6 + 3*4*4 + 3*4*7 = 150
	allowed := `{"s":[` + many(3) + `],"$or":[{"m":[` + many(6) + `]},{"t":[` + many(4) + `],"$or":[{"i":[1,2,3,4]},{"p":[1,2,3,4,5,6,7]}]}]}`
	if _, err := parseFilter(allowed); err != nil {
		t.Errorf("150 combinations: %v", err)
	}
}

// TestFilterIsBounded: a walk that would take too many steps finds nothing.
func TestFilterIsBounded(t *testing.T) {
	body := `{"x":"w"}`
	for range 10 { // every object offers two ways on
		body = fmt.Sprintf(`{"a":%s,"a.a":%s}`, body, body)
	}
	document, err := jsonpath.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	path := strings.Repeat("a.", 15) + "x"
	anything := []pattern.Matcher{func(jsonpath.Value) bool { return true }}
	for steps, want := range map[int]bool{10: false, maxFilterSteps: true} {
		w := walk{steps}
		if got := w.findAll(document, []search{{path: path, matchers: anything}}); got != want {
			t.Errorf("within %d steps: %v", steps, got)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`{"a":["x",1,null,{"prefix":"p"},{"anything-but":["q"]}]}`, `{"a":"x"}`)
	f.Add(`{"$or":[{"a":{"b":[{"numeric":[">",0,"<",9]}]}},{"c.d":[{"cidr":"::/0"}]}]}`, `{"a":[{"b":[1]}],"c":{"d":"::1"}}`)
	f.Add(`{"a":[{"wildcard":"*a\\**"},{"exists":false},{"equals-ignore-case":"É"}]}`, `{"a":"é"}`)
	f.Add(`{"a":[{"anything-but":{"prefix":"x"}}]}`, `{"a.b":{"c":[[[]]]}}`)
	f.Fuzz(func(t *testing.T, policy, body string) {
		filter, err := parseFilter(policy)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		nested(policy)
		if len(filter.alternatives) > maxFilterCombinations {
			t.Errorf("%d alternatives", len(filter.alternatives))
		}
		filter.passesBody(body)
		filter.passesAttributes(map[string]Attribute{"a": str(body), "b": arr(body)})
	})
}
