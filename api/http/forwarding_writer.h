// A writer that hands everything on to another; what comes out of it may look at the head, or change it.
//
// Threads: as the writer beneath.
#pragma once

#include <utility>

#include "api/http/http.h"

namespace millrace::api {

class ForwardingWriter : public ResponseWriter {
 public:
  // `beneath` outlives this.
  explicit ForwardingWriter(ResponseWriter& beneath) : beneath_(beneath) {}

  net::awaitable<Result<void>> Respond(ResponseHead head, SharedBytes body) final {
    OnHead(head);
    return beneath_.Respond(std::move(head), std::move(body));
  }
  net::awaitable<Result<void>> WriteHead(ResponseHead head, std::optional<std::uint64_t> length) final {
    OnHead(head);
    return beneath_.WriteHead(std::move(head), length);
  }
  net::awaitable<Result<void>> Write(SharedBytes piece) final { return beneath_.Write(std::move(piece)); }
  net::awaitable<Result<void>> Finish() final { return beneath_.Finish(); }
  bool ShouldEnd() final { return beneath_.ShouldEnd(); }
  bool head_written() const final { return beneath_.head_written(); }
  int status() const final { return beneath_.status(); }
  std::uint64_t body_bytes() const final { return beneath_.body_bytes(); }

 private:
  virtual void OnHead(ResponseHead& head) = 0;

  ResponseWriter& beneath_;
};

}  // namespace millrace::api
