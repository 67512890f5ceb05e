// Live streams over WebRTC: an offer in, an answer out, then pictures.
//
// Threads: any. Open blocks for some tens of milliseconds.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "consumers/whep/whep_stream.h"
#include "consumers/whep/whep_viewer.h"
#include "fragments/fragment_store.h"
#include "media/webrtc/webrtc_sessions.h"

namespace millrace {

struct WhepOptions {
  std::size_t viewers_max = 256;
  WhepViewerOptions viewer{};
  const Clock* clock = &SystemClock();
};

class WhepService {
 public:
  // `store` and `settings` outlive it.
  WhepService(FragmentStore& store, const WebrtcSettings& settings, WhepOptions options);

  // Gives the session's name; `answered` as in WebrtcSession. Errors: kNotFound: no such stream;
  // kFailedPrecondition: it is not live; kUnsupported: it, or what was offered, cannot be watched like this;
  // kInvalidArgument: that is no offer; those of WebrtcSessions::Open.
  Result<std::string> Open(const std::string& stream, std::string_view offer,
                           WebrtcSession::OnAnswer answered);
  // The same where the viewer waits to be asked: it is offered what there is to watch.
  Result<void> Offer(const std::string& stream, std::shared_ptr<WebrtcSignaling> signaling);
  WebrtcSessions& sessions() { return sessions_; }
  const WebrtcSettings& settings() const { return settings_; }
  // Ends all.
  void Stop() { sessions_.Stop(); }

 private:
  struct Watchable {
    std::shared_ptr<LiveFeed> feed;
    FragmentsCome come;
    SdpAcceptance acceptance;
  };
  Result<Watchable> Find(const std::string& stream);
  std::shared_ptr<WhepViewer> MakeViewer(const std::string& stream, Watchable found);
  std::shared_ptr<WhepStream> StreamOf(const std::string& name, std::shared_ptr<LiveFeed> feed,
                                       FragmentsCome come);

  FragmentStore& store_;
  const WebrtcSettings& settings_;
  const WhepOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<WhepStream>> streams_;  // GUARDED_BY(mutex_)
  WebrtcSessions sessions_;
};

}  // namespace millrace
