#include "api/aws/aws_http.h"

#include <openssl/rand.h>

#include <array>
#include <boost/json/memory_resource.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/storage_ptr.hpp>
#include <cstdio>
#include <new>

#include "base/text.h"
#include "wire/base64.h"

namespace millrace::api {
namespace {

constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kId2Bytes = 72;

// Gives what new gives, up to a limit. Not shared between threads that run at the same time.
class BoundedMemory final : public boost::json::memory_resource {
 public:
  explicit BoundedMemory(std::size_t bytes_max) : left_(bytes_max) {}

 private:
  // Boost.JSON's values need no more than new's own alignment, and it gives object keys back with another
  // alignment than it asked for.
  void* do_allocate(std::size_t bytes, std::size_t /*alignment*/) override {
    if (bytes > left_) throw std::bad_alloc();
    void* memory = ::operator new(bytes);
    left_ -= bytes;
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t /*alignment*/) override {
    ::operator delete(memory);
    left_ += bytes;
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::size_t left_;
};

// RFC 9562 section 5.4.
std::string RandomUuid() {
  std::array<std::uint8_t, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", bytes[i]);
    text += hex;
  }
  return text;
}

const char* ContentType(AwsService service, AwsEncoding encoding) {
  if (service == AwsService::kVideoStreams) return "application/json";
  return encoding == AwsEncoding::kCbor ? kCbor11 : kJson11;
}

AwsError Unreadable(std::string message) { return {"SerializationException", std::move(message)}; }

AwsResult<boost::json::value> ParseJson(std::string_view body, boost::json::storage_ptr memory) {
  boost::json::parse_options options;
  options.max_depth = kDepthMax;
  boost::system::error_code ec;
  boost::json::parser parser(memory, options);
  parser.reset(memory);
  parser.write(boost::json::string_view(body.data(), body.size()), ec);
  if (ec) return Unreadable("The body is not JSON: " + ec.message());
  return parser.release();
}

AwsResult<boost::json::value> ParseCbor(std::string_view body, boost::json::storage_ptr memory) {
  auto decoded = wire::DecodeCbor(AsBytes(body), kDepthMax, std::move(memory));
  if (!decoded) return Unreadable("The body cannot be read. " + decoded.error().message);
  return std::move(*decoded);
}

}  // namespace

void AddRequestId(Headers& headers) { headers.Add("x-amzn-RequestId", RandomUuid()); }

void AddRequestIds(Headers& headers, AwsService service) {
  AddRequestId(headers);
  if (service != AwsService::kDataStreams) return;
  std::array<std::uint8_t, kId2Bytes> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  headers.Add("x-amz-id-2", wire::EncodeBase64(bytes));
}

net::awaitable<void> RespondAws(ResponseWriter& writer, AwsService service, std::string text,
                                AwsEncoding encoding) {
  ResponseHead head{200, {}};
  AddRequestIds(head.headers, service);
  head.headers.Add("Content-Type", ContentType(service, encoding));
  Bytes bytes(text.begin(), text.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

net::awaitable<void> RespondAws(ResponseWriter& writer, AwsService service, AwsError error,
                                AwsEncoding encoding) {
  if (writer.head_written()) co_return;
  error = ToAws(std::move(error), service);
  // A message may quote bytes that somebody sent: the answer's text is UTF-8 all the same.
  if (!IsUtf8(error.message)) {
    for (char& c : error.message) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  ResponseHead head{error.status, {}};
  AddRequestIds(head.headers, service);
  head.headers.Add("x-amzn-ErrorType", error.type);
  head.headers.Add("Content-Type", ContentType(service, encoding));
  AwsOutput output(encoding);
  output.BeginObject();
  if (service == AwsService::kDataStreams) {
    output.Key("__type").String(error.type);
    // What cannot be read at all is told with a capital letter, as the service does.
    if (!error.message.empty()) {
      output.Key(error.type == "SerializationException" ? "Message" : "message").String(error.message);
    }
  } else {
    head.headers.Add("x-amz-ErrorType", error.type);
    output.Key("Message").String(error.message);
  }
  output.EndObject();
  std::string text = std::move(output).Take();
  Bytes bytes(text.begin(), text.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

AwsResult<boost::json::value> ParseAwsObject(std::string_view body, AwsEncoding encoding) {
  try {
    auto memory = boost::json::make_shared_resource<BoundedMemory>(ParsedBytesMax(body.size()));
    auto parsed = encoding == AwsEncoding::kCbor ? ParseCbor(body, memory) : ParseJson(body, memory);
    if (parsed && !parsed->is_object()) return Unreadable("");
    return parsed;
  } catch (const std::bad_alloc&) {
    return Unreadable("The body has too many values");
  }
}

}  // namespace millrace::api
