// One HTTP/1.1 connection: reads requests, one after the other, has them answered, and keeps to the limits.
// What a client sends ahead waits in one buffer of `header_bytes_max` bytes, and then in the kernel's.
#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cstring>
#include <optional>

#include "api/http/error_response.h"
#include "api/http/http1_response.h"
#include "api/http/protocol_session.h"
#include "api/http/request_refusal.h"
#include "base/text.h"

namespace millrace::api {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using TimePoint = Transport::TimePoint;

// A Beast body that hands on whatever was parsed since it was last emptied; never more than one buffer's
// worth.
struct PieceBody {
  using value_type = Bytes;
  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(http::header<isRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, error_code& ec) { ec = {}; }
    template <class ConstBufferSequence>
    std::size_t put(const ConstBufferSequence& buffers, error_code& ec) {
      ec = {};
      std::size_t size = 0;
      for (auto it = net::buffer_sequence_begin(buffers); it != net::buffer_sequence_end(buffers); ++it) {
        net::const_buffer buffer = *it;
        const auto* data = static_cast<const std::uint8_t*>(buffer.data());
        body_.insert(body_.end(), data, data + buffer.size());
        size += buffer.size();
      }
      return size;
    }
    void finish(error_code& ec) { ec = {}; }

   private:
    value_type& body_;
  };
};

using Parser = http::request_parser<PieceBody>;

// How the connection goes on behind a request.
enum class Next { kAnother, kDone, kCutOff };

class Http1Session final : public ProtocolSession {
 public:
  explicit Http1Session(SessionContext context)
      : transport_(context.transport),
        dispatcher_(context.dispatcher),
        limits_(context.limits),
        peer_(std::move(context.peer)),
        secure_(context.secure) {
    buffer_.resize(limits_.header_bytes_max);
  }

  net::awaitable<void> Run(Bytes received) override {
    end_ = std::min(received.size(), buffer_.size());
    std::copy_n(received.begin(), end_, buffer_.begin());
    Next next = Next::kAnother;
    while (next == Next::kAnother && !draining_) next = co_await ServeOne();
    if (next != Next::kCutOff) co_await transport_.Shutdown(std::chrono::steady_clock::now(), 0);
    transport_.Close();
  }

  void Drain() override {
    draining_ = true;
    if (idle_) transport_.CancelRead();
  }

 private:
  // A request's body, parsed out of the connection's bytes. Tells a peer that waits for it to go ahead.
  class Body final : public BodySource {
   public:
    Body(Http1Session& connection, Http1ResponseWriter& writer, bool expects_continue)
        : connection_(connection), writer_(writer), continue_due_(expects_continue) {}

    net::awaitable<Result<Bytes>> Read(std::optional<TimePoint> until) override {
      if (writer_.status() == 101) co_return co_await connection_.ReadRaw(until);
      if (failure_) co_return *failure_;
      auto told = co_await GoAhead();
      if (!told) co_return std::move(told).error();
      auto piece = co_await connection_.ReadBodyPiece(until);
      if (!piece) failure_ = piece.error();
      co_return piece;
    }

    net::awaitable<Result<void>> GoAhead() override {
      if (!continue_due_ || connection_.parser_->is_done()) co_return Result<void>();
      continue_due_ = false;
      co_return co_await writer_.WriteContinue();
    }

    // The peer waits for a go-ahead that it will not get, or the bytes are of no use any more.
    bool broken() const { return failure_.has_value() || (continue_due_ && !connection_.parser_->is_done()); }

   private:
    Http1Session& connection_;
    Http1ResponseWriter& writer_;
    bool continue_due_;
    std::optional<Error> failure_;
  };

  TimePoint After(Duration duration) const {
    return std::chrono::steady_clock::now() +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
  }

  std::span<const std::uint8_t> Pending() const { return {buffer_.data() + begin_, end_ - begin_}; }

  // More bytes behind those that wait. False: the peer sends no more. REQUIRES: the buffer is not full of
  // waiting bytes.
  net::awaitable<Result<bool>> Fill(TimePoint until) {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    auto size = co_await transport_.ReadSome(std::span(buffer_).subspan(end_), until);
    if (!size) co_return std::move(size).error();
    end_ += *size;
    co_return *size > 0;
  }

  bool BufferFull() const { return end_ - begin_ == buffer_.size(); }

