package gatepost

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/gatepost-dev/gatepost/apigw"
)

// keyLength is how long AWS makes the values of API keys.
const keyLength = 40

// fillKeys gives a value to each API key that has none: the same one at every
// start of a data folder, and nobody's but that folder's.
func fillKeys(api *apigw.API, secret []byte) {
	for i := range api.UsagePlans {
		keys := api.UsagePlans[i].Keys
		for j := range keys {
			if keys[j].Value == "" {
				keys[j].Value = keyValue(secret, keys[j].LogicalID)
			}
		}
	}
}

func keyValue(secret []byte, id string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("API key " + id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:keyLength]
}

// keysOf returns the values of the API keys that open a stage, by name.
func keysOf(api *apigw.API) map[string]string {
	all := make(map[string]string)
	for _, plan := range api.UsagePlans {
		for _, key := range plan.Keys {
			if key.Enabled {
				all[key.Name] = key.Value
			}
		}
	}
	return all
}
