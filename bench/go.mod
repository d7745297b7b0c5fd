module github.com/gatepost-dev/gatepost/bench

go 1.26.0

require (
	github.com/aws/aws-lambda-go v1.55.1
	github.com/gatepost-dev/gatepost v0.0.0
	github.com/gorilla/websocket v1.5.3
	golang.org/x/sys v0.49.0
)

require (
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/ws v1.5.0 // indirect
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.2 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace github.com/gatepost-dev/gatepost => ../