  // Parses the head that comes next. False without a refusal: the connection is over (or was idle too long).
  net::awaitable<bool> ReadHead(std::optional<Refusal>& refusal) {
    // A CRLF or two before a request are forgiven (RFC 9112 section 2.2).
    int newlines = 0;
    for (;;) {
      while (begin_ < end_ && newlines < 4 && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n')) {
        ++begin_;
        ++newlines;
      }
      if (begin_ < end_) break;
      if (draining_) co_return false;
      idle_ = true;
      auto more = co_await Fill(After(limits_.idle_timeout));
      idle_ = false;
      if (!more || !*more) co_return false;
    }
    TimePoint until = After(limits_.header_timeout);
    parser_.emplace();
    body_begun_ = false;
    parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
    parser_->body_limit(boost::none);
    std::size_t head_bytes = 0;
    for (;;) {
      error_code ec;
      auto pending = Pending();
      std::size_t parsed = parser_->put(net::buffer(pending.data(), pending.size()), ec);
      begin_ += parsed;
      head_bytes += parsed;
      if (head_bytes > limits_.header_bytes_max)
        ec = http::error::header_limit;  // Beast limits lines, not their sum
      if (parser_->is_header_done() && !ec) co_return true;
      if (ec && ec != http::error::need_more) {
        refusal = ToRefusal(ec);
        co_return false;
      }
      if (BufferFull()) {
        refusal = ToRefusal(http::error::header_limit);
        co_return false;
      }
      auto more = co_await Fill(until);
      if (more && *more) continue;
      if (more) {
        refusal = Malformed("the connection ended in the middle of a request's headers");
      } else if (more.error().code == ErrorCode::kDeadlineExceeded) {
        refusal = Refusal{
            408, Error{ErrorCode::kDeadlineExceeded, "the request's headers took too long to arrive"}};
      }
      co_return false;
    }
  }

