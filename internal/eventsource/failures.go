package eventsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// itemFailures reads the answer of a function with ReportBatchItemFailures. An
// answer that is not understood fails the whole batch, and one without
// batchItemFailures is a success ("Implementing partial batch responses" in the
// Lambda developer guide). Names are taken to the letter: BatchItemFailures,
// which encoding/json would take as well, reports nothing.
func itemFailures(out []byte) (ids []string, err error) {
	out = bytes.TrimSpace(out)
	if len(out) == 0 || string(out) == "null" {
		return nil, nil
	}
	var answer map[string]json.RawMessage
	var failures []map[string]*string
	err = json.Unmarshal(out, &answer)
	if list := answer["batchItemFailures"]; err == nil && list != nil {
		err = json.Unmarshal(list, &failures)
	}
	if err != nil {
		return nil, fmt.Errorf("the whole batch failed: the function's answer is not {\"batchItemFailures\":[…]}: %w", err)
	}
	for _, f := range failures {
		id := f["itemIdentifier"]
		if id == nil || *id == "" {
			return nil, errors.New("the whole batch failed: the function reported a failure without an itemIdentifier")
		}
		ids = append(ids, *id)
	}
	return ids, nil
}

// errUnknownItem is about a failure of something that is not in the batch.
func errUnknownItem(id string) error {
	const most = 100
	if len(id) > most {
		id = id[:most] + "…"
	}
	return fmt.Errorf("the whole batch failed: the function reported %q, which is not in the batch", id)
}
