#include "consumers/playback/playback_session.h"

namespace millrace {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kByServerTime = 1, kShowTimestamps = 2, kShowNumbers = 4, kHasStart = 8, kHasEnd = 16;
// version, four enums, flags; fragments_max, target_s; six times; a number
constexpr std::size_t kFixedBytes = 1 + 4 + 1 + 4 + 4 + 5 * 8 + 20;

void AppendTime(Bytes& out, Timestamp time) { AppendBigEndian(out, static_cast<std::uint64_t>(time.ns)); }

}  // namespace

Bytes EncodeSession(const PlaybackSession& session) {
  Bytes out;
  out.reserve(kFixedBytes + session.stream.size());
  out.push_back(kVersion);
  out.push_back(static_cast<std::uint8_t>(session.protocol));
  out.push_back(static_cast<std::uint8_t>(session.mode));
  out.push_back(static_cast<std::uint8_t>(session.container));
  out.push_back(static_cast<std::uint8_t>(session.discontinuities));
  out.push_back(static_cast<std::uint8_t>((session.by_server_time ? kByServerTime : 0) |
                                          (session.show_timestamps ? kShowTimestamps : 0) |
                                          (session.show_numbers ? kShowNumbers : 0) |
                                          (session.start ? kHasStart : 0) | (session.end ? kHasEnd : 0)));
  AppendBigEndian(out, session.fragments_max);
  AppendBigEndian(out, session.target_s);
  AppendTime(out, session.start.value_or(Timestamp{}));
  AppendTime(out, session.end.value_or(Timestamp{}));
  AppendTime(out, session.stream_created);
  AppendTime(out, session.created);
  AppendTime(out, session.expires);
  const Bytes first = session.first.ToKey();
  out.insert(out.end(), first.begin(), first.end());
  out.insert(out.end(), session.stream.begin(), session.stream.end());
  return out;
}

Result<PlaybackSession> DecodeSession(ByteSpan bytes) {
  if (bytes.size() <= kFixedBytes || bytes[0] != kVersion) {
    return Error{ErrorCode::kInvalidArgument, "no session of this version"};
  }
  const auto take_u32 = [&] {
    const auto value = ReadBigEndian<std::uint32_t>(bytes);
    bytes = bytes.subspan(4);
    return value;
  };
  const auto take_time = [&] {
    const Timestamp time{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes))};
    bytes = bytes.subspan(8);
    return time;
  };
  PlaybackSession session;
  session.protocol = static_cast<PlaybackProtocol>(bytes[1]);
  session.mode = static_cast<PlaybackMode>(bytes[2]);
  session.container = static_cast<SegmentContainer>(bytes[3]);
  session.discontinuities = static_cast<DiscontinuityMode>(bytes[4]);
  const std::uint8_t flags = bytes[5];
  session.by_server_time = (flags & kByServerTime) != 0;
  session.show_timestamps = (flags & kShowTimestamps) != 0;
  session.show_numbers = (flags & kShowNumbers) != 0;
  bytes = bytes.subspan(6);
  session.fragments_max = take_u32();
  session.target_s = take_u32();
  const Timestamp start = take_time(), end = take_time();
  if ((flags & kHasStart) != 0) session.start = start;
  if ((flags & kHasEnd) != 0) session.end = end;
  session.stream_created = take_time();
  session.created = take_time();
  session.expires = take_time();
  session.first = FragmentNumber::FromKey(bytes.first(20));
  session.stream = AsText(bytes.subspan(20));
  return session;
}

}  // namespace millrace
