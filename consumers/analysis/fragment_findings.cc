#include "consumers/analysis/fragment_findings.h"

#include <cmath>
#include <string>
#include <string_view>

#include "base/text.h"

namespace millrace {
namespace {

constexpr std::size_t kResultBytesMax = 5 * 1024 * 1024;  // of one fragment: what one commit takes
constexpr std::size_t kResultsMax = 4000;
constexpr std::size_t kFrameResultBytesMax = 512 * 1024;
constexpr std::size_t kDepthMax = 32;

// Why it cannot become a record; empty: it can.
std::string_view Unfit(const boost::json::value& value, std::size_t depth_max) {
  if (value.is_double() && !std::isfinite(value.get_double())) return "has a number that is none";
  if (!value.is_structured()) return "";
  if (depth_max == 0) return "is nested too deep";
  std::string_view why;
  if (const auto* array = value.if_array()) {
    for (auto at = array->begin(); why.empty() && at != array->end(); ++at) why = Unfit(*at, depth_max - 1);
  } else {
    const auto& object = value.get_object();
    for (auto at = object.begin(); why.empty() && at != object.end(); ++at) {
      why = Unfit(at->value(), depth_max - 1);
    }
  }
  return why;
}

}  // namespace

void FragmentFindings::Add(Duration offset, const Result<boost::json::object>& found) {
  if (full_) return;
  WorkerResult result = Make(offset, found);
  if (results_.size() == kResultsMax || bytes_ + result.data.size() > kResultBytesMax) {
    full_ = true;
    result = MakeStatusResult(identity_, fragment_, offset, "TRUNCATED", "the fragment has too many results");
  }
  bytes_ += result.data.size();
  results_.push_back(std::move(result));
}

WorkerResult FragmentFindings::Make(Duration offset, const Result<boost::json::object>& found) const {
  auto status = [&](std::string_view word, std::string_view why) {
    return MakeStatusResult(identity_, fragment_, offset, word, why);
  };
  if (!found) return status("FAILED", found.error().message);
  if (const auto why = Unfit(*found, kDepthMax); !why.empty()) {
    return status("FAILED", "the frame's result " + std::string(why));
  }
  WorkerResult result = MakeFrameResult(identity_, fragment_, offset, *found);
  if (result.data.size() > kFrameResultBytesMax) {
    return status("TRUNCATED", "the frame's result is too large");
  }
  if (!IsUtf8(result.data)) return status("FAILED", "the frame's result is no UTF-8");
  return result;
}

}  // namespace millrace
