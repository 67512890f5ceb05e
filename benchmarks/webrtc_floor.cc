// The floor under publishing and watching by WebRTC: webrtcbin and the elements between, and nothing else.
//
//   publishers   webrtcbin ! rtph264depay ! h264parse ! fakesink, or for the first one ! tee
//   viewers      tee ! rtph264pay ! tee ! queue ! webrtcbin: one payloader for all
//
// Answers offers, one JSON object a line, until standard input ends:
//   in   {"peer":0,"publish":"v=0…"}   {"peer":1,"watch":"v=0…","payload_type":96}
//   out  {"peer":0,"answer":"v=0…"}
#include <gst/gst.h>
#define GST_USE_UNSTABLE_API  // all of webrtcbin's interface is
#include <gst/sdp/sdp.h>
#include <gst/video/video.h>
#include <gst/webrtc/webrtc.h>

#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "media/gst_handles.h"

namespace millrace {
namespace {

namespace json = boost::json;

void SayAnswer(int peer, const std::string& sdp) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::printf("%s\n", json::serialize(json::object{{"peer", peer}, {"answer", sdp}}).c_str());
  std::fflush(stdout);
}

GstElement* Make(const std::string& description) {
  GError* raw = nullptr;
  GstElement* bin = gst_parse_bin_from_description(description.c_str(), TRUE, &raw);
  const GErrorPtr error(raw);
  if (bin == nullptr || error != nullptr) throw std::runtime_error("GStreamer cannot make " + description);
  return bin;
}

GstWebRTCSessionDescription* DescriptionOf(const std::string& offer) {
  GstSDPMessage* message = nullptr;
  if (gst_sdp_message_new_from_text(offer.c_str(), &message) != GST_SDP_OK)
    throw std::runtime_error("that is no SDP");
  return gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_OFFER, message);
}

