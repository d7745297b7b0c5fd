package gatepost

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// withDefaults returns a stack with what a program may leave out. Templates
// leave nothing out: the loader has filled it in.
func withDefaults(s *stack.Stack) *stack.Stack {
	filled := *s
	filled.Region = cmp.Or(s.Region, "us-east-1")
	filled.Account = cmp.Or(s.Account, "000000000000")
	filled.Functions = slices.Clone(s.Functions)
	for i := range filled.Functions {
		fillFunction(&filled, &filled.Functions[i])
	}
	filled.APIs = slices.Clone(s.APIs)
	for i := range filled.APIs {
		fillAPI(&filled.APIs[i])
	}
	return &filled
}

// fillFunction gives AWS's defaults: 3 s and 128 MB.
func fillFunction(s *stack.Stack, f *stack.Function) {
	f.Name = cmp.Or(f.Name, f.LogicalID)
	f.ARN = cmp.Or(f.ARN, "arn:aws:lambda:"+s.Region+":"+s.Account+":function:"+f.Name)
	f.Timeout = cmp.Or(f.Timeout, 3*time.Second)
	f.MemoryMB = cmp.Or(f.MemoryMB, 128)
}

// fillAPI gives an id that stays the same from run to run.
func fillAPI(a *apigw.API) {
	a.Name = cmp.Or(a.Name, a.LogicalID)
	sum := sha256.Sum256([]byte(a.Name))
	a.ID = cmp.Or(a.ID, strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:10])
	a.RouteSelectionExpression = cmp.Or(a.RouteSelectionExpression, "$request.body.action")
	a.Stage.Name = cmp.Or(a.Stage.Name, "main")
}
