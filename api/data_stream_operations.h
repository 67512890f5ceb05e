// The operations of the Data Streams service, between the request's members and the answer's body. Internal
// to the data stream files; data_stream_service.cc is the door.
//
// Threads: on the worker pool, any number at once; those of putting on the request's strand too, as they do
//          not wait for the disk.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "api/aws_error.h"
#include "api/aws_output.h"
#include "api/services.h"
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

// -- data_stream_reading.cc
AwsAnswer GetShardIterator(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer GetRecords(const DataStreamServices& services, const DataStreamRequest& request);

// -- data_stream_writing.cc
struct PutRequest {
  std::string stream;
  std::vector<storage::PutRecord> records;
};
using PutReceipts = std::vector<Result<storage::PutReceipt>>;
AwsResult<PutRequest> ReadPutRecord(const DataStreamServices& services, const DataStreamRequest& request);
AwsResult<PutRequest> ReadPutRecords(const DataStreamServices& services, const DataStreamRequest& request);
AwsAnswer AnswerPutRecord(const DataStreamServices& services, const std::string& stream, AwsEncoding encoding,
                          PutReceipts receipts);
AwsAnswer AnswerPutRecords(const DataStreamServices& services, const std::string& stream,
                           AwsEncoding encoding, PutReceipts receipts);

// -- data_stream_errors.cc: errors that many share, in the service's words
AwsError NoDataStream(const DataStreamServices& services, const std::string& stream);
AwsError NoDataStreamNamed();
AwsError InternalDataStream(const DataStreamServices& services, const std::string& stream);
AwsError InvalidArgument(std::string message);
AwsError DryRunDone();
// Of an error of the catalog or the log about this stream: kNotFound in the service's words, others as they
// are.
AwsError OfDataStream(const DataStreamServices& services, const std::string& stream, Error error);

}  // namespace millrace::api
