package vtl

import (
	"context"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// rendering is a template, what it should write, and the rule it shows.
type rendering struct{ name, template, want string }

// given is in front of the templates of tables: variables of every kind.
const given = `#set($s = 'text')#set($n = 5)#set($yes = true)#set($no = false)#set($empty = '')` +
	`#set($list = ['a', 'b', 'c'])#set($map = {'k': 'v', 'x': 1, 'l': [1, 2]})`

func check(t *testing.T, d *Data, table []rendering) {
	t.Helper()
	for _, tt := range table {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := execute(given+tt.template, d); err != nil || got != tt.want {
				t.Errorf("%s\n writes %q, %v\n   want %q", tt.template, got, err, tt.want)
			}
		})
	}
}

func execute(template string, d *Data) (string, error) {
	parsed, err := Parse(template)
	if err != nil {
		return "", err
	}
	out, err := parsed.Execute(context.Background(), d, Limits{})
	return string(out), err
}

func TestReferences(t *testing.T) {
	conformance.Covers(t, "vtl.references")
	check(t, &Data{Body: []byte(`{"a":1}`)}, []rendering{
		{"a variable", "$s!", "text!"},
		{"in braces", "${s}x ${s}-x ${s}.length()", "textx text-x text.length()"},
		{"quiet", "$!s $!{s}x", "text textx"},
		{"a name has hyphens and digits", "#set($a-1 = 2)$a-1", "2"},
		{"a name may begin with an underscore", "#set($_ = 2)$_", "2"},
		{"an unknown variable is written as it is", "$foo $foo.bar ${foo} $foo.bar('x')[1]", "$foo $foo.bar ${foo} $foo.bar('x')[1]"},
		{"a quiet unknown variable is nothing", "[$!foo $!{foo.bar}]", "[ ]"},
		{"a known variable that leads nowhere is nothing", "[$s.foo $map.zz.y $list.foo() $n.bar]", "[   ]"},
		{"in expressions an unknown variable is the empty text", "#if($foo == '')a#end#set($x = 'b' + $foo)$x", "ab"},
		{"a dollar without a name is text", "$5.00 $ $$ ${} ${5} $!", "$5.00 $ $$ ${} ${5} $!"},
		{"a dollar in front of a reference", "$$s", "$text"},
		{"a dot that ends a sentence", "$s. $s.5 $s._x $s.$n", "text. text.5 text._x text.5"},
		{"members", "$map.k $map.l", "v [1, 2]"},
		{"indexes", "$list[0] $list[-1] $map['k'] $map.l[1]", "a c v 2"},
		{"an index by a variable", "#set($i = 1)$list[$i]", "b"},
		{"an index of what has none", "[$s[0]]", "[]"},
		{"calls in a row", "$s.toUpperCase().toLowerCase().substring(1, 2)", "e"},
		{"a blank in front of the parenthesis is text", "$s.length ()", " ()"},
		{"references side by side", "$s$n${s}$n", "text5text5"},
		{"lists and maps as Java writes them", "$list $map", "[a, b, c] {k=v, x=1, l=[1, 2]}"},
	})
}

func TestSet(t *testing.T) {
	conformance.Covers(t, "vtl.set")
	check(t, &Data{}, []rendering{
		{"a text, a number, a boolean", "#set($a = 'x')#set($b = 1)#set($c = true)$a$b$c", "x1true"},
		{"in braces", "#{set}($a = 1)$a", "1"},
		{"blanks", "#set (  $a   =   1   )$a", "1"},
		{"a list", "#set($a = [ 1 , 'b' , $n , [ ] ])$a", "[1, b, 5, []]"},
		{"a map", "#set($a = { 'p' : 1 , $s : [2], \"q\": {} })$a", "{p=1, text=[2], q={}}"},
		{"a range", "#set($a = [1..3])#set($b = [$n..3])$a $b", "[1, 2, 3] [5, 4, 3]"},
		{"a range without numbers sets nothing", "#set($a = 1)#set($a = [1..$s])$a", "1"},
		{"a member of a map", "#set($map.new = 3)#set($map['y'] = 4)$map.new$map.y", "34"},
		{"a member of nothing", "#set($foo.a = 1)$foo.a", "$foo.a"},
		{"an element", "#set($list[0] = 'A')#set($list[-1] = 'C')$list", "[A, b, C]"},
		{"sums and products", "#set($a = 1 + 2 * 3 - 4 / 2 % 3)$a", "5"},
		{"parentheses", "#set($a = (1 + 2) * 3)$a", "9"},
		{"whole numbers divide to whole numbers", "#set($a = 7 / 2)#set($b = -7 / 2)#set($c = -7 % 3)$a $b $c", "3 -3 -1"},
		{"doubles", "#set($a = 7.0 / 2)#set($b = 1.1 + 2.2)#set($c = 3.0 * 2)$a $b $c", "3.5 3.3000000000000003 6.0"},
		{"doubles as Java writes them", "#set($a = 1e3)#set($b = 100000000.0)#set($c = 0.0001)#set($d = .5)#set($e = 12345678.9)$a $b $c $d $e",
			"1000.0 1.0E8 1.0E-4 0.5 1.23456789E7"},
		{"numbers grow beyond 64 bits", "#set($a = 9223372036854775807 + 1)#set($b = $a * $a)$a $b",
			"9223372036854775808 85070591730234615865843651857942052864"},
		{"a text makes a sum a text", "#set($a = 'a' + 1 + 2)#set($b = 1 + 2 + 'a')#set($c = $list + '!')$a $b $c", "a12 3a [a, b, c]!"},
		{"a division by zero sets nothing", "#set($a = 1)#set($a = 5 / 0)#set($a = 5 % 0)#set($a = 5.0 / 0)$a", "1"},
		{"calculating with text sets nothing", "#set($a = 1)#set($a = $s * 2)#set($a = true + 1)$a", "1"},
		{"comparisons and logic", "#set($a = $n == 5 && !$no)#set($b = 1 > 2 || false)$a $b", "true false"},
		{"negative numbers", "#set($a = -1)#set($b = 5 - -1)$a $b", "-1 6"},
		{"its line disappears", "a\n#set($a = 1)\nb\n  #set($b = 2)  \nc", "a\nb\n  c"},
		{"blanks at the front of a text disappear", "$s #set($a = 1) b", "text b"},
		{"blanks behind other text stay", "a #set($a = 1)b", "a b"},
		{"with Windows line ends", "a\r\n#set($a = 1)\r\nb", "a\r\nb"},
		{"#set without a parenthesis is text", "#set #settle", "#set #settle"},
	})
}

