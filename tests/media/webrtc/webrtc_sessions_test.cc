// Goal: sessions are answered, bounded, found by their names alone, let go when their peers are not there,
// and leave nothing behind. Method: another webrtcbin as the peer, on loopback; and offers that nobody stands
// behind.
#include "media/webrtc/webrtc_sessions.h"

#define GST_USE_UNSTABLE_API
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "tests/wait.h"

namespace millrace::test {
namespace {

// Nobody's: what it says is well formed.
SdpOffer NobodysOffer() {
  std::string fingerprint = "00";
  for (int i = 1; i < 32; ++i) fingerprint += ":11";
  const std::string text =
      "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
      "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n"
      "a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 " +
      fingerprint +
      "\r\na=setup:actpass\r\na=rtcp-mux\r\na=mid:0\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n"
      "a=rtcp-fb:96 nack\r\n";
  return *SdpOffer::Read(text, {.receive = true, .video = {{Codec::kVp8}}, .audio = {}});
}

class CountingSession final : public WebrtcSession {
 public:
  using WebrtcSession::WebrtcSession;
  std::atomic<int> packets = 0;
  std::atomic<int> stopped = 0;
  std::atomic<int> received = 0;
  guint senders_max = 0;

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
  void Stopped() override { ++stopped; }
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

  std::string Offer() {
    GstPromise* made = gst_promise_new();
    g_signal_emit_by_name(bin_.get(), "create-offer", nullptr, made);
    gst_promise_wait(made);
    GstWebRTCSessionDescription* offer = nullptr;
    gst_structure_get(gst_promise_get_reply(made), "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &offer,
                      nullptr);
    gst_promise_unref(made);
    Set("set-local-description", offer);
    const GStringPtr text(gst_sdp_message_as_text(offer->sdp));
    gst_webrtc_session_description_free(offer);
    return text.get();
  }
  void Take(const std::string& answer) {
    GstSDPMessage* sdp = nullptr;
    ASSERT_EQ(gst_sdp_message_new_from_text(answer.c_str(), &sdp), GST_SDP_OK);
    GstWebRTCSessionDescription* description =
        gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
    Set("set-remote-description", description);
    gst_webrtc_session_description_free(description);
  }

