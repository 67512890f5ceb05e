#include "api/access/sessions.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "wire/digest.h"

namespace millrace::api {
namespace {

constexpr char kPurpose[] = "session-1";
constexpr std::size_t kTokenBytesMax = 8192;

// Tells two secrets apart and says nothing else of them.
std::string Fingerprint(const std::string& secret) {
  return wire::Hex(wire::HmacSha256(AsBytes(std::string_view(secret)), kPurpose)).substr(0, 32);
}

}  // namespace

bool Sessions::Holder::GoodFor(std::string_view target_path) const {
  if (!target_path.starts_with(path)) return false;
  return path.empty() || path.ends_with('/') || target_path.size() == path.size() ||
         target_path[path.size()] == '/';
}

std::string Sessions::Make(const Credentials& credentials, std::string_view key_id, Timestamp end,
                           std::string_view path) const {
  const Credentials::Owner* owner = credentials.Find(key_id);
  boost::json::object object;
  object["key"] = boost::json::string_view(key_id.data(), key_id.size());
  object["secret"] = Fingerprint(owner->secret);
  object["end"] = end.ns;
  object["path"] = boost::json::string_view(path.data(), path.size());
  const std::string text = boost::json::serialize(object);
  return sealer_.Seal(kPurpose, AsBytes(std::string_view(text)));
}

std::optional<Sessions::Holder> Sessions::Open(const Credentials& credentials, std::string_view token) const {
  if (token.size() > kTokenBytesMax) return std::nullopt;
  const auto opened = sealer_.Open(kPurpose, token);
  if (!opened) return std::nullopt;
  // What opens was made above: it needs no checks.
  const std::string_view text = AsText(*opened);
  const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()));
  const auto& object = value.get_object();
  if (object.at("end").get_int64() < clock_.Now().ns) return std::nullopt;
  const std::string key_id(object.at("key").get_string().c_str());
  const Credentials::Owner* owner = credentials.Find(key_id);
  if (owner == nullptr || Fingerprint(owner->secret) != object.at("secret").get_string().c_str()) {
    return std::nullopt;
  }
  return Holder{owner->user, key_id, object.at("path").get_string().c_str()};
}

std::string_view FindCookie(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const auto semicolon = header.find(';');
    std::string_view pair = header.substr(0, semicolon);
    header = semicolon == std::string_view::npos ? std::string_view() : header.substr(semicolon + 1);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return {};
}

}  // namespace millrace::api
