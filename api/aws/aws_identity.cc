#include "api/aws/aws_identity.h"

namespace millrace::api {

std::string AwsIdentity::Partition() const {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  return "aws";
}

std::string AwsIdentity::DataStreamArn(std::string_view name) const {
  return "arn:" + Partition() + ":kinesis:" + region + ":" + account + ":stream/" + std::string(name);
}

std::string AwsIdentity::VideoStreamArn(std::string_view name, Timestamp created) const {
  return "arn:" + Partition() + ":kinesisvideo:" + region + ":" + account + ":stream/" + std::string(name) +
         "/" + std::to_string(created.millis());
}

std::string AwsIdentity::ChannelArn(std::string_view name, Timestamp created) const {
  return "arn:" + Partition() + ":kinesisvideo:" + region + ":" + account + ":channel/" + std::string(name) +
         "/" + std::to_string(created.millis());
}

std::string AwsIdentity::OwnStreamArn(std::string_view name) const {
  return "arn:aws:millrace:" + region + ":" + account + ":stream/" + std::string(name);
}

std::string AwsIdentity::SecretArn(std::string_view name) const {
  return "arn:" + Partition() + ":secretsmanager:" + region + ":" + account + ":secret:" + std::string(name);
}

std::string AwsIdentity::OwnSecretArn(std::string_view name) const {
  return "arn:aws:millrace:" + region + ":" + account + ":secret/" + std::string(name);
}

}  // namespace millrace::api
