package gatepost

import (
	"context"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
)

// openStreams makes the data streams. They are journals of the bus.
func (h *house) openStreams(ctx context.Context) (err error) {
	h.kinesis, err = kinesis.New(ctx, kinesis.Config{Bus: h.bus, Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, Log: h.cfg.Log})
	if err != nil {
		return fmt.Errorf("open the data streams: %w", err)
	}
	h.onClose(h.kinesis.Close)
	for _, d := range h.cfg.Stack.Streams {
		if err := h.kinesis.EnsureStream(ctx, d); err != nil {
			return fmt.Errorf("make the data stream %s: %w", d.Name, err)
		}
	}
	return nil
}
