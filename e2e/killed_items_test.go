package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// itemLoad writes the items of one owner, one write after the other.
type itemLoad struct {
	*load
	owner string
	// known are the versions of the items that are there, by sort key.
	known map[string]int
	// doubt is what known is if the write that the program was killed with has
	// happened; nil when there was none.
	doubt map[string]int
	last  int // the latest version
}

func newItemLoad(l *load, owner string) *itemLoad {
	return &itemLoad{load: l, owner: owner, known: make(map[string]int)}
}

// step makes one write. Only its answer makes it known.
func (i *itemLoad) step(c calls) error {
	i.last++
	i.doubt = maps.Clone(i.known)
	key := fmt.Sprint("item", rand.IntN(12))
	var err error
	switch rand.IntN(6) {
	case 0:
		delete(i.doubt, key)
		_, err = c.tables.DeleteItem(forever, &dynamodb.DeleteItemInput{TableName: aws.String("items"), Key: i.key(key)})
	case 1:
		i.doubt[key] = i.last
		_, err = c.tables.UpdateItem(forever, &dynamodb.UpdateItemInput{TableName: aws.String("items"), Key: i.key(key),
			UpdateExpression:         aws.String("SET #v = :v, #o = :o"),
			ExpressionAttributeNames: map[string]string{"#v": "version", "#o": "owner"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":v": &types.AttributeValueMemberN{Value: strconv.Itoa(i.last)}, ":o": &types.AttributeValueMemberS{Value: i.owner}}})
	case 2:
		err = i.transact(c, key)
	case 3:
		err = i.batch(c, key)
	default:
		i.doubt[key] = i.last
		_, err = c.tables.PutItem(forever, &dynamodb.PutItemInput{TableName: aws.String("items"), Item: i.item(key)})
	}
	if err == nil {
		i.known, i.doubt = i.doubt, nil
		i.acknowledged.Add(1)
	}
	return err
}

// transact writes one item and deletes another, both or neither.
func (i *itemLoad) transact(c calls, key string) error {
	other := fmt.Sprint("pair", rand.IntN(3))
	i.doubt[other] = i.last
	delete(i.doubt, key)
	_, err := c.tables.TransactWriteItems(forever, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("items"), Item: i.item(other)}},
		{Delete: &types.Delete{TableName: aws.String("items"), Key: i.key(key)}},
	}})
	return err
}

// batch writes one item in a batch: of several, each could have happened without
// the others.
func (i *itemLoad) batch(c calls, key string) error {
	i.doubt[key] = i.last
	_, err := c.tables.BatchWriteItem(forever, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
		"items": {{PutRequest: &types.PutRequest{Item: i.item(key)}}},
	}})
	return err
}

func (i *itemLoad) key(sort string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: i.owner}, "sk": &types.AttributeValueMemberS{Value: sort}}
}

func (i *itemLoad) item(sort string) map[string]types.AttributeValue {
	item := i.key(sort)
	item["owner"] = &types.AttributeValueMemberS{Value: i.owner}
	item["version"] = &types.AttributeValueMemberN{Value: strconv.Itoa(i.last)}
	return item
}

// check reads the owner's items, from the table and from its index.
func (i *itemLoad) check(c calls) {
	i.t.Helper()
	table := i.read(c, nil, "pk")
	if index := i.read(c, aws.String("byOwner"), "owner"); !maps.Equal(index, table) {
		i.t.Errorf("%s: the table has %v, its index %v", i.owner, table, index)
	}
	if !maps.Equal(table, i.known) && (i.doubt == nil || !maps.Equal(table, i.doubt)) {
		i.t.Errorf("%s: the table has %v\nwant %v, or with the last write %v", i.owner, table, i.known, i.doubt)
	}
	i.known, i.doubt = table, nil
}

func (i *itemLoad) read(c calls, index *string, key string) map[string]int {
	i.t.Helper()
	out, err := c.tables.Query(forever, &dynamodb.QueryInput{TableName: aws.String("items"), IndexName: index, ConsistentRead: aws.Bool(index == nil),
		KeyConditionExpression: aws.String("#k = :k"), ExpressionAttributeNames: map[string]string{"#k": key},
		ExpressionAttributeValues: map[string]types.AttributeValue{":k": &types.AttributeValueMemberS{Value: i.owner}}})
	if err != nil {
		i.t.Fatal(err)
	}
	found := make(map[string]int)
	for _, item := range out.Items {
		version, err := strconv.Atoi(item["version"].(*types.AttributeValueMemberN).Value)
		if err != nil {
			i.t.Fatal(err)
		}
		found[item["sk"].(*types.AttributeValueMemberS).Value] = version
	}
	return found
}
