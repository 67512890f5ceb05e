#include "api/video_streams/video_stream_access.h"

#include <set>
#include <string>

#include "api/signaling/signaling_names.h"

namespace millrace::api {
namespace {

// "name" of "arn:aws:kinesisvideo:us-east-1:000000000000:stream/name/1763690820250"; "" where it is no such
// ARN, which the operation refuses, or another resource's.
std::string_view NameIn(std::string_view arn) {
  for (int i = 0; i < 5; ++i) {
    const auto colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  constexpr std::string_view kStream = "stream/";
  if (!arn.starts_with(kStream)) return {};
  arn.remove_prefix(kStream.size());
  return arn.substr(0, arn.find('/'));
}

std::string_view Text(const boost::json::object& members, const char* name) {
  const auto* value = members.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// A signaling channel's, as this server gives it. REQUIRES: it is one.
std::string ChannelArnOf(const AwsIdentity& identity, std::string_view arn) {
  const auto name = ParseChannelArn(arn);
  return identity.ChannelArn(name->name, *name->created);
}

// Of all streams that the request names in some way: which of them counts is the operation's to say.
Result<void> Authorize(Caller* caller, FragmentStore& store, const AwsIdentity& identity,
                       const std::set<std::string>& names) {
  if (caller == nullptr) return {};
  bool named = false;
  for (const std::string& name : names) {
    if (name.empty()) continue;
    const auto stream = store.GetStream(name);
    MILLRACE_RETURN_IF_ERROR(
        caller->Check(identity.VideoStreamArn(name, stream ? stream->created : Timestamp())));
    named = true;
  }
  return named ? Result<void>() : caller->Check("*");
}

}  // namespace

Result<void> AuthorizeVideoStream(Caller* caller, FragmentStore& store, const AwsIdentity& identity,
                                  std::string_view name, std::string_view arn) {
  return Authorize(caller, store, identity, {std::string(name), std::string(NameIn(arn))});
}

Result<void> AuthorizeVideoStream(Caller* caller, FragmentStore& store, const AwsIdentity& identity,
                                  const boost::json::object& members) {
  if (ParseChannelArn(Text(members, "ResourceARN"))) {
    return caller == nullptr ? Result<void>()
                             : caller->Check(ChannelArnOf(identity, Text(members, "ResourceARN")));
  }
  return Authorize(caller, store, identity,
                   {std::string(Text(members, "StreamName")), std::string(NameIn(Text(members, "StreamARN"))),
                    std::string(NameIn(Text(members, "ResourceARN")))});
}

}  // namespace millrace::api
