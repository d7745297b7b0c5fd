package expression

import "testing"

func TestUpdate(t *testing.T) {
	const item = `{"n":{"N":"5"},"s":{"S":"hello"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"},"l":{"L":[{"M":{"x":{"N":"1"}}}]}}},"ss":{"SS":["x","z"]},"ns":{"NS":["1"]}}`
	for _, c := range []struct{ source, want string }{
		{"SET a = :n", `{"a":{"N":"5"}}`},
		{"set a = :n, b = :s", `{"a":{"N":"5"},"b":{"S":"hello"}}`},
		{"SET n = n + :n", `{"n":{"N":"10"}}`},
		{"SET n = :n9 - n", `{"n":{"N":"4"}}`},
		{"SET a = n, n = :n9", `{"a":{"N":"5"},"n":{"N":"9"}}`},
		{"SET n = (n + :n)", `{"n":{"N":"10"}}`},
		{"SET n = (n) - (:n)", `{"n":{"N":"0"}}`},
		{"SET a = if_not_exists(a, :n)", `{"a":{"N":"5"}}`},
		{"SET n = if_not_exists(n, :n9)", `{"n":{"N":"5"}}`},
		{"SET hits = if_not_exists(hits, :n) + :n9", `{"hits":{"N":"14"}}`},
		{"SET a = if_not_exists(a, if_not_exists(b, n))", `{"a":{"N":"5"}}`},
		{"SET l = list_append(l, :l)", `{"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"},{"N":"1"},{"S":"x"}]}}`},
		{"SET l = list_append(:l, if_not_exists(gone, :l))", `{"l":{"L":[{"N":"1"},{"S":"x"},{"N":"1"},{"S":"x"}]}}`},
		{"SET l[1] = :s", `{"l":{"L":[{"N":"0"},{"S":"hello"},{"N":"2"}]}}`},
		{"SET l[9] = :s, l[7] = :n", `{"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"},{"N":"5"},{"S":"hello"}]}}`},
		{"SET m.a = :n", `{"m":{"M":{"a":{"N":"5"},"k":{"S":"v"},"l":{"L":[{"M":{"x":{"N":"1"}}}]}}}}`},
		{"SET m.l[0].x = m.l[0].x + :n", `{"m":{"M":{"k":{"S":"v"},"l":{"L":[{"M":{"x":{"N":"6"}}}]}}}}`},
		{"SET #m.#k = :n", `{"m":{"M":{"k":{"N":"5"},"l":{"L":[{"M":{"x":{"N":"1"}}}]}}}}`},
		{"REMOVE n", `{"n":null}`},
		{"REMOVE n, gone, m.k", `{"n":null,"m":{"M":{"l":{"L":[{"M":{"x":{"N":"1"}}}]}}}}`},
		{"REMOVE l[0], l[1]", `{"l":{"L":[{"N":"2"}]}}`},
		{"REMOVE l[2], l[0], l[8]", `{"l":{"L":[{"N":"1"}]}}`},
		{"REMOVE l[0] SET l[1] = :s, l[5] = :n", `{"l":{"L":[{"S":"hello"},{"N":"2"},{"N":"5"}]}}`},
		{"REMOVE m.l[0].x", `{"m":{"M":{"k":{"S":"v"},"l":{"L":[{"M":{}}]}}}}`},
		{"ADD n :n", `{"n":{"N":"10"}}`},
		{"ADD a :n", `{"a":{"N":"5"}}`},
		{"ADD ss :ss, ns :ns", `{"ss":{"SS":["x","z","y"]},"ns":{"NS":["1","2"]}}`},
		{"ADD a :ss", `{"a":{"SS":["y","x"]}}`},
		{"ADD m.c :n", `{"m":{"M":{"c":{"N":"5"},"k":{"S":"v"},"l":{"L":[{"M":{"x":{"N":"1"}}}]}}}}`},
		{"DELETE ss :ss", `{"ss":{"SS":["z"]}}`},
		{"DELETE ns :ns", `{"ns":null}`},
		{"DELETE gone :ss", `{}`},
		{"SET a = :n REMOVE n ADD ns :ns DELETE ss :ss", `{"a":{"N":"5"},"n":null,"ns":{"NS":["1","2"]},"ss":{"SS":["z"]}}`},
	} {
		u, err := ParseUpdate(c.source, bind(t, []string{"m", "k"}, testValues))
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		before := itemOf(t, item)
		got, err := u.Apply(before)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		want := itemOf(t, item)
		for name, v := range changes(t, c.want) {
			if v == nil {
				want.Delete(name)
			} else {
				want.Set(name, v)
			}
		}
		if string(got.AppendJSON(nil)) != string(want.AppendJSON(nil)) {
			t.Errorf("%s\n got %s\nwant %s", c.source, got.AppendJSON(nil), want.AppendJSON(nil))
		}
		if string(before.AppendJSON(nil)) != string(itemOf(t, item).AppendJSON(nil)) {
			t.Errorf("%s has changed the item that it was given", c.source)
		}
	}
}