  Refusal ToRefusal(const error_code& ec) const {
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
      if (parser_->get().target().empty()) return TargetTooLong(limits_);
      return HeadersTooLarge(limits_);
    }
    if (ec == http::error::bad_version) {
      return Malformed("malformed HTTP request: its first line must end in HTTP/1.1 or HTTP/1.0 and CRLF");
    }
    return Malformed("malformed HTTP request: " + ec.message());
  }

  // Fills `request` from the parsed head. What Beast lets pass and two readers could understand differently
  // is refused.
  std::optional<Refusal> Convert(Request& request) const {
    const auto& message = parser_->get();
    request.peer = peer_;
    request.secure = secure_;
    request.version = message.version() >= 11 ? HttpVersion::kHttp1_1 : HttpVersion::kHttp1_0;
    request.method = std::string(message.method_string());
    for (const auto& field : message)
      request.headers.Add(std::string(field.name_string()), std::string(field.value()));
    if (auto refusal = TakeTarget({message.target().data(), message.target().size()}, limits_, request))
      return refusal;
    if (request.headers.Count("Content-Length") > 1)
      return Malformed("Content-Length is given more than once");
    if (auto coding = request.headers.Find("Transfer-Encoding")) {
      if (message.version() < 11) return Malformed("HTTP/1.0 has no Transfer-Encoding");
      if (!EqualsIgnoreCase(*coding, "chunked"))
        return Malformed("Transfer-Encoding must be 'chunked' or left out");
    }
    if (auto length = parser_->content_length()) request.content_length = *length;
    request.websocket = AsksForWebSocket();
    return std::nullopt;
  }

  // RFC 6455 section 4.2.1, without a body; what a handshake must have beside, its handler checks.
  bool AsksForWebSocket() const {
    const auto& message = parser_->get();
    return parser_->is_done() && message.version() >= 11 && message.method() == http::verb::get &&
           parser_->upgrade() && http::token_list{message[http::field::upgrade]}.exists("websocket");
  }

  // Behind an upgrade: whatever comes next; empty: the peer sends no more.
  net::awaitable<Result<Bytes>> ReadRaw(std::optional<TimePoint> until) {
    if (begin_ == end_) {
      auto more = co_await Fill(until.value_or(After(limits_.idle_timeout)));
      if (!more) co_return std::move(more).error();
    }
    const auto pending = Pending();
    Bytes bytes(pending.begin(), pending.end());
    begin_ = end_;
    co_return bytes;
  }

  // The next bytes of the request's body; empty: it is over.
  net::awaitable<Result<Bytes>> ReadBodyPiece(std::optional<TimePoint> until) {
    for (;;) {
      if (parser_->is_done()) co_return Bytes();
      error_code ec;
      // Beast 1.81 asserts on less of a first chunk than the shortest body has, "0" and two ends of line
      // (mended in its pull request 2861).
      constexpr std::size_t kChunkedBytesMin = 5;
      const bool parse =
          begin_ < end_ && (body_begun_ || !parser_->chunked() || end_ - begin_ >= kChunkedBytesMin);
      if (parse) {
        auto pending = Pending();
        const std::size_t taken = parser_->put(net::buffer(pending.data(), pending.size()), ec);
        begin_ += taken;
        body_begun_ = body_begun_ || taken > 0;
        if (ec && ec != http::error::need_more) {
          co_return Error{ErrorCode::kInvalidArgument, "malformed request body: " + ec.message()};
        }
      }
      Bytes& parsed = parser_->get().body();
      if (!parsed.empty()) {
        Bytes piece = std::move(parsed);
        parsed = Bytes();
        co_return piece;
      }
      if (parser_->is_done()) continue;
      if (parse && begin_ < end_ && !ec)
        continue;  // a step of the chunked coding was taken: there may be more
      if (BufferFull())
        co_return Error{ErrorCode::kInvalidArgument, "malformed request body: a chunk's head is too long"};
      TimePoint idle = After(limits_.read_timeout);
      auto more = co_await Fill(until ? std::min(*until, idle) : idle);
      if (!more) co_return std::move(more).error();
      if (!*more)
        co_return Error{ErrorCode::kUnavailable, "the connection ended in the middle of the request's body"};
    }
  }

  // One request and its answer.
  net::awaitable<Next> ServeOne() {
    std::optional<Refusal> refusal;
    bool parsed = co_await ReadHead(refusal);
    if (!parsed && !refusal) co_return Next::kDone;

    Request request;
    if (parsed) refusal = Convert(request);
    Http1ResponseWriter::Options options;
    options.head_request = request.method == "HEAD";
    options.http_1_1 = !parsed || parser_->get().version() >= 11;
    options.keep_alive = !refusal && !draining_ && parser_->keep_alive();
    options.write_timeout = limits_.write_timeout;
    options.stopping = &draining_;
    Http1ResponseWriter writer(transport_, options);
    if (refusal) {
      co_await RespondError(writer, std::move(refusal->error), refusal->status);
      co_await Linger();
      co_return Next::kDone;
    }

    Body body(*this, writer, request.headers.Find("Expect").has_value());
    request.body = &body;
    co_await dispatcher_.Handle(request, writer);
    if (!writer.finished()) co_return Next::kCutOff;  // the peer must see that some is missing
    // Behind an upgrade there is no request to go on with.
    bool clean = writer.status() != 101 && !body.broken() && co_await SkipBody(body);
    if (clean && writer.reusable()) co_return Next::kAnother;
    co_await Linger();
    co_return Next::kDone;
  }

  // Reads what is left of a body that nobody wanted.
  net::awaitable<bool> SkipBody(Body& body) {
    TimePoint until = After(limits_.linger_timeout);
    std::size_t skipped = 0;
    while (!parser_->is_done()) {
      auto piece = co_await body.Read(until);
      if (!piece) co_return false;
      skipped += piece->size();
      if (skipped > limits_.unwanted_body_bytes_max) co_return false;
    }
    co_return true;
  }

  net::awaitable<void> Linger() {
    co_await transport_.Shutdown(After(limits_.linger_timeout), 64 * limits_.unwanted_body_bytes_max);
  }

  Transport& transport_;
  const Dispatcher& dispatcher_;
  const ConnectionLimits& limits_;
  const std::string peer_;
  const bool secure_;
  Bytes buffer_;  // bytes [begin_, end_) were received and are not parsed yet
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::optional<Parser> parser_;  // of the request that is served
  bool body_begun_ = false;       // some of its body was parsed
  bool idle_ = false;             // waiting for the first byte of a request
  bool draining_ = false;
};

}  // namespace

std::unique_ptr<ProtocolSession> MakeHttp1Session(SessionContext context) {
  return std::make_unique<Http1Session>(std::move(context));
}

}  // namespace millrace::api
