package gatepost

import "github.com/gatepost-dev/gatepost/internal/eventsource"

// streams returns the streams of a service for the mappings, or nil.
func (h *house) streams(service string) eventsource.Stream { return nil }
