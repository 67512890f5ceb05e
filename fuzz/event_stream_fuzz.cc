// Event streams: any bytes give messages or an error; what was read and is written again is read as the same;
// how the bytes are split does not count.
#include <zlib.h>

#include <algorithm>

#include "fuzz/fuzz_target.h"
#include "wire/event_stream.h"

namespace millrace::fuzz {
namespace {

void AppendChecksum(Bytes& bytes) {
  AppendBigEndian(bytes, static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size())));
}

// A message with these headers, whatever they are, whose lengths and checksums are right: no mutation gets
// behind them otherwise.
Bytes Framed(ByteSpan headers, ByteSpan payload) {
  Bytes message;
  AppendBigEndian(message, static_cast<std::uint32_t>(16 + headers.size() + payload.size()));
  AppendBigEndian(message, static_cast<std::uint32_t>(headers.size()));
  AppendChecksum(message);
  message.insert(message.end(), headers.begin(), headers.end());
  message.insert(message.end(), payload.begin(), payload.end());
  AppendChecksum(message);
  return message;
}

void Check(ByteSpan bytes) {
  wire::EventStreamDecoder whole;
  const auto read = whole.Append(bytes);

  wire::EventStreamDecoder split;
  std::vector<wire::EventMessage> pieces;
  bool failed = false;
  for (std::size_t at = 0; at < bytes.size() && !failed; at += 3) {
    auto more = split.Append(bytes.subspan(at, std::min<std::size_t>(3, bytes.size() - at)));
    failed = !more;
    if (more) pieces.insert(pieces.end(), more->begin(), more->end());
  }
  FUZZ_CHECK(failed == !read, "the split decides whether it can be read");
  if (!read) return;
  FUZZ_CHECK(pieces == *read, "the split decides what is read");
  for (const wire::EventMessage& message : *read) {
    // Integers are written with 64 bits: headers may grow past what they may be.
    if (message.headers.size() > 1000) continue;
    wire::EventStreamDecoder again;
    const auto reread = again.Append(wire::EncodeEventMessage(message.headers, message.payload));
    FUZZ_CHECK(reread && reread->size() == 1 && reread->front() == message,
               "read, written, and read otherwise");
  }
}

}  // namespace

std::vector<Seed> Seeds() {
  const std::string payload = R"({"Records":[],"MillisBehindLatest":0})";
  const std::vector<wire::EventHeader> headers{{":message-type", std::string("event")},
                                               {"count", std::int64_t{7}},
                                               {"flag", true},
                                               {"time", Timestamp::FromMillis(1'763'690'820'250)}};
  Bytes two = wire::EncodeEventMessage(headers, AsBytes(payload));
  const Bytes empty = wire::EncodeEventMessage({}, {});
  two.insert(two.end(), empty.begin(), empty.end());
  // The headers of one message by themselves.
  const Bytes one = wire::EncodeEventMessage(headers, {});
  return {{"two", std::move(two)}, {"empty", empty}, {"headers", Bytes(one.begin() + 12, one.end() - 4)}};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  const ByteSpan bytes(data, size);
  Check(bytes);
  const std::size_t headers = std::min<std::size_t>(size, 200);
  Check(Framed(bytes.first(headers), bytes.subspan(headers)));
  return 0;
}
