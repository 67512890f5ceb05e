// A fragment's results as records, within their bounds: 5 MiB and 4000 of them, as one commit takes; of a
// frame 512 KiB, 32 levels deep. What goes beyond them is a record that says so.
//
// Threads: one owner.
#pragma once

#include <boost/json/object.hpp>
#include <utility>
#include <vector>

#include "consumers/analysis/result_record.h"

namespace millrace {

class FragmentFindings {
 public:
  // Both outlive this.
  FragmentFindings(const AnalyzerIdentity& identity, const FragmentDescriptor& fragment)
      : identity_(identity), fragment_(fragment) {}

  // What was found at this offset from the fragment's start, or why nothing was.
  void Add(Duration offset, const Result<boost::json::object>& found);
  std::vector<WorkerResult> Take() { return std::move(results_); }

 private:
  WorkerResult Make(Duration offset, const Result<boost::json::object>& found) const;

  const AnalyzerIdentity& identity_;
  const FragmentDescriptor& fragment_;
  std::vector<WorkerResult> results_;
  std::size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace millrace
