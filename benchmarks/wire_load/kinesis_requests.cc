#include "benchmarks/wire_load/kinesis_requests.h"

#include <vector>

namespace millrace::bench {

std::string RequestMaker::Make(std::string_view operation, const std::string& body) const {
  using Field = wire::SignedParts::Field;
  std::vector<Field> headers = {{"Content-Type", "application/x-amz-json-1.1"},
                                {"X-Amz-Target", "Kinesis_20131202." + std::string(operation)}};
  if (key) {
    const wire::SignedParts parts{"POST", "/", {}, headers, host};
    const std::string hash = wire::Hex(wire::Sha256Of(AsBytes(body)));
    for (Field& field :
         wire::SignatureHeaders(*key, "us-east-1", "kinesis", SystemClock().Now(), parts, hash)) {
      headers.push_back(std::move(field));
    }
  } else {
    headers.emplace_back("X-Amz-Date", "20261121T000000Z");
    headers.emplace_back("Authorization",
                         "AWS4-HMAC-SHA256 Credential=any/20261121/us-east-1/kinesis/aws4_request, "
                         "SignedHeaders=host, Signature=0");
  }
  std::string request =
      "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  for (const Field& field : headers) request += field.first + ": " + field.second + "\r\n";
  return request + "\r\n" + body;
}

std::string RequestMaker::Put(const std::string& stream, std::size_t batch, std::size_t first_key,
                              const std::string& data) const {
  auto record = [&](std::size_t i) {
    return R"("PartitionKey":"key-)" + std::to_string(first_key + i) + R"(","Data":")" + data + "\"";
  };
  std::string body = R"({"StreamName":")" + stream + R"(",)";
  if (batch == 1) return Make("PutRecord", body + record(0) + "}");
  body += R"("Records":[)";
  for (std::size_t i = 0; i < batch; ++i) body += (i > 0 ? ",{" : "{") + record(i) + "}";
  return Make("PutRecords", body + "]}");
}

std::string RequestMaker::GetShardIterator(const std::string& stream, const std::string& shard,
                                           const std::string& type) const {
  return Make("GetShardIterator", R"({"StreamName":")" + stream + R"(","ShardId":")" + shard +
                                      R"(","ShardIteratorType":")" + type + "\"}");
}

std::string RequestMaker::GetRecords(std::string_view iterator) const {
  return Make("GetRecords", R"({"ShardIterator":")" + std::string(iterator) + "\"}");
}

std::string RequestMaker::Subscribe(const std::string& consumer_arn, const std::string& shard) const {
  return Make("SubscribeToShard", R"({"ConsumerARN":")" + consumer_arn + R"(","ShardId":")" + shard +
                                      R"(","StartingPosition":{"Type":"LATEST"}})");
}

std::string_view JsonText(std::string_view body, std::string_view name) {
  std::string quoted = "\"";
  quoted += name;
  quoted += "\":\"";
  const std::size_t at = body.find(quoted);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = body.substr(at + quoted.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace millrace::bench
