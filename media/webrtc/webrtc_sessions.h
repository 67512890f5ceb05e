// All WebRTC connections of the server: who is there, by a name that cannot be guessed, and the one thread
// that looks after them and takes them down, since that waits for threads.
//
// Threads: any.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "media/webrtc/webrtc_session.h"

namespace millrace {

class WebrtcSessions {
 public:
  explicit WebrtcSessions(std::size_t sessions_max);
  // Closes all.
  ~WebrtcSessions();
  WebrtcSessions(const WebrtcSessions&) = delete;
  WebrtcSessions& operator=(const WebrtcSessions&) = delete;

  // Opens the session with the offer and keeps it; gives its name, 32 hexadecimal digits. Blocks for some
  // tens of milliseconds. `answered` as in WebrtcSession. Errors: kResourceExhausted: there are as many as
  // there may be; kCancelled: closed; those of WebrtcSession::Open.
  Result<std::string> Open(std::shared_ptr<WebrtcSession> session, SdpOffer offer,
                           WebrtcSession::OnAnswer answered);
  // The same for a session that makes the offer. It has no name for others: it ends by its signaling.
  Result<void> Offer(std::shared_ptr<WebrtcSession> session, SdpProposal proposal,
                     std::shared_ptr<WebrtcSignaling> signaling);

  // What is known of an open session: the peer's ICE user name fragment and password.
  struct Found {
    std::string ice_ufrag;
    std::string ice_pwd;
  };
  // Errors: kNotFound, also where the session is of another stream.
  Result<Found> Find(const std::string& stream, const std::string& name);
  Result<void> AddCandidates(const std::string& stream, const std::string& name,
                             const std::vector<IceCandidate>& candidates);
  // It is closed soon afterwards.
  Result<void> Remove(const std::string& stream, const std::string& name);
  // Looks at all of them at once.
  void Wake();
  // Closes all; Open gives kCancelled from now on.
  void Stop();

  // Open ones, and those that are being closed.
  std::size_t size() const;

 private:
  using Map = std::map<std::string, std::shared_ptr<WebrtcSession>>;
  Result<std::string> Keep(std::shared_ptr<WebrtcSession> session, const std::function<Result<void>()>& open);
  void Work();
  Result<std::shared_ptr<WebrtcSession>> Get(const std::string& stream, const std::string& name);

  const std::size_t sessions_max_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Map sessions_;
  std::vector<std::shared_ptr<WebrtcSession>> removed_;
  std::size_t places_ = 0;  // taken
  bool wake_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millrace
