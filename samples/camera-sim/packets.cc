#include "samples/camera-sim/packets.h"

#include <algorithm>
#include <utility>

#include "samples/camera-sim/h264_nal.h"

namespace millrace::camera_sim {
namespace {

constexpr std::uint32_t kRtpHeaderSize = 12;

void AddNal(PacketUnit& unit, ByteSpan nal, std::size_t payload_max) {
  if (nal.size() <= payload_max) {
    unit.pieces.push_back({{}, 0, false, nal});
    return;
  }
  // FU-A: the unit's header byte is split between the two prefix bytes and not sent itself.
  const auto indicator = static_cast<std::uint8_t>((nal[0] & 0xE0) | 28);
  const auto type = static_cast<std::uint8_t>(nal[0] & 0x1F);
  ByteSpan rest = nal.subspan(1);
  bool first = true;
  while (!rest.empty()) {
    const std::size_t size = std::min(rest.size(), payload_max - 2);
    const bool last = size == rest.size();
    const auto header = static_cast<std::uint8_t>(type | (first ? 0x80 : 0) | (last ? 0x40 : 0));
    unit.pieces.push_back({{indicator, header}, 2, false, rest.subspan(0, size)});
    rest = rest.subspan(size);
    first = false;
  }
}

Result<PacketTrack> PacketizeVideo(const ClipTrack& track, std::size_t payload_max) {
  PacketTrack out{track.info, 96, track.timescale, track.duration, {}};
  MILLRACE_ASSIGN_OR_RETURN(const ParameterSets sets, ParseAvcC(track.info.codec_private));
  for (const Unit& unit : track.units) {
    PacketUnit packets{unit.pts, unit.send, unit.key, {}};
    if (unit.key) {
      AddNal(packets, sets.sps, payload_max);
      AddNal(packets, sets.pps, payload_max);
    }
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<ByteSpan> nals, SplitLengthPrefixed(unit.data));
    for (ByteSpan nal : nals) AddNal(packets, nal, payload_max);
    if (packets.pieces.empty()) return Error{ErrorCode::kCorruption, "an access unit is empty"};
    packets.pieces.back().marker = true;
    out.units.push_back(std::move(packets));
  }
  return out;
}

PacketTrack PacketizeAudio(const ClipTrack& track, std::size_t payload_max) {
  PacketTrack out{track.info, 97, track.timescale, track.duration, {}};
  for (const Unit& unit : track.units) {
    PacketUnit packets{unit.pts, unit.send, true, {}};
    // AU-headers-length 16 bits; then 13 bits of size (of the whole unit, in each of its pieces) and 3 of
    // index.
    const auto header = static_cast<std::uint16_t>(unit.data.size() << 3);
    const std::array<std::uint8_t, 4> prefix{0, 16, static_cast<std::uint8_t>(header >> 8),
                                             static_cast<std::uint8_t>(header)};
    ByteSpan rest = unit.data;
    do {
      const std::size_t size = std::min(rest.size(), payload_max - prefix.size());
      packets.pieces.push_back({prefix, 4, size == rest.size(), rest.subspan(0, size)});
      rest = rest.subspan(size);
    } while (!rest.empty());
    out.units.push_back(std::move(packets));
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const PacketClip>> MakePacketClip(Clip clip, std::uint32_t mtu) {
  auto out = std::make_shared<PacketClip>();
  out->clip = std::move(clip);
  const std::size_t payload_max = mtu - kRtpHeaderSize;
  MILLRACE_ASSIGN_OR_RETURN(PacketTrack video, PacketizeVideo(out->clip.video, payload_max));
  out->tracks.push_back(std::move(video));
  if (out->clip.audio) out->tracks.push_back(PacketizeAudio(*out->clip.audio, payload_max));
  return std::shared_ptr<const PacketClip>(std::move(out));
}

}  // namespace millrace::camera_sim
