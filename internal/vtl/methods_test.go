package vtl

import "testing"

func TestMethodsOfTexts(t *testing.T) {
	check(t, &Data{}, []rendering{
		{"length", "$s.length() $empty.length()", "4 0"},
		{"lengths count UTF-16", "#set($u = 'a😀é')$u.length() $u.substring(3) $u.indexOf('é')", "4 é 3"},
		{"isEmpty", "$s.isEmpty() $empty.isEmpty() $empty.empty", "false true true"},
		{"substring", "$s.substring(1) $s.substring(1, 3) $s.substring(4)|", "ext ex |"},
		{"charAt", "$s.charAt(0)", "t"},
		{"indexOf", "$s.indexOf('t') $s.indexOf('t', 1) $s.lastIndexOf('t') $s.indexOf('z') $s.indexOf('t', 99)", "0 3 3 -1 -1"},
		{"contains, startsWith, endsWith", "$s.contains('ex') $s.startsWith('te') $s.endsWith('te')", "true true false"},
		{"equals", "$s.equals('text') $s.equals('x') $n.equals('5') $n.toString().equals('5') $s.equalsIgnoreCase('TEXT')", "true false false true true"},
		{"trim", "#set($x = \" \t a \n\")[$x.trim()]", "[a]"},
		{"case", "$s.toUpperCase() $s.toUpperCase().toLowerCase()", "TEXT text"},
		{"replace", "$s.replace('t', 'TT') $s.replace('z', '')", "TTexTT text"},
		{"replaceAll and replaceFirst", `$s.replaceAll('[te]', '<$0>') $s.replaceFirst('(t)(e)', '$2$1') $s.replaceAll('t', '\$')`, `<t><e>x<t> etxt $ex$`},
		{"matches is of the whole", "$s.matches('te.*') $s.matches('te')", "true false"},
		{"split", "#set($x = 'a,b,,c,,')#foreach($p in $x.split(','))[$p]#end $x.split(',').size() #foreach($p in $x.split(',', 2))[$p]#end $x.split(',', -1).size()",
			"[a][b][][c] 4 [a][b,,c,,] 6"},
		{"split of nothing", "#foreach($p in $empty.split(','))[$p]#end", "[]"},
		{"concat and compareTo", "$s.concat('!') $s.compareTo('text') $s.valueOf(5)", "text! 0 5"},
		{"the class", "$s.class.name $n.class.name $yes.class.simpleName", "java.lang.String java.lang.Integer Boolean"},
		{"what Java has not", "[$s.foo() $s.contains(5) $s.length(1) $s.substring('a')]", "[   ]"},
	})
}

func TestMethodsOfLists(t *testing.T) {
	check(t, &Data{}, []rendering{
		{"size and isEmpty", "$list.size() $list.isEmpty() $list.empty", "3 false false"},
		{"get", "$list.get(1)", "b"},
		{"contains and indexOf", "$list.contains('b') $list.contains(1) $list.indexOf('c') $list.lastIndexOf('z') $map.l.contains(2)", "true false 2 -1 true"},
		{"add", "$list.add('d') $list.add(0, 'z')|$list", "true |[z, a, b, c, d]"},
		{"addAll", "$list.addAll([1, 2]) $list.addAll([]) $list", "true false [a, b, c, 1, 2]"},
		{"set and remove", "$list.set(0, 'A') $list.remove(1) $list.remove('c') $list.remove('c') $list", "a b true false [A]"},
		{"subList, containsAll, clear", "$list.subList(1, 3) $list.containsAll(['a', 'b']) $list.containsAll(['z']) $list.clear()$list", "[b, c] true false []"},
		{"a sub-list is one of its own", "#set($x = $list.subList(0, 1))#set($y = $x.add('n'))$list $x", "[a, b, c] [a, n]"},
		{"toArray", "$map.keySet().toArray()[1]", "x"},
		{"equals", "$list.equals(['a', 'b', 'c']) $list.equals('[a, b, c]')", "true false"},
		{"toString", "$list.toString().length()", "9"},
		{"what Java has not", "[$list.get('a') $list.foo() $list.length()]", "[  ]"},
	})
}

func TestMethodsOfMaps(t *testing.T) {
	check(t, &Data{}, []rendering{
		{"get", "$map.get('k') [$map.get('z')] $map.getOrDefault('z', 7) $map.getOrDefault('k', 7)", "v [] 7 v"},
		{"put returns what was there", "[$map.put('n', 1)] $map.put('k', 2) $map", "[] v {k=2, x=1, l=[1, 2], n=1}"},
		{"putIfAbsent and putAll", "$map.putIfAbsent('k', 2) $map.putAll({'a': 1})$map", "v {k=v, x=1, l=[1, 2], a=1}"},
		{"remove and clear", "$map.remove('k') $map.size() $map.clear()$map $map.isEmpty()", "v 2 {} true"},
		{"containsKey and containsValue", "$map.containsKey('k') $map.containsKey('z') $map.containsValue(1) $map.containsValue('1')", "true false true false"},
		{"keySet, values, entrySet", "$map.keySet() $map.values() $map.entrySet()", "[k, x, l] [v, 1, [1, 2]] [k=v, x=1, l=[1, 2]]"},
		{"keys that are no texts", "#set($m = {1: 'a', true: 'b'})$m.get(1) $m[1] $m.get('1') $m.get(true)", "a a a b"},
	})
}

func TestMethodsOfNumbers(t *testing.T) {
	check(t, &Data{Body: []byte(`{"d":2.75}`)}, []rendering{
		{"conversions", "$n.intValue() $n.doubleValue() $input.path('$.d').intValue() $n.toString().length()", "5 5.0 2 1"},
		{"parseInt", "#set($x = $n.parseInt('12') + 1)$x $n.parseDouble('1.5')", "13 1.5"},
		{"compareTo", "$n.compareTo(6) $n.compareTo(5)", "-1 0"},
		{"of booleans", "$yes.toString() $yes.equals(true)", "true true"},
	})
}
