// How requests of video streams name a signaling channel, and who may do what to it.
//
// Threads: pure but for AuthorizeChannel and FindChannel: the worker pool.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "api/access/caller.h"
#include "api/aws/aws_error.h"
#include "api/aws/aws_identity.h"
#include "api/aws/aws_input.h"
#include "api/signaling/signaling_channels.h"

namespace millrace::api {

struct ChannelName {
  std::string name;
  std::optional<Timestamp> created;  // as the ARN has it
};
// Of an ARN of any account and region: nothing else could be meant. None: it is no channel's.
std::optional<ChannelName> ParseChannelArn(std::string_view arn);
// The channel that ChannelARN (or `arn_member`) names, which must be there; broken constraints go to `input`.
std::optional<ChannelName> ReadChannelArn(AwsInput& input, std::string_view arn_member = "ChannelARN");
// The same of operations that take ChannelName as well: one of the two.
std::optional<ChannelName> ReadChannelName(AwsInput& input);

AwsError NoChannel();
// Of an error of the channels: in the service's words.
AwsError OfChannel(Error error);

// The channel that is named, which must be there. REQUIRES: `name` came of an input that is finished without
// a fault.
AwsResult<SignalingChannel> FindChannel(SignalingChannels& channels, const std::optional<ChannelName>& name);

// Whether the caller may do `action` to the channel that the members name ("*" where none does). Creation
// time 0 stands for a channel that is not there. `caller` null: everything is allowed.
Result<void> AuthorizeChannel(Caller* caller, std::string_view action, SignalingChannels& channels,
                              const AwsIdentity& identity, const std::optional<ChannelName>& name);
Result<void> AuthorizeChannel(Caller* caller, SignalingChannels& channels, const AwsIdentity& identity,
                              const boost::json::object& members);

}  // namespace millrace::api
