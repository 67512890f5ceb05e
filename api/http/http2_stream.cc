#include "api/http/http2_stream.h"

#include <algorithm>
#include <cassert>

#include "base/text.h"

namespace millrace::api {
namespace {

constexpr std::size_t kPieceBytesMax = 64 * 1024;

std::chrono::steady_clock::duration Steady(Duration duration) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
}

// RFC 9113 section 8.2.2: fields that are about one HTTP/1.1 connection.
bool IsConnectionSpecific(std::string_view name) {
  for (std::string_view forbidden :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    if (name == forbidden) return true;
  }
  return false;
}

std::string FieldValue(std::string_view value) {
  std::string text(value);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return text;
}

}  // namespace

Http2Stream::Http2Stream(Http2StreamHost& host, std::int32_t id, const net::any_io_executor& executor,
                         const ConnectionLimits& limits)
    : host_(host), id_(id), limits_(limits), head_(limits), readable_(executor), writable_(executor) {}

std::optional<Refusal> Http2Stream::FinishHead(Request& request) {
  auto refusal = head_.Finish(request);
  head_request_ = request.method == "HEAD";
  continue_due_ = request.headers.Find("expect").has_value();
  return refusal;
}

void Http2Stream::Receive(ByteSpan bytes) {
  if (received_.empty() || received_.back().size() + bytes.size() > kPieceBytesMax) received_.emplace_back();
  received_.back().insert(received_.back().end(), bytes.begin(), bytes.end());
  readable_.Set();
}

void Http2Stream::ReceiveEnd() {
  received_end_ = true;
  readable_.Set();
}

void Http2Stream::Close(bool whole) {
  closed_ = true;
  if (!received_end_) {
    FailReading(Error{ErrorCode::kUnavailable, "the stream ended in the middle of the request's body"});
  }
  if (!whole || !sent_end_) write_failure_ = Error{ErrorCode::kUnavailable, "the stream was reset"};
  writable_.Set();
}

void Http2Stream::FailReading(Error error) {
  if (received_end_ || read_failure_) return;
  DropBody();
  read_failure_ = std::move(error);
  readable_.Set();
}

void Http2Stream::DropBody() {
  std::size_t bytes = 0;
  for (const Bytes& piece : received_) bytes += piece.size();
  received_.clear();
  if (bytes > 0) host_.Consumed(*this, bytes);
}

net::awaitable<Result<Bytes>> Http2Stream::Read(std::optional<TimePoint> until) {
  TimePoint deadline = std::chrono::steady_clock::now() + Steady(limits_.read_timeout);
  if (until) deadline = std::min(deadline, *until);
  for (;;) {
    if (!received_.empty()) {
      Bytes piece = std::move(received_.front());
      received_.pop_front();
      host_.Consumed(*this, piece.size());
      co_return piece;
    }
    if (read_failure_) co_return *read_failure_;
    if (received_end_) co_return Bytes();
    if (std::exchange(continue_due_, false) && status_ == 0) {
      std::vector<Http2StreamHost::Field> fields;
      fields.emplace_back(":status", "100");
      host_.SendHeaders(*this, fields, Http2StreamHost::Follows::kAnswer);
    }
    bool more = co_await readable_.Wait(deadline);
    if (!more) co_return Error{ErrorCode::kDeadlineExceeded, "reading took too long"};
  }
}

std::vector<Http2StreamHost::Field> Http2Stream::HeadFields(const ResponseHead& head,
                                                            std::optional<std::uint64_t> length) {
  assert(status_ == 0 && "one answer a request");
  status_ = head.status;
  length_ = length;
  const bool bodiless_status = head.status == 204 || head.status == 304;
  no_body_ = head_request_ || bodiless_status;
  std::vector<Http2StreamHost::Field> fields;
  fields.reserve(head.headers.fields().size() + 3);
  fields.emplace_back(":status", std::to_string(head.status));
  fields.emplace_back("date", HttpDate());
  for (const auto& [name, value] : head.headers.fields()) {
    std::string lower = ToAsciiLower(name);
    if (!IsConnectionSpecific(lower)) fields.emplace_back(std::move(lower), FieldValue(value));
  }
  if (length && !bodiless_status) fields.emplace_back("content-length", std::to_string(*length));
  return fields;
}

void Http2Stream::SetPiece(SharedBytes piece) {
  piece_ = std::move(piece);
  taken_ = 0;
  progress_at_ = std::chrono::steady_clock::now();
}

net::awaitable<Result<void>> Http2Stream::Respond(ResponseHead head, SharedBytes body) {
  auto fields = HeadFields(head, body.size());
  if (write_failure_) co_return *write_failure_;
  const bool bare = no_body_ || body.empty();
  if (!no_body_) body_bytes_ = body.size();
  SetPiece(bare ? SharedBytes() : std::move(body));
  piece_last_ = true;
  host_.SendHeaders(*this, fields,
                    bare ? Http2StreamHost::Follows::kNothing : Http2StreamHost::Follows::kBody);
  co_return co_await Flush(true);
}

net::awaitable<Result<void>> Http2Stream::WriteHead(ResponseHead head, std::optional<std::uint64_t> length) {
  auto fields = HeadFields(head, length);
  if (write_failure_) co_return *write_failure_;
  host_.SendHeaders(*this, fields, Http2StreamHost::Follows::kBody);
  co_return Result<void>();
}

net::awaitable<Result<void>> Http2Stream::Write(SharedBytes piece) {
  assert(status_ != 0 && !piece_last_);
  if (write_failure_) co_return *write_failure_;
  if (piece.empty() || no_body_) co_return Result<void>();
  body_bytes_ += piece.size();
  if (length_ && body_bytes_ > *length_) {
    co_return Error{ErrorCode::kInternal, "an answer grew past the length that it announced"};
  }
  SetPiece(std::move(piece));
  host_.Resume(*this);
  co_return co_await Flush(false);
}

net::awaitable<Result<void>> Http2Stream::Finish() {
  assert(status_ != 0 && !piece_last_);
  if (write_failure_) co_return *write_failure_;
  if (length_ && !no_body_ && body_bytes_ != *length_) {
    co_return Error{ErrorCode::kInternal, "an answer is shorter than it announced"};
  }
  SetPiece(SharedBytes());
  piece_last_ = true;
  host_.Resume(*this);
  co_return co_await Flush(true);
}

net::awaitable<Result<void>> Http2Stream::Flush(bool end) {
  for (;;) {
    if (end ? sent_end_ : taken_ == piece_.size()) co_return Result<void>();
    if (write_failure_) co_return *write_failure_;
    const TimePoint deadline = progress_at_ + Steady(limits_.write_timeout);
    bool more = co_await writable_.Wait(deadline);
    if (more || std::chrono::steady_clock::now() < progress_at_ + Steady(limits_.write_timeout)) continue;
    write_failure_ = Error{ErrorCode::kDeadlineExceeded, "writing took too long"};
    host_.Reset(*this, Http2Reset::kCancel);
  }
}

Http2Stream::Next Http2Stream::Peek(std::size_t bytes_max) const {
  const std::size_t bytes = std::min(bytes_max, piece_.size() - taken_);
  return {bytes, piece_last_ && taken_ + bytes == piece_.size()};
}

ByteSpan Http2Stream::Take(std::size_t bytes) {
  ByteSpan taken = piece_.span().subspan(taken_, bytes);
  taken_ += bytes;
  progress_at_ = std::chrono::steady_clock::now();
  if (taken_ == piece_.size()) writable_.Set();
  return taken;
}

void Http2Stream::SentEnd() {
  sent_end_ = true;
  writable_.Set();
}

}  // namespace millrace::api
