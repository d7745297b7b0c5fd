package gateway

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/management"
)

// authorize asks whoever decides on $connect. What comes of it holds for the
// life of the connection.
func (o *opening) authorize() *refusal {
	switch o.d.connect.Authorization {
	case apigw.AuthorizationIAM:
		return o.authorizeIAM()
	case apigw.AuthorizationCustom:
		return o.authorizeCustom()
	}
	return nil
}

// authorizeIAM verifies a signature of version 4 over the empty body, in the
// headers or, for browsers, in the query ("Control access to WebSocket APIs with
// IAM authorization" in the developer guide). There are no IAM policies here:
// whoever has the credentials may connect.
func (o *opening) authorizeIAM() *refusal {
	signer, err := o.g.Verifier.VerifyHead(awswire.Head{
		Method: o.h.method, Target: o.h.target, Host: o.s.host, Headers: o.h.lines(),
	}, awswire.Scope{Region: o.g.Region, Service: management.SigningName})
	if err != nil {
		no := refuse(http.StatusForbidden, accessDenied, "Forbidden").because("%v", err)
		if wire, is := errors.AsType[*awswire.Error](err); is {
			no = refuse(http.StatusForbidden, wire.Code, wire.Message).because("%s", wire.Code)
		}
		return no
	}
	// The credentials are the account's own, which are called so on AWS.
	p := o.s.principal()
	p.AccountID, p.Caller, p.User = o.g.Account, o.g.Account, o.g.Account
	p.UserARN = "arn:aws:iam::" + o.g.Account + ":root"
	p.AccessKey = strings.Clone(signer.AccessKeyID)
	return nil
}

// principal is what the client proved, to be filled in.
func (s *session) principal() *apigw.Principal {
	if s.identity.Principal == nil {
		s.identity.Principal = new(apigw.Principal)
	}
	return s.identity.Principal
}
