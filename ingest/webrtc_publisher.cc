#include "ingest/webrtc_publisher.h"

#include <gst/video/video.h>

#include <utility>

#include "base/metrics.h"

namespace millrace {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kFirstMediaWaitMax = std::chrono::seconds(15);
constexpr auto kCountEvery = std::chrono::seconds(1);
constexpr auto kRequestEvery = std::chrono::milliseconds(500);  // an encoder is given time to answer

struct PublisherMetrics {
  prometheus::Gauge& publishers = GetGauge("millrace_webrtc_publishers", "WebRTC peers that publish now");
  prometheus::Counter& lost =
      GetCounter("millrace_webrtc_lost_packets_total", "Publishers' packets that did not arrive in time");
  prometheus::Counter& retransmission_requests =
      GetCounter("millrace_webrtc_retransmission_requests_total",
                 "Requests (NACK) to publishers for a packet that did not come");
  prometheus::Counter& retransmitted =
      GetCounter("millrace_webrtc_retransmitted_packets_total",
                 "Publishers' packets that came in time after they were asked for again");
  prometheus::Counter& key_frame_requests =
      GetCounter("millrace_webrtc_key_frame_requests_total", "Key frames that publishers were asked for");
};
PublisherMetrics& CountedPublishers() {
  static PublisherMetrics metrics;
  return metrics;
}

}  // namespace

SdpAcceptance PublisherAcceptance() {
  return {
      .receive = true, .video = {{Codec::kH264}, {Codec::kVp8}, {Codec::kVp9}}, .audio = {{Codec::kOpus}}};
}

SdpProposal PublisherProposal() {
  // Constrained baseline (RFC 6184 section 8.1), which every WebRTC peer has (RFC 7742 section 6.2).
  SdpMedia video = Offered(Codec::kH264, "42e01f");
  SdpMedia audio = Offered(Codec::kOpus);
  audio.format_parameters = "minptime=10;useinbandfec=1";
  return {.receive = true, .media = {std::move(video), std::move(audio)}};
}

WebrtcPublisher::WebrtcPublisher(const WebrtcSettings& settings, const WebrtcPublisherOptions& options,
                                 PutStreams& streams, const VideoStream& video,
                                 std::function<void()> displaced)
    : WebrtcSession(settings, options.times, video.name),
      options_(options),
      streams_(streams),
      stream_(streams.Of(video)),
      session_(stream_->NewSession()),
      displaced_(std::move(displaced)),
      recorder_(streams.store(), video, options.recorder),
      reception_(options.reception, *this) {}

Result<void> WebrtcPublisher::Prepare(WebrtcPeer& peer) {
  reception_.WatchReports(peer.rtpbin());
  retransmissions_.Watch(peer.rtpbin());
  CountedPublishers().publishers.Increment();
  return {};
}

void WebrtcPublisher::Receive(GstPad* pad, const SdpMedia& media) {
  const GstCapsPtr caps(gst_pad_get_current_caps(pad));
  const auto plan = PlanTrack(caps.get());
  if (!plan) return reception_.End(plan.error());
  if (media.kind == TrackKind::kVideo) {
    const std::lock_guard lock(mutex_);
    video_pad_.reset(GST_PAD(gst_object_ref(pad)));
  }
  ++media_received_;
  reception_.Expect(peer().media().size());
  if (auto added = reception_.AddTrack(*plan, peer().pipeline(), pad); !added)
    reception_.End(std::move(added).error());
}

std::optional<Error> WebrtcPublisher::LookAtMedia(SteadyTime now) {
  if (watched_ == SteadyTime{}) watched_ = now;
  if (now - counted_ >= kCountEvery) {
    counted_ = now;
    CountRetransmissions();
  }
  {
    const std::lock_guard lock(mutex_);
    if (error_) return error_;
  }
  if (stream_->IsDisplaced(session_)) {
    return Error{ErrorCode::kCancelled, "another producer took over the stream"};
  }
  if (const auto camera = Camera()) {
    return Error{ErrorCode::kCancelled, "the camera '" + *camera + "' records this stream from now on"};
  }
  if (now - std::max(reception_.last_heard(), watched_) > options_.silence_timeout)
    return Error{ErrorCode::kUnavailable, "nothing came from the peer any more"};
  if (media_received_ == 0 && now - watched_ > kFirstMediaWaitMax)
    return Error{ErrorCode::kUnavailable, "the peer is connected and sends nothing"};
  const SteadyTime key_frame{SteadyTime::duration(last_key_frame_.load())};
  // Counted from the last one that came, so that an encoder which makes them by itself is not asked.
  if (damaged_ || now - key_frame >= options_.key_frame_every) RequestKeyFrame(now);
  return std::nullopt;
}

void WebrtcPublisher::CountRetransmissions() {
  const RetransmissionCounts counts = retransmissions_.Take();
  CountedPublishers().retransmission_requests.Increment(static_cast<double>(counts.requests));
  CountedPublishers().retransmitted.Increment(static_cast<double>(counts.received));
}

void WebrtcPublisher::RequestKeyFrame(SteadyTime now) {
  if (now - requested_ < kRequestEvery) return;
  const std::lock_guard lock(mutex_);
  if (video_pad_ == nullptr) return;
  requested_ = now;
  CountedPublishers().key_frame_requests.Increment();
  gst_pad_send_event(video_pad_.get(),
                     gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

void WebrtcPublisher::Stopped() {
  CountRetransmissions();
  reception_.Close();
  recorder_.EndRun();
  {
    const std::lock_guard lock(mutex_);
    video_pad_.reset();
  }
  CountedPublishers().publishers.Decrement();
  GapListener* gaps = streams_.options().gaps;
  if (gaps == nullptr || !stream_->IsFedBy(session_) || Camera()) return;
  // Another stream of this name knows nothing of this publisher.
  const auto stored = streams_.store().GetStream(stream());
  if (!stored || stored->created != stream_->video().created) return;
  gaps->BeginGap(stream(), GapCause::kDisabled, streams_.options().clock->Now(), "the publisher is gone");
}

void WebrtcPublisher::OnRun(const std::vector<TrackInfo>& tracks, ClockSource clock) {
  if (stream_->IsDisplaced(session_)) return;
  if (stream_->TakeOver(session_)) displaced_();
  recorder_.EndRun();
  if (auto started = recorder_.StartRun(tracks, clock); !started) return OnEnded(std::move(started).error());
  if (GapListener* gaps = streams_.options().gaps) gaps->EndGap(stream(), streams_.options().clock->Now());
}

void WebrtcPublisher::OnFrame(Frame frame) {
  if (stream_->IsDisplaced(session_)) return recorder_.EndRun();
  if (frame.key_frame && frame.track == 1) {
    last_key_frame_ = SteadyClock::now().time_since_epoch().count();
    damaged_ = frame.after_loss;
  }
  // What it says is counted, and shows again at the next frame; but a stream that was deleted is the end.
  if (auto pushed = recorder_.Push(std::move(frame)); !pushed && pushed.error().code == ErrorCode::kNotFound)
    OnEnded(std::move(pushed).error());
}

void WebrtcPublisher::OnLoss(TrackKind kind, std::uint64_t packets) {
  CountedPublishers().lost.Increment(static_cast<double>(packets));
  recorder_.MarkLoss(kind);
  if (kind == TrackKind::kVideo) damaged_ = true;
}

void WebrtcPublisher::OnEnded(Error error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
}

}  // namespace millrace
