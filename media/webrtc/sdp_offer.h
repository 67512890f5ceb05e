// A browser's SDP offer (RFC 8866, RFC 9429), cut down to what is accepted of it.
//
// GStreamer's webrtcbin is shown only what Read leaves: of each accepted media section one codec and its
// retransmission, header extensions and feedback that we use, and candidates that are numeric addresses. What
// is not accepted (a data channel, a kind of media that there is none of, other codecs) never reaches it; its
// sections come back in the answer with port 0, as RFC 3264 section 6 asks. So what outsiders send decides
// nothing but what stands in `media`.
//
// Errors:  kInvalidArgument: no SDP, or one that contradicts itself; kUnsupported: nothing in it is accepted,
//          the message names what was offered.
// Threads: pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "media/codec.h"

namespace millrace {

inline constexpr std::size_t kSdpBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kIceCandidatesMax = 32;  // of one peer, that are believed

// draft-holmer-rmcat-transport-wide-cc-extensions: by it a browser finds out how much it can send.
inline constexpr char kTransportCcUri[] =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

struct SdpWanted {
  Codec codec = Codec::kH264;
  // H.264: profile_idc, constraints and level_idc as "42e01f" (RFC 6184 section 8.1) of what will be sent;
  // empty: any.
  std::string profile_level_id{};
};

struct SdpAcceptance {
  bool receive = true;  // we receive what the peer sends; false: the other way round
  // The first one is taken where it is offered, else the one that the peer prefers. Empty: none of this kind.
  std::vector<SdpWanted> video;
  std::vector<SdpWanted> audio;
};

struct SdpMedia {
  TrackKind kind = TrackKind::kVideo;
  std::string mid;
  Codec codec = Codec::kH264;
  std::uint32_t payload_type = 0;
  std::uint32_t clock_rate = 0;
  std::uint32_t channels = 0;  // audio
  // As in the filtered offer; empty: none.
  std::string format_parameters;
};

struct IceCandidate {
  std::string text;   // "candidate:1 1 UDP 2015363327 192.0.2.2 37079 typ host"
  std::string mid{};  // of ours, behind our offer: the first medium's, whose transport all share
};

// As "a=rtpmap" has it: "H264".
const char* RtpEncodingName(Codec codec);

class SdpOffer {
 public:
  // At most one section of each kind is accepted.
  static Result<SdpOffer> Read(std::string_view text, const SdpAcceptance& acceptance);

  const std::string& filtered() const { return filtered_; }
  const std::vector<SdpMedia>& media() const { return media_; }  // in the order of `filtered`
  const SdpMedia* Find(TrackKind kind) const;
  // The peer's, of the transport that all media share.
  const std::string& ice_ufrag() const { return ice_ufrag_; }
  const std::string& ice_pwd() const { return ice_pwd_; }

  // The answer to the whole offer, of the answer to `filtered` and our candidates. Errors: kInternal.
  Result<std::string> MakeAnswer(std::string_view filtered_answer,
                                 const std::vector<IceCandidate>& candidates) const;

 private:
  struct Section {
    std::string rejection;  // empty: accepted
  };
  std::string filtered_;
  std::vector<SdpMedia> media_;
  std::vector<Section> sections_;  // of the whole offer
  std::string ice_ufrag_;
  std::string ice_pwd_;
};

// A piece of trickled candidates (RFC 8840 section 9, application/trickle-ice-sdpfrag).
struct IceFragment {
  std::string ufrag;  // empty: it names none
  std::string pwd;
  std::vector<IceCandidate> candidates;  // those with numeric addresses
};
// Errors: kInvalidArgument.
Result<IceFragment> ReadIceFragment(std::string_view text);

}  // namespace millrace
