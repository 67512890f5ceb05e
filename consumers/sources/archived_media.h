// A video stream's past: which fragments there are (ListFragments), and their media
// (GetMediaForFragmentList).
//
//   ArchivedMedia archive({.endpoint = endpoint, .stream = "door"});
//   MILLRACE_ASSIGN_OR_RETURN(const auto fragments, archive.List({.start = noon, .end = noon + minutes(5)}));
//   MILLRACE_RETURN_IF_ERROR(archive.Read(fragments, [&](const ParsedFragment& fragment) { … }));
//
// Back-pressure and memory: as MediaStream's; a list holds up to `fragments_max` entries.
// Errors:  as MediaStream's, without trying again; kResourceExhausted: more fragments than `fragments_max`;
//          kUnavailable: the server stopped within the media, and said why: those before it were given.
// Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "consumers/sources/video_client.h"
#include "parser/fragment_gatherer.h"

namespace millrace {

struct ListedFragment {
  std::string number;
  Timestamp producer_timestamp;
  Timestamp server_timestamp;
  Duration length{0};
  std::uint64_t bytes = 0;
};

// Fragments that begin within [start, end], by either clock.
struct FragmentRange {
  Timestamp start;
  Timestamp end;
  bool by_producer = true;  // false: by the server's clock
  std::size_t fragments_max = 100'000;
};

class ArchivedMedia {
 public:
  explicit ArchivedMedia(VideoStreamAddress address, const ParserLimits& limits = {})
      : client_(std::move(address)), limits_(limits) {}

  // In the order of their numbers.
  Result<std::vector<ListedFragment>> List(const FragmentRange& range);

  // Each fragment whole, in the order that is asked for.
  Result<void> Read(const std::vector<std::string>& numbers, const FragmentGatherer::Sink& sink);
  Result<void> Read(const std::vector<ListedFragment>& fragments, const FragmentGatherer::Sink& sink);

 private:
  VideoClient client_;
  const ParserLimits limits_;
};

}  // namespace millrace