func TestStrings(t *testing.T) {
	conformance.Covers(t, "vtl.strings")
	check(t, &Data{}, []rendering{
		{"double quotes interpolate", `#set($a = "$s and ${n}: $map.get('k') $foo")$a`, "text and 5: v $foo"},
		{"single quotes do not", `#set($a = '$s #if')$a`, "$s #if"},
		{"directives in double quotes", `#set($a = "#if($yes)Y#end#foreach($i in [1..3])$i#end")$a`, "Y123"},
		{"doubled quotes are one", `#set($a = "a""b")#set($b = 'it''s')#set($c = "it's")#set($d = 'a"b')$a $b $c $d`, `a"b it's it's a"b`},
		{"a backslash is a character", `#set($a = '\n\')$a`, `\n\`},
		{"unicode escapes in double quotes", `#set($a = "\u0041\u00e9")#set($b = '\u0041')$a $b`, `Aé \u0041`},
		{"line breaks", "#set($a = \"a\n$s\")$a", "a\ntext"},
		{"a comment in double quotes", `#set($a = "a ## b")$a|`, "a |"},
		{"an escaped reference in double quotes", `#set($a = "\$s")$a`, "$s"},
	})
}

func TestIf(t *testing.T) {
	conformance.Covers(t, "vtl.if")
	check(t, &Data{}, []rendering{
		{"the branches", "#if($no)a#elseif($yes)b#else c#end#if($no)a#elseif($no)b#else c#end#if($yes)a#else b#end", "b ca"},
		{"in braces", "#{if}($yes)a#{else}b#{end}c", "ac"},
		{"a reference holds unless it is false", "#if($s)a#end#if($n)b#end#if($empty)c#end#if($foo)d#end#if($no)e#end", "abcd"},
		{"a literal holds if it is true", "#if(true)a#end#if('x')b#end#if(1)c#end#if([1])d#end", "a"},
		{"equality of numbers", "#if($n == 5)a#end#if($n == 5.0)b#end#if($n == '5')c#end#if($n != 6)d#end", "abcd"},
		{"equality of texts", "#if($s == 'text')a#end#if($s != 'text')b#end#if($yes == 'true')c#end", "ac"},
		{"equality of lists and maps", "#if($map.l == [1, 2])a#end#if($map.l == [2, 1])b#end#if({'a': 1} == {'a': 1})c#end#if($list == '[a, b, c]')d#end", "acd"},
		{"elements of different types differ", "#if([1] == ['1'])a#else b#end", " b"},
		{"order of numbers", "#if($n > 4)a#end#if($n >= 5)b#end#if($n < 5)c#end#if($n <= 5)d#end#if(1.5 < 2)e#end", "abde"},
		{"texts have no order", "#if('a' < 'b')a#else b#end", " b"},
		{"words for operators", "#if($n gt 4 and $n ge 5 and not $no)a#end#if($n lt 5 or $n le 5)b#end#if($n eq 5)c#end#if($n ne 5)d#end", "abc"},
		{"and binds tighter than or", "#if($yes || $no && $no)a#end#if(($yes || $no) && $no)b#end", "a"},
		{"not", "#if(!$no)a#end#if(! ($n == 5))b#end#if(!$foo)c#end", "a"},
		{"comparisons in a row", "#if(1 == 1 == true)a#end#if(1 < 2 == true)b#end", "ab"},
		{"the lines of directives disappear", "{\n  #if($yes)  \n  a\n  #else\n  b\n  #end\n}", "{\n    a\n  }"},
		{"blanks without a line break stay", "#if($yes) a #end b", " a  b"},
		{"over several lines", "#if($yes &&\n  $n == 5)a#end", "a"},
		{"words that begin like directives are text", "#endof #elsewhere #iffy #foreachx($s)", "#endof #elsewhere #iffy #foreachx($s)"},
	})
}

func TestForeach(t *testing.T) {
	conformance.Covers(t, "vtl.foreach")
	check(t, &Data{}, []rendering{
		{"a list", "#foreach($i in $list)$i,#end", "a,b,c,"},
		{"a range", "#foreach( $i in [1..3] )$i#end#foreach($i in [2..1])$i#end", "12321"},
		{"a map's values", "#foreach($v in $map)$v;#end", "v;1;[1, 2];"},
		{"a map's keys and entries", "#foreach($k in $map.keySet())$k#end #foreach($e in $map.entrySet())$e.key=$e.value $e.getKey()$e.getValue();#end", "kxl k=v kv;x=1 x1;l=[1, 2] l[1, 2];"},
		{"anything else has no elements", "#foreach($i in $s)a#end#foreach($i in $n)b#end#foreach($i in $foo)c#end#foreach($i in [])d#end", ""},
		{"its state", "#foreach($i in $list)$foreach.index$foreach.count$velocityCount$foreach.first$foreach.last$foreach.hasNext #end",
			"011truefalsetrue 122falsefalsetrue 233falsetruefalse "},
		{"commas", "[#foreach($i in $list)\"$i\"#if($foreach.hasNext), #end#end]", `["a", "b", "c"]`},
		{"loops in loops", "#foreach($i in [1..2])#foreach($j in [1..2])$foreach.parent.count$foreach.count #end#end", "11 12 21 22 "},
		{"the variable is as before afterwards", "#set($i = 'kept')#foreach($i in $list)#end$i#foreach($j in $list)#end$j", "kept$j"},
		{"what it sets stays", "#foreach($i in $list)#set($last = $i)#end$last", "c"},
		{"changing the list does not change the loop", "#foreach($i in $list)#set($x = $list.add($i))#end$list", "[a, b, c, a, b, c]"},
		{"its lines disappear", "#foreach($i in [1..2])\n  $i\n#end\nz", "  1\n  2\nz"},
	})
}

func TestBreakAndStop(t *testing.T) {
	conformance.Covers(t, "vtl.break")
	check(t, &Data{}, []rendering{
		{"#break leaves the loop", "#foreach($i in $list)#if($i == 'b')#break#end$i#end.", "a."},
		{"#break leaves the inner loop", "#foreach($i in [1..2])#foreach($j in [1..3])#if($j == 2)#break#end$j#end;#end", "1;1;"},
		{"#break outside of a loop ends the template", "a#break b", "a"},
		{"#stop ends the template", "a#foreach($i in [1..3])$i#if($i == 2)#stop#end#end b", "a12"},
	})
}

func TestComments(t *testing.T) {
	conformance.Covers(t, "vtl.comments")
	check(t, &Data{}, []rendering{
		{"a line", "a ## b $s\nc", "a c"},
		{"a line at the end", "a##", "a"},
		{"a block", "a#* b\n $s *#c #** d *#e", "ac e"},
		{"unparsed text", "#[[ $s #if #end ]] ]]#|", " $s #if #end ]] |"},
	})
}

func TestEscapes(t *testing.T) {
	conformance.Covers(t, "vtl.escapes")
	check(t, &Data{}, []rendering{
		{"a reference", `\$s \${s} \$!s \$map.get('k')`, `$s ${s} $!s $map.get('k')`},
		{"an unknown reference", `\$foo`, `$foo`},
		{"two backslashes are one", `\\$s \\\\$s \\\$s`, `\text \\text \$s`},
		{"a directive", `\#if(x)\#end \#foreach \#else \#{if}`, `#if(x)#end #foreach #else #{if}`},
		{"two backslashes in front of a directive", `\\#if($yes)x#end`, `\x`},
		{"anywhere else they are text", `\ \\ \n \$5 \#x C:\dir`, `\ \\ \n \$5 \#x C:\dir`},
		{"a # without a directive is text", "#fff # #5 #", "#fff # #5 #"},
		{"unknown words keep their arguments", "#foo($s, 'x') #foo ($s)", "#foo($s, 'x') #foo ($s)"},
	})
}

func TestTemplateKeepsItsSource(t *testing.T) {
	template, err := Parse("$s")
	if err != nil || template.String() != "$s" {
		t.Errorf("String = %q, %v", template, err)
	}
}

func TestOneTemplateMayRunManyTimesAtOnce(t *testing.T) {
	template, err := Parse(`#set($x = $input.path('$'))#set($x.seen = $context.id)$input.json('$')`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for range 8 {
		go func() {
			out, err := template.Execute(context.Background(), &Data{Body: []byte(`{"a":[1]}`), Context: jsonpath.Of(map[string]any{"id": "i"})}, Limits{})
			if err != nil {
				done <- err.Error()
				return
			}
			done <- string(out)
		}()
	}
	for range 8 {
		if got := <-done; got != `{"a":[1],"seen":"i"}` {
			t.Error(got)
		}
	}
}
