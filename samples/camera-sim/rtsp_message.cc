#include "samples/camera-sim/rtsp_message.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

namespace millrace::camera_sim {
namespace {

constexpr std::size_t kMessageBytesMax = 64 * 1024;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string Md5Hex(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

// name="value" of a Digest header; empty where it is missing.
std::string DigestField(const std::string& header, const std::string& name) {
  for (std::size_t at = header.find(name + "="); at != std::string::npos;
       at = header.find(name + "=", at + 1)) {
    if (at > 0 && (std::isalnum(static_cast<unsigned char>(header[at - 1])) != 0 || header[at - 1] == '_'))
      continue;
    std::size_t start = at + name.size() + 1;
    if (start < header.size() && header[start] == '"') {
      return header.substr(start + 1, header.find('"', start + 1) - start - 1);
    }
    return header.substr(start, header.find_first_of(", ", start) - start);
  }
  return "";
}

Result<std::optional<RtspRequest>> ParseHead(std::string_view head) {
  const Error bad{ErrorCode::kInvalidArgument, "not an RTSP request"};
  RtspRequest request;
  bool first = true;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (first) {
      const std::size_t one = line.find(' ');
      const std::size_t two = line.rfind(' ');
      if (one == std::string_view::npos || two <= one || line.substr(two + 1) != "RTSP/1.0") return bad;
      request.method = line.substr(0, one);
      request.uri = line.substr(one + 1, two - one - 1);
      first = false;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return bad;
    request.headers[LowerCase(Trim(line.substr(0, colon)))] = Trim(line.substr(colon + 1));
  }
  if (first) return bad;
  return std::optional(std::move(request));
}

}  // namespace

Result<std::optional<RtspRequest>> TakeRequest(std::string& buffer) {
  const std::optional<RtspRequest> need_more;
  for (;;) {
    const std::size_t junk = buffer.find_first_not_of("\r\n");  // empty lines between messages
    buffer.erase(0, std::min(junk, buffer.size()));
    if (buffer.empty()) return need_more;
    if (buffer[0] != '$') break;
    if (buffer.size() < 4) return need_more;
    const std::size_t size = 4 + (static_cast<std::size_t>(static_cast<std::uint8_t>(buffer[2])) << 8 |
                                  static_cast<std::uint8_t>(buffer[3]));
    if (buffer.size() < size) return need_more;
    buffer.erase(0, size);
  }
  const std::size_t head = buffer.find("\r\n\r\n");
  if (head == std::string::npos) {
    if (buffer.size() > kMessageBytesMax) return Error{ErrorCode::kInvalidArgument, "request is too large"};
    return need_more;
  }
  auto request = ParseHead(std::string_view(buffer).substr(0, head));
  if (!request) return request;
  std::size_t body = 0;
  for (char c : (*request)->Header("content-length")) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0)
      return Error{ErrorCode::kInvalidArgument, "bad length"};
    body = body * 10 + static_cast<std::size_t>(c - '0');
    if (body > kMessageBytesMax) return Error{ErrorCode::kInvalidArgument, "request is too large"};
  }
  if (buffer.size() < head + 4 + body) return need_more;
  buffer.erase(0, head + 4 + body);
  return request;
}

bool DigestIsRight(const RtspRequest& request, std::string_view user, std::string_view password,
                   std::string_view realm, std::string_view nonce) {
  const std::string header = request.Header("authorization");
  if (LowerCase(header.substr(0, 7)) != "digest ") return false;
  if (DigestField(header, "username") != user || DigestField(header, "nonce") != nonce) return false;
  const std::string secret =
      Md5Hex(std::string(user) + ":" + std::string(realm) + ":" + std::string(password));
  const std::string what = Md5Hex(request.method + ":" + DigestField(header, "uri"));
  return DigestField(header, "response") == Md5Hex(secret + ":" + std::string(nonce) + ":" + what);
}

std::string Base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3), '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return out;
}

}  // namespace millrace::camera_sim
