// The clip cut into RTP payloads, once for all cameras and clients: only the 12-byte header differs between
// them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "samples/camera-sim/clip.h"

namespace millrace::camera_sim {

// One RTP payload: a few bytes of our own (FU-A or AU headers), then bytes of the clip.
struct PacketPiece {
  std::array<std::uint8_t, 4> prefix{};
  std::uint8_t prefix_size = 0;
  bool marker = false;  // last of its access unit
  ByteSpan data;        // lives as long as the PacketClip

  // H.264: of the NAL unit that this is, or is a piece of.
  int nal_type() const { return (prefix_size == 2 ? prefix[1] : data.empty() ? 0 : data[0]) & 0x1F; }
};

struct PacketUnit {
  std::int64_t pts = 0;  // as Unit
  std::int64_t send = 0;
  bool key = false;
  std::vector<PacketPiece> pieces;
};

struct PacketTrack {
  TrackInfo info;
  std::uint8_t payload_type = 0;
  std::uint32_t timescale = 0;
  std::int64_t duration = 0;
  std::vector<PacketUnit> units;
};

// Immutable once made. Threads: any.
struct PacketClip {
  Clip clip;                        // owns the bytes
  std::vector<PacketTrack> tracks;  // video first
};

// H.264 by RFC 6184 (single units and FU-A, parameter sets sent before every key frame), AAC by RFC 3640
// (AAC-hbr). `mtu`: largest RTP packet with its header, bytes. Errors: kCorruption: a clip that is not well
// formed.
Result<std::shared_ptr<const PacketClip>> MakePacketClip(Clip clip, std::uint32_t mtu);

}  // namespace millrace::camera_sim
