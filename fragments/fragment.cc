#include "fragments/fragment.h"

#include <limits>
#include <string>

namespace millrace {
namespace {

// Version 2, big-endian, times in ns as two's complement:
//   version u8 | number 20 | start, duration, server_start i64 | bytes, run u64 | run_start i64
//   | flags (1: independent, 2: damaged), clock, end u8 | tracks_id u64
//   | tracks u8 x { number u32, codec u8, width, height, sample_rate, channels u32, private u32 + bytes }
//   | track facts u8 x { track, frames, reorder_depth u32, first_dts, end_dts i64, samples_per_frame u32,
//                        anchors u32 x { frame_index u32, sample u64 } }
// Version 1 has no other flag than 1. What needs nothing newer is still written as it, so that a program of
// before can be gone back to.
constexpr std::uint8_t kFragmentVersion = 2;
constexpr std::uint8_t kIndependent = 1;
constexpr std::uint8_t kDamagedFlag = 2;

void AppendSigned64(Bytes& out, std::int64_t value) {
  AppendBigEndian(out, static_cast<std::uint64_t>(value));
}

void AppendTrack(Bytes& out, const TrackInfo& track) {
  AppendBigEndian(out, track.number);
  out.push_back(static_cast<std::uint8_t>(track.codec));
  AppendBigEndian(out, track.width);
  AppendBigEndian(out, track.height);
  AppendBigEndian(out, track.sample_rate);
  AppendBigEndian(out, track.channels);
  AppendBigEndian(out, static_cast<std::uint32_t>(track.codec_private.size()));
  out.insert(out.end(), track.codec_private.begin(), track.codec_private.end());
}

// Takes values off the front; after running short every value is zero and ok() is false.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  std::size_t left() const { return bytes_.size(); }

