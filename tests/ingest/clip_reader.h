// The clip that camera-sim wrote with --dump, to compare received frames with.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "media/frame.h"
#include "media/libav_handles.h"

namespace millrace::test {

// Every track's frames in decode order: video as its slices alone (a camera may repeat parameter sets), audio
// as it is.
struct ClipFrames {
  std::vector<std::string> video;
  std::vector<std::string> audio;
};

// The slices of an access unit of length-prefixed NAL units.
inline std::string SlicesOf(ByteSpan unit) {
  std::string slices;
  while (unit.size() > 4) {
    const std::size_t size = ReadBigEndian<std::uint32_t>(unit);
    if (size > unit.size() - 4) throw std::runtime_error("an access unit is damaged");
    const int type = unit[4] & 0x1F;
    if (type >= 1 && type <= 5) slices += AsText(unit.subspan(0, 4 + size));
    unit = unit.subspan(4 + size);
  }
  return slices;
}

inline ClipFrames ReadClip(const std::string& path) {
  AVFormatContext* raw = nullptr;
  if (avformat_open_input(&raw, path.c_str(), nullptr, nullptr) < 0)
    throw std::runtime_error("cannot open " + path);
  const AvInputPtr input(raw);
  if (avformat_find_stream_info(raw, nullptr) < 0) throw std::runtime_error("cannot read " + path);
  ClipFrames clip;
  const AvPacketPtr packet(av_packet_alloc());
  while (av_read_frame(raw, packet.get()) >= 0) {
    const ByteSpan bytes(packet->data, static_cast<std::size_t>(packet->size));
    if (raw->streams[packet->stream_index]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO) {
      clip.video.push_back(SlicesOf(bytes));
    } else {
      clip.audio.emplace_back(AsText(bytes));
    }
    av_packet_unref(packet.get());
  }
  return clip;
}

// Says where `received` is not `clip` from some place on, again and again without an end; empty when it is.
inline std::string StretchFault(const std::vector<std::string>& received,
                                const std::vector<std::string>& clip) {
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < clip.size(); ++i) place[clip[i]] = i;
  if (place.size() != clip.size()) return "the clip's frames are not all different";
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (!place.contains(received[i])) return "frame " + std::to_string(i) + " is not the clip's";
    if (i > 0 && place[received[i]] != (place[received[i - 1]] + 1) % clip.size()) {
      return "frame " + std::to_string(i) + " is the clip's " + std::to_string(place[received[i]]) +
             ", after its " + std::to_string(place[received[i - 1]]);
    }
  }
  return "";
}

}  // namespace millrace::test