// One pipeline with all that is connected to it.
class Floor {
 public:
  Floor() : pipeline_(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr)))) {
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    asking_ = std::thread([this] { AskForKeyFrames(); });
  }
  ~Floor() {
    stopping_ = true;
    asking_.join();
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }

  void Publish(int number, const std::string& offer) {
    Peer& peer = Add(number);
    g_signal_connect(peer.bin, "pad-added", G_CALLBACK(&Floor::OnPad), &peer);
    Answer(peer, offer);
  }

  void Watch(int number, const std::string& offer, int payload_type) {
    GstElementPtr video;
    for (int waited = 0; video == nullptr && waited < 100; ++waited) {
      if (waited > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      video.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "video"));
    }
    if (video == nullptr) throw std::runtime_error("nobody publishes");
    GstElementPtr packets(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "packets"));
    if (packets == nullptr) {
      GstElement* payloader =
          Make("rtph264pay config-interval=-1 aggregate-mode=zero-latency mtu=1200 pt=" +
               std::to_string(payload_type) + " ! tee name=packets allow-not-linked=true");
      gst_bin_add(GST_BIN(pipeline_.get()), payloader);
      gst_element_sync_state_with_parent(payloader);
      gst_element_link(video.get(), payloader);
      packets.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "packets"));
    }
    Peer& peer = Add(number);
    GstElement* queue =
        Make("queue leaky=downstream max-size-buffers=0 max-size-time=0 max-size-bytes=4194304");
    gst_bin_add(GST_BIN(pipeline_.get()), queue);
    gst_element_sync_state_with_parent(queue);
    const GstCapsPtr caps(gst_caps_new_simple("application/x-rtp", "media", G_TYPE_STRING, "video",
                                              "encoding-name", G_TYPE_STRING, "H264", "payload", G_TYPE_INT,
                                              payload_type, "clock-rate", G_TYPE_INT, 90000, nullptr));
    GstPadTemplate* sinks = gst_element_get_pad_template(peer.bin, "sink_%u");
    const GstPadPtr sink(gst_element_request_pad(peer.bin, sinks, "sink_0", caps.get()));
    GObject* transceiver = nullptr;
    g_object_get(sink.get(), "transceiver", &transceiver, nullptr);
    g_object_set(transceiver, "direction", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY, "codec-preferences",
                 caps.get(), nullptr);
    gst_object_unref(transceiver);
    const GstPadPtr source(gst_element_get_static_pad(queue, "src"));
    gst_pad_link(source.get(), sink.get());
    const GstPadPtr tee(gst_element_request_pad_simple(packets.get(), "src_%u"));
    // The tee is in a bin: its new pad comes out by a ghost.
    const GstPadPtr input(gst_element_get_static_pad(queue, "sink"));
    const std::unique_ptr<GstObject, ReleaseByPointer<gst_object_unref>> owner(
        gst_object_get_parent(GST_OBJECT(packets.get())));
    GstPad* ghost = gst_ghost_pad_new(nullptr, tee.get());
    gst_pad_set_active(ghost, TRUE);
    gst_element_add_pad(GST_ELEMENT(owner.get()), ghost);
    // Nothing may come before the answer is made: the stream's own caps, in place of the preferred ones,
    // would not fit the offer, and the answer would be inactive.
    Answer(peer, offer);
    gst_pad_link(ghost, input.get());
  }

 private:
  struct Peer {
    Floor* floor;
    int number;
    GstElement* bin;
    std::atomic<bool> answered = false;
  };

  Peer& Add(int number) {
    GstElement* bin = gst_element_factory_make("webrtcbin", nullptr);
    if (bin == nullptr) throw std::runtime_error("GStreamer lacks webrtcbin");
    gst_util_set_object_arg(G_OBJECT(bin), "bundle-policy", "max-bundle");
    GObject* raw = nullptr;
    g_object_get(bin, "ice-agent", &raw, nullptr);
    const std::unique_ptr<GObject, ReleaseByPointer<g_object_unref>> ice(raw);
    g_object_set(ice.get(), "ice-tcp", FALSE, nullptr);
    gboolean added = FALSE;
    g_signal_emit_by_name(ice.get(), "add-local-ip-address", "127.0.0.1", &added);
    const auto resend = [](GstElement*, GObject* transceiver, gpointer) {
      g_object_set(transceiver, "do-nack", TRUE, nullptr);
    };
    g_signal_connect(bin, "on-new-transceiver", G_CALLBACK(+resend), nullptr);
    gst_bin_add(GST_BIN(pipeline_.get()), bin);
    peers_.push_back(std::unique_ptr<Peer>(new Peer{this, number, bin}));
    g_signal_connect(bin, "notify::ice-gathering-state", G_CALLBACK(&Floor::OnGathering),
                     peers_.back().get());
    gst_element_sync_state_with_parent(bin);
    return *peers_.back();
  }

  void Answer(Peer& peer, const std::string& offer) {
    GstWebRTCSessionDescription* description = DescriptionOf(offer);
    GstPromise* promise = gst_promise_new();
    g_signal_emit_by_name(peer.bin, "set-remote-description", description, promise);
    gst_promise_wait(promise);
    gst_promise_unref(promise);
    gst_webrtc_session_description_free(description);
    promise = gst_promise_new();
    g_signal_emit_by_name(peer.bin, "create-answer", nullptr, promise);
    gst_promise_wait(promise);
    GstWebRTCSessionDescription* answer = nullptr;
    gst_structure_get(gst_promise_get_reply(promise), "answer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &answer,
                      nullptr);
    gst_promise_unref(promise);
    if (answer == nullptr) throw std::runtime_error("webrtcbin makes no answer");
    promise = gst_promise_new();
    g_signal_emit_by_name(peer.bin, "set-local-description", answer, promise);
    gst_promise_unref(promise);
    gst_webrtc_session_description_free(answer);
  }

  // As often as the server does, of each publisher.
  void AskForKeyFrames() {
    for (int tenths = 0; !stopping_; ++tenths) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (tenths % 20 != 0) continue;
      const std::lock_guard lock(mutex_);
      for (const GstPadPtr& pad : received_) {
        gst_pad_send_event(pad.get(),
                           gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
      }
    }
  }

  static void OnGathering(GObject* bin, GParamSpec*, gpointer self) {
    auto* peer = static_cast<Peer*>(self);
    GstWebRTCICEGatheringState state{};
    g_object_get(bin, "ice-gathering-state", &state, nullptr);
    if (state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE || peer->answered.exchange(true)) return;
    GstWebRTCSessionDescription* description = nullptr;
    g_object_get(bin, "local-description", &description, nullptr);
    const GStringPtr text(gst_sdp_message_as_text(description->sdp));
    gst_webrtc_session_description_free(description);
    SayAnswer(peer->number, text.get());
  }

  static void OnPad(GstElement*, GstPad* pad, gpointer self) {
    auto* peer = static_cast<Peer*>(self);
    if (gst_pad_get_direction(pad) != GST_PAD_SRC) return;
    const bool first = peer->number == 0;
    GstElement* pipeline = peer->floor->pipeline_.get();
    GstElement* next =
        Make(std::string(
                 "rtph264depay ! h264parse ! capsfilter caps=video/x-h264,stream-format=avc,alignment=au") +
             (first ? "" : " ! fakesink sync=false async=false"));
    gst_bin_add(GST_BIN(pipeline), next);
    if (first) {
      GstElement* tee = gst_element_factory_make("tee", "video");
      g_object_set(tee, "allow-not-linked", TRUE, nullptr);
      gst_bin_add(GST_BIN(pipeline), tee);
      gst_element_link(next, tee);
      gst_element_sync_state_with_parent(tee);
    }
    gst_element_sync_state_with_parent(next);
    const GstPadPtr sink(gst_element_get_static_pad(next, "sink"));
    gst_pad_link(pad, sink.get());
    const std::lock_guard lock(peer->floor->mutex_);
    peer->floor->received_.emplace_back(GST_PAD(gst_object_ref(pad)));
  }

  GstElementPtr pipeline_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::mutex mutex_;
  std::vector<GstPadPtr> received_;  // GUARDED_BY(mutex_)
  std::atomic<bool> stopping_ = false;
  std::thread asking_;
};

void Run() {
  Floor floor;
  for (std::string line; std::getline(std::cin, line);) {
    const json::value read = json::parse(line);
    const json::object& request = read.as_object();
    const int peer = request.at("peer").to_number<int>();
    if (const json::value* offer = request.if_contains("publish")) {
      floor.Publish(peer, std::string(offer->as_string()));
    } else {
      floor.Watch(peer, std::string(request.at("watch").as_string()),
                  request.at("payload_type").to_number<int>());
    }
  }
}

}  // namespace
}  // namespace millrace

int main() {
  gst_init(nullptr, nullptr);
  try {
    millrace::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "webrtc_floor: %s\n", error.what());
    return 1;
  }
  return 0;
}
