#include "consumers/fragment_range.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace millrace {
namespace {

constexpr std::size_t kPageFragments = 1000;
constexpr std::size_t kWalkBackPage = 64;
constexpr std::size_t kWalkBackMax = 4096;  // fragments from a range's start back to a key frame

}  // namespace

Result<FragmentFacts> IndependentBefore(FragmentStore& store, const std::string& stream,
                                        const FragmentFacts& fragment) {
  if (fragment.independent) return fragment;
  std::uint64_t counter = fragment.number.counter;  // of the last one looked at
  FragmentQuery query;
  query.order = FragmentOrder::kNumber;
  query.descending = true;
  query.limit = kWalkBackPage;
  for (std::size_t walked = 0; walked < kWalkBackMax && counter > 0; walked += kWalkBackPage) {
    query.to_number = FragmentNumber{.counter = counter - 1, .server_ms = ~std::uint64_t{0}, .random = ~0U};
    MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> page, store.List(stream, query));
    for (FragmentFacts& facts : page) {
      if (facts.run != fragment.run || facts.number.counter + 1 != counter) return fragment;
      if (facts.independent) return std::move(facts);
      counter = facts.number.counter;
    }
    if (page.size() < query.limit) break;
  }
  return fragment;
}

Result<FragmentFacts> RangeBegin(FragmentStore& store, const std::string& stream, const TimeRange& range) {
  auto containing = store.FindContaining(stream, range.start);
  if (containing) return IndependentBefore(store, stream, *containing);
  if (containing.error().code != ErrorCode::kNotFound) return std::move(containing).error();

  FragmentQuery query;
  query.from = range.start;
  query.limit = 1;
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> next, store.List(stream, query));
  if (next.empty() || (range.end && next.front().start >= *range.end)) return NoFootage(store, stream, range);
  return IndependentBefore(store, stream, next.front());
}

Result<void> VisitStarts(FragmentStore& store, const std::string& stream, FragmentQuery query,
                         std::size_t fragments_max,
                         const std::function<Result<void>(const FragmentFacts&)>& visit) {
  query.limit = kPageFragments;
  const bool by_number = query.order == FragmentOrder::kNumber;
  const auto time_of = [&](const FragmentFacts& facts) {
    return query.order == FragmentOrder::kServerTime ? facts.server_start : facts.start;
  };
  std::size_t visited = 0;
  // Each page begins with the place at which the one before it ended.
  std::vector<FragmentNumber> seen_there;
  for (;;) {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> page, store.List(stream, query));
    for (const FragmentFacts& facts : page) {
      if (std::find(seen_there.begin(), seen_there.end(), facts.number) != seen_there.end()) continue;
      if (++visited > fragments_max) return TooManyFragments(stream, fragments_max);
      MILLRACE_RETURN_IF_ERROR(visit(facts));
    }
    if (page.size() < query.limit) return {};
    const FragmentFacts& last = page.back();
    seen_there.assign(1, last.number);
    if (by_number) {
      query.from_number = last.number;
    } else if (const Timestamp at = time_of(last); at == query.from) {
      // More of one millisecond than a page holds do not come from a recorder: go past them.
      query.from = at + std::chrono::milliseconds(1);
    } else {
      query.from = at;
      for (const FragmentFacts& facts : page) {
        if (time_of(facts) == at) seen_there.push_back(facts.number);
      }
    }
  }
}

Result<void> VisitRange(FragmentStore& store, const std::string& stream, const TimeRange& range,
                        std::size_t fragments_max,
                        const std::function<Result<void>(const FragmentFacts&)>& visit) {
  MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts begin, RangeBegin(store, stream, range));
  FragmentQuery query;
  query.from = begin.start;
  if (range.end) query.to = *range.end - Duration{1};
  std::size_t visited = 0;
  auto within = [&](const FragmentFacts& facts) -> Result<void> {
    // The lead-in to the start is that of the first fragment's run alone; an older run may lie at the same
    // time.
    const bool lead_in = facts.run == begin.run && facts.number >= begin.number;
    if (facts.end_time() <= range.start && !lead_in) return {};
    if (++visited > fragments_max) return TooManyFragments(stream, fragments_max);
    return visit(facts);
  };
  return VisitStarts(store, stream, query, std::numeric_limits<std::size_t>::max(), within);
}

Error TooManyFragments(const std::string& stream, std::size_t fragments_max) {
  return {ErrorCode::kInvalidArgument, "the range holds more than " + std::to_string(fragments_max) +
                                           " fragments of stream '" + stream + "': ask for a shorter range"};
}

Error NoFootage(FragmentStore& store, const std::string& stream, const TimeRange& range) {
  std::string text = "stream '" + stream + "' has no footage between " + FormatRfc3339(range.start) +
                     " and " + (range.end ? FormatRfc3339(*range.end) : "now");
  auto usage = store.Usage(stream);
  if (usage && usage->first && usage->last) {
    text += "; it has some from " + FormatRfc3339(*usage->first) + " to " + FormatRfc3339(*usage->last) +
            " (GET /v1/streams/" + stream + "/coverage says where)";
  } else if (usage) {
    text += "; it has none at all yet";
  }
  return {ErrorCode::kNotFound, text};
}

}  // namespace millrace