  // From now on some packets come from one sender, the next ones from another, and so on.
  void ChangeSenders() {
    const GstElementPtr pay(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "pay"));
    const GstPadPtr out(gst_element_get_static_pad(pay.get(), "src"));
    gst_pad_add_probe(
        out.get(), static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        [](GstPad*, GstPadProbeInfo* info, gpointer self) {
          guint32 ssrc = GUINT32_TO_BE(1000 + static_cast<Peer*>(self)->rewritten_++ / 8);
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

struct Answer {
  std::mutex mutex;
  std::optional<Result<std::string>> value;
  bool there() {
    const std::lock_guard lock(mutex);
    return value.has_value();
  }
};

class WebrtcSessionsTest : public testing::Test {
 protected:
  WebrtcSessionsTest() { settings_.addresses = {"127.0.0.1"}; }
  std::shared_ptr<CountingSession> Make(WebrtcTimes times = {}) {
    return std::make_shared<CountingSession>(settings_, times, "door");
  }
  static WebrtcSession::OnAnswer Into(const std::shared_ptr<Answer>& answer) {
    return [answer](Result<std::string> given) {
      const std::lock_guard lock(answer->mutex);
      EXPECT_FALSE(answer->value.has_value());
      answer->value = std::move(given);
    };
  }
  WebrtcSettings settings_;
};

TEST_F(WebrtcSessionsTest, WhatAPeerSendsComes) {
  WebrtcSessions sessions(4);
  Peer peer;
  const auto offer = SdpOffer::Read(peer.Offer(), {.receive = true, .video = {{Codec::kVp8}}, .audio = {}});
  ASSERT_TRUE(offer) << offer.error().message;
  const auto session = Make();
  const auto answer = std::make_shared<Answer>();
  const auto name = sessions.Open(session, *offer, Into(answer));
  ASSERT_TRUE(name) << name.error().message;
  ASSERT_TRUE(WaitUntil([&] { return answer->there(); }));
  ASSERT_TRUE(*answer->value) << answer->value->error().message;
  EXPECT_NE((**answer->value).find(" 127.0.0.1 "), std::string::npos) << **answer->value;
  EXPECT_EQ((**answer->value).find("sendrecv"), std::string::npos);
  peer.Take(**answer->value);
  ASSERT_TRUE(WaitUntil([&] { return session->packets > 10; }));
  EXPECT_EQ(sessions.Find("door", *name)->ice_ufrag, offer->ice_ufrag());
  EXPECT_EQ(sessions.Find("yard", *name).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(sessions.Remove("door", *name));
  EXPECT_EQ(sessions.Remove("door", *name).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(session->stopped, 1);
}

TEST_F(WebrtcSessionsTest, APeerThatChangesItsSendersIsLetGo) {
  WebrtcSessions sessions(4);
  Peer peer;
  const auto offer = SdpOffer::Read(peer.Offer(), {.receive = true, .video = {{Codec::kVp8}}, .audio = {}});
  ASSERT_TRUE(offer) << offer.error().message;
  const auto session = Make();
  const auto answer = std::make_shared<Answer>();
  ASSERT_TRUE(sessions.Open(session, *offer, Into(answer)));
  ASSERT_TRUE(WaitUntil([&] { return answer->there(); }));
  ASSERT_TRUE(*answer->value) << answer->value->error().message;
  peer.Take(**answer->value);
  ASSERT_TRUE(WaitUntil([&] { return session->packets > 0; }));
  EXPECT_EQ(session->senders_max, 4U);
  peer.ChangeSenders();
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(session->received, 1);
  EXPECT_EQ(session->stopped, 1);
  const auto why = session->Look(std::chrono::steady_clock::now());
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, ErrorCode::kUnsupported);
  EXPECT_NE(why->message.find("SSRC"), std::string::npos) << why->message;
}

TEST_F(WebrtcSessionsTest, ThereAreNoMoreThanMayBe) {
  WebrtcSessions sessions(1);
  const auto first = sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>()));
  ASSERT_TRUE(first);
  const auto second = sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kResourceExhausted);
  // While it still sets up: nothing may come of it any more.
  ASSERT_TRUE(sessions.Remove("door", *first));
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_TRUE(sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>())));
}

TEST_F(WebrtcSessionsTest, WhoDoesNotConnectIsLetGo) {
  WebrtcSessions sessions(4);
  WebrtcTimes times;
  times.connecting_max = std::chrono::milliseconds(300);
  const auto session = Make(times);
  const auto name = sessions.Open(session, NobodysOffer(), Into(std::make_shared<Answer>()));
  ASSERT_TRUE(name);
  // Some that cannot be reached, and more than are believed.
  const std::vector<IceCandidate> candidates(kIceCandidatesMax + 8,
                                             {"candidate:1 1 UDP 1 127.0.0.1 9 typ host"});
  EXPECT_TRUE(sessions.AddCandidates("door", *name, candidates));
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(sessions.AddCandidates("door", *name, candidates).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(session->stopped, 1);
}

TEST_F(WebrtcSessionsTest, AStopEndsAll) {
  WebrtcSessions sessions(4);
  const auto session = Make();
  ASSERT_TRUE(sessions.Open(session, NobodysOffer(), Into(std::make_shared<Answer>())));
  sessions.Stop();
  EXPECT_EQ(sessions.size(), 0U);
  EXPECT_EQ(session->stopped, 1);
  EXPECT_EQ(sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>())).error().code,
            ErrorCode::kCancelled);
}

}  // namespace
}  // namespace millrace::test
