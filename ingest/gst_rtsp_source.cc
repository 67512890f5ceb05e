#include "ingest/gst_rtsp_source.h"

#include <gst/gst.h>
#include <gst/rtp/gstrtcpbuffer.h>
#include <gst/rtsp/rtsp.h>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "ingest/gst_track.h"
#include "ingest/run_builder.h"
#include "media/gst_handles.h"

namespace millrace {
namespace {

constexpr std::int64_t kNtpEpochOffset = 2208988800;  // 1900 to 1970, seconds
constexpr std::size_t kSsrcMax = 16;                  // senders that reports are kept of
constexpr guint kSendersMax = 4;  // of a track, over one connection; each costs two threads
// How long a lost or late UDP packet is waited for, ms. Over TCP packets come in order and nothing waits.
constexpr guint kUdpReorderMs = 500;
constexpr guint kTcpReorderMs = 200;

void InitGst() {
  static std::once_flag once;
  std::call_once(once, [] { gst_init(nullptr, nullptr); });
}

Timestamp FromNtp(guint64 ntp) {
  const auto seconds = static_cast<std::int64_t>(ntp >> 32) - kNtpEpochOffset;
  const auto fraction_ns = static_cast<std::int64_t>((ntp & 0xFFFFFFFF) * 1'000'000'000 >> 32);
  return Timestamp{seconds * 1'000'000'000 + fraction_ns};
}

// GStreamer's debug text ends with what happened, after a line that says where in its source.
std::string Detail(const gchar* debug) {
  const std::string text = debug != nullptr ? debug : "";
  const std::size_t line = text.rfind('\n');
  return line == std::string::npos ? "" : text.substr(line + 1);
}

class GstRtspSource final : public RtspSource {
 public:
  GstRtspSource(RtspSourceOptions options, RtspSourceEvents& events)
      : options_(std::move(options)), events_(events), runs_(events, options_.bytes_max) {}
  ~GstRtspSource() override { Stop(); }

  Result<void> Start() override;
  void Stop() override;

 private:
  struct Report {
    Timestamp ntp;
    std::uint32_t rtp = 0;
    ArrivalTime now;
  };

  static GstBusSyncReply OnMessage(GstBus* bus, GstMessage* message, gpointer self);
  static gboolean OnSelectStream(GstElement* source, guint index, GstCaps* caps, gpointer self);
  static void OnPadAdded(GstElement* source, GstPad* pad, gpointer self);
  static void OnNoMorePads(GstElement* source, gpointer self);
  static void OnNewManager(GstElement* source, GstElement* manager, gpointer self);
  static void OnManagerElement(GstBin* manager, GstElement* element, gpointer self);
  static void OnSessionPad(GstElement* session, GstPad* pad, gpointer self);
  static void OnRtcp(GObject* session, GstBuffer* packets, gpointer self);

  ArrivalTime Now() const { return {options_.clock->Now(), options_.clock->SteadyNow()}; }
  void AddTrack(GstPad* pad);
  void TakeReport(std::uint32_t ssrc, Report report);
  void End(Error error);
  void OnWarning(GstMessage* message);
  Error ErrorOf(GstMessage* message);

  const RtspSourceOptions options_;
  RtspSourceEvents& events_;
  GstElementPtr pipeline_;
  GstElement* source_ = nullptr;  // the pipeline's

  std::mutex mutex_;  // guards what follows, and keeps the events in one row
  bool ended_ = false;
  RunBuilder runs_;
  bool has_video_ = false;  // of the streams that were asked for
  bool has_audio_ = false;
  std::size_t wanted_ = 0;
  std::string unsupported_;      // what the camera offers besides
  std::deque<GstTrack> tracks_;  // pointers into it are held by GStreamer's callbacks
  std::map<std::uint32_t, std::size_t> track_of_ssrc_;
  std::map<std::uint32_t, Report> early_reports_;  // of senders without a frame so far
};

Result<void> GstRtspSource::Start() {
  InitGst();
  pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  source_ = gst_element_factory_make("rtspsrc", nullptr);
  if (source_ == nullptr) return Error{ErrorCode::kInternal, "GStreamer lacks rtspsrc"};
  gst_bin_add(GST_BIN(pipeline_.get()), source_);

  const bool udp = options_.transport == CameraTransport::kUdp;
  const auto timeout_us = static_cast<guint64>(options_.network_timeout.count() / 1000);
  const guint tls_flags = options_.tls_verify ? 0x7F : 0;  // G_TLS_CERTIFICATE_VALIDATE_ALL
  g_object_set(source_, "location", options_.url.c_str(), "user-agent", "millrace",  //
               "tcp-timeout", timeout_us, "timeout", guint64{0},                     //
               "latency", udp ? kUdpReorderMs : kTcpReorderMs, "drop-on-latency", FALSE, "do-retransmission",
               FALSE, "teardown-timeout", guint64{100'000'000},  //
               "udp-buffer-size", 4 << 20, "udp-reconnect", FALSE, nullptr);
  gst_util_set_object_arg(G_OBJECT(source_), "protocols", udp ? "udp" : "tcp");
  gst_util_set_object_arg(G_OBJECT(source_), "tls-validation-flags", std::to_string(tls_flags).c_str());
  if (options_.credentials) {
    g_object_set(source_, "user-id", options_.credentials->username.c_str(), "user-pw",
                 options_.credentials->password.c_str(), nullptr);
  }
  g_signal_connect(source_, "select-stream", G_CALLBACK(&GstRtspSource::OnSelectStream), this);
  g_signal_connect(source_, "pad-added", G_CALLBACK(&GstRtspSource::OnPadAdded), this);
  g_signal_connect(source_, "no-more-pads", G_CALLBACK(&GstRtspSource::OnNoMorePads), this);
  g_signal_connect(source_, "new-manager", G_CALLBACK(&GstRtspSource::OnNewManager), this);
  const GstBusPtr bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(bus.get(), &GstRtspSource::OnMessage, this, nullptr);
  // A failure is also posted as a message, and comes out as OnEnded.
  (void)gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  return {};
}

void GstRtspSource::Stop() {
  if (pipeline_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  const GstBusPtr bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
  pipeline_.reset();
  source_ = nullptr;
}

void GstRtspSource::End(Error error) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  events_.OnEnded(std::move(error));
}

GstBusSyncReply GstRtspSource::OnMessage(GstBus*, GstMessage* message, gpointer self) {
  auto* source = static_cast<GstRtspSource*>(self);
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
      source->End(source->ErrorOf(message));
      break;
    case GST_MESSAGE_EOS:  // of all tracks, each after its last frame
      source->End(Error{ErrorCode::kUnavailable, "the camera closed the connection or ended the stream"});
      break;
    case GST_MESSAGE_WARNING:
      source->OnWarning(message);
      break;
    default:
      break;
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

// A connection that is closed before the first packet has no track to end: rtspsrc only warns of it.
void GstRtspSource::OnWarning(GstMessage* message) {
  GError* raw_error = nullptr;
  gst_message_parse_warning(message, &raw_error, nullptr);
  const GErrorPtr error(raw_error);
  {
    const std::lock_guard lock(mutex_);
    if (!tracks_.empty()) return;
  }
  if (error != nullptr && g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ)) {
    End(Error{ErrorCode::kUnavailable, "the camera closed the connection before it sent anything"});
  }
}

Error GstRtspSource::ErrorOf(GstMessage* message) {
  GError* raw_error = nullptr;
  gchar* raw_debug = nullptr;
  gst_message_parse_error(message, &raw_error, &raw_debug);
  const GErrorPtr error(raw_error);
  const GStringPtr debug(raw_debug);
  std::string text = error != nullptr && error->message != nullptr ? error->message : "unknown error";
  if (const std::string detail = Detail(debug.get()); !detail.empty()) text += " " + detail;
  const std::lock_guard lock(mutex_);
  if (wanted_ == 0 && !unsupported_.empty()) {
    return Error{ErrorCode::kUnsupported,
                 "the camera offers nothing that can be recorded (H.264, AAC), but " + unsupported_};
  }
  if (error != nullptr && error->domain == GST_RESOURCE_ERROR) {
    switch (error->code) {
      case GST_RESOURCE_ERROR_NOT_AUTHORIZED:
        return Error{ErrorCode::kUnauthenticated, options_.credentials
                                                      ? "the camera refuses the user and password"
                                                      : "the camera asks for a user and password"};
      case GST_RESOURCE_ERROR_NOT_FOUND:
        return Error{ErrorCode::kNotFound, "the camera knows no such path: " + text};
      default:
        return Error{ErrorCode::kUnavailable, std::move(text)};
    }
  }
  if (error != nullptr && error->domain == GST_STREAM_ERROR &&
      (error->code == GST_STREAM_ERROR_WRONG_TYPE || error->code == GST_STREAM_ERROR_CODEC_NOT_FOUND)) {
    return Error{ErrorCode::kUnsupported, std::move(text)};
  }
  return Error{ErrorCode::kUnavailable, std::move(text)};
}

gboolean GstRtspSource::OnSelectStream(GstElement*, guint, GstCaps* caps, gpointer self) {
  auto* source = static_cast<GstRtspSource*>(self);
  const auto plan = PlanTrack(caps);
  const std::lock_guard lock(source->mutex_);
  if (!plan) {
    source->unsupported_ += (source->unsupported_.empty() ? "" : ", ") + plan.error().message;
    return FALSE;
  }
  bool& has = plan->kind == TrackKind::kVideo ? source->has_video_ : source->has_audio_;
  if (std::exchange(has, true)) return FALSE;  // one of each kind
  ++source->wanted_;
  return TRUE;
}

void GstRtspSource::OnPadAdded(GstElement*, GstPad* pad, gpointer self) {
  static_cast<GstRtspSource*>(self)->AddTrack(pad);
}

void GstRtspSource::AddTrack(GstPad* pad) {
  if (gst_pad_get_direction(pad) != GST_PAD_SRC) return;
  const GstCapsPtr caps(gst_pad_get_current_caps(pad));
  const GstCapsPtr fallback(caps != nullptr ? nullptr : gst_pad_query_caps(pad, nullptr));
  const auto plan = PlanTrack(caps != nullptr ? caps.get() : fallback.get());
  if (!plan) return End(plan.error());
  GstTrack* track = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    const std::size_t index = runs_.AddTrack(plan->kind, plan->rtp_rate, options_.clock_difference_max);
    if (tracks_.size() + 1 >= wanted_) runs_.SetComplete();
    GstTrack::Events events;
    events.on_ssrc = [this, index](std::uint32_t ssrc) {
      const std::lock_guard inner(mutex_);
      if (track_of_ssrc_.size() < kSsrcMax) track_of_ssrc_[ssrc] = index;
      if (const auto early = early_reports_.find(ssrc); early != early_reports_.end()) {
        runs_.OnSenderReport(index, early->second.ntp, early->second.rtp, early->second.now);
        early_reports_.erase(early);
      }
    };
    events.on_loss = [this, kind = plan->kind](std::uint64_t packets) {
      const std::lock_guard inner(mutex_);
      if (!ended_) events_.OnLoss(kind, packets);
    };
    events.on_sample = [this, index](GstTrack::Sample sample) {
      const std::lock_guard inner(mutex_);
      if (!ended_) runs_.OnFrame(index, sample.info, sample.rtp, Now(), std::move(sample.frame));
    };
    events.on_error = [this](Error error) { End(std::move(error)); };
    track = &tracks_.emplace_back(*plan, options_.bytes_max, std::move(events));
  }
  if (auto attached = track->Attach(pipeline_.get(), pad); !attached) End(std::move(attached).error());
}

void GstRtspSource::OnNoMorePads(GstElement*, gpointer self) {
  auto* source = static_cast<GstRtspSource*>(self);
  const std::lock_guard lock(source->mutex_);
  source->runs_.SetComplete();
}

// Sender reports are read where RTCP comes in, before any frame has: rtspsrc has no other way to them that
// does not also change the buffers' times.
void GstRtspSource::OnNewManager(GstElement*, GstElement* manager, gpointer self) {
  if (!GST_IS_BIN(manager)) return;
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(manager), "max-streams") != nullptr)
    g_object_set(manager, "max-streams", kSendersMax, nullptr);
  g_signal_connect(manager, "element-added", G_CALLBACK(&GstRtspSource::OnManagerElement), self);
}

void GstRtspSource::OnManagerElement(GstBin*, GstElement* element, gpointer self) {
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "internal-session") == nullptr) return;
  GObject* session = nullptr;
  g_object_get(element, "internal-session", &session, nullptr);
  if (session == nullptr) return;
  g_signal_connect(session, "on-receiving-rtcp", G_CALLBACK(&GstRtspSource::OnRtcp), self);
  g_object_unref(session);
  g_signal_connect(element, "pad-added", G_CALLBACK(&GstRtspSource::OnSessionPad), nullptr);
}

