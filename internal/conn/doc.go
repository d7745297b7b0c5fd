// Package conn owns a WebSocket connection after its upgrade: Conn reads the
// client's frames as RFC 6455 demands, writes messages without ever making a
// sender wait, and ends once, with a named Reason; Hub holds this node's
// connections, fans out to them, and ends those that are idle or old. Where it is
// asked for, messages are compressed (RFC 7692).
//
// A connection costs one goroutine, the reader, which holds no buffer while
// the client is silent. There is no writer goroutine: whoever sends writes,
// without blocking, and only a connection whose socket is full gets a
// goroutine, for as long as bytes are pending. DESIGN.md says why.
package conn
