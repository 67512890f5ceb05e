#include "media/webrtc/sdp_offer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/text.h"
#include "media/webrtc/sdp_lines.h"

namespace millrace {
namespace {

constexpr std::size_t kSectionsMax = 16;
constexpr std::size_t kNamedBytesMax = 256;  // of the codecs that a refusal names

Error WrongOffer(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

// RFC 8839 section 5.4.
bool IsIceWord(std::string_view word) {
  return word.size() >= 4 && word.size() <= 256 && std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
                  c == '/';
         });
}

struct Format {
  unsigned payload_type = 0;
  std::string name;  // lower case
  std::uint32_t clock_rate = 0;
  std::uint32_t channels = 1;
  std::string parameters;
};

struct Media {
  SdpLines lines;  // the first is m=
  std::string_view kind;
  std::string_view protocol;
  std::string_view mid;
  bool offered = false;         // its port is not 0
  std::vector<Format> formats;  // in the peer's order
};

std::string ParameterOf(const Format& format, std::string_view name) {
  std::string_view rest = format.parameters;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && ToAsciiLower(pair.substr(0, equals)) == name)
      return ToAsciiLower(pair.substr(equals + 1));
  }
  return "";
}

// "opus/48000/2".
bool ReadEncoding(std::string_view text, Format& format) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  format.name = ToAsciiLower(text.substr(0, slash));
  text.remove_prefix(slash + 1);
  const char* end = text.data() + text.size();
  auto [after, error] = std::from_chars(text.data(), end, format.clock_rate);
  if (error != std::errc() || format.clock_rate == 0) return false;
  if (after == end) return true;
  if (*after != '/') return false;
  return std::from_chars(after + 1, end, format.channels).ptr == end;
}

Result<Media> ReadMedia(SdpLines lines) {
  Media media;
  const std::vector<std::string_view> words = SdpWords(lines.front().substr(2));
  if (words.size() < 4) return WrongOffer("'" + Excerpt(lines.front()) + "' is no media description");
  media.kind = words[0];
  media.offered = words[1] != "0" || FindSdpAttribute(lines, "bundle-only").has_value();
  media.protocol = words[2];
  for (std::size_t i = 3; i < words.size(); ++i) {
    const auto type = SdpPayloadType(words[i]);
    if (!type) continue;
    const bool listed = std::any_of(media.formats.begin(), media.formats.end(),
                                    [&](const Format& format) { return format.payload_type == *type; });
    if (listed) return WrongOffer("'" + Excerpt(lines.front()) + "' lists a payload type twice");
    media.formats.push_back({*type, {}, 0, 1, {}});
  }
  for (const std::string_view line : lines) {
    for (const auto& [name, is_map] : {std::pair{"rtpmap", true}, std::pair{"fmtp", false}}) {
      const auto value = SdpAttribute(line, name);
      if (!value) continue;
      const std::size_t blank = value->find(' ');
      const auto type = SdpPayloadType(value->substr(0, blank));
      if (!type || blank == std::string_view::npos)
        return WrongOffer("'" + Excerpt(line) + "' names no payload type");
      const std::string_view text = value->substr(blank + 1);
      for (Format& format : media.formats) {
        if (format.payload_type != *type) continue;
        if (!is_map) {
          format.parameters = text;
        } else if (!format.name.empty()) {
          return WrongOffer("'" + Excerpt(line) + "' names a second codec for a payload type");
        } else if (!ReadEncoding(text, format)) {
          return WrongOffer("'" + Excerpt(line) + "' names no codec");
        }
      }
    }
  }
  media.mid = FindSdpAttribute(lines, "mid").value_or("");
  media.lines = std::move(lines);
  return media;
}

bool IsCodec(const Format& format, Codec codec) {
  switch (codec) {
    case Codec::kH264:
      // Single NAL unit mode cannot carry a key frame of any size.
      return format.name == "h264" && ParameterOf(format, "packetization-mode") == "1";
    case Codec::kVp8:
      return format.name == "vp8";
    case Codec::kVp9:
      return format.name == "vp9" && (ParameterOf(format, "profile-id") + "0").front() == '0';
    case Codec::kOpus:
      return format.name == "opus" && format.clock_rate == 48000;
    default:
      return false;
  }
}

