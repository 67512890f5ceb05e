// The stored fragments of a range of producer time, as playback and export want them: from a fragment that a
// decoder can begin with to the range's end.
//
// Threads: any; calls wait for the disk. Errors: as fragments/fragment_store.h, and those named below.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment_store.h"

namespace millrace {

struct TimeRange {
  Timestamp start;
  std::optional<Timestamp> end;  // exclusive; none: everything that is stored after the start
};

// The fragment to begin with: the independent one nearest to the start, at or before it, that leads to it
// without a gap; where there is no footage at the start, the first later one. It may be not independent,
// where the key frame that it needs is not stored any more: then the first independent one after it is the
// place to begin. Errors: kNotFound: nothing in the range, with what there is.
Result<FragmentFacts> RangeBegin(FragmentStore& store, const std::string& stream, const TimeRange& range);

// The nearest fragment of the run, at or before `fragment`, that a decoder can begin with; `fragment` itself
// where there is none.
Result<FragmentFacts> IndependentBefore(FragmentStore& store, const std::string& stream,
                                        const FragmentFacts& fragment);

// Calls `visit` with each fragment of the range, from RangeBegin on, in the order of their start times.
// Fragments whose times overlap (the camera's clock was set back) all come. Errors: kInvalidArgument: more
// than `fragments_max`; what `visit` returns ends it.
Result<void> VisitRange(FragmentStore& store, const std::string& stream, const TimeRange& range,
                        std::size_t fragments_max,
                        const std::function<Result<void>(const FragmentFacts&)>& visit);

// Calls `visit` with each fragment that the query asks for, in its order and however many there are; its
// limit is not looked at. REQUIRES: it is ascending. Errors: as VisitRange.
Result<void> VisitStarts(FragmentStore& store, const std::string& stream, FragmentQuery query,
                         std::size_t fragments_max,
                         const std::function<Result<void>(const FragmentFacts&)>& visit);

// kInvalidArgument: "the range holds more than …".
Error TooManyFragments(const std::string& stream, std::size_t fragments_max);
// kNotFound: "stream 'door' has no footage between …; it has some from … to …".
Error NoFootage(FragmentStore& store, const std::string& stream, const TimeRange& range);

}  // namespace millrace
