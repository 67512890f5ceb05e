#include "tests/parser/read_log.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "parser/parse_fragment.h"

namespace millrace::testing {
namespace {

std::string Hex(ByteSpan bytes) {
  // Long payloads by size and checksum: the lines are for comparing, and for reading when they differ.
  std::uint64_t hash = 1469598103934665603u;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  char text[64];
  std::snprintf(text, sizeof(text), "%zu bytes %016llx", bytes.size(), static_cast<unsigned long long>(hash));
  return text;
}

std::string Describe(const ServiceTags& service) {
  std::string text;
  if (service.fragment_number) text += " number=" + *service.fragment_number;
  if (service.server_timestamp) text += " server=" + std::to_string(service.server_timestamp->millis());
  if (service.producer_timestamp) text += " producer=" + std::to_string(service.producer_timestamp->millis());
  if (service.millis_behind_now) text += " behind=" + std::to_string(*service.millis_behind_now);
  if (service.continuation_token) text += " token=" + *service.continuation_token;
  if (service.error_id) text += " error=" + std::to_string(*service.error_id);
  if (service.error_code) text += " code=" + *service.error_code;
  return text;
}

std::string Describe(const std::vector<MkvTag>& tags) {
  std::string text;
  for (const MkvTag& tag : tags) text += " " + tag.name + "=" + tag.value;
  return text;
}

template <typename Frame>
std::string Describe(const Frame& frame, ByteSpan data) {
  return "frame " + std::to_string(frame.track) + " @" + std::to_string(frame.timestamp_ns) + " +" +
         std::to_string(frame.duration.count()) + (frame.key_frame ? " key" : "") +
         (frame.discardable ? " discardable " : " ") + Hex(data);
}

// ParseFragment takes one document, and must then agree with the reader on frames and errors.
void ExpectParseFragmentAgrees(ByteSpan bytes, const ReadLog& log, const ParserLimits& limits) {
  const SharedBytes shared(Bytes(bytes.begin(), bytes.end()));
  const Result<ParsedFragment> fragment = ParseFragment(shared, limits);
  if (!fragment) {
    if (fragment.error().message.find("begins a second document") != std::string::npos) return;
    EXPECT_EQ(log.message, fragment.error().message);
    return;
  }
  EXPECT_EQ(log.message, "");
  std::vector<std::string> read;
  for (const std::string& line : log.lines) {
    if (line.starts_with("frame")) read.push_back(line);
  }
  std::vector<std::string> parsed;
  for (const ParsedFrame& frame : fragment->frames) {
    parsed.push_back(Describe(frame, frame.data));
    EXPECT_EQ(Hex(fragment->Share(frame).span()), Hex(frame.data));
  }
  EXPECT_EQ(read, parsed) << "ParseFragment";
}

}  // namespace

Result<void> LoggingHandler::OnFragmentStart(const MkvFragment& fragment) {
  std::string line = "start " + std::to_string(fragment.timestamp_ns) + " at " +
                     std::to_string(fragment.offset) + " of " + std::to_string(fragment.document_offset);
  for (const MkvTrack& track : fragment.document->tracks) {
    line += " [" + std::to_string(track.number) + " " + track.codec_id + "]";
  }
  lines.push_back(line + Describe(fragment.service) + " header:" + Describe(fragment.document->tags));
  return {};
}

Result<void> LoggingHandler::OnFrame(const MkvFragment& /*fragment*/, const MkvFrame& frame) {
  lines.push_back(Describe(frame, frame.data.span()));
  return {};
}

Result<void> LoggingHandler::OnClusterEnd(const MkvFragment& fragment) {
  lines.push_back("cluster end at " + std::to_string(fragment.end_offset));
  return {};
}

Result<void> LoggingHandler::OnFragmentEnd(const MkvFragment& fragment) {
  lines.push_back("end frames=" + std::to_string(fragment.frames) + Describe(fragment.service) +
                  " tags:" + Describe(fragment.tags));
  return {};
}

Result<void> LoggingHandler::OnServiceError(const ServiceTags& service) {
  lines.push_back("service error" + Describe(service));
  return {};
}

ReadLog ReadWhole(ByteSpan bytes, const ParserLimits& limits) {
  return ReadInPieces(
      bytes, [&] { return bytes.size(); }, limits);
}

ReadLog ReadByteByByte(ByteSpan bytes, const ParserLimits& limits) {
  return ReadInPieces(
      bytes, [] { return std::size_t{1}; }, limits);
}

ReadLog ReadRandomly(ByteSpan bytes, std::mt19937& random, const ParserLimits& limits) {
  // Mostly small pieces, where the headers are cut, and some large ones.
  const auto next = [&] { return std::size_t{1} + (random() % 8 == 0 ? random() % 4096 : random() % 16); };
  return ReadInPieces(bytes, next, limits);
}

ReadLog ReadEveryWay(ByteSpan bytes, const ParserLimits& limits) {
  constexpr std::uint32_t kSeed = 20260;
  const ReadLog whole = ReadWhole(bytes, limits);
  const ReadLog single = ReadByteByByte(bytes, limits);
  EXPECT_EQ(whole.lines, single.lines) << "one byte at a time";
  EXPECT_EQ(whole.message, single.message) << "one byte at a time";
  std::mt19937 random(kSeed);
  for (int round = 0; round < 4; ++round) {
    const ReadLog split = ReadRandomly(bytes, random, limits);
    EXPECT_EQ(whole.lines, split.lines) << "random splits, seed " << kSeed << ", round " << round;
    EXPECT_EQ(whole.message, split.message) << "random splits, seed " << kSeed << ", round " << round;
  }
  ExpectParseFragmentAgrees(bytes, whole, limits);
  return whole;
}

}  // namespace millrace::testing
