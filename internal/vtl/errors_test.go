package vtl

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestParseErrorsNameThePlace(t *testing.T) {
	conformance.Covers(t, "vtl.syntax-error")
	for template, want := range map[string]string{
		"#if($a)x":                           "line 1, column 1: the #if that opens here is not closed; write #end",
		"a\n  #foreach($x in $y)\nb":         "line 2, column 3: the #foreach that opens here is not closed",
		"a\n#end":                            `line 2, column 1: #end without #if or #foreach before it; take it away, or write \#end for the text`,
		"é #else":                            "line 1, column 3: #else without",
		"#if($a)#else#else#end":              "column 13: #else after #else",
		"#foreach($x in $y)#else#end":        "column 19: #else belongs to an #if; #foreach has none",
		"#if $a":                             "column 5: #if needs its arguments in parentheses",
		"#if()a#end":                         "column 5: expected a value here",
		"#if($a == null)#end":                `column 11: expected a value here; there is no null; what is missing equals ""`,
		"#if($a = 1)#end":                    "column 8: expected an operator or ) here; two values are compared with ==",
		"#if($a == b)#end":                   "column 11: expected a value here; a text needs quotes, a variable a $",
		"#if($a ? 1)#end":                    "there is no ?: operator",
		"#if(($a)#end":                       "column 9: expected an operator or ) here",
		"#if($a":                             "column 1: the #if that opens here is not closed",
		"#set(x = 1)":                        "column 6: #set needs a variable: #set($name = value)",
		"#set($x == 1)":                      "column 9: expected = after the variable",
		"#set($x = )":                        "column 11: expected a value here",
		"#set($x = 1":                        "column 1: the #set that opens here is not closed",
		"#set($x = 5 -1)":                    "for a subtraction write a blank after the minus",
		"#set($x = -$y)":                     "column 11: expected a value",
		"#set($x.y() = 1)":                   "column 6: #set cannot assign to a method's result",
		"#set($1 = 1)":                       "column 6: a variable's name begins with a letter",
		"#set($x = 'a)":                      "column 11: the quote that opens here is not closed",
		"#set($x = [1)":                      "column 13: expected a comma or ]",
		"#set($x = [1":                       "column 11: the list that opens here is not closed",
		"#set($x = [1..])":                   "column 15: expected a value",
		"#set($x = ['a'..'b'])":              "column 12: a range needs whole numbers or variables",
		"#set($x = {'a' 1})":                 "column 16: expected a colon",
		"#set($x = {'a': 1 2})":              "column 19: expected a comma or }",
		"#set($x = {'a'":                     "column 11: the map that opens here is not closed",
		"#foreach(x in $y)#end":              "column 10: expected a variable here: #foreach($item in $list)",
		"#foreach($x.y in $z)#end":           "column 10: expected a variable without members",
		"#foreach($x $y)#end":                "column 13: expected in here: #foreach($x in $list)",
		"#foreach($x in)#end":                "column 15: expected a value",
		"${a":                                "column 1: the brace of ${a is not closed",
		"$a[b]":                              "column 4: expected a number, a text in quotes or a variable in the brackets; write ${name}[",
		"$a[1":                               "column 3: the bracket that opens here is not closed",
		"$a.b(c)":                            "column 6: expected a value here; a text needs quotes",
		"$a.b(1":                             "column 5: the parenthesis of b( is not closed",
		"$a.b($c + 1)":                       "column 9: expected a comma or ) here; an argument cannot be calculated: #set a variable first",
		"#* a":                               "column 1: the comment that opens here is not closed",
		"x#[[ a":                             "column 2: the text that opens here is not closed",
		"$util.toJson($x)":                   "column 7: API Gateway has no $util.toJson(); it has escapeJavaScript,",
		"$input.get('x')":                    "API Gateway has no $input.get(); it has",
		"$input.body()":                      "$input.body is no method",
		"$util.urlEncode()":                  "$util.urlEncode takes one argument",
		"$input.params('a', 'b')":            "$input.params takes one argument",
		"$input.path(1)":                     "column 13: $input.path takes a JSONPath in quotes",
		"$input.json('$.a b')":               `column 13: JSONPath "$.a b": character 4: a name with a blank`,
		"#set($x = \"a\n$util.foo($y)\")":    "line 2, column 7: API Gateway has no $util.foo()",
		"\n#set($x = \"say \"\"$u.x(\"\"\")": "line 2, column 11: ",
		"#foo(a+b)":                          "column 7: expected a value",
		"#@box()x#end":                       "#@box calls a macro",
	} {
		_, err := Parse(template)
		var located *Error
		if !errors.As(err, &located) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) =\n %v\nwant an error with\n %s", template, err, want)
		}
	}
}

