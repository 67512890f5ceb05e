#include "media/webrtc/sdp_answer.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "media/webrtc/sdp_lines.h"

namespace millrace {
namespace {

Error Wrong(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

std::vector<std::string> Mids(const SdpLines& lines) {
  std::vector<std::string> mids;
  for (const std::string_view line : lines) {
    if (const auto mid = SdpAttribute(line, "mid")) mids.emplace_back(*mid);
  }
  return mids;
}

// A section that nothing flows in. It is on the transport of the others: one with port 0 would be a
// transport of its own to webrtcbin.
std::string Inactive(const SdpMedia& media, const std::string& mid, const SdpLines& filtered) {
  std::string section = std::string("m=") + (media.kind == TrackKind::kVideo ? "video" : "audio") +
                        " 9 UDP/TLS/RTP/SAVPF " + std::to_string(media.payload_type) +
                        "\r\nc=IN IP4 0.0.0.0\r\n";
  for (const char* name : {"ice-ufrag", "ice-pwd", "fingerprint", "setup"}) {
    section +=
        std::string("a=") + name + ":" + std::string(FindSdpAttribute(filtered, name).value_or("")) + "\r\n";
  }
  return section + "a=inactive\r\na=rtcp-mux\r\na=mid:" + mid +
         "\r\na=rtpmap:" + std::to_string(media.payload_type) + " " + RtpEncodingName(media.codec) + "/" +
         std::to_string(media.clock_rate) + (media.channels > 1 ? "/2" : "") + "\r\n";
}

}  // namespace

SdpMedia Offered(Codec codec, const std::string& profile_level_id) {
  if (KindOf(codec) == TrackKind::kAudio) return {TrackKind::kAudio, "", codec, 97, 48'000, 2, {}};
  SdpMedia video{TrackKind::kVideo, "", codec, 96, 90'000, 0, {}};
  if (codec == Codec::kH264) {
    video.format_parameters =
        "profile-level-id=" + profile_level_id + ";packetization-mode=1;level-asymmetry-allowed=1";
  }
  return video;
}

Result<SdpAnswer> SdpAnswer::Read(std::string_view text, std::string_view offer,
                                  const SdpProposal& proposal) {
  MILLRACE_ASSIGN_OR_RETURN(const SdpLines offered, SplitSdpLines(offer));
  const std::vector<std::string> mids = Mids(offered);
  if (mids.size() != proposal.media.size())
    return Error{ErrorCode::kInternal, "the offer has not the media that were to be in it"};
  MILLRACE_ASSIGN_OR_RETURN(const SdpLines answered, SplitSdpLines(text));
  const auto mid = FindSdpAttribute(answered, "mid");
  if (mid && std::find(mids.begin(), mids.end(), *mid) == mids.end()) {
    return Error{ErrorCode::kFailedPrecondition,
                 "the answer is to another offer: this one has no '" + Excerpt(*mid) + "'"};
  }
  SdpAcceptance acceptance{.receive = proposal.receive, .video = {}, .audio = {}};
  for (const SdpMedia& media : proposal.media)
    (media.kind == TrackKind::kVideo ? acceptance.video : acceptance.audio).push_back({media.codec});
  // An answer has the form of an offer, by one who sends what it takes.
  MILLRACE_ASSIGN_OR_RETURN(const SdpOffer read, SdpOffer::Read(text, acceptance));

  SdpAnswer answer;
  std::string bundle;
  std::string inactive;
  MILLRACE_ASSIGN_OR_RETURN(const SdpLines filtered, SplitSdpLines(read.filtered()));
  for (const std::string_view line : filtered) {
    const auto setup = SdpAttribute(line, "setup");  // RFC 8842 section 5.3
    if (setup && *setup != "active" && *setup != "passive")
      return Wrong("an answer's setup is active or passive");
  }
  for (std::size_t i = 0; i < proposal.media.size(); ++i) {
    const SdpMedia& wanted = proposal.media[i];
    bundle += " " + mids[i];
    const SdpMedia* taken = read.Find(wanted.kind);
    if (taken == nullptr) {
      if (i == 0) {
        return Error{ErrorCode::kUnsupported, std::string("the answer takes no part in the offer's ") +
                                                  (wanted.kind == TrackKind::kVideo ? "video" : "audio")};
      }
      inactive += Inactive(wanted, mids[i], filtered);
      continue;
    }
    if (taken->mid != mids[i]) {
      return Wrong("the answer's media sections are not the offer's: '" + Excerpt(taken->mid) +
                   "' instead of '" + mids[i] + "'");
    }
    if (taken->payload_type != wanted.payload_type || taken->clock_rate != wanted.clock_rate)
      return Wrong("the answer has another payload type than was offered for '" + mids[i] + "'");
    if (taken != &read.media()[i]) return Wrong("the answer has the media in another order than was offered");
    answer.media_.push_back(*taken);
  }
  const std::string group = "a=group:BUNDLE";
  const std::size_t at = read.filtered().find(group);
  const std::size_t end = read.filtered().find("\r\n", at);
  answer.filtered_ = read.filtered().substr(0, at) + group + bundle + read.filtered().substr(end) + inactive;
  return answer;
}

}  // namespace millrace
