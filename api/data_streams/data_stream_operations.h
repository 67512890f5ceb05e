// The operations of the Data Streams service, between the request's members and the answer's body. Internal
// to the data stream files; data_stream_service.cc is the door.
//
// Threads: on the worker pool, any number at once; those of putting on the request's strand too, as they do
//          not wait for the disk.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/aws/aws_error.h"
#include "api/aws/aws_input.h"
#include "api/aws/aws_names.h"
#include "api/aws/aws_output.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/services.h"
#include "storage/record_log.h"

namespace millrace::api {

struct DataStreamRequest {
  const boost::json::object& members;
  AwsEncoding encoding = AwsEncoding::kJson;  // of the request, and so of its answer
};

// The answer's body in the request's encoding; empty: an answer without one.
using AwsAnswer = AwsResult<std::string>;
using DataStreamOperation = AwsAnswer (*)(const DataStreamServices&, const DataStreamRequest&);

// -- data_stream_control.cc
AwsAnswer CreateDataStream(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DeleteDataStream(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DescribeDataStream(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer SummarizeDataStream(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer ListDataStreams(const DataStreamServices& services, const DataStreamRequest& request);

// -- data_stream_shards.cc
AwsAnswer ListShards(const DataStreamServices& services, const DataStreamRequest& request);
void WriteShard(AwsOutput& output, const storage::ShardDescription& shard);
// The stream that a NextToken of ListShards goes on with; empty: it is none, or is over.
std::string ListedStream(const DataStreamServices& services, const std::string& token);

// -- data_stream_consumers.cc
AwsAnswer RegisterStreamConsumer(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DescribeStreamConsumer(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer ListStreamConsumers(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DeregisterStreamConsumer(const DataStreamServices& services, const DataStreamRequest& request);

// -- data_stream_resharding.cc
AwsAnswer SplitShard(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer MergeShards(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer UpdateShardCount(const DataStreamServices& services, const DataStreamRequest& request);

// -- data_stream_configuration.cc
AwsAnswer IncreaseRetention(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DecreaseRetention(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer UpdateStreamMode(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer UpdateMaxRecordSize(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer UpdateWarmThroughput(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer UpdateRecordDistribution(const DataStreamServices& services, const DataStreamRequest& request);
// At most just above what CheckSettings lets pass.
std::optional<std::uint32_t> ReadWarmThroughput(AwsInput& input, bool required);
void WriteWarmThroughput(AwsOutput& output, const DataStreamSettings& settings);
// What of the settings of an on-demand stream does not fit with the others; none: all does.
std::optional<AwsError> CheckSettings(const DataStreamServices& services, const std::string& name,
                                      const DataStreamSettings& settings);

// -- data_stream_monitoring.cc
AwsAnswer EnableMonitoring(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DisableMonitoring(const DataStreamServices& services, const DataStreamRequest& request);
void WriteShardMetrics(AwsOutput& output, const std::set<std::string>& metrics);

// -- data_stream_encryption.cc
AwsAnswer StartStreamEncryption(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer StopStreamEncryption(const DataStreamServices& services, const DataStreamRequest& request);
void WriteEncryption(AwsOutput& output, const storage::StreamDescription& stream);

// -- data_stream_tags.cc
AwsAnswer AddTagsToStream(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer RemoveTagsFromStream(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer ListTagsForStream(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer TagResource(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer UntagResource(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer ListTagsForResource(const DataStreamServices& services, const DataStreamRequest& request);
using TagMap = std::map<std::string, std::string>;
// Whether `added` may be put on a stream or consumer of this name that has `tags`.
std::optional<AwsError> CheckTags(const DataStreamServices& services, const std::string& name,
                                  const TagMap& tags, const TagMap& added);

// -- data_stream_policies.cc
AwsAnswer PutResourcePolicy(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer GetResourcePolicy(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DeleteResourcePolicy(const DataStreamServices& services, const DataStreamRequest& request);

// -- data_stream_attributes.cc: what streams and registered consumers both have
struct ResourceAttributes {
  TagMap tags;
  std::string policy;  // JSON text; empty: none
};
// Errors: ResourceNotFoundException.
AwsResult<ResourceAttributes> AttributesOf(const DataStreamServices& services,
                                           const DataResourceName& resource);
// Durably. Errors: also those of `change`.
using AttributesChange = std::function<std::optional<AwsError>(ResourceAttributes&)>;
std::optional<AwsError> ChangeAttributes(const DataStreamServices& services, const DataResourceName& resource,
                                         const AttributesChange& change);

// -- data_stream_account.cc
AwsAnswer DescribeLimits(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer DescribeAccountSettings(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer UpdateAccountSettings(const DataStreamServices& services, const DataStreamRequest& request);
// Whether the account has committed itself to a minimum throughput: then on-demand streams may be warmed.
Result<bool> HasCommitment(const DataStreamServices& services);

// -- data_stream_reading.cc
// Where a reader starts, and the words of the errors around it.
struct IteratorRequest {
  std::string stream;
  std::string shard_text;
  std::string type;  // "AFTER_SEQUENCE_NUMBER"
  std::optional<std::string> number;
  std::optional<Timestamp> time;
};
AwsResult<storage::ShardPosition> SeekShard(const DataStreamServices& services,
                                            const Result<DataStream>& stream, IteratorRequest asked);
// `fragments`: of the fragment log. A fragment can be larger than any answer, and is media: its record is
// seen as a descriptor, and its data are not read.
storage::ReadLimits LimitsOfRead(bool fragments, std::size_t records_max, std::uint64_t bytes_max);
std::size_t SizeOfRecords(bool fragments, const std::vector<storage::Record>& records);  // written; about
std::optional<AwsError> WriteRecords(AwsOutput& output, const DataStreamServices& services, bool fragments,
                                     std::vector<storage::Record> records);
void WriteChildren(AwsOutput& output, const std::vector<storage::ShardDescription>& children);
AwsAnswer GetShardIterator(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer GetRecords(const DataStreamServices& services, const DataStreamRequest& request);

// -- data_stream_writing.cc
struct PutRequest {
  std::string stream;
  std::vector<storage::PutRecord> records;
};
using PutReceipts = std::vector<AwsResult<storage::PutReceipt>>;
AwsResult<PutRequest> ReadPutRecord(const DataStreamServices& services, const DataStreamRequest& request);
AwsResult<PutRequest> ReadPutRecords(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer AnswerPutRecord(const DataStreamServices& services, const std::string& stream, AwsEncoding encoding,
                          PutReceipts receipts);
AwsAnswer AnswerPutRecords(const DataStreamServices& services, const std::string& stream,
                           AwsEncoding encoding, PutReceipts receipts);

// -- data_stream_errors.cc: what many share, and errors in the service's words
// The stream as the catalog has changed it; not one that is internal.
AwsResult<DataStream> ChangeDataStream(const DataStreamServices& services,
                                       const std::optional<DataStreamName>& named,
                                       const DataStreamCatalog::StreamChange& change,
                                       bool internal_too = false);
AwsError NoDataStream(const DataStreamServices& services, const std::string& stream);
AwsError NoDataStreamNamed();
// The name of the stream that a request names; else the error: none is named, or one of another account.
AwsResult<std::string> OurDataStream(const DataStreamServices& services,
                                     const std::optional<DataStreamName>& named);
AwsError InternalDataStream(const DataStreamServices& services, const std::string& stream);
AwsError RateExceeded(const DataStreamServices& services, const std::string& stream, storage::ShardId shard);
AwsError InvalidArgument(std::string message);
AwsError TooManyShards(const DataStreamServices& services, std::uint32_t more);
AwsError DryRunDone();
// Of an error of the catalog or the log about this stream: kNotFound in the service's words, others as they
// are.
AwsError OfDataStream(const DataStreamServices& services, const std::string& stream, AwsError error);

}  // namespace millrace::api
