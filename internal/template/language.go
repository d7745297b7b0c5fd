package template

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// callGetAZs lists the zones of a region. Gatepost knows no region's zones, and
// so each has three, a to c.
func (e *evaluator) callGetAZs(n, argument *node) (*node, error) {
	region, err := e.text(argument)
	if err != nil {
		return nil, err
	}
	if region == "" {
		region = e.opts.Region
	}
	return e.produceList(n, []string{region + "a", region + "b", region + "c"})
}

// maxBlocks is how many blocks one Fn::Cidr makes, on AWS too.
const maxBlocks = 256

// callCidr is Fn::Cidr: the first blocks of a range, each with so many bits for
// its hosts.
func (e *evaluator) callCidr(n, argument *node) (*node, error) {
	args, err := e.arguments(n, argument, 2, 3, "a list of a range, a count and the bits of each block")
	if err != nil {
		return nil, err
	}
	var texts [3]string
	for i, arg := range args {
		if texts[i], err = e.text(arg); err != nil {
			return nil, err
		}
	}
	block, err := netip.ParsePrefix(texts[0])
	if err != nil {
		return nil, e.errorf(n, "%s is not a range such as 10.0.0.0/16", quote(texts[0]))
	}
	count, err := strconv.Atoi(texts[1])
	if err != nil || count < 1 || count > maxBlocks {
		return nil, e.errorf(n, "the count of Fn::Cidr is a number from 1 to %d, not %s", maxBlocks, quote(texts[1]))
	}
	all := block.Addr().BitLen()
	bits := 8
	if len(args) == 3 {
		if bits, err = strconv.Atoi(texts[2]); err != nil || bits < 1 || bits > all {
			return nil, e.errorf(n, "the bits of Fn::Cidr are a number from 1 to %d, not %s", all, quote(texts[2]))
		}
	} else if all == 128 {
		bits = 64
	}
	blocks := subBlocks(block.Masked(), count, all-bits)
	if blocks == nil {
		return nil, e.errorf(n, "the range %s has no room for %d blocks of %d bits", texts[0], count, bits)
	}
	return e.produceList(n, blocks)
}

// subBlocks returns the first blocks of a length within a range, or nil when
// there are not as many.
func subBlocks(within netip.Prefix, count, length int) []string {
	if length < within.Bits() || length-within.Bits() < 9 && count > 1<<(length-within.Bits()) {
		return nil
	}
	address := within.Addr().AsSlice()
	var blocks []string
	for range count {
		at, _ := netip.AddrFromSlice(address)
		blocks = append(blocks, fmt.Sprintf("%s/%d", at, length))
		carryAt(address, length)
	}
	return blocks
}

// carryAt adds one at the bit of this number, counted from the left and from 1.
func carryAt(address []byte, bit int) {
	if bit == 0 {
		return
	}
	add := 1 << ((8 - bit%8) % 8)
	for i := (bit - 1) / 8; i >= 0 && add > 0; i-- {
		sum := int(address[i]) + add
		address[i], add = byte(sum), sum>>8
	}
}

// callLength is Fn::Length of the LanguageExtensions: how many items a list has.
func (e *evaluator) callLength(n, argument *node) (*node, error) {
	items, err := e.list(argument)
	if err != nil {
		return nil, err
	}
	made, err := e.produce(n, strconv.Itoa(len(items)))
	if err == nil {
		made.kind = kindNumber
	}
	return made, err
}

// callToJSONString is Fn::ToJsonString of the LanguageExtensions.
func (e *evaluator) callToJSONString(n, argument *node) (*node, error) {
	if argument.kind != kindObject && argument.kind != kindList {
		return nil, e.errorf(n, "Fn::ToJsonString takes a map or a list, not %s", argument.kind)
	}
	text, err := e.jsonText(argument)
	if err != nil {
		return nil, err
	}
	return e.produce(n, text)
}

// callTransform is Fn::Transform: of all macros AWS::Include alone is known, and
// that is done before.
func (e *evaluator) callTransform(n, argument *node) (*node, error) {
	name := argument.field("Name")
	if name == nil || !name.isScalar() {
		return nil, e.errorf(n, "Fn::Transform takes a map with the Name of a macro")
	}
	return nil, e.unsupported(n, "Gatepost cannot run the macro %s; write out what it makes", quote(strings.TrimSpace(name.text)))
}
