#include "consumers/player_audio.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "consumers/aac_encoder.h"
#include "consumers/fragment_frames.h"
#include "fragments/decode_times.h"
#include "media/g711.h"

namespace millrace {
namespace {

constexpr std::uint64_t kBlock = AacEncoder::kBlock;
constexpr std::uint64_t kGroup = 8;  // packets that one encoder makes
// Blocks that it is fed before the first of its packets begins: the delay is a part of its way there.
constexpr std::uint64_t kGroupLead = AacEncoder::kWarmUpBlocks - AacEncoder::kDelayBlocks;
// A longer time without sound is none of the sound: the encoder begins anew behind it.
constexpr std::uint64_t kSilenceMax = 8 * kBlock;
// Fragments that are read before one: of the recorder's, which last a second or more, two or three are
// enough.
constexpr std::size_t kBeforeMax = 8;
constexpr std::size_t kListed = 24;  // the newest before it, of all runs

static_assert(kLagSamples == (AacEncoder::kDelayBlocks + 1) * kBlock);
static_assert(kLeadSamples >= kLagSamples + (kGroup + kGroupLead) * kBlock);

bool IsG711(Codec codec) { return codec == Codec::kPcmMulaw || codec == Codec::kPcmAlaw; }

// A packet of G.711 at its place in the run.
struct Packet {
  std::uint64_t sample = 0;
  std::uint64_t samples = 0;
  ByteSpan bytes;
  std::uint64_t end() const { return sample + samples; }
};

const TrackFacts* FactsOf(const FragmentFacts& facts, std::uint32_t track) {
  const auto found = std::find_if(facts.track_facts.begin(), facts.track_facts.end(),
                                  [&](const TrackFacts& candidate) { return candidate.track == track; });
  return found != facts.track_facts.end() ? &*found : nullptr;
}

Result<void> AppendPackets(const PlayerFragment& fragment, const TrackInfo& track,
                           std::vector<Packet>& packets) {
  const TrackFacts* facts = FactsOf(fragment.facts, track.number);
  if (facts == nullptr) return {};
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<AudioSpan> spans, AudioSamples(*facts));
  std::size_t at = 0;
  for (const Frame& frame : fragment.frames) {
    if (frame.track != track.number) continue;
    if (at == spans.size()) break;
    packets.push_back({spans[at].sample, frame.data.size() / track.channels, frame.data.span()});
    ++at;
  }
  const bool all = at == facts->frames && std::count_if(fragment.frames.begin(), fragment.frames.end(),
                                                        [&](auto& f) { return f.track == track.number; }) ==
                                              static_cast<std::ptrdiff_t>(at);
  if (all) return {};
  return Error{ErrorCode::kCorruption,
               "fragment " + fragment.facts.number.ToString() + ": audio frames are missing or too many"};
}

// Sound without a longer silence in it.
class Stretch {
 public:
  Stretch(const TrackInfo& track, std::span<const Packet> packets) : track_(track), packets_(packets) {}

  std::uint64_t begin() const { return packets_.front().sample; }
  std::uint64_t end() const { return packets_.back().end(); }

  // The samples of a block of the grid, planar, -1 to 1; silence where there are none. Blocks are asked for
  // in rising order.
  void FillBlock(std::uint64_t block, std::vector<float>& out) {
    std::fill(out.begin(), out.end(), 0.0f);
    const std::uint64_t first = block * kBlock;
    while (next_ < packets_.size() && packets_[next_].end() <= first) ++next_;
    for (std::size_t i = next_; i < packets_.size() && packets_[i].sample < first + kBlock; ++i) {
      const Packet& packet = packets_[i];
      const std::uint64_t from = std::max(packet.sample, first);
      const std::uint64_t to = std::min(packet.end(), first + kBlock);
      for (std::uint64_t sample = from; sample < to; ++sample) {
        for (std::size_t channel = 0; channel < track_.channels; ++channel) {
          const std::uint8_t byte = packet.bytes[(sample - packet.sample) * track_.channels + channel];
          out[channel * kBlock + (sample - first)] =
              static_cast<float>(G711Sample(track_.codec, byte)) / 32'768.0f;
        }
      }
    }
  }