func TestUpdateApplyErrors(t *testing.T) {
	const (
		noAttribute = "The provided expression refers to an attribute that does not exist in the item"
		operandType = "An operand in the update expression has an incorrect data type"
		badPath     = "The document path provided in the update expression is invalid for update"
	)
	for source, want := range map[string]string{
		"SET a = gone":                  noAttribute,
		"SET a = gone + :n":             noAttribute,
		"SET a = list_append(gone, :l)": noAttribute,
		"SET a = s + :n":                operandType,
		"SET a = list_append(n, :l)":    operandType,
		"ADD s :n":                      operandType,
		"ADD ss :ns":                    operandType,
		"DELETE ss :ns":                 operandType,
		"DELETE n :ns":                  operandType,
		"SET gone.a = :n":               badPath,
		"SET n.a = :n":                  badPath,
		"SET m[0] = :n":                 badPath,
		"SET l.a = :n":                  badPath,
		"SET l[7].a = :n":               badPath,
		"SET l[3] = :m, l[5][0] = :n":   badPath,
		"REMOVE gone.a":                 badPath,
		"ADD gone.a :n":                 badPath,
		"SET n = big + :big":            "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"ADD big :n":                    "Attempting to store more than 38 significant digits in a Number",
	} {
		u, err := ParseUpdate(source, bind(t, nil, testValues[:len(testValues)-1]+`,":big":{"N":"9E125"}}`))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if _, err := u.Apply(itemOf(t, `{"n":{"N":"5"},"s":{"S":"x"},"l":{"L":[{"N":"0"}]},"m":{"M":{}},"ss":{"SS":["x"]},"big":{"N":"9E125"}}`)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", source, err, want)
		}
	}
}

func TestUpdateErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                              "The expression can not be empty;",
		" ":                             `Syntax error; token: "<EOF>", near: ""`,
		"whatever":                      `Syntax error; token: "whatever", near: "whatever"`,
		"INVALID SYNTAX HERE":           `Syntax error; token: "INVALID", near: "INVALID SYNTAX"`,
		"set a":                         `Syntax error; token: "<EOF>", near: "a"`,
		"set a=set":                     `Syntax error; token: "set", near: "=set"`,
		"remove a = b":                  `Syntax error; token: "=", near: "a = b"`,
		"ADD hits : incr":               `Syntax error; token: ":", near: "hits : incr"`,
		"SET a = 1":                     `Syntax error; token: "1", near: "= 1"`,
		"delete a b":                    `Syntax error; token: "b", near: "a b"`,
		"set :a = b":                    `Syntax error; token: ":a", near: "set :a ="`,
		"set a = b / c":                 `Syntax error; token: "/", near: "b / c"`,
		"set a = b + c + d":             `Syntax error; token: "+", near: "c + d"`,
		"set a = (b.c).d":               `Syntax error; token: ".", near: ").d"`,
		"set (a = (b + c))":             `Syntax error; token: "(", near: "set (a"`,
		"set a = f(b + c)":              `Syntax error; token: "+", near: "b + c"`,
		"set a = :n,":                   `Syntax error; token: "<EOF>", near: ","`,
		"set a = :n b = :n":             `Syntax error; token: "b", near: ":n b ="`,
		"set abort = :n":                "Attribute name is a reserved keyword; reserved keyword: abort",
		"set a = if_exists(a)":          "Invalid function name; function: if_exists",
		"set a = size(b)":               "Invalid function name; function: size",
		"set a = :n set b = :n":         `The "SET" section can only be used once in an update expression;`,
		"set #zz = :zz":                 "An expression attribute name used in the document path is not defined; attribute name: #zz",
		"set a = :zz":                   "An expression attribute value used in expression is not defined; attribute value: :zz",
		"set a = :n remove a.b":         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]",
		"set a[0] = :n, a.b = :n":       "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0]], path two: [a, b]",
		"add a :s":                      "Incorrect operand type for operator or function; operator: ADD, operand type: STRING",
		"delete a :n":                   "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER",
		"set a = if_not_exists(a)":      "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
		"set a = if_not_exists(:n, :n)": "Operator or function requires a document path; operator or function: if_not_exists",
		"set a = list_append(a, :n)":    "Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
		"set a = a + :s":                "Incorrect operand type for operator or function; operator or function: +, operand type: S",
	} {
		_, err := ParseUpdate(source, bind(t, nil, testValues))
		if err == nil || err.Error() != "Invalid UpdateExpression: "+want {
			t.Errorf("%s\n got %v\nwant Invalid UpdateExpression: %s", source, err, want)
		}
	}
}

func TestUpdateCreates(t *testing.T) {
	for source, want := range map[string]bool{"SET a = :n": true, "ADD a :n": true, "REMOVE a": false, "DELETE a :ss": false, "REMOVE a SET b = :n": true} {
		u, err := ParseUpdate(source, bind(t, nil, testValues))
		if err != nil || u.Creates() != want {
			t.Errorf("%s creates: %v, want %v (%v)", source, !want, want, err)
		}
	}
}
