// A peer's answer to an SDP offer of ours (RFC 3264 section 6, RFC 9429), cut down as an offer is
// (sdp_offer.h): webrtcbin is shown what Read leaves, and what outsiders send decides nothing but which of
// the media flow, and how the peer is reached.
//
// Errors:  kInvalidArgument: no SDP, or none that answers an offer as it should; kUnsupported: it takes
//          nothing of it; kFailedPrecondition: it answers another offer, by the mid of its first medium.
// Threads: pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "media/webrtc/sdp_offer.h"

namespace millrace {

// What we offer: at most one medium of each kind; the first one is what the connection is for.
struct SdpProposal {
  bool receive = true;          // from the peer; false: the other way round
  std::vector<SdpMedia> media;  // without mid, which webrtcbin gives
};

// A medium as we offer it: of a kind always with the same payload type. H.264 with this profile-level-id.
SdpMedia Offered(Codec codec, const std::string& profile_level_id = {});

class SdpAnswer {
 public:
  // `offer`: the text of ours, whose media are those of `proposal`. The peer must take the first of them.
  static Result<SdpAnswer> Read(std::string_view text, std::string_view offer, const SdpProposal& proposal);

  // With a section for each of the offer's media: those that do not flow are inactive.
  const std::string& filtered() const { return filtered_; }
  // Those that flow.
  const std::vector<SdpMedia>& media() const { return media_; }

 private:
  std::string filtered_;
  std::vector<SdpMedia> media_;
};

}  // namespace millrace
