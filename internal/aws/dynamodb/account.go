package dynamodb

import (
	"context"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// refused are the operations that DynamoDB has and Gatepost does not: PartiQL,
// backups, exports and imports, replicas, policies and metering.
var refused = map[string]bool{
	"BatchExecuteStatement": true, "ExecuteStatement": true, "ExecuteTransaction": true,
	"CreateBackup": true, "DeleteBackup": true, "DescribeBackup": true, "ListBackups": true, "RestoreTableFromBackup": true,
	"DescribeContinuousBackups": true, "RestoreTableToPointInTime": true, "UpdateContinuousBackups": true,
	"DescribeExport": true, "ExportTableToPointInTime": true, "ListExports": true, "DescribeImport": true, "ImportTable": true, "ListImports": true,
	"CreateGlobalTable": true, "DescribeGlobalTable": true, "DescribeGlobalTableSettings": true, "ListGlobalTables": true, "UpdateGlobalTable": true, "UpdateGlobalTableSettings": true,
	"DescribeTableReplicaAutoScaling": true, "UpdateTableReplicaAutoScaling": true,
	"DescribeContributorInsights": true, "ListContributorInsights": true, "UpdateContributorInsights": true,
	"DescribeKinesisStreamingDestination": true, "DisableKinesisStreamingDestination": true, "EnableKinesisStreamingDestination": true, "UpdateKinesisStreamingDestination": true,
	"DeleteResourcePolicy": true, "GetResourcePolicy": true, "PutResourcePolicy": true,
}

// describeEndpoints answers the SDKs that look for an endpoint to use.
func (s *Service) describeEndpoints(_ context.Context, call *awswire.Call) (any, error) {
	type endpoint struct {
		Address              string
		CachePeriodInMinutes int
	}
	return map[string]any{"Endpoints": []endpoint{{call.Host, 1440}}}, nil
}

// describeLimits answers with the quotas of a new account. They are told and
// not kept: nothing here is throttled.
func (s *Service) describeLimits(context.Context, *awswire.Call) (any, error) {
	return map[string]int64{
		"AccountMaxReadCapacityUnits": 80_000, "AccountMaxWriteCapacityUnits": 80_000,
		"TableMaxReadCapacityUnits": 40_000, "TableMaxWriteCapacityUnits": 40_000,
	}, nil
}
