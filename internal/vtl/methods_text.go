package vtl

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxPattern is the length of the longest regular expression in a template.
const maxPattern = 1000

// textMethod is a method of java.lang.String. Lengths and places count UTF-16
// units, as Java's do.
func (e *execution) textMethod(s, name string, args []value) (value, error) {
	if err := e.spend(len(s) / textPerStep); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return simpleTextMethod(s, name), nil
	}
	switch name {
	case "substring", "subSequence", "charAt":
		return cut(s, name, args)
	case "indexOf", "lastIndexOf":
		return find(s, name, args)
	case "replaceAll", "replaceFirst", "matches", "split":
		return e.patternMethod(s, name, args)
	case "replace":
		if !signature(args, "ss") {
			return nil, nil
		}
		return e.replace(s, textArg(args, 0), textArg(args, 1))
	case "concat":
		if !signature(args, "s") {
			return nil, nil
		}
		return e.join(s, args[0])
	case "valueOf":
		return e.textOf(args[0])
	}
	if !signature(args, "s") {
		return nil, nil
	}
	return compareTexts(s, name, textArg(args, 0)), nil
}

func simpleTextMethod(s, name string) value {
	switch name {
	case "length":
		return intOf(int64(units(s)))
	case "isEmpty":
		return s == ""
	case "trim":
		// Java's trim takes every control character too.
		return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	case "toLowerCase":
		return strings.ToLower(s)
	case "toUpperCase":
		return strings.ToUpper(s)
	}
	return nil
}

func compareTexts(s, name, other string) value {
	switch name {
	case "contains":
		return strings.Contains(s, other)
	case "startsWith":
		return strings.HasPrefix(s, other)
	case "endsWith":
		return strings.HasSuffix(s, other)
	case "equalsIgnoreCase":
		return strings.EqualFold(s, other)
	case "compareTo":
		return intOf(int64(strings.Compare(s, other)))
	}
	return nil
}

// units is the length of a text in UTF-16.
func units(s string) int {
	if isASCII(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// cut is substring and charAt. Half of a surrogate pair becomes U+FFFD.
func cut(s, name string, args []value) (value, error) {
	length := units(s)
	from, to := 0, length
	switch {
	case signature(args, "i") && name == "charAt":
		from = intArg(args, 0)
		to = from + 1
	case signature(args, "i") && name == "substring":
		from = intArg(args, 0)
	case signature(args, "ii") && name != "charAt":
		from, to = intArg(args, 0), intArg(args, 1)
	default:
		return nil, nil
	}
	if from < 0 || to < from || to > length {
		return nil, fmt.Errorf("%s reaches from %d to %d in a text of %d characters; ask its length() first", name, from, to, length)
	}
	if isASCII(s) {
		return s[from:to], nil
	}
	return string(utf16.Decode(utf16.Encode([]rune(s))[from:to])), nil
}

// find is indexOf and lastIndexOf.
func find(s, name string, args []value) (value, error) {
	from := 0
	if !signature(args, "s") {
		if name != "indexOf" || !signature(args, "si") {
			return nil, nil
		}
		from = max(0, intArg(args, 1))
	}
	before, err := cut(s, "substring", []value{intOf(0), intOf(int64(min(from, units(s))))})
	if err != nil {
		return nil, err
	}
	skipped := min(len(before.(string)), len(s))
	place := strings.Index(s[skipped:], textArg(args, 0))
	if name == "lastIndexOf" {
		place = strings.LastIndex(s, textArg(args, 0))
	}
	if place < 0 {
		return intOf(-1), nil
	}
	return intOf(int64(units(s[:skipped+place]))), nil
}

func (e *execution) replace(s, old, with string) (value, error) {
	size := len(s) + strings.Count(s, old)*(len(with)-len(old))
	if err := e.checkText(size); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s, old, with), e.spend(size / textPerStep)
}

// pattern compiles a regular expression, once a run. They are RE2's, whose
// time is bounded, rather than Java's.
func (e *execution) pattern(source string) (*regexp.Regexp, error) {
	if re := e.patterns[source]; re != nil {
		return re, nil
	}
	if len(source) > maxPattern {
		return nil, fmt.Errorf("the regular expression has %d bytes; %d are allowed", len(source), maxPattern)
	}
	// Compiling may cost a thousand times the length.
	if err := e.spend(100 + 10*len(source)); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, fmt.Errorf("%w (look-around and back-references are not supported)", err)
	}
	if e.patterns == nil {
		e.patterns = map[string]*regexp.Regexp{}
	}
	e.patterns[source] = re
	return re, nil
}

