// Event streams: messages are written as the service writes them, read back in any split, and whatever is
// damaged, cut or too large is refused without being kept.
#include "wire/event_stream.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/hex.h"

namespace millrace::wire {
namespace {

using test::FromHex;

EventMessage MakeMessage() {
  const std::string payload = R"({"Records":[]})";
  EventMessage message{
      {{":message-type", std::string("event")}, {":event-type", std::string("SubscribeToShardEvent")}},
      Bytes(payload.begin(), payload.end())};
  return message;
}

Bytes Encode(const EventMessage& message) { return EncodeEventMessage(message.headers, message.payload); }

// The message without headers and payload that AWS's own test vectors have ("empty_message").
TEST(EventStream, WritesTheEmptyMessage) {
  EXPECT_EQ(EncodeEventMessage({}, {}), FromHex("000000100000000005c248eb7d98c8ff"));
}

// Another of AWS's: one header of 32 bits ("int32_header").
TEST(EventStream, ReadsAHeaderOfEachWidth) {
  EventStreamDecoder decoder;
  const auto read = decoder.Append(
      FromHex("0000002d0000001041c424b80a6576656e742d74797065040000a00c7b27666f6f273a27626172277d36f480a0"));
  ASSERT_TRUE(read) << read.error().ToString();
  ASSERT_EQ(read->size(), 1u);
  const EventMessage expected{{{"event-type", std::int64_t{40972}}}, FromHex("7b27666f6f273a27626172277d")};
  EXPECT_EQ(read->front(), expected);
}

TEST(EventStream, EveryTypeOfHeaderComesBack) {
  EventUuid uuid{};
  uuid[0] = 1;
  uuid[15] = 0xFF;
  const EventMessage message{{{"yes", true},
                              {"no", false},
                              {"below", std::int64_t{-7}},
                              {"bytes", Bytes{0, 1, 255}},
                              {"none", Bytes{}},
                              {"text", std::string("größer")},
                              {"time", Timestamp::FromMillis(1'763'690'820'250)},
                              {std::string(255, 'n'), uuid}},
                             {1, 2, 3}};
  EventStreamDecoder decoder;
  const auto read = decoder.Append(Encode(message));
  ASSERT_TRUE(read) << read.error().ToString();
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(read->front(), message);
  EXPECT_TRUE(decoder.AtEnd());
}

TEST(EventStream, ReadsMessagesHoweverTheyAreSplit) {
  Bytes stream;
  for (int i = 0; i < 3; ++i) {
    const Bytes one = Encode(MakeMessage());
    stream.insert(stream.end(), one.begin(), one.end());
  }
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    EventStreamDecoder decoder;
    std::size_t count = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      const auto read = decoder.Append(ByteSpan(stream).subspan(at, std::min(step, stream.size() - at)));
      ASSERT_TRUE(read) << read.error().ToString();
      for (const EventMessage& message : *read) EXPECT_EQ(message, MakeMessage());
      count += read->size();
    }
    EXPECT_EQ(count, 3u) << "in pieces of " << step;
    EXPECT_TRUE(decoder.AtEnd());
  }
}

TEST(EventStream, FindsTexts) {
  const EventMessage message{{{"a", true}, {"b", std::string("x")}}, {}};
  EXPECT_EQ(message.Text("a"), "");
  EXPECT_EQ(message.Text("b"), "x");
  EXPECT_EQ(message.Text("c"), "");
}

TEST(EventStream, NoByteMayDiffer) {
  const Bytes good = Encode(MakeMessage());
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 0x10;
    EventStreamDecoder decoder;
    EXPECT_FALSE(decoder.Append(bad)) << "byte " << i;
    EXPECT_FALSE(decoder.Append(good)) << "after damage nothing is read";
    EXPECT_FALSE(decoder.AtEnd());
  }
}

TEST(EventStream, ACutMessageIsNoMessage) {
  const Bytes good = Encode(MakeMessage());
  for (std::size_t length = 1; length < good.size(); ++length) {
    EventStreamDecoder decoder;
    const auto read = decoder.Append(ByteSpan(good).first(length));
    ASSERT_TRUE(read) << length;
    EXPECT_TRUE(read->empty());
    EXPECT_FALSE(decoder.AtEnd());
  }
}

// A message whose checksums are right and whose headers are these bytes.
Bytes WithHeaders(const Bytes& headers) {
  // The payload's place: what EncodeEventMessage makes of the bytes as payload differs in one length only.
  Bytes message = EncodeEventMessage({}, headers);
  const auto append_crc = [](Bytes& bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const std::uint8_t byte : bytes) {
      crc ^= byte;
      for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    }
    AppendBigEndian(bytes, ~crc);
  };
  Bytes out;
  AppendBigEndian(out, static_cast<std::uint32_t>(message.size()));
  AppendBigEndian(out, static_cast<std::uint32_t>(headers.size()));
  append_crc(out);
  out.insert(out.end(), headers.begin(), headers.end());
  append_crc(out);
  return out;
}

TEST(EventStream, HeadersMustBeWhole) {
  const std::map<std::string, Bytes> cases{
      {"no name", {0, 0}},
      {"a name that is cut", {5, 'a'}},
      {"no type", {1, 'a'}},
      {"unknown type", {1, 'a', 10}},
      {"a cut integer", {1, 'a', 4, 0, 0, 0}},
      {"a cut length", {1, 'a', 7, 0}},
      {"a cut text", {1, 'a', 7, 0, 4, 'x'}},
      {"a cut uuid", {1, 'a', 9, 1, 2, 3}},
      {"a cut time", {1, 'a', 8, 0, 0}},
      {"a time beyond time", {1, 'a', 8, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
  };
  for (const auto& [name, headers] : cases) {
    EventStreamDecoder decoder;
    const auto read = decoder.Append(WithHeaders(headers));
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << name;
  }
  EventStreamDecoder decoder;
  EXPECT_TRUE(decoder.Append(WithHeaders({1, 'a', 2, 0xFF}))) << "the frame itself is right";
}

// The first twelve bytes of a message of these lengths.
Bytes Prelude(std::uint32_t total, std::uint32_t headers) {
  Bytes out;
  AppendBigEndian(out, total);
  AppendBigEndian(out, headers);
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : out) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
  }
  AppendBigEndian(out, ~crc);
  return out;
}

TEST(EventStream, LengthsAreCheckedBeforeAnythingIsKept) {
  struct Case {
    const char* name;
    std::uint32_t total, headers;
    ErrorCode code;
  };
  for (const Case& one : {Case{"shorter than its frame", 15, 0, ErrorCode::kCorruption},
                          Case{"nothing at all", 0, 0, ErrorCode::kCorruption},
                          Case{"headers longer than the message", 32, 17, ErrorCode::kCorruption},
                          Case{"huge headers", 0x7FFFFFFF, 0x7FFFFF00, ErrorCode::kResourceExhausted},
                          Case{"a huge payload", 0xFFFFFFFF, 0, ErrorCode::kResourceExhausted}}) {
    EventStreamDecoder decoder;
    const auto read = decoder.Append(Prelude(one.total, one.headers));
    ASSERT_FALSE(read) << one.name;
    EXPECT_EQ(read.error().code, one.code) << one.name;
  }
}

}  // namespace
}  // namespace millrace::wire
