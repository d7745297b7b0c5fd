package gateway

import (
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/throttle"
)

// keyring holds the API keys that open the stage, by the hashes of their
// values: looking a key up takes the same time however much of it is right.
type keyring struct {
	byHash map[[sha256.Size]byte]*usage
	// fromAuthorizer: the key is what the authorizer found, not a header.
	fromAuthorizer bool
}

// usage is what one API key may do under its usage plan. Handshakes and messages
// count alike: AWS says "requests", and does not say which of a WebSocket API's
// these are.
type usage struct {
	key    *apigw.APIKey
	limit  *throttle.Bucket
	routes map[string]*throttle.Bucket
	quota  *throttle.Quota
}

func newKeyring(api *apigw.API) (*keyring, error) {
	k := &keyring{byHash: make(map[[sha256.Size]byte]*usage)}
	switch api.APIKeySelectionExpression {
	case "", apigw.APIKeyFromHeader:
	case apigw.APIKeyFromAuthorizer:
		k.fromAuthorizer = true
	default:
		return nil, fmt.Errorf("the API key selection expression %q is neither %s nor %s", api.APIKeySelectionExpression, apigw.APIKeyFromHeader, apigw.APIKeyFromAuthorizer)
	}
	for i := range api.UsagePlans {
		if err := k.add(&api.UsagePlans[i]); err != nil {
			return nil, fmt.Errorf("usage plan %s: %w", api.UsagePlans[i].Name, err)
		}
	}
	return k, nil
}

func (k *keyring) add(plan *apigw.UsagePlan) error {
	if q := plan.Quota; q != nil && q.Period != throttle.Day && q.Period != throttle.Week && q.Period != throttle.Month {
		return fmt.Errorf("the quota's period %q is none of DAY, WEEK and MONTH", q.Period)
	}
	for i := range plan.Keys {
		key := &plan.Keys[i]
		if !key.Enabled {
			continue
		}
		if key.Value == "" {
			return fmt.Errorf("the API key %s has no value", key.Name)
		}
		hash := sha256.Sum256([]byte(key.Value))
		if k.byHash[hash] != nil {
			return fmt.Errorf("the API key %s is there twice; a key belongs to one plan of a stage", key.Name)
		}
		k.byHash[hash] = newUsage(plan, key)
	}
	return nil
}

func newUsage(plan *apigw.UsagePlan, key *apigw.APIKey) *usage {
	u := &usage{key: key, limit: throttled(plan.Throttle)}
	if q := plan.Quota; q != nil {
		u.quota = throttle.NewQuota(q.Limit, q.Offset, q.Period, nil)
	}
	if len(plan.RouteThrottles) > 0 {
		u.routes = make(map[string]*throttle.Bucket, len(plan.RouteThrottles))
	}
	for route, t := range plan.RouteThrottles {
		u.routes[route] = throttled(&t)
	}
	return u
}

// find returns what a key's value opens, or nil.
func (k *keyring) find(value string) *usage {
	if value == "" {
		return nil
	}
	return k.byHash[sha256.Sum256([]byte(value))]
}

// allowRate reports whether the key's rates have room for a request on a route.
// It may be called on nil, for a connection without a key.
func (u *usage) allowRate(routeKey string) bool {
	return u == nil || u.routes[routeKey].Allow() && u.limit.Allow()
}

// allowQuota counts a request.
func (u *usage) allowQuota() bool { return u == nil || u.quota.Allow() }

// checkAPIKey asks for the key of a usage plan, where $connect requires one,
// and counts the handshake.
func (o *opening) checkAPIKey() *refusal {
	keys := o.d.connect.keys
	if keys == nil {
		return nil
	}
	value := o.h.get("x-api-key")
	if keys.fromAuthorizer {
		value = o.usageKey
	}
	u := keys.find(value)
	switch {
	case u == nil:
		return refuse(http.StatusForbidden, forbidden, "Forbidden").because("no API key, or one that does not open the stage")
	case !u.allowRate(apigw.RouteConnect):
		return refuse(http.StatusTooManyRequests, tooManyRequests, textTooMany).because("the rate of the API key %s", u.key.Name)
	case !u.allowQuota():
		return refuse(http.StatusTooManyRequests, limitExceeded, textLimit).because("the quota of the API key %s", u.key.Name)
	}
	o.s.usage = u
	p := o.s.principal()
	p.APIKey, p.APIKeyID = u.key.Value, u.key.ID
	return nil
}
