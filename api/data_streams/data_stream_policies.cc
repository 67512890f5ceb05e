// PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy.
#include <boost/json/parse.hpp>

#include "api/aws/aws_http.h"
#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_operations.h"

namespace millrace::api {
namespace {

constexpr std::size_t kPolicyBytesMax = 20 * 1024;

// What every policy has; what it says is for those who ask it.
std::optional<AwsError> CheckPolicy(const std::string& policy) {
  if (policy.size() > kPolicyBytesMax) {
    return AwsError("LimitExceededException",
                    "A resource policy has at most " + std::to_string(kPolicyBytesMax) + " bytes.");
  }
  auto parsed = ParseAwsObject(policy);
  if (!parsed) return InvalidArgument("The resource policy is not a JSON object.");
  const auto* statement = parsed->get_object().if_contains("Statement");
  if (statement == nullptr || !(statement->is_array() || statement->is_object())) {
    return InvalidArgument("The resource policy has no Statement.");
  }
  return std::nullopt;
}

}  // namespace

AwsAnswer PutResourcePolicy(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto resource = ReadDataResource(input);
  const auto policy = input.String("Policy", {.required = true});
  if (auto bad = input.Finish()) return *bad;
  if (auto bad = CheckPolicy(*policy)) return *bad;
  auto refused = ChangeAttributes(services, *resource, [&](ResourceAttributes& attributes) {
    attributes.policy = *policy;
    return std::nullopt;
  });
  if (refused) return std::move(*refused);
  return std::string();
}

AwsAnswer GetResourcePolicy(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto resource = ReadDataResource(input);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const ResourceAttributes attributes, AttributesOf(services, *resource));
  AwsOutput output(request.encoding, 64 + attributes.policy.size() * 2);
  output.BeginObject().Key("Policy").String(attributes.policy.empty() ? "{}" : attributes.policy).EndObject();
  return std::move(output).Take();
}

AwsAnswer DeleteResourcePolicy(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto resource = ReadDataResource(input);
  if (auto bad = input.Finish()) return *bad;
  const auto remove = [&](ResourceAttributes& attributes) -> std::optional<AwsError> {
    if (attributes.policy.empty()) {
      const std::string arn(request.members.at("ResourceARN").get_string());
      return AwsError("ResourceNotFoundException", "No resource policy found for resource ARN " + arn + ".");
    }
    attributes.policy.clear();
    return std::nullopt;
  };
  auto refused = ChangeAttributes(services, *resource, remove);
  if (refused) return std::move(*refused);
  return std::string();
}

}  // namespace millrace::api
