// A writer that hands everything on, and remembers what the audit log wants to know of the answer.
//
// Threads: as the writer beneath.
#pragma once

#include <string>

#include "api/http/forwarding_writer.h"

namespace millrace::api {

class ObservedWriter final : public ForwardingWriter {
 public:
  using ForwardingWriter::ForwardingWriter;

  const std::string& request_id() const { return request_id_; }  // "" for none
  const std::string& error_type() const { return error_type_; }  // of the AWS protocols; "" for none

 private:
  void OnHead(ResponseHead& head) override {
    if (auto id = head.headers.Find("x-amzn-RequestId")) request_id_ = std::string(*id);
    if (auto type = head.headers.Find("x-amzn-ErrorType")) error_type_ = std::string(*type);
  }

  std::string request_id_;
  std::string error_type_;
};

}  // namespace millrace::api
