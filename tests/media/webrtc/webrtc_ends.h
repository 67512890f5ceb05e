// Two ends of a WebRTC connection for tests: a session of ours that counts what comes, and a peer (another
// webrtcbin) that sends a test picture.
//
// Threads: a test's own; what the session counts is counted on webrtcbin's.
#pragma once

#define GST_USE_UNSTABLE_API
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "media/webrtc/webrtc_session.h"
#include "tests/wait.h"

namespace millrace::test {

// A connection that is meant to come about has the time that a test has.
inline WebrtcTimes PatientTimes() { return {.gathering_max = kPatience, .connecting_max = kPatience}; }

class CountingSession final : public WebrtcSession {
 public:
  using WebrtcSession::WebrtcSession;
  std::atomic<int> packets = 0;
  std::atomic<int> stopped = 0;
  std::atomic<int> received = 0;
  guint senders_max = 0;
  std::function<void()> on_stopped;  // set before it is opened

 private:
  Result<void> Prepare(WebrtcPeer& peer) override {
    g_object_get(peer.rtpbin(), "max-streams", &senders_max, nullptr);
    return {};
  }
  void Receive(GstPad* pad, const SdpMedia& media) override {
    ++received;
    EXPECT_EQ(media.codec, Codec::kVp8);
    GstElement* sink = gst_element_factory_make("fakesink", nullptr);
    g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
    gst_bin_add(GST_BIN(peer().pipeline()), sink);
    gst_element_sync_state_with_parent(sink);
    const GstPadPtr input(gst_element_get_static_pad(sink, "sink"));
    gst_pad_add_probe(
        input.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer count) {
          ++*static_cast<std::atomic<int>*>(count);
          return GST_PAD_PROBE_OK;
        },
        &packets, nullptr);
    EXPECT_EQ(gst_pad_link(pad, input.get()), GST_PAD_LINK_OK);
  }
  void Connected() override {}
  std::optional<Error> LookAtMedia(SteadyTime) override { return std::nullopt; }
  void Stopped() override {
    ++stopped;
    if (on_stopped) on_stopped();
  }
};

// A peer that sends a test picture.
class Peer {
 public:
  Peer() {
    InitGStreamer();
    pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(
        gst_parse_launch("videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! vp8enc deadline=1 ! "
                         "rtpvp8pay name=pay ! "
                         "application/x-rtp,media=video,encoding-name=VP8,payload=96 ! webrtcbin name=bin "
                         "bundle-policy=max-bundle",
                         nullptr))));
    bin_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "bin"));
    GObject* ice = nullptr;
    g_object_get(bin_.get(), "ice-agent", &ice, nullptr);
    gboolean added = FALSE;
    g_signal_emit_by_name(ice, "add-local-ip-address", "127.0.0.1", &added);
    g_object_unref(ice);
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  }
  ~Peer() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

  std::string Offer() { return Make("offer"); }
  void Take(const std::string& answer) { TakeDescription(answer, GST_WEBRTC_SDP_TYPE_ANSWER); }
  // To an offer of the other end, whose candidates are added one by one.
  std::string Answer(const std::string& offer) {
    TakeDescription(offer, GST_WEBRTC_SDP_TYPE_OFFER);
    return Make("answer");
  }
  void Add(const std::string& candidate) {
    g_signal_emit_by_name(bin_.get(), "add-ice-candidate", 0U, candidate.c_str());
  }

  // From now on some packets come from one sender, the next ones from another, and so on.
  void ChangeSenders() {
    const GstElementPtr pay(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "pay"));
    const GstPadPtr out(gst_element_get_static_pad(pay.get(), "src"));
    gst_pad_add_probe(
        out.get(), static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        [](GstPad*, GstPadProbeInfo* info, gpointer self) {
          const guint32 sender = 1000 + static_cast<Peer*>(self)->rewritten_++ / 8;
          guint32 ssrc = GUINT32_TO_BE(sender);
          const auto rewrite = [](GstBuffer** buffer, guint, gpointer to) -> gboolean {
            *buffer = gst_buffer_make_writable(*buffer);
            gst_buffer_fill(*buffer, 8, to, 4);  // RFC 3550 section 5.1
            return TRUE;
          };
          if ((GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
            auto* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
            rewrite(&buffer, 0, &ssrc);
            GST_PAD_PROBE_INFO_DATA(info) = buffer;
          } else {
            auto* list = gst_buffer_list_make_writable(GST_PAD_PROBE_INFO_BUFFER_LIST(info));
            gst_buffer_list_foreach(list, rewrite, &ssrc);
            GST_PAD_PROBE_INFO_DATA(info) = list;
          }
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
  }

 private:
  // "offer" or "answer", which is set; without candidates, but those that came already.
  std::string Make(const std::string& what) {
    GstPromise* made = gst_promise_new();
    g_signal_emit_by_name(bin_.get(), ("create-" + what).c_str(), nullptr, made);
    gst_promise_wait(made);
    GstWebRTCSessionDescription* description = nullptr;
    gst_structure_get(gst_promise_get_reply(made), what.c_str(), GST_TYPE_WEBRTC_SESSION_DESCRIPTION,
                      &description, nullptr);
    gst_promise_unref(made);
    Set("set-local-description", description);
    const GStringPtr text(gst_sdp_message_as_text(description->sdp));
    gst_webrtc_session_description_free(description);
    return text.get();
  }
  void TakeDescription(const std::string& text, GstWebRTCSDPType type) {
    GstSDPMessage* sdp = nullptr;
    ASSERT_EQ(gst_sdp_message_new_from_text(text.c_str(), &sdp), GST_SDP_OK);
    GstWebRTCSessionDescription* description = gst_webrtc_session_description_new(type, sdp);
    Set("set-remote-description", description);
    gst_webrtc_session_description_free(description);
  }
  void Set(const char* signal, GstWebRTCSessionDescription* description) {
    GstPromise* done = gst_promise_new();
    g_signal_emit_by_name(bin_.get(), signal, description, done);
    gst_promise_wait(done);
    gst_promise_unref(done);
  }
  GstElementPtr pipeline_;
  GstElementPtr bin_;
  std::uint32_t rewritten_ = 0;  // streaming thread only
};

}  // namespace millrace::test
