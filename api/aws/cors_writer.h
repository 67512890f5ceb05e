// A writer that lets pages of the origin that asked read the answer, as the Data Streams service does:
// whoever may call at all (api/http/origin_policy.h, credentials) was decided before.
//
// Threads: as the writer beneath.
#pragma once

#include <utility>

#include "api/http/forwarding_writer.h"

namespace millrace::api {

class CorsWriter final : public ForwardingWriter {
 public:
  // `exposed`: headers that pages may read, besides the common ones. All outlive this.
  CorsWriter(const Request& request, ResponseWriter& beneath, const char* exposed = kAwsHeaders)
      : ForwardingWriter(beneath), asked_(request.headers.Find("Origin").has_value()), exposed_(exposed) {}

 private:
  void OnHead(ResponseHead& head) override {
    if (!asked_) return;
    head.headers.Add("Access-Control-Allow-Origin", "*");
    head.headers.Add("Access-Control-Expose-Headers", exposed_);
  }

  static constexpr char kAwsHeaders[] =
      "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date";

  const bool asked_;
  const char* const exposed_;
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
