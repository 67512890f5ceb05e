#include "wire/request_signing.h"

#include <charconv>
#include <string_view>

#include "base/time.h"
#include "wire/signature_v4.h"

namespace millrace::wire {
namespace {

// The parameters of an escaped query, decoded.
std::vector<SignedParts::Field> SplitQuery(std::string_view query) {
  const auto decoded = [](std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      unsigned value = 0;
      const auto hex = text.substr(i + 1, 2);
      const bool escape = text[i] == '%' && hex.size() == 2 &&
                          std::from_chars(hex.data(), hex.data() + 2, value, 16).ptr == hex.data() + 2;
      out.push_back(escape ? static_cast<char>(value) : text[i]);
      if (escape) i += 2;
    }
    return out;
  };
  std::vector<SignedParts::Field> parameters;
  while (!query.empty()) {
    const auto ampersand = query.find('&');
    const std::string_view pair = query.substr(0, ampersand);
    query = ampersand == std::string_view::npos ? std::string_view() : query.substr(ampersand + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    parameters.emplace_back(decoded(pair.substr(0, equals)),
                            equals == std::string_view::npos ? "" : decoded(pair.substr(equals + 1)));
  }
  return parameters;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> SigningFields(const AccessKey& key,
                                                               const HttpRequest& request,
                                                               const std::string& authority) {
  const std::string_view target = request.target;
  const auto question = target.find('?');
  const std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  const auto parameters = SplitQuery(query);
  const SignedParts parts{request.method, target.substr(0, question), parameters, request.headers, authority};
  const std::string hash = Hex(Sha256Of(AsBytes(std::string_view(request.body))));
  return SignatureHeaders(key, "us-east-1", "millrace", SystemClock().Now(), parts, hash);
}

}  // namespace millrace::wire
