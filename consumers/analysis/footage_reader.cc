#include "consumers/analysis/footage_reader.h"

#include <boost/json/array.hpp>
#include <thread>
#include <utility>

namespace millrace {
namespace {

constexpr auto kPause = std::chrono::milliseconds(500);
constexpr std::size_t kListMax = 100'000;
constexpr std::size_t kPage = 1000;
constexpr int kFetchesMax = 3;  // of a fragment that the server says it cannot read
// As GetMediaForFragmentList's documentation numbers them.
constexpr std::int64_t kFragmentNotFound = 4000;

// Names of streams are letters, digits and _ . - alone, and so are numbers and tokens; times have a colon.
std::string Encoded(std::string text) {
  for (std::size_t at = 0; (at = text.find(':', at)) != std::string::npos;) text.replace(at, 1, "%3A");
  return text;
}

}  // namespace

FootageReader::FootageReader(wire::Endpoint endpoint, std::function<bool()> stopped)
    : client_(std::move(endpoint), wire::HttpClient::Options{}), stopped_(std::move(stopped)) {}

template <typename T>
Result<T> FootageReader::Patiently(const std::function<Result<T>()>& ask) {
  while (true) {
    auto answer = ask();
    if (answer) return answer;
    if (!wire::MayPassByItself(answer.error().code) || !stopped_) return answer;
    if (stopped_()) return Error{ErrorCode::kCancelled, "stopped"};
    std::this_thread::sleep_for(kPause);
  }
}

Result<ParsedFragment> FootageReader::FetchOnce(const FragmentDescriptor& fragment) {
  auto media = Patiently<Bytes>([&] { return client_.Media(fragment.stream, {fragment.fragment_number}); });
  if (!media) return OfTheServer(std::move(media).error());
  return ParseFragment(SharedBytes(std::move(*media)));
}

Result<ParsedFragment> FootageReader::Fetch(const FragmentDescriptor& fragment) {
  for (int fetches = 1;; ++fetches) {
    MILLRACE_ASSIGN_OR_RETURN(ParsedFragment parsed, FetchOnce(fragment));
    const ServiceTags& service = parsed.service;
    const bool refused = service.error_id || service.error_code;
    if (!refused && parsed.clusters > 0) return parsed;
    if (service.error_id == kFragmentNotFound) {
      return Error{ErrorCode::kNotFound, service.error_code.value_or("the fragment is not there")};
    }
    // It may be the disk that failed for a moment.
    if (fetches == kFetchesMax || !stopped_) {
      return Error{ErrorCode::kCorruption, refused ? "the server cannot read the fragment: " +
                                                         service.error_code.value_or("no reason given")
                                                   : "the fragment has no media"};
    }
    if (stopped_()) return Error{ErrorCode::kCancelled, "stopped"};
    std::this_thread::sleep_for(kPause);
  }
}

Result<void> FootageReader::Each(const std::string& stream, const std::string& stream_arn, Timestamp start,
                                 Timestamp end,
                                 const std::function<Result<void>(FragmentDescriptor)>& visit) {
  std::string next;
  do {
    const std::string target = "/v1/streams/" + stream + "/fragments?start=" + Encoded(FormatRfc3339(start)) +
                               "&end=" + Encoded(FormatRfc3339(end)) + "&limit=" + std::to_string(kPage) +
                               (next.empty() ? "" : "&next=" + next);
    MILLRACE_ASSIGN_OR_RETURN(auto page,
                              Patiently<boost::json::object>([&] { return client_.Own("GET", target); }));
    const auto* fragments = page.if_contains("fragments");
    if (fragments == nullptr || !fragments->is_array()) {
      return Error{ErrorCode::kInternal, "the server's list of fragments is none"};
    }
    for (const auto& each : fragments->get_array()) {
      MILLRACE_ASSIGN_OR_RETURN(auto fragment, ParseListedFragment(each));
      fragment.stream = stream;
      fragment.stream_arn = stream_arn;
      MILLRACE_RETURN_IF_ERROR(visit(std::move(fragment)));
    }
    const auto* token = page.if_contains("next");
    next = token != nullptr && token->is_string() ? std::string(token->get_string()) : "";
  } while (!next.empty());
  return {};
}

Result<std::vector<FragmentDescriptor>> FootageReader::List(const std::string& stream,
                                                            const std::string& stream_arn, Timestamp start,
                                                            Timestamp end) {
  std::vector<FragmentDescriptor> list;
  MILLRACE_RETURN_IF_ERROR(
      Each(stream, stream_arn, start, end, [&](FragmentDescriptor fragment) -> Result<void> {
        if (list.size() == kListMax) {
          return Error{ErrorCode::kResourceExhausted,
                       "stream '" + stream + "' has more fragments there than " + std::to_string(kListMax)};
        }
        list.push_back(std::move(fragment));
        return {};
      }));
  return list;
}

Result<std::string> FootageReader::ArnOf(const std::string& stream) {
  const boost::json::object request{{"StreamName", stream}};
  MILLRACE_ASSIGN_OR_RETURN(auto answer, Patiently<boost::json::object>([&] {
                              return client_.Own("POST", "/describeStream", &request);
                            }));
  const auto* info = answer.if_contains("StreamInfo");
  const auto* arn =
      info != nullptr && info->is_object() ? info->get_object().if_contains("StreamARN") : nullptr;
  if (arn == nullptr || !arn->is_string()) {
    return Error{ErrorCode::kInternal, "the server's description of stream '" + stream + "' is none"};
  }
  return std::string(arn->get_string());
}

}  // namespace millrace