// Reports go no further than OnRtcp: GStreamer would shift the tracks against each other by them, and make a
// jitter buffer with two threads for every sender that a report names.
void GstRtspSource::OnSessionPad(GstElement*, GstPad* pad, gpointer) {
  if (std::string_view(GST_PAD_NAME(pad)) != "sync_src") return;
  const auto drop = [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; };
  gst_pad_add_probe(pad,
                    static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
                    drop, nullptr, nullptr);
}

void GstRtspSource::OnRtcp(GObject*, GstBuffer* packets, gpointer self) {
  auto* source = static_cast<GstRtspSource*>(self);
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  if (!gst_rtcp_buffer_map(packets, GST_MAP_READ, &rtcp)) return;
  GstRTCPPacket packet;
  for (gboolean more = gst_rtcp_buffer_get_first_packet(&rtcp, &packet); more;
       more = gst_rtcp_packet_move_to_next(&packet)) {
    if (gst_rtcp_packet_get_type(&packet) != GST_RTCP_TYPE_SR) continue;
    guint32 ssrc = 0;
    guint64 ntp = 0;
    guint32 rtp = 0;
    gst_rtcp_packet_sr_get_sender_info(&packet, &ssrc, &ntp, &rtp, nullptr, nullptr);
    source->TakeReport(ssrc, {FromNtp(ntp), rtp, source->Now()});
  }
  gst_rtcp_buffer_unmap(&rtcp);
}

void GstRtspSource::TakeReport(std::uint32_t ssrc, Report report) {
  const std::lock_guard lock(mutex_);
  if (const auto track = track_of_ssrc_.find(ssrc); track != track_of_ssrc_.end()) {
    runs_.OnSenderReport(track->second, report.ntp, report.rtp, report.now);
  } else if (early_reports_.size() < kSsrcMax || early_reports_.contains(ssrc)) {
    early_reports_[ssrc] = report;
  }
}

}  // namespace

std::unique_ptr<RtspSource> MakeGstRtspSource(const RtspSourceOptions& options, RtspSourceEvents& events) {
  return std::make_unique<GstRtspSource>(options, events);
}

}  // namespace millrace
