// One track of a GStreamer connection, behind rtspsrc's pad: depayloader, parser, and the way out.
//
// Frames and RTP stamps come on one streaming thread of rtspsrc. Which RTP stamp a frame has is found again
// by the buffer's GStreamer time, since depayloaders do not hand the stamp on.
#pragma once

#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "media/codec.h"
#include "media/frame.h"
#include "media/gst_handles.h"

namespace millrace {

// What rtspsrc's caps say of a track that can be recorded.
struct GstTrackPlan {
  TrackKind kind = TrackKind::kVideo;
  const char* depayloader = "";
  const char* parser = "";     // empty: none is needed
  const char* caps = "";       // what leaves the parser
  std::uint32_t rtp_rate = 0;  // ticks a second
};
// Errors: kUnsupported, naming the codec. `caps` are application/x-rtp.
Result<GstTrackPlan> PlanTrack(const GstCaps* caps);

// Errors: kUnsupported, kCorruption: caps that make no track.
Result<TrackInfo> TrackInfoFromCaps(const GstCaps* caps);

class GstTrack {
 public:
  struct Sample {
    TrackInfo info;     // number is not set
    std::uint32_t rtp;  // stamp
    Frame frame;        // key_frame, after_loss, duration and data are set
  };
  struct Events {
    std::function<void(std::uint32_t ssrc)>
        on_ssrc;  // its RTP sender, before the first sample; again when it changes
    // So many are missing. Told as it is seen; the frames behind say so too, which may still be on their way.
    std::function<void(std::uint64_t packets)> on_loss;
    std::function<void(Sample)> on_sample;
    std::function<void(Error)> on_error;
  };

  // Adds the elements to `pipeline` and links them behind `source_pad`. The track outlives the pipeline's
  // running. Errors: kInternal: an element is missing or refuses.
  // `frame_bytes_max`: packets that come without making a frame are let go above it, and it is an error.
  GstTrack(const GstTrackPlan& plan, std::size_t frame_bytes_max, Events events);
  GstTrack(const GstTrack&) = delete;
  GstTrack& operator=(const GstTrack&) = delete;
  Result<void> Attach(GstElement* pipeline, GstPad* source_pad);

 private:
  static GstPadProbeReturn OnRtp(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static GstFlowReturn OnSample(GstAppSink* sink, gpointer self);
  // False: it is to be let go.
  bool SeeRtp(GstBuffer* packet);
  std::uint32_t RtpOf(GstClockTime pts) const;
  GstFlowReturn TakeSample(GstSample* sample);
  GstFlowReturn KeepForNext(ByteSpan bytes);
  bool IsAfterLoss(std::uint32_t rtp);

  const GstTrackPlan plan_;
  const std::size_t frame_bytes_max_;
  const Events events_;
  // Streaming thread only.
  struct Stamp {
    GstClockTime pts = GST_CLOCK_TIME_NONE;
    std::uint32_t rtp = 0;
  };
  std::array<Stamp, 64> stamps_{};  // the newest ones, a ring
  std::size_t newest_ = 0;
  bool has_stamp_ = false;
  std::size_t unframed_bytes_ = 0;  // of packets since the last frame
  std::uint16_t sequence_ = 0;      // of the newest packet
  std::uint32_t ssrc_ = 0;
  std::optional<std::uint32_t> loss_;  // stamp of the packet behind the last gap, until a later frame came
  bool loss_is_new_ = false;           // no frame has come since
  GstCapsPtr caps_;                    // of info_
  std::optional<TrackInfo> info_;
  Bytes before_picture_;  // NAL units that belong to the next frame
};

}  // namespace millrace
