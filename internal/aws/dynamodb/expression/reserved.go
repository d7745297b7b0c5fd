package expression

import (
	_ "embed"
	"strings"
	"sync"
)

// reservedText is the list of the developer guide's appendix "Reserved words
// in DynamoDB": 573 words that an expression must not use as attribute names.
//
//go:embed reserved.txt
var reservedText string

var reservedWords = sync.OnceValue(func() map[string]struct{} {
	words := make(map[string]struct{})
	for word := range strings.FieldsSeq(reservedText) {
		words[word] = struct{}{}
	}
	return words
})

// longestReserved is the length of the longest reserved word, in bytes.
const longestReserved = 14

// isReserved reports whether name is a reserved word, in any case.
func isReserved(name string) bool {
	if len(name) > longestReserved {
		return false
	}
	_, ok := reservedWords()[strings.ToUpper(name)]
	return ok
}
