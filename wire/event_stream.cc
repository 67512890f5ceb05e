#include "wire/event_stream.h"

#include <zlib.h>

#include <algorithm>
#include <cassert>
#include <optional>

namespace millrace::wire {
namespace {

constexpr std::size_t kPreludeBytes = 12;
constexpr std::size_t kFrameBytes = kPreludeBytes + 4;  // of a message with neither headers nor payload

enum HeaderType : std::uint8_t {
  kTrue = 0,
  kFalse = 1,
  kInt8 = 2,
  kInt16 = 3,
  kInt32 = 4,
  kInt64 = 5,
  kBytes = 6,
  kText = 7,
  kTime = 8,
  kUuid = 9,
};

std::uint32_t Crc32(ByteSpan bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

Error Corrupt(const char* what) {
  return {ErrorCode::kCorruption, std::string("an event stream's message: ") + what};
}

struct HeaderWriter {
  Bytes& out;

  void operator()(bool value) const { out.push_back(value ? kTrue : kFalse); }
  void operator()(std::int64_t value) const { Number(kInt64, value); }
  void operator()(const Bytes& value) const { Sized(kBytes, value); }
  void operator()(const std::string& value) const { Sized(kText, AsBytes(value)); }
  void operator()(Timestamp value) const { Number(kTime, value.millis()); }
  void operator()(const EventUuid& value) const {
    out.push_back(kUuid);
    out.insert(out.end(), value.begin(), value.end());
  }

 private:
  void Number(HeaderType type, std::int64_t value) const {
    out.push_back(type);
    AppendBigEndian(out, static_cast<std::uint64_t>(value));
  }
  void Sized(HeaderType type, ByteSpan value) const {
    assert(value.size() <= 0xFFFF);
    out.push_back(type);
    AppendBigEndian(out, static_cast<std::uint16_t>(value.size()));
    out.insert(out.end(), value.begin(), value.end());
  }
};

// Takes bytes off the front of the headers.
class HeaderReader {
 public:
  explicit HeaderReader(ByteSpan bytes) : bytes_(bytes) {}

  bool AtEnd() const { return bytes_.empty(); }
  std::optional<ByteSpan> Take(std::size_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const ByteSpan taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  template <typename T>
  std::optional<T> Number() {
    const auto bytes = Take(sizeof(T));
    if (!bytes) return std::nullopt;
    return ReadBigEndian<T>(*bytes);
  }
  std::optional<ByteSpan> Sized() {
    const auto length = Number<std::uint16_t>();
    if (!length) return std::nullopt;
    return Take(*length);
  }

 private:
  ByteSpan bytes_;
};

template <typename Signed, typename Unsigned>
std::optional<EventHeaderValue> ReadInteger(HeaderReader& reader) {
  const auto value = reader.Number<Unsigned>();
  if (!value) return std::nullopt;
  return EventHeaderValue(std::int64_t{static_cast<Signed>(*value)});
}

// None: of an unknown type, or longer than the headers.
std::optional<EventHeaderValue> ReadValue(HeaderReader& reader) {
  const auto type = reader.Number<std::uint8_t>();
  if (!type) return std::nullopt;
  switch (*type) {
    case kTrue:
    case kFalse:
      return EventHeaderValue(*type == kTrue);
    case kInt8:
      return ReadInteger<std::int8_t, std::uint8_t>(reader);
    case kInt16:
      return ReadInteger<std::int16_t, std::uint16_t>(reader);
    case kInt32:
      return ReadInteger<std::int32_t, std::uint32_t>(reader);
    case kInt64:
      return ReadInteger<std::int64_t, std::uint64_t>(reader);
    case kBytes: {
      const auto bytes = reader.Sized();
      if (!bytes) return std::nullopt;
      return EventHeaderValue(Bytes(bytes->begin(), bytes->end()));
    }
    case kText: {
      const auto bytes = reader.Sized();
      if (!bytes) return std::nullopt;
      return EventHeaderValue(std::string(AsText(*bytes)));
    }
    case kTime: {
      const auto value = reader.Number<std::uint64_t>();
      const auto ms = static_cast<std::int64_t>(value.value_or(0));
      // Beyond it the time does not fit.
      constexpr std::int64_t kMillisMax = 9'000'000'000'000;
      if (!value || ms > kMillisMax || ms < -kMillisMax) return std::nullopt;
      return EventHeaderValue(Timestamp::FromMillis(ms));
    }
    case kUuid: {
      const auto bytes = reader.Take(16);
      if (!bytes) return std::nullopt;
      EventUuid uuid;
      std::copy(bytes->begin(), bytes->end(), uuid.begin());
      return EventHeaderValue(uuid);
    }
    default:
      return std::nullopt;
  }
}

// Of a whole message whose lengths were checked.
Result<EventMessage> ReadMessage(ByteSpan bytes) {
  if (ReadBigEndian<std::uint32_t>(bytes.last(4)) != Crc32(bytes.first(bytes.size() - 4))) {
    return Corrupt("its checksum does not match");
  }
  const std::size_t headers_bytes = ReadBigEndian<std::uint32_t>(bytes.subspan(4));
  EventMessage message;
  HeaderReader reader(bytes.subspan(kPreludeBytes, headers_bytes));
  while (!reader.AtEnd()) {
    const auto name_length = reader.Number<std::uint8_t>();
    const auto name = reader.Take(name_length.value_or(0));
    if (!name || name->empty()) return Corrupt("a header without a name");
    auto value = ReadValue(reader);
    if (!value) return Corrupt("a header of an unknown type, or cut off");
    message.headers.push_back({std::string(AsText(*name)), std::move(*value)});
  }
  const ByteSpan payload =
      bytes.subspan(kPreludeBytes + headers_bytes, bytes.size() - kFrameBytes - headers_bytes);
  message.payload.assign(payload.begin(), payload.end());
  return message;
}

}  // namespace

std::string_view EventMessage::Text(std::string_view name) const {
  for (const EventHeader& header : headers) {
    if (header.name != name) continue;
    const auto* text = std::get_if<std::string>(&header.value);
    return text == nullptr ? std::string_view() : std::string_view(*text);
  }
  return {};
}

Bytes EncodeEventMessage(const std::vector<EventHeader>& headers, ByteSpan payload) {
  Bytes encoded_headers;
  for (const EventHeader& header : headers) {
    assert(!header.name.empty() && header.name.size() <= 255);
    encoded_headers.push_back(static_cast<std::uint8_t>(header.name.size()));
    encoded_headers.insert(encoded_headers.end(), header.name.begin(), header.name.end());
    std::visit(HeaderWriter{encoded_headers}, header.value);
  }
  assert(encoded_headers.size() <= kEventHeadersBytesMax && payload.size() <= kEventPayloadBytesMax);
  Bytes message;
  const std::size_t total = kFrameBytes + encoded_headers.size() + payload.size();
  message.reserve(total);
  AppendBigEndian(message, static_cast<std::uint32_t>(total));
  AppendBigEndian(message, static_cast<std::uint32_t>(encoded_headers.size()));
  AppendBigEndian(message, Crc32(message));
  message.insert(message.end(), encoded_headers.begin(), encoded_headers.end());
  message.insert(message.end(), payload.begin(), payload.end());
  AppendBigEndian(message, Crc32(message));
  return message;
}

Result<bool> EventStreamDecoder::Measure(ByteSpan bytes, std::size_t& length) const {
  if (bytes.size() < kPreludeBytes) return false;
  if (ReadBigEndian<std::uint32_t>(bytes.subspan(8)) != Crc32(bytes.first(8))) {
    return Corrupt("the checksum of its lengths does not match");
  }
  const std::size_t total = ReadBigEndian<std::uint32_t>(bytes);
  const std::size_t headers = ReadBigEndian<std::uint32_t>(bytes.subspan(4));
  if (total < kFrameBytes || headers > total - kFrameBytes)
    return Corrupt("its lengths contradict each other");
  if (headers > kEventHeadersBytesMax || total - kFrameBytes - headers > kEventPayloadBytesMax) {
    return Error{ErrorCode::kResourceExhausted, "an event stream's message is larger than messages may be"};
  }
  length = total;
  return bytes.size() >= total;
}

Result<std::vector<EventMessage>> EventStreamDecoder::Append(ByteSpan bytes) {
  if (failed_) return Corrupt("it follows one that is damaged");
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  std::vector<EventMessage> messages;
  ByteSpan rest(pending_);
  for (;;) {
    std::size_t length = 0;
    auto whole = Measure(rest, length);
    if (whole && !*whole) break;
    Result<EventMessage> message =
        whole ? ReadMessage(rest.first(length)) : Result<EventMessage>(whole.error());
    if (!message) {
      failed_ = true;
      pending_.clear();
      return std::move(message).error();
    }
    messages.push_back(std::move(*message));
    rest = rest.subspan(length);
  }
  pending_.erase(pending_.begin(), pending_.end() - static_cast<std::ptrdiff_t>(rest.size()));
  return messages;
}

}  // namespace millrace::wire
