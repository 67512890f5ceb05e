// The account and region that this server says it is, the Amazon Resource Names that follow, and its address.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace::api {

struct AwsIdentity {
  std::string region = "us-east-1";
  std::string account = "000000000000";  // 12 digits
  std::string
      endpoint{};  // where callers reach it: "https://video.example:8443"; "": where they say they did

  // "aws", or what regions in China and of governments have.
  std::string Partition() const;
  // "arn:aws:kinesis:us-east-1:000000000000:stream/name"
  std::string DataStreamArn(std::string_view name) const;
  // "arn:aws:kinesisvideo:us-east-1:000000000000:stream/name/1763690820250": with the creation time in ms, so
  // that a stream made again has another.
  std::string VideoStreamArn(std::string_view name, Timestamp created) const;
  // "arn:aws:kinesisvideo:us-east-1:000000000000:channel/name/1763690820250"
  std::string ChannelArn(std::string_view name, Timestamp created) const;
  // "arn:aws:millrace:us-east-1:000000000000:stream/name": a video stream, for our own actions.
  std::string OwnStreamArn(std::string_view name) const;
  // "arn:aws:secretsmanager:us-east-1:000000000000:secret:name": a secret of this server, as edge
  // configurations name it, and for our own actions: "arn:aws:millrace:us-east-1:000000000000:secret/name".
  std::string SecretArn(std::string_view name) const;
  std::string OwnSecretArn(std::string_view name) const;
};

}  // namespace millrace::api