func (e *execution) patternMethod(s, name string, args []value) (value, error) {
	source, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	if name == "matches" {
		source = `\A(?:` + source + `)\z`
	}
	re, err := e.pattern(source)
	if err != nil {
		return nil, err
	}
	// Matching looks at each byte once for each part of the pattern.
	if err := e.spend(len(s) * (1 + len(source)/8) / 16); err != nil {
		return nil, err
	}
	switch {
	case name == "matches" && len(args) == 1:
		return re.MatchString(s), nil
	case name == "replaceAll" && signature(args, "ss"):
		return e.substitute(s, re, textArg(args, 1), -1)
	case name == "replaceFirst" && signature(args, "ss"):
		return e.substitute(s, re, textArg(args, 1), 1)
	case name == "split" && len(args) == 1:
		return e.split(s, re, 0)
	case name == "split" && signature(args, "si"):
		return e.split(s, re, intArg(args, 1))
	}
	return nil, nil
}

// split is Java's: without a limit the empty texts at the end are left out.
func (e *execution) split(s string, re *regexp.Regexp, limit int) (value, error) {
	n := limit
	if n <= 0 || n > e.steps {
		// One more than may be paid for, so that it fails rather than cuts.
		n = e.steps + 2
	}
	parts := re.Split(s, n)
	for limit == 0 && len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	l := &list{items: make([]value, len(parts))}
	for i, p := range parts {
		l.items[i] = p
	}
	return l, e.spend(len(parts))
}

// substitute replaces the first n matches, all of them for -1. A match costs a
// step for each group, and no more are looked for than can be paid.
func (e *execution) substitute(s string, re *regexp.Regexp, with string, n int) (value, error) {
	groups := re.NumSubexp() + 1
	if n < 0 {
		n = e.steps/groups + 1
	}
	matches := re.FindAllStringSubmatchIndex(s, n)
	if err := e.spend(len(matches) * groups); err != nil {
		return nil, err
	}
	var b []byte
	done := 0
	for _, match := range matches {
		b = append(b, s[done:match[0]]...)
		var err error
		if b, err = e.appendReplacement(b, s, with, match); err != nil {
			return nil, err
		}
		done = match[1]
	}
	b = append(b, s[done:]...)
	if err := e.checkText(len(b)); err != nil {
		return nil, err
	}
	return string(b), e.spend(len(b) / textPerStep)
}

// appendReplacement writes a replacement in Java's notation: $1 is a group, a
// backslash takes the next character as it is.
func (e *execution) appendReplacement(b []byte, s, with string, match []int) ([]byte, error) {
	for i := 0; i < len(with); i++ {
		if err := e.checkText(len(b)); err != nil {
			return nil, err
		}
		switch c := with[i]; {
		case c == '\\' && i+1 < len(with):
			i++
			b = append(b, with[i])
		case c == '$' && i+1 < len(with) && isDigit(with[i+1]):
			i++
			group := int(with[i] - '0')
			if 2*group >= len(match) {
				return nil, fmt.Errorf("the regular expression has no group %d", group)
			}
			if from := match[2*group]; from >= 0 {
				b = append(b, s[from:match[2*group+1]]...)
			}
		case c == '$' || c == '\\':
			return nil, errors.New(`a $ or \ in a replacement needs a \ before it`)
		default:
			b = append(b, c)
		}
	}
	return b, nil
}
