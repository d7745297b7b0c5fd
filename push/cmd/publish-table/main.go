// Command publish-table is the Lambda function behind a table's stream of push/function/publish.
package main

import "github.com/gatepost-dev/gatepost/push/function/publish"

func main() { publish.TableMain() }