  ByteSpan Take(std::size_t count) {
    if (!ok_ || bytes_.size() < count) {
      ok_ = false;
      return {};
    }
    const ByteSpan taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  template <typename T>
  T Unsigned() {
    const ByteSpan taken = Take(sizeof(T));
    return taken.empty() ? T{0} : ReadBigEndian<T>(taken);
  }
  std::int64_t Signed64() { return static_cast<std::int64_t>(Unsigned<std::uint64_t>()); }
  Timestamp Time() { return Timestamp{Signed64()}; }
  // A count of things that take at least `bytes_each`: never more than can be there, so that what is set
  // aside for them is bounded by the input.
  template <typename T>
  std::size_t Count(std::size_t bytes_each) {
    const std::size_t count = Unsigned<T>();
    if (count > left() / bytes_each) ok_ = false;
    return ok_ ? count : 0;
  }

 private:
  ByteSpan bytes_;
  bool ok_ = true;
};

bool IsCodec(std::uint8_t value) {
  switch (static_cast<Codec>(value)) {
    case Codec::kH264:
    case Codec::kH265:
    case Codec::kAv1:
    case Codec::kVp8:
    case Codec::kVp9:
    case Codec::kAac:
    case Codec::kOpus:
    case Codec::kPcmMulaw:
    case Codec::kPcmAlaw:
      return true;
  }
  return false;
}

Error Damaged(std::string_view what) {
  return {ErrorCode::kCorruption, "fragment facts: " + std::string(what)};
}

// A fragment does not end before it began, nor after the last time that there is.
bool IsSpan(Timestamp start, Duration duration) {
  return duration >= Duration{0} && start.ns <= std::numeric_limits<std::int64_t>::max() - duration.count();
}

Result<Reader> CheckVersion(ByteSpan bytes) {
  Reader reader(bytes);
  const auto version = reader.Unsigned<std::uint8_t>();
  if (version > kFragmentVersion) {
    return Error{ErrorCode::kUnsupported, "fragment facts of version " + std::to_string(version) +
                                              "; this program knows " + std::to_string(kFragmentVersion)};
  }
  if (version == 0) return Damaged("no version");
  return reader;
}

}  // namespace

std::uint64_t TracksId(const std::vector<TrackInfo>& tracks) {
  Bytes key;
  for (const TrackInfo& track : tracks) AppendTrack(key, track);
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;  // FNV-1a, 64 bits
  for (const std::uint8_t byte : key) hash = (hash ^ byte) * 0x0000'0100'0000'01B3;
  return hash;
}

Bytes EncodeFacts(const FragmentFacts& facts) {
  Bytes out;
  out.reserve(512);
  out.push_back(facts.damaged ? kFragmentVersion : 1);
  const Bytes key = facts.number.ToKey();
  out.insert(out.end(), key.begin(), key.end());
  AppendSigned64(out, facts.start.ns);
  AppendSigned64(out, facts.duration.count());
  AppendSigned64(out, facts.server_start.ns);
  AppendBigEndian(out, facts.bytes);
  AppendBigEndian(out, facts.run);
  AppendSigned64(out, facts.run_start.ns);
  out.push_back(
      static_cast<std::uint8_t>((facts.independent ? kIndependent : 0) | (facts.damaged ? kDamagedFlag : 0)));
  out.push_back(static_cast<std::uint8_t>(facts.clock));
  out.push_back(static_cast<std::uint8_t>(facts.end));
  AppendBigEndian(out, facts.tracks_id);
  out.push_back(static_cast<std::uint8_t>(facts.tracks.size()));
  for (const TrackInfo& track : facts.tracks) AppendTrack(out, track);
  out.push_back(static_cast<std::uint8_t>(facts.track_facts.size()));
  for (const TrackFacts& track : facts.track_facts) {
    AppendBigEndian(out, track.track);
    AppendBigEndian(out, track.frames);
    AppendBigEndian(out, track.reorder_depth);
    AppendSigned64(out, track.first_dts.ns);
    AppendSigned64(out, track.end_dts.ns);
    AppendBigEndian(out, track.samples_per_frame);
    AppendBigEndian(out, static_cast<std::uint32_t>(track.anchors.size()));
    for (const AudioAnchor& anchor : track.anchors) {
      AppendBigEndian(out, anchor.frame_index);
      AppendBigEndian(out, anchor.sample);
    }
  }
  return out;
}

Result<FragmentFacts> DecodeFacts(ByteSpan bytes) {
  MILLRACE_ASSIGN_OR_RETURN(Reader in, CheckVersion(bytes));
  FragmentFacts facts;
  const ByteSpan key = in.Take(20);
  if (!in.ok() || key[0] >> 4 != 1) return Damaged("no fragment number");
  facts.number = FragmentNumber::FromKey(key);
  facts.start = in.Time();
  facts.duration = Duration{in.Signed64()};
  if (!IsSpan(facts.start, facts.duration)) return Damaged("no time span");
  facts.server_start = in.Time();
  facts.bytes = in.Unsigned<std::uint64_t>();
  facts.run = in.Unsigned<std::uint64_t>();
  facts.run_start = in.Time();
  const auto flags = in.Unsigned<std::uint8_t>();
  const auto clock = in.Unsigned<std::uint8_t>();
  const auto end = in.Unsigned<std::uint8_t>();
  const int flags_max = bytes[0] == 1 ? kIndependent : kIndependent | kDamagedFlag;
  if (flags > flags_max || clock < 1 || clock > 2 || end < 1 || end > 4)
    return Damaged("a flag is out of range");
  facts.independent = (flags & kIndependent) != 0;
  facts.damaged = (flags & kDamagedFlag) != 0;
  facts.clock = static_cast<ClockSource>(clock);
  facts.end = static_cast<FragmentEnd>(end);
  facts.tracks_id = in.Unsigned<std::uint64_t>();
  facts.tracks.resize(in.Count<std::uint8_t>(25));
  for (TrackInfo& track : facts.tracks) {
    track.number = in.Unsigned<std::uint32_t>();
    const auto codec = in.Unsigned<std::uint8_t>();
    if (in.ok() && !IsCodec(codec)) return Damaged("unknown codec " + std::to_string(codec));
    track.codec = static_cast<Codec>(codec);
    track.width = in.Unsigned<std::uint32_t>();
    track.height = in.Unsigned<std::uint32_t>();
    track.sample_rate = in.Unsigned<std::uint32_t>();
    track.channels = in.Unsigned<std::uint32_t>();
    const ByteSpan codec_private = in.Take(in.Count<std::uint32_t>(1));
    track.codec_private.assign(codec_private.begin(), codec_private.end());
  }
  facts.track_facts.resize(in.Count<std::uint8_t>(36));
  for (TrackFacts& track : facts.track_facts) {
    track.track = in.Unsigned<std::uint32_t>();
    track.frames = in.Unsigned<std::uint32_t>();
    track.reorder_depth = in.Unsigned<std::uint32_t>();
    track.first_dts = in.Time();
    track.end_dts = in.Time();
    track.samples_per_frame = in.Unsigned<std::uint32_t>();
    track.anchors.resize(in.Count<std::uint32_t>(12));
    for (AudioAnchor& anchor : track.anchors) {
      anchor.frame_index = in.Unsigned<std::uint32_t>();
      anchor.sample = in.Unsigned<std::uint64_t>();
    }
  }
  if (!in.ok()) return Damaged("cut short");
  if (in.left() != 0) return Damaged(std::to_string(in.left()) + " bytes too many");
  return facts;
}

Result<FragmentSpan> DecodeFactsSpan(ByteSpan bytes) {
  MILLRACE_ASSIGN_OR_RETURN(Reader in, CheckVersion(bytes));
  FragmentSpan span;
  in.Take(20);
  span.start = in.Time();
  const Duration duration{in.Signed64()};
  if (!IsSpan(span.start, duration)) return Damaged("no time span");
  span.end = span.start + duration;
  in.Take(16);
  span.run = in.Unsigned<std::uint64_t>();
  if (!in.ok()) return Damaged("cut short");
  return span;
}

}  // namespace millrace