func TestMacrosAreRefused(t *testing.T) {
	conformance.Covers(t, "vtl.macros-refused")
	for template, want := range map[string]string{
		"a\n #macro(x)b#end":     "line 2, column 2: #macro is not supported; write",
		"#parse('a.vm')":         "line 1, column 1: #parse is not supported",
		"\n\n#include('a.txt')":  "line 3, column 1: #include is not supported",
		"#evaluate('$x')":        "#evaluate is not supported",
		"#define($x)a#end":       "#define is not supported",
		"#literal()a#end":        "#literal is not supported; write #[[ the text ]]#",
		"#{macro}(x)a#end":       "#macro is not supported",
		`#set($x = "#parse(1)")`: "line 1, column 12: #parse",
	} {
		if _, err := Parse(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want an error with %q", template, err, want)
		}
	}
}

func TestATemplateOver300KBIsRefused(t *testing.T) {
	conformance.Covers(t, "vtl.template-300k")
	if _, err := Parse(strings.Repeat("a", MaxSource)); err != nil {
		t.Errorf("300 KB: %v", err)
	}
	if _, err := Parse(strings.Repeat("a", MaxSource+1)); err == nil || !strings.Contains(err.Error(), "307200 are allowed") {
		t.Errorf("one byte more: %v", err)
	}
}

func TestExecuteErrorsNameThePlace(t *testing.T) {
	for template, want := range map[string]string{
		"a\n  $list[9]":                                "line 2, column 8: the list has 3 elements and no index 9; ask its size() first",
		"$list.get(-1)":                                "no index -1",
		"#set($list[3] = 1)":                           "no index 3",
		"$list.remove(9)":                              "no index 9",
		"$list.add(5, 1)":                              "no index 5",
		"$list.set(3, 1)":                              "no index 3",
		"$list.subList(2, 1)":                          "subList(2, 1) of a list of 3",
		"$s.substring(9)":                              "substring reaches from 9 to 4 in a text of 4 characters",
		"$s.substring(-1)":                             "reaches from -1",
		"$s.charAt(4)":                                 "charAt reaches",
		"$s.replaceAll('(', '')":                       "missing closing ): `(` (look-around and back-references are not supported)",
		"$s.matches('(?=t)')":                          "look-around",
		"$s.replaceAll('t', '$1')":                     "has no group 1",
		"$s.replaceAll('t', '$')":                      `a $ or \ in a replacement needs a \`,
		"$n.parseInt('x')":                             `parseInt: "x" is no whole number`,
		"$util.parseJson('{')":                         "$util.parseJson: no JSON at byte 2",
		"$util.urlDecode('%zz')":                       "$util.urlDecode:",
		"$util.base64Decode('!')":                      "the text is no base64",
		"#set($p = '$.a b')$input.path($p)":            "character 4: a name with a blank",
		"#set($x = \"\n $list[9]\")":                   "line 2, column 7: the list",
		"#if($yes)\n#if($list[7])a#end#end":            "line 2, column 10: the list",
		"#foreach($i in $list)\n$s[0]$i.charAt(1)#end": "line 2, column 9: charAt",
	} {
		parsed, err := Parse(strings.ReplaceAll(given, "\n", "") + "\n" + template)
		if err != nil {
			t.Fatal(err)
		}
		out, err := parsed.Execute(context.Background(), &Data{}, Limits{})
		var located *Error
		if !errors.As(err, &located) || out != nil {
			t.Errorf("%q writes %q, %v", template, out, err)
			continue
		}
		located.Line--
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q fails with\n %v\nwant\n %s", template, err, want)
		}
	}
}