// The format that carries `wanted` best: of H.264 one of the same profile, else any, since browsers decode
// more profiles than some of them offer.
const Format* Choose(const Media& media, const SdpWanted& wanted) {
  const Format* any = nullptr;
  const Format* same_profile = nullptr;
  for (const Format& format : media.formats) {
    if (!IsCodec(format, wanted.codec)) continue;
    if (any == nullptr) any = &format;
    const std::string profile = ParameterOf(format, "profile-level-id").substr(0, 2);
    if (same_profile == nullptr && profile == wanted.profile_level_id.substr(0, 2)) same_profile = &format;
  }
  return same_profile != nullptr ? same_profile : any;
}

std::pair<const Format*, Codec> Choose(const Media& media, const std::vector<SdpWanted>& wanted) {
  std::pair<const Format*, Codec> best{nullptr, Codec::kH264};
  for (const SdpWanted& each : wanted) {
    const Format* format = Choose(media, each);
    if (format == nullptr) continue;
    if (&each == &wanted.front()) return {format, each.codec};
    if (best.first == nullptr || format < best.first) best = {format, each.codec};
  }
  return best;
}

std::string DirectionOf(const SdpLines& session, const SdpLines& media) {
  for (const SdpLines* lines : {&media, &session}) {
    for (const char* direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
      if (FindSdpAttribute(*lines, direction)) return direction;
    }
  }
  return "sendrecv";
}

const Format* Retransmission(const Media& media, unsigned payload_type) {
  for (const Format& format : media.formats) {
    if (format.name == "rtx" && ParameterOf(format, "apt") == std::to_string(payload_type)) return &format;
  }
  return nullptr;
}

// Whether the line, of a section of which `types` are accepted, goes on to webrtcbin.
bool IsKept(std::string_view line, const std::set<unsigned>& types, bool receive) {
  for (const char* name : {"rtpmap", "fmtp", "rtcp-fb"}) {
    if (const auto value = SdpAttribute(line, name)) {
      const auto type = SdpPayloadType(value->substr(0, value->find(' ')));
      if (!type || !types.contains(*type)) return false;
      if (std::string_view(name) != "rtcp-fb") return true;
      const std::string_view feedback = value->substr(std::min(value->find(' ') + 1, value->size()));
      return feedback == "nack" || feedback == "nack pli" || feedback == "ccm fir" ||
             (receive && feedback == "transport-cc");
    }
  }
  if (const auto value = SdpAttribute(line, "extmap")) {
    const auto words = SdpWords(*value);
    return receive && words.size() == 2 && words[1] == kTransportCcUri;
  }
  if (const auto value = SdpAttribute(line, "ssrc")) return value->find(" cname:") != std::string_view::npos;
  if (const auto value = SdpAttribute(line, "ssrc-group")) return value->starts_with("FID ");
  if (const auto value = SdpAttribute(line, "candidate")) return IsUsableCandidate(*value);
  for (const char* name : {"mid", "rtcp-mux", "rtcp-rsize", "msid"}) {
    if (SdpAttribute(line, name)) return true;
  }
  return false;
}

}  // namespace

const char* RtpEncodingName(Codec codec) {
  switch (codec) {
    case Codec::kVp8:
      return "VP8";
    case Codec::kVp9:
      return "VP9";
    case Codec::kOpus:
      return "OPUS";
    default:
      return "H264";
  }
}

const SdpMedia* SdpOffer::Find(TrackKind kind) const {
  const auto found =
      std::find_if(media_.begin(), media_.end(), [&](const auto& m) { return m.kind == kind; });
  return found == media_.end() ? nullptr : &*found;
}

