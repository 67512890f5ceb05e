#include "api/data_streams/data_stream_access.h"

#include <algorithm>
#include <array>

#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/shard_iterator.h"

namespace millrace::api {
namespace {

constexpr std::string_view kActionPrefix = "kinesis:";
// On no stream, whatever their members say.
constexpr std::array<std::string_view, 4> kOfTheAccount{"ListStreams", "DescribeLimits",
                                                        "DescribeAccountSettings", "UpdateAccountSettings"};

// With our own region and account: there is one of each here. What is no ARN of a stream stays as it is; the
// operation refuses it.
std::string Canonical(const AwsIdentity& identity, std::string_view arn) {
  std::string_view rest = arn;
  for (int i = 0; i < 5; ++i) {
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return std::string(arn);
    rest.remove_prefix(colon + 1);
  }
  constexpr std::string_view kStream = "stream/";
  if (!rest.starts_with(kStream)) return std::string(arn);
  rest.remove_prefix(kStream.size());
  const auto slash = rest.find('/');
  std::string text = identity.DataStreamArn(rest.substr(0, slash));
  if (slash != std::string_view::npos) text += rest.substr(slash);
  return text;
}

}  // namespace

std::vector<std::string> ResourcesOf(const DataStreamServices& services, std::string_view operation,
                                     const boost::json::object& members) {
  if (std::find(kOfTheAccount.begin(), kOfTheAccount.end(), operation) != kOfTheAccount.end()) return {"*"};
  std::vector<std::string> resources;
  const auto text = [&](const char* name) {
    const auto* value = members.if_contains(name);
    return value != nullptr && value->is_string()
               ? std::string_view(value->get_string().data(), value->get_string().size())
               : std::string_view();
  };
  const auto add = [&](std::string resource) {
    if (std::find(resources.begin(), resources.end(), resource) == resources.end())
      resources.push_back(std::move(resource));
  };
  for (const char* name : {"StreamARN", "ConsumerARN", "ResourceARN"}) {
    if (const auto arn = text(name); !arn.empty()) add(Canonical(services.identity, arn));
  }
  if (const auto name = text("StreamName"); !name.empty()) add(services.identity.DataStreamArn(name));
  if (const auto iterator = text("ShardIterator"); !iterator.empty()) {
    // One that does not open is refused by the operation.
    auto decoded = DecodeShardIterator(services.sealer, iterator, services.clock.Now());
    if (decoded) add(services.identity.DataStreamArn(decoded->stream));
  }
  if (const auto token = text("NextToken"); !token.empty() && operation == "ListShards") {
    const std::string stream = ListedStream(services, std::string(token));
    if (!stream.empty()) add(services.identity.DataStreamArn(stream));
  }
  if (resources.empty()) resources.push_back("*");
  return resources;
}

Result<void> AuthorizeDataStream(Caller* caller, const DataStreamServices& services,
                                 std::string_view operation, const boost::json::object& members) {
  if (caller == nullptr) return {};
  const std::string action = std::string(kActionPrefix) + std::string(operation);
  for (const std::string& resource : ResourcesOf(services, operation, members)) {
    MILLRACE_RETURN_IF_ERROR(caller->Check(action, resource));
  }
  return {};
}

}  // namespace millrace::api
