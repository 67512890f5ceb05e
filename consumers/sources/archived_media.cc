#include "consumers/sources/archived_media.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kPage = 1000;    // ListFragments' and GetMediaForFragmentList's most
constexpr std::size_t kAtATime = 100;  // fragments of one request: what is lost when a connection breaks

double RequestSeconds(Timestamp time) { return static_cast<double>(time.millis()) / 1000.0; }

Timestamp TimeIn(const boost::json::object& object, const char* name) {
  const boost::json::value* value = object.if_contains(name);
  boost::system::error_code ec;
  const double seconds = value != nullptr ? value->to_number<double>(ec) : 0;
  return Timestamp::FromMillis(ec || !std::isfinite(seconds) || std::abs(seconds) > 9e9
                                   ? 0
                                   : static_cast<std::int64_t>(std::llround(seconds * 1000)));
}

std::uint64_t NumberIn(const boost::json::object& object, const char* name) {
  const boost::json::value* value = object.if_contains(name);
  boost::system::error_code ec;
  const auto number = value != nullptr ? value->to_number<std::uint64_t>(ec) : 0;
  return ec ? 0 : number;
}

Error BadAnswer() { return Error{ErrorCode::kInternal, "the server's answer to ListFragments is not one"}; }

}  // namespace

Result<std::vector<ListedFragment>> ArchivedMedia::List(const FragmentRange& range) {
  std::vector<ListedFragment> fragments;
  std::string token;
  do {
    boost::json::object request{{"MaxResults", kPage}};
    if (token.empty()) {
      request["FragmentSelector"] = {
          {"FragmentSelectorType", range.by_producer ? "PRODUCER_TIMESTAMP" : "SERVER_TIMESTAMP"},
          {"TimestampRange",
           {{"StartTimestamp", RequestSeconds(range.start)}, {"EndTimestamp", RequestSeconds(range.end)}}}};
    } else {
      request["NextToken"] = token;
    }
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::object answer,
                              client_.Call("LIST_FRAGMENTS", "/listFragments", std::move(request)));
    const boost::json::value* list = answer.if_contains("Fragments");
    if (list == nullptr || !list->is_array()) return BadAnswer();
    for (const boost::json::value& entry : list->get_array()) {
      const boost::json::value* number =
          entry.is_object() ? entry.get_object().if_contains("FragmentNumber") : nullptr;
      if (number == nullptr || !number->is_string()) return BadAnswer();
      if (fragments.size() >= range.fragments_max) {
        return Error{ErrorCode::kResourceExhausted, "more than " + std::to_string(range.fragments_max) +
                                                        " fragments: ask for a shorter time"};
      }
      const boost::json::object& fragment = entry.get_object();
      fragments.push_back(
          {std::string(number->get_string()), TimeIn(fragment, "ProducerTimestamp"),
           TimeIn(fragment, "ServerTimestamp"),
           std::chrono::milliseconds(NumberIn(fragment, "FragmentLengthInMilliseconds") & 0xFFFFFFFF),
           NumberIn(fragment, "FragmentSizeInBytes")});
    }
    const boost::json::value* next = answer.if_contains("NextToken");
    token = next != nullptr && next->is_string() ? std::string(next->get_string()) : std::string();
  } while (!token.empty());
  std::sort(fragments.begin(), fragments.end(),
            [](const ListedFragment& a, const ListedFragment& b) { return a.number < b.number; });
  return fragments;
}

Result<void> ArchivedMedia::Read(const std::vector<std::string>& numbers,
                                 const FragmentGatherer::Sink& sink) {
  for (std::size_t at = 0; at < numbers.size(); at += kAtATime) {
    boost::json::array wanted;
    for (std::size_t i = at; i < std::min(at + kAtATime, numbers.size()); ++i) {
      wanted.emplace_back(numbers[i]);
    }
    FragmentGatherer gatherer(sink, limits_);
    FragmentReader reader(gatherer, limits_);
    MILLRACE_RETURN_IF_ERROR(client_.Media("GET_MEDIA_FOR_FRAGMENT_LIST", "/getMediaForFragmentList",
                                           {{"Fragments", std::move(wanted)}},
                                           [&](ByteSpan piece) { return reader.Push(piece); }));
    MILLRACE_RETURN_IF_ERROR(reader.Finish());
  }
  return {};
}

Result<void> ArchivedMedia::Read(const std::vector<ListedFragment>& fragments,
                                 const FragmentGatherer::Sink& sink) {
  std::vector<std::string> numbers;
  for (const ListedFragment& fragment : fragments) numbers.push_back(fragment.number);
  return Read(numbers, sink);
}

}  // namespace millrace
