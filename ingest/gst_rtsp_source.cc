#include "ingest/gst_rtsp_source.h"

#include <gst/gst.h>
#include <gst/rtsp/rtsp.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "ingest/gst_reception.h"
#include "ingest/gst_track.h"
#include "media/gst_handles.h"

namespace millrace {
namespace {

constexpr char kRecordable[] = "H.264, H.265, VP8, VP9; AAC, Opus, G.711";

constexpr guint kSendersMax = 4;  // of a track, over one connection; each costs two threads
// How long a lost or late UDP packet is waited for, ms. Over TCP packets come in order and nothing waits.
constexpr guint kUdpReorderMs = 500;
constexpr guint kTcpReorderMs = 200;

// GStreamer's debug text ends with what happened, after a line that says where in its source.
std::string Detail(const gchar* debug) {
  const std::string text = debug != nullptr ? debug : "";
  const std::size_t line = text.rfind('\n');
  return line == std::string::npos ? "" : text.substr(line + 1);
}

class GstRtspSource final : public RtspSource {
 public:
  GstRtspSource(RtspSourceOptions options, RtspSourceEvents& events)
      : options_(std::move(options)),
        reception_({.clock_difference_max = options_.clock_difference_max,
                    .bytes_max = options_.bytes_max,
                    .clock = options_.clock},
                   events) {}
  ~GstRtspSource() override { Stop(); }

  Result<void> Start() override;
  void Stop() override;

 private:
  static GstBusSyncReply OnMessage(GstBus* bus, GstMessage* message, gpointer self);
  static gboolean OnSelectStream(GstElement* source, guint index, GstCaps* caps, gpointer self);
  static void OnPadAdded(GstElement* source, GstPad* pad, gpointer self);
  static void OnNewManager(GstElement* source, GstElement* manager, gpointer self);

  void AddTrack(GstPad* pad);
  void OnWarning(GstMessage* message);
  Error ErrorOf(GstMessage* message);

  const RtspSourceOptions options_;
  GstReception reception_;
  GstElementPtr pipeline_;
  GstElement* source_ = nullptr;  // the pipeline's

  std::mutex mutex_;        // guards what follows
  bool has_video_ = false;  // of the streams that were asked for
  bool has_audio_ = false;
  std::size_t wanted_ = 0;
  std::string unsupported_;        // what the camera offers besides
  std::string unsupported_video_;  // of that, its picture
};

Result<void> GstRtspSource::Start() {
  InitGStreamer();
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
  g_signal_connect(source_, "new-manager", G_CALLBACK(&GstRtspSource::OnNewManager), this);
  const GstBusPtr bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(bus.get(), &GstRtspSource::OnMessage, this, nullptr);
  // A failure is also posted as a message, and comes out as OnEnded.
  (void)gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  return {};
}

void GstRtspSource::Stop() {
  if (pipeline_ == nullptr) return;
  reception_.Close();
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  const GstBusPtr bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
  pipeline_.reset();
  source_ = nullptr;
}

GstBusSyncReply GstRtspSource::OnMessage(GstBus*, GstMessage* message, gpointer self) {
  auto* source = static_cast<GstRtspSource*>(self);
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
      source->reception_.End(source->ErrorOf(message));
      break;
    case GST_MESSAGE_EOS:  // of all tracks, each after its last frame
      source->reception_.End(
          Error{ErrorCode::kUnavailable, "the camera closed the connection or ended the stream"});
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
  if (reception_.tracks() > 0) return;
  if (error != nullptr && g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ)) {
    reception_.End(
        Error{ErrorCode::kUnavailable, "the camera closed the connection before it sent anything"});
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
    return Error{ErrorCode::kUnsupported, std::string("the camera offers nothing that can be recorded (") +
                                              kRecordable + "), but " + unsupported_};
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
    const char* media = gst_structure_get_string(gst_caps_get_structure(caps, 0), "media");
    if (media != nullptr && std::string_view(media) == "video")
      source->unsupported_video_ = plan.error().message;
    return FALSE;
  }
  bool& has = plan->kind == TrackKind::kVideo ? source->has_video_ : source->has_audio_;
  if (std::exchange(has, true)) return FALSE;  // one of each kind
  // Before any track has come. Pads come from several threads, and the word that there are no more from one
  // of them, ahead of another's pad. One that the camera then refuses to set up is waited for in vain: that
  // delays the first run, and loses nothing.
  source->reception_.Expect(++source->wanted_);
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
  if (!plan) return reception_.End(plan.error());
  {
    std::unique_lock lock(mutex_);
    if (!has_video_ && !unsupported_video_.empty()) {
      Error error{ErrorCode::kUnsupported, "the camera's " + unsupported_video_ +
                                               " cannot be recorded; set it to another codec (" +
                                               kRecordable + ")"};
      lock.unlock();
      return reception_.End(std::move(error));
    }
  }
  if (auto added = reception_.AddTrack(*plan, pipeline_.get(), pad); !added)
    reception_.End(std::move(added).error());
}

void GstRtspSource::OnNewManager(GstElement*, GstElement* manager, gpointer self) {
  if (!GST_IS_BIN(manager)) return;
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(manager), "max-streams") != nullptr)
    g_object_set(manager, "max-streams", kSendersMax, nullptr);
  static_cast<GstRtspSource*>(self)->reception_.WatchReports(manager);
}

}  // namespace

std::unique_ptr<RtspSource> MakeGstRtspSource(const RtspSourceOptions& options, RtspSourceEvents& events) {
  return std::make_unique<GstRtspSource>(options, events);
}

}  // namespace millrace
