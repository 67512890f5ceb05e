// A writer that hands everything on, and remembers what the audit log wants to know of the answer.
//
// Threads: as the writer beneath.
#pragma once

#include <string>
#include <utility>

#include "api/http.h"

namespace millrace::api {

class ObservedWriter final : public ResponseWriter {
 public:
  explicit ObservedWriter(ResponseWriter& beneath) : beneath_(beneath) {}

  net::awaitable<Result<void>> Respond(ResponseHead head, SharedBytes body) override {
    Note(head);
    return beneath_.Respond(std::move(head), std::move(body));
  }
  net::awaitable<Result<void>> WriteHead(ResponseHead head, std::optional<std::uint64_t> length) override {
    Note(head);
    return beneath_.WriteHead(std::move(head), length);
  }
  net::awaitable<Result<void>> Write(SharedBytes piece) override { return beneath_.Write(std::move(piece)); }
  net::awaitable<Result<void>> Finish() override { return beneath_.Finish(); }
  bool ShouldEnd() override { return beneath_.ShouldEnd(); }
  bool head_written() const override { return beneath_.head_written(); }
  int status() const override { return beneath_.status(); }
  std::uint64_t body_bytes() const override { return beneath_.body_bytes(); }

  const std::string& request_id() const { return request_id_; }  // "" for none
  const std::string& error_type() const { return error_type_; }  // of the AWS protocols; "" for none

 private:
  void Note(const ResponseHead& head) {
    if (auto id = head.headers.Find("x-amzn-RequestId")) request_id_ = std::string(*id);
    if (auto type = head.headers.Find("x-amzn-ErrorType")) error_type_ = std::string(*type);
  }

  ResponseWriter& beneath_;
  std::string request_id_;
  std::string error_type_;
};

}  // namespace millrace::api