Result<SdpOffer> SdpOffer::Read(std::string_view text, const SdpAcceptance& acceptance) {
  MILLRACE_ASSIGN_OR_RETURN(const SdpLines lines, SplitSdpLines(text));
  if (lines.empty() || lines.front() != "v=0") return WrongOffer("an SDP offer begins with 'v=0'");
  SdpLines session;
  std::vector<SdpLines> parts;
  for (const std::string_view line : lines) {
    if (line.starts_with("m=")) parts.emplace_back();
    (parts.empty() ? session : parts.back()).push_back(line);
  }
  if (parts.empty()) return WrongOffer("the SDP offer has no media");
  if (parts.size() > kSectionsMax) return WrongOffer("the SDP offer has too many media sections");

  SdpOffer offer;
  std::string bodies;
  std::string bundle;
  std::string offered;  // of what is not accepted
  const auto group = FindSdpAttribute(session, "group");
  std::set<std::string_view> bundled;
  if (group && group->starts_with("BUNDLE")) {
    for (const std::string_view mid : SdpWords(group->substr(6))) bundled.insert(mid);
  }
  std::set<std::string_view> mids;
  std::size_t candidates = 0;
  for (SdpLines& part : parts) {
    MILLRACE_ASSIGN_OR_RETURN(const Media media, ReadMedia(std::move(part)));
    if (!media.mid.empty() && !mids.insert(media.mid).second)
      return WrongOffer("two media sections have one mid");
    const bool video = media.kind == "video";
    const TrackKind kind = video ? TrackKind::kVideo : TrackKind::kAudio;
    const std::string direction = DirectionOf(session, media.lines);
    const bool flows = direction == "sendrecv" || direction == (acceptance.receive ? "sendonly" : "recvonly");
    const auto& wanted = video ? acceptance.video : acceptance.audio;
    const bool known = video || media.kind == "audio";
    const auto [format, codec] = known && media.offered && flows && offer.Find(kind) == nullptr
                                     ? Choose(media, wanted)
                                     : std::pair<const Format*, Codec>{};
    if (format == nullptr) {
      const std::vector<std::string_view> words = SdpWords(media.lines.front().substr(2));
      std::string rejection = "m=" + std::string(media.kind) + " 0 " + std::string(media.protocol) + " " +
                              std::string(words[3]) + "\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n";
      if (!media.mid.empty()) rejection += "a=mid:" + std::string(media.mid) + "\r\n";
      offer.sections_.push_back({std::move(rejection)});
      for (const Format& each : media.formats) {
        const bool named = !each.name.empty() && each.name != "rtx";
        const std::string name = Excerpt(each.name, 16);
        if (named && offered.size() < kNamedBytesMax && offered.find(name) == std::string::npos)
          offered += " " + name;
      }
      // A picture that is not taken while its sound is would surprise.
      if (known && media.offered && flows && !wanted.empty() && offer.Find(kind) == nullptr) {
        return Error{ErrorCode::kUnsupported, "none of the " + std::string(media.kind) +
                                                  " codecs that are offered is accepted here:" + offered};
      }
      continue;
    }
    if (!media.protocol.ends_with("/TLS/RTP/SAVPF"))
      return Error{ErrorCode::kUnsupported, "media is accepted over DTLS-SRTP (UDP/TLS/RTP/SAVPF) alone"};
    if (media.mid.empty()) return WrongOffer("a media section has no mid");
    if (!FindSdpAttribute(media.lines, "rtcp-mux"))
      return Error{ErrorCode::kUnsupported, "media without rtcp-mux is not accepted"};
    if (!offer.media_.empty() && (!bundled.contains(media.mid) || !bundled.contains(offer.media_[0].mid)))
      return Error{ErrorCode::kUnsupported, "media that is not bundled on one transport is not accepted"};

    SdpMedia accepted{kind, std::string(media.mid), codec, format->payload_type, format->clock_rate, 0, {}};
    accepted.channels = video ? 0 : format->channels;
    accepted.format_parameters = format->parameters;
    std::set<unsigned> types{format->payload_type};
    if (const Format* rtx = Retransmission(media, format->payload_type)) types.insert(rtx->payload_type);
    bodies += "m=" + std::string(media.kind) + " 9 " + std::string(media.protocol);
    bodies += " " + std::to_string(format->payload_type);
    for (const unsigned type : types) {
      if (type != format->payload_type) bodies += " " + std::to_string(type);
    }
    bodies += "\r\nc=IN IP4 0.0.0.0\r\n";
    for (const char* name : {"ice-ufrag", "ice-pwd", "fingerprint", "setup"}) {
      auto value = FindSdpAttribute(media.lines, name);
      if (!value) value = FindSdpAttribute(session, name);
      if (!value || value->empty()) return WrongOffer(std::string("a media section has no ") + name);
      if (std::string_view(name).starts_with("ice-") && !IsIceWord(*value))
        return WrongOffer(std::string("the ") + name + " is none");
      bodies += "a=" + std::string(name) + ":" + std::string(*value) + "\r\n";
      if (offer.ice_ufrag_.empty() && std::string_view(name) == "ice-ufrag") offer.ice_ufrag_ = *value;
      if (offer.ice_pwd_.empty() && std::string_view(name) == "ice-pwd") offer.ice_pwd_ = *value;
    }
    bodies += acceptance.receive ? "a=sendonly\r\n" : "a=recvonly\r\n";
    for (const std::string_view line : media.lines) {
      if (!IsKept(line, types, acceptance.receive)) continue;
      if (SdpAttribute(line, "candidate") && ++candidates > kIceCandidatesMax) continue;
      bodies += std::string(line) + "\r\n";
    }
    bundle += " " + accepted.mid;
    offer.media_.push_back(std::move(accepted));
    offer.sections_.emplace_back();
  }
  if (offer.media_.empty()) {
    return Error{ErrorCode::kUnsupported, acceptance.receive
                                              ? "the offer sends no media that is accepted here"
                                              : "the offer asks for no media that there is"};
  }
  offer.filtered_ = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE" + bundle +
                    "\r\na=msid-semantic: WMS *\r\n" + bodies;
  return offer;
}

