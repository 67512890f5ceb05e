// Frames of one track as RTP packets, made once for all who watch. Video goes as it is; sound that browsers
// do not play (AAC, G.711) is made Opus.
//
// Packets: RFC 6184 (H.264), RFC 7741 (VP8), RFC 9628 (VP9), RFC 7587 (Opus), at most kRtpPacketBytesMax.
// Time
//          stamps count from the epoch that Payload is given; payload type, SSRC and sequence number are
//          whoever sends the packets to set.
// Threads: one owner at a time; there are none inside.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/codec.h"
#include "media/frame.h"
#include "media/gst_handles.h"

namespace millrace {

inline constexpr std::size_t kRtpPacketBytesMax = 1200;  // fits every path that WebRTC is used on

// A frame's packets. Opus of sound that was made may belong to frames before.
struct RtpFrame {
  TrackKind kind = TrackKind::kVideo;
  bool key_frame = false;
  Timestamp pts;
  std::size_t bytes = 0;
  std::vector<GstBufferPtr> packets;
};

// What the track is to viewers: the codec that they must know.
Codec WatchedCodec(const TrackInfo& track);

class RtpPayloader {
 public:
  // Errors: kUnsupported (WebRTC has nothing for this codec), kInternal (an element is missing).
  static Result<std::unique_ptr<RtpPayloader>> Make(const TrackInfo& track);
  ~RtpPayloader();
  RtpPayloader(const RtpPayloader&) = delete;
  RtpPayloader& operator=(const RtpPayloader&) = delete;

  // `since_epoch` is the frame's time, not negative; RTP time is 0 at 0. None: there are no packets (yet).
  // Errors: kCorruption: the frame makes none, and those that follow will not either.
  Result<std::shared_ptr<const RtpFrame>> Payload(const Frame& frame, Duration since_epoch);

 private:
  explicit RtpPayloader(TrackKind kind) : kind_(kind) {}
  Result<void> Build(const std::string& description, const std::string& caps, const Bytes& codec_data);
  static GstFlowReturn OnPacket(GstPad* pad, GstObject* parent, GstBuffer* packet);
  static GstFlowReturn OnPackets(GstPad* pad, GstObject* parent, GstBufferList* packets);

  const TrackKind kind_;
  GstElementPtr bin_;
  GstPadPtr input_;   // ours, linked to the bin's sink
  GstPadPtr output_;  // ours, linked to the bin's source
  std::vector<GstBufferPtr> packets_;
};

}  // namespace millrace
