#include "api/aws_identity.h"

namespace millrace::api {

std::string AwsIdentity::DataStreamArn(std::string_view name) const {
  return "arn:aws:kinesis:" + region + ":" + account + ":stream/" + std::string(name);
}

std::string AwsIdentity::VideoStreamArn(std::string_view name, Timestamp created) const {
  return "arn:aws:kinesisvideo:" + region + ":" + account + ":stream/" + std::string(name) + "/" +
         std::to_string(created.millis());
}

}  // namespace millrace::api