Result<std::string> SdpOffer::MakeAnswer(std::string_view filtered_answer,
                                         const std::vector<IceCandidate>& candidates) const {
  MILLRACE_ASSIGN_OR_RETURN(const SdpLines lines, SplitSdpLines(filtered_answer));
  std::string session;
  std::vector<std::string> bodies;
  for (const std::string_view line : lines) {
    if (line.starts_with("m=")) bodies.emplace_back();
    if (SdpAttribute(line, "candidate") || SdpAttribute(line, "end-of-candidates")) continue;
    if (!bodies.empty() && bodies.size() <= media_.size()) {
      // webrtcbin leaves the profile of H.264 out.
      const SdpMedia& media = media_[bodies.size() - 1];
      const std::string format = "a=fmtp:" + std::to_string(media.payload_type) + " ";
      if (line.starts_with(format)) {
        bodies.back() += format + media.format_parameters + "\r\n";
        continue;
      }
    }
    (bodies.empty() ? session : bodies.back()) += std::string(line) + "\r\n";
  }
  if (bodies.size() != media_.size())
    return Error{ErrorCode::kInternal, "the answer has not the offer's media sections"};
  for (const IceCandidate& candidate : candidates) bodies.front() += "a=" + candidate.text + "\r\n";
  bodies.front() += "a=end-of-candidates\r\n";
  std::string answer = std::move(session) + "a=ice-options:trickle\r\n";
  std::size_t next = 0;
  for (const Section& section : sections_)
    answer += section.rejection.empty() ? bodies[next++] : section.rejection;
  return answer;
}

Result<IceFragment> ReadIceFragment(std::string_view text) {
  MILLRACE_ASSIGN_OR_RETURN(const SdpLines lines, SplitSdpLines(text));
  if (lines.empty()) return WrongOffer("the piece of SDP is empty");
  IceFragment fragment;
  fragment.ufrag = FindSdpAttribute(lines, "ice-ufrag").value_or("");
  fragment.pwd = FindSdpAttribute(lines, "ice-pwd").value_or("");
  for (const std::string_view line : lines) {
    const auto candidate = SdpAttribute(line, "candidate");
    if (!candidate || !IsUsableCandidate(*candidate) || fragment.candidates.size() == kIceCandidatesMax)
      continue;
    fragment.candidates.push_back({"candidate:" + std::string(*candidate)});
  }
  return fragment;
}

}  // namespace millrace
