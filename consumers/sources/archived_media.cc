#include "consumers/sources/archived_media.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "wire/answer_fields.h"

namespace millrace {
namespace {

constexpr std::size_t kPage = 1000;    // ListFragments' and GetMediaForFragmentList's most
constexpr std::size_t kAtATime = 100;  // fragments of one request: what is lost when a connection breaks

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
           {{"StartTimestamp", wire::EpochSeconds(range.start)},
            {"EndTimestamp", wire::EpochSeconds(range.end)}}}};
    } else {
      request["NextToken"] = token;
    }
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::object answer,
                              client_.Call("LIST_FRAGMENTS", "/listFragments", std::move(request)));
    const boost::json::array* list = wire::ListOf(answer, "Fragments");
    if (list == nullptr) return BadAnswer();
    for (const boost::json::value& entry : *list) {
      const boost::json::object* fragment = entry.if_object();
      std::string number = fragment != nullptr ? wire::TextOf(*fragment, "FragmentNumber") : std::string();
      if (number.empty()) return BadAnswer();
      if (fragments.size() >= range.fragments_max) {
        return Error{ErrorCode::kResourceExhausted, "more than " + std::to_string(range.fragments_max) +
                                                        " fragments: ask for a shorter time"};
      }
      const std::uint64_t length_ms = wire::CountOf(*fragment, "FragmentLengthInMilliseconds");
      fragments.push_back({std::move(number), wire::TimeOf(*fragment, "ProducerTimestamp"),
                           wire::TimeOf(*fragment, "ServerTimestamp"),
                           std::chrono::milliseconds(length_ms & 0xFFFFFFFF),
                           wire::CountOf(*fragment, "FragmentSizeInBytes")});
    }
    token = wire::TextOf(answer, "NextToken");
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
