// How a session that makes the offer reaches its peer, who answers in its own time.
//
// Threads: the Send functions on webrtcbin's threads, which they must not block; Take on the session's
//          owner's thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/webrtc/sdp_offer.h"

namespace millrace {

class WebrtcSignaling {
 public:
  struct Signals {
    std::vector<std::string> answers;      // the first one to this offer counts
    std::vector<IceCandidate> candidates;  // with numeric addresses
    std::optional<Error> over;             // the session ends with it
  };
  virtual ~WebrtcSignaling() = default;
  virtual void SendOffer(const std::string& sdp) = 0;             // once; its mids are this session's own
  virtual void SendCandidate(const IceCandidate& candidate) = 0;  // after it
  // What came since the last call. `connected`: the peer and we are, so that the session can do without.
  virtual Signals Take(bool connected) = 0;
};

}  // namespace millrace
