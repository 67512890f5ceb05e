#include "consumers/whep/whep_viewer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/metrics.h"
#include "base/time.h"
#include "consumers/whep/whep_stream.h"

namespace millrace {
namespace {

// The pipeline's running time begins so long ago, so that frames of before the viewer came have one.
constexpr GstClockTime kBeforeViewer = GST_SECOND * 3600;
constexpr std::int64_t kBeforeFirst_ns = 10'000'000'000;

struct Metrics {
  prometheus::Gauge& viewers = GetGauge("millrace_webrtc_viewers", "WebRTC peers that watch now");
  prometheus::Counter& skipped = GetCounter("millrace_webrtc_viewer_skips_total",
                                            "Times that a slow viewer was moved forward to a key frame");
};
Metrics& Counted() {
  static Metrics metrics;
  return metrics;
}

}  // namespace

std::int64_t WhepViewer::PlaceOfFirst(std::int64_t now_ns, Duration age) {
  // Some time is left for what comes behind the first frame and was taken before it.
  const std::int64_t place = now_ns - age.count();
  return place >= kBeforeFirst_ns ? place : now_ns;
}

WhepViewer::WhepViewer(const WebrtcSettings& settings, const WhepViewerOptions& options,
                       std::shared_ptr<WhepStream> stream, const std::string& name)
    : WebrtcSession(settings, options.times, name), options_(options), watched_(std::move(stream)) {}

Result<void> WhepViewer::Prepare(WebrtcPeer& peer) {
  Counted().viewers.Increment();
  const std::unique_ptr<GstClock, ReleaseByPointer<gst_object_unref>> clock(gst_system_clock_obtain());
  gst_pipeline_use_clock(GST_PIPELINE(peer.pipeline()), clock.get());
  // The base time stays as it is set here.
  gst_element_set_start_time(peer.pipeline(), GST_CLOCK_TIME_NONE);
  const GstClockTime now = gst_clock_get_time(clock.get());
  gst_element_set_base_time(peer.pipeline(), now - std::min(now, kBeforeViewer));
  // Reports tell when a frame was taken. When it is sent, the default, is known only once the pipeline has a
  // latency: the first reports would be wrong.
  g_object_set(peer.rtpbin(), "rtcp-sync-send-time", FALSE, nullptr);
  for (std::size_t i = 0; i < peer.media().size(); ++i) {
    MILLRACE_ASSIGN_OR_RETURN(auto sender, RtpSender::Attach(peer, i, options_.queue_bytes_max));
    senders_.push_back(std::move(sender));
  }
  watched_->Add(this);
  return {};
}

std::optional<Error> WhepViewer::LookAtMedia(SteadyTime now) {
  if (looked_ == SteadyTime{}) looked_ = now;
  if (now - std::max(peer().last_heard(), looked_) <= options_.silence_timeout) return std::nullopt;
  return Error{ErrorCode::kUnavailable, "nothing came from the viewer any more"};
}

void WhepViewer::Closing() { watched_->Remove(this); }

void WhepViewer::Stopped() {
  senders_.clear();
  watched_.reset();
  Counted().viewers.Decrement();
}

void WhepViewer::Send(const std::shared_ptr<const RtpFrame>& frame,
                      const std::vector<std::shared_ptr<const RtpFrame>>& since_key_frame) {
  if (!connected_) return;
  if (begun_) return SendOne(*frame);
  begun_ = !since_key_frame.empty();
  // Pictures are needed from the key frame on and shown at once; sound of before now would be played, late.
  for (const auto& each : since_key_frame) {
    if (each->kind == TrackKind::kVideo || each == frame) SendOne(*each);
  }
}

void WhepViewer::SendOne(const RtpFrame& frame) {
  const auto sender = std::find_if(senders_.begin(), senders_.end(),
                                   [&](const auto& each) { return each->kind() == frame.kind; });
  if (sender == senders_.end()) return;
  const bool video = frame.kind == TrackKind::kVideo;
  if (video && behind_ && !frame.key_frame) return;
  if (!first_) {
    first_ = frame.pts;
    const auto now = static_cast<std::int64_t>(gst_element_get_current_running_time(peer().pipeline()));
    first_place_ = PlaceOfFirst(now, SystemClock().Now() - frame.pts);
  }
  const std::int64_t place = first_place_ + (frame.pts - *first_).count();
  const bool sent = (*sender)->Send(frame, static_cast<GstClockTime>(std::max<std::int64_t>(place, 0)));
  if (!video) return;
  if (!sent && !behind_) Counted().skipped.Increment();
  behind_ = !sent;
}

}  // namespace millrace
