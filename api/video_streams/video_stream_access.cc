#include "api/video_streams/video_stream_access.h"

#include <string>

namespace millrace::api {
namespace {

// "name" of "arn:aws:kinesisvideo:us-east-1:000000000000:stream/name/1763690820250"; "" where it is no such
// ARN, which the operation refuses.
std::string_view NameIn(std::string_view arn) {
  for (int i = 0; i < 5; ++i) {
    const auto colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  const auto slash = arn.find('/');
  if (slash == std::string_view::npos) return {};
  arn.remove_prefix(slash + 1);
  return arn.substr(0, arn.find('/'));
}

std::string_view Text(const boost::json::object& members, const char* name) {
  const auto* value = members.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace

Result<void> AuthorizeVideoStream(Caller* caller, FragmentStore& store, const AwsIdentity& identity,
                                  std::string_view name, std::string_view arn) {
  if (caller == nullptr) return {};
  const std::string_view in_arn = NameIn(arn);
  bool named = false;
  for (const std::string_view one : {name, in_arn == name ? std::string_view() : in_arn}) {
    if (one.empty()) continue;
    const auto stream = store.GetStream(std::string(one));
    MILLRACE_RETURN_IF_ERROR(
        caller->Check(identity.VideoStreamArn(one, stream ? stream->created : Timestamp())));
    named = true;
  }
  return named ? Result<void>() : caller->Check("*");
}

Result<void> AuthorizeVideoStream(Caller* caller, FragmentStore& store, const AwsIdentity& identity,
                                  const boost::json::object& members) {
  return AuthorizeVideoStream(caller, store, identity, Text(members, "StreamName"),
                              Text(members, "StreamARN"));
}

}  // namespace millrace::api
