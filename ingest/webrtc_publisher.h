// A WebRTC peer that publishes into a video stream: its frames become fragments as a camera's do.
//
// One publisher feeds a stream. A newer one takes over when its first frame comes, as with PutMedia
// (put_streams.h); the older one's connection is ended. So is a publisher's whose stream a camera takes.
//
// Key frames are asked for so often that fragments get the length that is wanted, since browsers make none by
// themselves, and at once when packets are lost for good: until then pictures are broken, and the fragments
// say so (FragmentFacts::damaged).
//
// Threads: as webrtc_session.h.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "fragments/stream_recorder.h"
#include "ingest/gst_reception.h"
#include "ingest/put_streams.h"
#include "media/webrtc/retransmissions.h"
#include "media/webrtc/webrtc_session.h"

namespace millrace {

struct WebrtcPublisherOptions {
  WebrtcTimes times;
  Duration key_frame_every = std::chrono::seconds(2);
  Duration silence_timeout = std::chrono::seconds(5);  // nothing for so long: the peer counts as gone
  GstReceptionOptions reception{.wait_for_reports = true};
  RecorderOptions recorder;
  // The name of the camera that feeds a stream, if one does: it goes before publishers, whose sessions end.
  // Any thread; empty: there are no cameras.
  std::function<std::optional<std::string>(const std::string& stream)> camera_of{};
};

// What publishers may send: the first one is asked for where they offer it, since most players can play it.
SdpAcceptance PublisherAcceptance();

// What those are asked for who wait to be asked: H.264 first, and Opus.
SdpProposal PublisherProposal();

class WebrtcPublisher final : public WebrtcSession, private RtspSourceEvents {
 public:
  // `streams` and `settings` outlive it. `displaced` runs when this publisher took over from another one, on
  // any thread: the other is to be looked at.
  WebrtcPublisher(const WebrtcSettings& settings, const WebrtcPublisherOptions& options, PutStreams& streams,
                  const VideoStream& video, std::function<void()> displaced);
  ~WebrtcPublisher() override = default;

 private:
  Result<void> Prepare(WebrtcPeer& peer) override;
  void Receive(GstPad* pad, const SdpMedia& media) override;
  void Connected() override {}
  std::optional<Error> LookAtMedia(SteadyTime now) override;
  void Stopped() override;
  void RequestKeyFrame(SteadyTime now);
  void CountRetransmissions();
  std::optional<std::string> Camera() const {
    return options_.camera_of ? options_.camera_of(stream()) : std::nullopt;
  }

  void OnRun(const std::vector<TrackInfo>& tracks, ClockSource clock) override;
  void OnFrame(Frame frame) override;
  void OnLoss(TrackKind kind, std::uint64_t packets) override;
  void OnClock(ClockSource) override {}
  void OnTimeTrouble(std::uint64_t, std::uint64_t) override {}
  void OnEnded(Error error) override;

  const WebrtcPublisherOptions options_;
  PutStreams& streams_;
  const std::shared_ptr<PutStream> stream_;
  const std::uint64_t session_;
  const std::function<void()> displaced_;
  StreamRecorder recorder_;
  GstReception reception_;
  Retransmissions retransmissions_;
  std::atomic<std::size_t> media_received_ = 0;  // of the offer's
  std::atomic<bool> damaged_ = false;            // since the last key frame
  std::atomic<SteadyTime::rep> last_key_frame_ = 0;
  SteadyTime requested_{};  // the owner's thread only
  SteadyTime watched_{};    // when it was looked at first; likewise
  SteadyTime counted_{};    // when retransmissions were; likewise

  std::mutex mutex_;
  GstPadPtr video_pad_;         // GUARDED_BY(mutex_)
  std::optional<Error> error_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace
