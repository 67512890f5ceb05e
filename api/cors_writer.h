// A writer that lets pages of the origin that asked read the answer, as the Data Streams service does:
// whoever may call at all (api/origin_policy.h, credentials) was decided before.
//
// Threads: as the writer beneath.
#pragma once

#include <utility>

#include "api/http.h"

namespace millrace::api {

class CorsWriter final : public ResponseWriter {
 public:
  // Both outlive this.
  CorsWriter(const Request& request, ResponseWriter& beneath)
      : asked_(request.headers.Find("Origin").has_value()), beneath_(beneath) {}

  net::awaitable<Result<void>> Respond(ResponseHead head, SharedBytes body) override {
    Permit(head);
    return beneath_.Respond(std::move(head), std::move(body));
  }
  net::awaitable<Result<void>> WriteHead(ResponseHead head, std::optional<std::uint64_t> length) override {
    Permit(head);
    return beneath_.WriteHead(std::move(head), length);
  }
  net::awaitable<Result<void>> Write(SharedBytes piece) override { return beneath_.Write(std::move(piece)); }
  net::awaitable<Result<void>> Finish() override { return beneath_.Finish(); }
  bool ShouldEnd() override { return beneath_.ShouldEnd(); }
  bool head_written() const override { return beneath_.head_written(); }
  int status() const override { return beneath_.status(); }
  std::uint64_t body_bytes() const override { return beneath_.body_bytes(); }

 private:
  void Permit(ResponseHead& head) const {
    if (!asked_) return;
    head.headers.Add("Access-Control-Allow-Origin", "*");
    head.headers.Add(
        "Access-Control-Expose-Headers",
        "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date");
  }

  const bool asked_;
  ResponseWriter& beneath_;
};

// Answers a preflight: whatever it asks for is permitted.
inline net::awaitable<void> RespondPreflight(const Request& request, ResponseHead head,
                                             ResponseWriter& writer) {
  head.status = 200;
  head.headers.Add("Access-Control-Allow-Origin", "*");
  head.headers.Add("Access-Control-Max-Age", "172800");
  for (const char* what : {"Headers", "Method"}) {
    const auto asked = request.headers.Find(std::string("Access-Control-Request-") + what);
    const std::string name = std::string("Access-Control-Allow-") + what + (what[0] == 'M' ? "s" : "");
    if (asked) head.headers.Add(name, std::string(*asked));
  }
  SharedBytes none;
  (void)co_await writer.Respond(std::move(head), std::move(none));
}

}  // namespace millrace::api