 private:
  const TrackInfo& track_;
  const std::span<const Packet> packets_;
  std::size_t next_ = 0;
};

// Which packets of the grid are a fragment's: those whose dependence ends in (after, up_to].
struct Share {
  std::uint64_t after = 0;
  std::uint64_t up_to = 0;
  bool everything_before = false;  // no fragment before it has them
  bool Has(std::uint64_t end) const { return (everything_before || end > after) && end <= up_to; }
};

struct AacPacket {
  std::uint64_t sample = 0;
  Bytes data;
};

// The packets that begin with blocks `from` to `to` of one group, of those the share's.
Result<void> EncodeGroup(const TrackInfo& track, std::span<const Packet> packets, const Share& share,
                         std::uint64_t from, std::uint64_t to, std::vector<AacPacket>& out) {
  Stretch stretch(track, packets);
  const std::uint64_t group = from / kGroup * kGroup;
  std::uint64_t block = std::max(stretch.begin() / kBlock, group > kGroupLead ? group - kGroupLead : 0);
  MILLRACE_ASSIGN_OR_RETURN(AacEncoder encoder, AacEncoder::Open(track.sample_rate, track.channels));
  std::vector<float> samples(kBlock * track.channels);
  for (; block <= to + AacEncoder::kDelayBlocks; ++block) {
    stretch.FillBlock(block, samples);
    MILLRACE_ASSIGN_OR_RETURN(std::optional<Bytes> data, encoder.Feed(samples));
    if (!data || block < from + AacEncoder::kDelayBlocks || !share.Has((block + 1) * kBlock)) continue;
    out.push_back({(block - AacEncoder::kDelayBlocks) * kBlock, std::move(*data)});
  }
  return {};
}

// A stretch's packets begin one block before its sound, to be overlapped with, and end with it.
Result<void> Encode(const TrackInfo& track, std::span<const Packet> packets, const Share& share,
                    std::vector<AacPacket>& out) {
  const Stretch stretch(track, packets);
  const std::uint64_t begin = stretch.begin() / kBlock;
  std::uint64_t from = begin > 0 ? begin - 1 : 0;
  if (!share.everything_before && share.after > kLagSamples)
    from = std::max(from, (share.after - kLagSamples) / kBlock);
  if (share.up_to < kLagSamples) return {};
  const std::uint64_t last = std::min((stretch.end() - 1) / kBlock, (share.up_to - kLagSamples) / kBlock);
  while (from <= last) {
    const std::uint64_t to = std::min(last, from / kGroup * kGroup + kGroup - 1);
    MILLRACE_RETURN_IF_ERROR(EncodeGroup(track, packets, share, from, to, out));
    from = to + 1;
  }
  return {};
}

Result<std::vector<AacPacket>> EncodeTrack(const TrackInfo& track, const PlayerFragment& fragment,
                                           const std::vector<PlayerFragment>& before) {
  std::vector<Packet> packets;
  Share share{.everything_before = true};
  for (const PlayerFragment& earlier : before) {
    MILLRACE_RETURN_IF_ERROR(AppendPackets(earlier, track, packets));
    if (packets.empty()) continue;
    share.everything_before = false;
    share.after = packets.back().end();
  }
  MILLRACE_RETURN_IF_ERROR(AppendPackets(fragment, track, packets));
  std::erase_if(packets, [](const Packet& packet) { return packet.samples == 0; });
  std::vector<AacPacket> encoded;
  if (packets.empty()) return encoded;
  const bool rising = std::is_sorted(packets.begin(), packets.end(),
                                     [](const Packet& a, const Packet& b) { return a.sample < b.sample; });
  if (!rising || packets.back().end() > std::uint64_t{1} << 62) {
    return Error{ErrorCode::kCorruption, "fragment " + fragment.facts.number.ToString() +
                                             ": its sound begins before that of the one before"};
  }
  share.up_to = packets.back().end();
  // Nothing comes after it: its last sound needs no more, and is followed by silence.
  if (fragment.facts.end == FragmentEnd::kRunEnded) share.up_to += kLagSamples;

  std::size_t first = 0;
  for (std::size_t i = 1; i <= packets.size(); ++i) {
    if (i < packets.size() && packets[i].sample <= packets[i - 1].end() + kSilenceMax) continue;
    const std::span<const Packet> stretch(packets.data() + first, i - first);
    MILLRACE_RETURN_IF_ERROR(Encode(track, stretch, share, encoded));
    first = i;
  }
  return encoded;
}

void Replace(PlayerFragment& fragment, std::size_t index, std::vector<AacPacket> packets) {
  FragmentFacts& facts = fragment.facts;
  const TrackInfo track = PlayerTrack(facts.tracks[index]);
  facts.tracks[index] = track;
  std::erase_if(fragment.frames, [&](const Frame& frame) { return frame.track == track.number; });
  TrackFacts described;
  described.track = track.number;
  described.samples_per_frame = static_cast<std::uint32_t>(kBlock);
  std::uint64_t next = 0;
  for (AacPacket& packet : packets) {
    if (described.frames == 0 || packet.sample != next) {
      described.anchors.push_back({.frame_index = described.frames, .sample = packet.sample});
    }
    next = packet.sample + kBlock;
    ++described.frames;
    Frame frame;
    frame.track = track.number;
    const auto sample = static_cast<std::int64_t>(packet.sample);
    const std::int64_t rate = track.sample_rate;
    frame.pts =
        facts.run_start + Duration{sample / rate * 1'000'000'000 + sample % rate * 1'000'000'000 / rate};
    frame.duration = Duration{static_cast<std::int64_t>(kBlock) * 1'000'000'000 / rate};
    frame.key_frame = true;
    frame.data = SharedBytes(std::move(packet.data));
    fragment.frames.push_back(std::move(frame));
  }
  for (TrackFacts& candidate : facts.track_facts) {
    if (candidate.track == track.number) candidate = described;
  }
}

Result<PlayerFragment> ReadStored(FragmentStore& store, const std::string& stream,
                                  const FragmentNumber& number) {
  MILLRACE_ASSIGN_OR_RETURN(Fragment fragment, store.Read(stream, number));
  MILLRACE_ASSIGN_OR_RETURN(std::vector<Frame> frames, FramesOf(fragment));
  return PlayerFragment{std::move(fragment.facts), std::move(frames)};
}

// Whether what lies before `fragment` in its run, as far as `oldest` is the first of it, is enough for all of
// its G.711.
bool IsEnough(const FragmentFacts& fragment, const FragmentFacts& oldest) {
  return std::all_of(fragment.tracks.begin(), fragment.tracks.end(), [&](const TrackInfo& track) {
    if (!IsG711(track.codec)) return true;
    const TrackFacts* own = FactsOf(fragment, track.number);
    const TrackFacts* earlier = FactsOf(oldest, track.number);
    if (own == nullptr || own->anchors.empty()) return true;
    return earlier != nullptr && !earlier->anchors.empty() &&
           earlier->anchors.front().sample + kLeadSamples <= own->anchors.front().sample;
  });
}

}  // namespace

TrackInfo PlayerTrack(const TrackInfo& stored) {
  if (!IsG711(stored.codec) || !AacEncoder::Takes(stored.sample_rate, stored.channels)) return stored;
  TrackInfo track = stored;
  track.codec = Codec::kAac;
  track.codec_private = AacEncoder::Config(stored.sample_rate, stored.channels);
  return track;
}

bool NeedsPlayerAudio(const std::vector<TrackInfo>& tracks) {
  return std::any_of(tracks.begin(), tracks.end(),
                     [](const TrackInfo& track) { return PlayerTrack(track).codec != track.codec; });
}

Result<PlayerFragment> MakePlayerFragment(PlayerFragment fragment,
                                          const std::vector<PlayerFragment>& before) {
  for (std::size_t i = 0; i < fragment.facts.tracks.size(); ++i) {
    const TrackInfo stored = fragment.facts.tracks[i];
    if (PlayerTrack(stored).codec == stored.codec) continue;
    MILLRACE_ASSIGN_OR_RETURN(std::vector<AacPacket> packets, EncodeTrack(stored, fragment, before));
    Replace(fragment, i, std::move(packets));
  }
  return fragment;
}

Result<PlayerFragment> ReadForPlayers(FragmentStore& store, const std::string& stream,
                                      const FragmentNumber& number) {
  MILLRACE_ASSIGN_OR_RETURN(PlayerFragment fragment, ReadStored(store, stream, number));
  if (!NeedsPlayerAudio(fragment.facts.tracks)) return fragment;
  FragmentQuery query{
      .order = FragmentOrder::kNumber, .to_number = number, .descending = true, .limit = kListed};
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> listed, store.List(stream, query));
  std::vector<PlayerFragment> before;
  for (const FragmentFacts& earlier : listed) {
    if (earlier.number == number || earlier.run != fragment.facts.run) continue;
    auto read = ReadStored(store, stream, earlier.number);
    if (!read) break;  // retention was faster
    before.insert(before.begin(), std::move(*read));
    if (before.size() == kBeforeMax || IsEnough(fragment.facts, earlier)) break;
  }
  return MakePlayerFragment(std::move(fragment), before);
}

}  // namespace millrace
