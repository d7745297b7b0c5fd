// Package push sends messages to the clients of an API Gateway WebSocket API:
// it keeps the roster of their connections and posts to them.
//
// A Roster knows who is connected. The $connect function adds a connection,
// the $disconnect function removes it, and the Publisher removes it too when
// API Gateway answers 410, because $disconnect is not reliable. A Publisher
// takes a message and a Target and posts the message to every connection of
// the target, many at a time:
//
//	roster := push.NewDynamoDB(dynamodb.NewFromConfig(cfg), "SocketRoster", push.DynamoDBOptions{})
//	poster, err := push.PosterForEndpoint(cfg, callbackURL, push.PosterOptions{})
//	...
//	publisher := &push.Publisher{Roster: roster, Poster: poster}
//	report, err := publisher.Publish(ctx, push.Everyone, []byte(`{"stock":3}`))
//
// The same code runs on AWS and on anything else that speaks the DynamoDB API
// and the API Gateway Management API. The folder function beside this package
// holds Lambda functions made of it, the folder deploy the files that set them
// up, and README.md the data model and the failure modes.
package push
